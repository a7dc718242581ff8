//! Notes on the inputs of a report: why records or counters are missing, do not count, or may come from a
//! client.

use turnout_text::{counted, join_first, plural, thousands};

use crate::input::{Doubt, Input};
use crate::labels::excerpt;
use crate::totals::{MOST_ROLLOUTS, Totals};

/// Inputs that a note lists.
const MOST_NAMES: usize = 5;

/// Why a log may have no records, and what to change.
pub const RECORDS_HIDDEN: &str = "A log has no records if the proxy hides them: Istio runs Envoy at the log level \
warning, and the filter writes records at the level info by default. Start Envoy with --component-log-level wasm:info \
(in Istio: the annotation sidecar.istio.io/componentLogLevel: wasm:info), or write records at a level that the proxy \
logs: `turnout render` and `turnout apply` take --record-level warn.";

impl Totals {
    /// All notes on the inputs.
    pub(crate) fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        let sum = |count: fn(&Input) -> u64| {
            let inputs = self.inputs.iter();
            inputs.fold(0_u64, |sum, input| sum.saturating_add(count(input)))
        };
        let unreadable = sum(|input| input.unreadable);
        if unreadable > 0 {
            notes.push(format!(
                "{} truncated or damaged and {} not count.",
                counted(unreadable, "line is", "lines are"),
                plural(unreadable, "does", "do")
            ));
        }
        notes.extend(self.untrusted_lines().notes());
        notes.extend(self.mixed_log_note());
        notes.extend(self.same_counters.iter().map(|[one, other]| {
            format!(
                "{other} has the same counters as {one} and does not count; pass one dump for each proxy."
            )
        }));
        let unlabelled = sum(|input| input.unlabelled);
        if unlabelled > 0 {
            notes.push(format!(
                "{} its rollout and {} not count; copy the stats_tags of envoy/*.yaml into Envoy's configuration.",
                counted(unlabelled, "counter does not name", "counters do not name"),
                plural(unlabelled, "does", "do")
            ));
        }
        notes.extend(self.ambiguous_counter_note());
        notes.extend(self.native_histograms_note());
        notes.extend(self.missing_records_note());
        let without_turnout: Vec<_> = self
            .inputs
            .iter()
            .filter(|input| input.records == 0 && input.counters == 0)
            .map(|input| input.name.clone())
            .collect();
        if !without_turnout.is_empty() {
            notes.push(format!(
                "There are no records and no counters of Turnout in {}.",
                join_first(&without_turnout, MOST_NAMES)
            ));
        }
        let lost = self.record_counters.get("lost").copied();
        if let Some(lost) = lost.filter(|lost| *lost > 0) {
            notes.push(format!(
                "According to the counters, {} lost on the way to the collector.",
                counted(lost, "record was", "records were")
            ));
        }
        if self.dropped > 0 {
            notes.push(format!(
                "{} of further rollouts {} not count: a report has at most {} rollouts.",
                counted(self.dropped, "line", "lines"),
                plural(self.dropped, "does", "do"),
                thousands(u64::try_from(MOST_ROLLOUTS).unwrap_or(u64::MAX))
            ));
        }
        notes
    }

    /// Why a client may have written some of the records, or why they may count twice. A verdict that is
    /// based on such records is never READY.
    pub(crate) fn doubt(&self) -> Option<String> {
        let of_input = |input: &Input| {
            let records = counted(input.records, "record", "records");
            let why = match input.doubt? {
                Doubt::Bare => {
                    "the records have no log prefix, but the input also has other lines".into()
                }
                Doubt::Wrapped => {
                    String::from("other lines do not have the wrapper of the records")
                }
                Doubt::ClientText(line) => format!(
                    "line {} starts with text that a client may have chosen, so clients may have written whole lines",
                    thousands(line)
                ),
            };
            Some(format!(
                "{records} of {} may come from a client: {why}. Pass Envoy's own log without an access log, or read all \
                 counters with --admin. If no line is from an access log, add --own-log.",
                input.name
            ))
        };
        self.inputs.iter().find_map(of_input).or_else(|| {
            let [one, other] = self.same_records()?;
            Some(format!(
                "{other} has the same records as {one}; pass each log once."
            ))
        })
    }

    fn same_records(&self) -> Option<[&str; 2]> {
        let has_records = |input: &&Input| input.records > 0 && input.records_hash != 0;
        let inputs: Vec<_> = self.inputs.iter().filter(has_records).collect();
        let mut others = inputs.iter().enumerate();
        others.find_map(|(index, other)| {
            let mut earlier = inputs.iter().take(index);
            let is_same = |one: &&&Input| {
                (one.records, one.records_hash) == (other.records, other.records_hash)
            };
            let one = earlier.find(is_same)?;
            Some([one.name.as_str(), other.name.as_str()])
        })
    }

    /// A warning that the log of the records also has lines that Envoy's own logger did not write.
    fn mixed_log_note(&self) -> Option<String> {
        let inputs = self.inputs.iter();
        let mut inputs = inputs.filter(|input| input.mixed && input.records > 0);
        let first = inputs.next()?;
        let (names, have) = match inputs.count() {
            0 => (first.name.clone(), "has"),
            more => {
                let more = thousands(u64::try_from(more).unwrap_or(u64::MAX));
                (format!("{} and {more} more", first.name), "have")
            }
        };
        Some(format!(
            "{names} also {have} lines that are not from Envoy's own log. If one of them is from an access log whose \
             first field is text of a client, then a client can have written the records."
        ))
    }

    /// A note that a counter may belong to either of two rollouts.
    #[must_use]
    pub fn ambiguous_counter_note(&self) -> Option<String> {
        let counter = self.ambiguous_counter.as_ref()?;
        let [one, other] = &counter.rollouts;
        Some(format!(
            "The counter {} may belong to the rollout {} or to {} and does not count; copy the stats_tags of \
             envoy/*.yaml into Envoy's configuration.",
            excerpt(&counter.name),
            excerpt(one),
            excerpt(other)
        ))
    }

    /// A note that the latencies are in native histograms, a format of Prometheus.
    #[must_use]
    pub fn native_histograms_note(&self) -> Option<String> {
        (self.native_histograms > 0).then(|| {
            "Native histograms are not supported, so the counters have no latencies; set \
             always_scrape_classic_histograms: true in Prometheus, or read the proxy with --admin."
                .into()
        })
    }

    /// A note that the filter has written records, or compared responses, and no input has a record.
    fn missing_records_note(&self) -> Option<String> {
        if self.inputs.iter().any(|input| input.records > 0) {
            return None;
        }
        let written = self
            .record_counters
            .get("logged")
            .copied()
            .unwrap_or_default();
        let sampled = self.rollouts.values().filter_map(|rollout| {
            let counters = rollout.counters.as_ref()?;
            Some(counters.sampled.max(counters.outcomes.total()))
        });
        let sampled = sampled.fold(0, u64::saturating_add);
        let counted = match (written, sampled) {
            (0, 0) => return None,
            (0, sampled) => counted(sampled, "sampled request", "sampled requests"),
            (written, _) => counted(written, "written record", "written records"),
        };
        Some(format!(
            "The counters have {counted}, but no record was read; pass the log of the proxy. {RECORDS_HIDDEN}"
        ))
    }
}
