//! The report, from Envoy's log and Prometheus: the same as of `turnout report`.

use turnout_report::{Allow, Report, Totals, Verdict};

use crate::stage::ROLLOUT;

/// Reads both and judges the rollout.
pub(crate) fn of(log: &[String], prometheus: &str) -> Result<Report, String> {
    let log = log.join("\n");
    let mut totals = Totals::default();
    for (name, text) in [("Envoy's log", log.as_str()), ("Prometheus", prometheus)] {
        let read = totals.read(name, text.as_bytes());
        read.map_err(|error| format!("{name}: {error}"))?;
    }
    Report::new(&totals, Allow::default(), Some(ROLLOUT))
        .map_err(|_| format!("nothing about {ROLLOUT} in log and metrics"))
}

/// What is wrong about the verdict: such a v2 is not ready.
pub(crate) fn wrong(report: &Report) -> Vec<String> {
    let verdicts: Vec<_> = report.verdicts().collect();
    match verdicts[..] {
        [(ROLLOUT, Verdict::NotReady)] => Vec::new(),
        _ => vec![format!("the report says {verdicts:?}")],
    }
}
