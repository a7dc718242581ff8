//! The report on Envoy's log and metrics, as `turnout report` makes it.

use turnout_report::{ErrorBudget, Report, Totals, Verdict};

use crate::testbed::ROLLOUT;

/// Reads both and computes the verdict of the rollout.
pub(crate) fn of(log: &[String], prometheus: &str) -> Result<Report, String> {
    let log = log.join("\n");
    let mut totals = Totals::default();
    for (name, text) in [("Envoy's log", log.as_str()), ("Prometheus", prometheus)] {
        let read = totals.read(name, text.as_bytes());
        read.map_err(|error| format!("{name}: {error}"))?;
    }
    Report::new(&totals, ErrorBudget::default(), Some(ROLLOUT))
        .map_err(|_| format!("the log and the metrics do not mention {ROLLOUT}"))
}

/// Errors in the verdict, which must be NOT READY.
pub(crate) fn wrong(report: &Report) -> Vec<String> {
    let verdicts: Vec<_> = report.verdicts().collect();
    match verdicts[..] {
        [(ROLLOUT, Verdict::NotReady)] => Vec::new(),
        _ => vec![format!("the verdicts of the report are {verdicts:?}")],
    }
}
