//! Decides whether a rollout's numbers come from the counters or from the records.

use turnout_core::shadow::Outcome;
use turnout_text::{counted, plural, thousands};

use crate::outcomes::Outcomes;
use crate::totals::RolloutTotals;

/// The source of a rollout's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NumberSource {
    Counters,
    Records,
}

impl NumberSource {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Counters => "counters",
            Self::Records => "records",
        }
    }
}

/// Chooses the source of a rollout's numbers and returns its outcomes.
///
/// Counters miss no request, but they restart with a proxy, and they do not include proxies that were not
/// read. So the records count where they have more.
pub(crate) fn choose(rollout: &RolloutTotals, notes: &mut Vec<String>) -> (NumberSource, Outcomes) {
    let mut recorded = rollout.summed.outcomes.clone();
    let summed = recorded.get(Outcome::Different);
    let unsummed = rollout.differences.saturating_sub(summed);
    if rollout.summaries > 0 {
        recorded.add(Outcome::Different, unsummed);
    }
    let Some(counters) = &rollout.counters else {
        if unsummed > 0 {
            let differences = counted(unsummed, "difference", "differences");
            notes.push(match rollout.summaries {
                0 => format!(
                    "The records have {differences}, but no summary or counter has the number of comparisons."
                ),
                _ => format!(
                    "{differences} {} recorded but not in a summary yet, and {} nevertheless.",
                    plural(unsummed, "is", "are"),
                    plural(unsummed, "counts", "count")
                ),
            });
        }
        return (NumberSource::Records, recorded);
    };
    let outcomes = &counters.outcomes;
    if rollout.summaries == 0 || recorded == *outcomes {
        return (NumberSource::Counters, outcomes.clone());
    }
    let disagreement = disagreement(outcomes, &recorded);
    if recorded.failed() > outcomes.failed() || recorded.judged() > outcomes.judged() {
        notes.push(format!(
            "{disagreement} The report uses the records: counters restart with a proxy, and they only include the \
             proxies that were read."
        ));
        (NumberSource::Records, recorded)
    } else {
        notes.push(format!(
            "{disagreement} The report uses the counters: summaries are written later, and a log may miss some. \
             Segments, routes and findings are from the records."
        ));
        (NumberSource::Counters, outcomes.clone())
    }
}

/// Describes how the counters and the records differ.
fn disagreement(counters: &Outcomes, records: &Outcomes) -> String {
    let numbers = |outcomes: &Outcomes| (outcomes.failed(), outcomes.judged());
    if numbers(counters) == numbers(records) {
        return format!(
            "The counters leave out {} requests, the records {}.",
            thousands(counters.left_out()),
            thousands(records.left_out())
        );
    }
    format!(
        "The counters have {} failures in {} comparisons, the records {} in {}.",
        thousands(counters.failed()),
        thousands(counters.judged()),
        thousands(records.failed()),
        thousands(records.judged())
    )
}
