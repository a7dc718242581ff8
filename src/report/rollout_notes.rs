//! Notes on one rollout: what the report does not know, and what to do about uncertain comparisons.

use turnout_core::shadow::Outcome;
use turnout_text::{counted, plural};

use crate::error_budget::ErrorBudget;
use crate::outcomes::Outcomes;
use crate::share::Share;
use crate::totals::RolloutTotals;

/// Notes on what the report does not know about a rollout.
pub(crate) fn missing_data(rollout: &RolloutTotals) -> Vec<String> {
    let mut notes = Vec::new();
    let counters = rollout.counters.as_ref();
    let unknown = counters.map_or(0, |counters| counters.unknown);
    let unknown = unknown.max(rollout.unknown);
    if unknown > 0 {
        notes.push(format!(
            "{} an outcome that this version does not know.",
            counted(unknown, "request has", "requests have")
        ));
    }
    if rollout.summaries == 0 && counters.is_some() {
        notes.push("No summary was read, so segments, routes and findings are unknown.".into());
    }
    if rollout.dropped_rows > 0 {
        notes.push(format!(
            "{} of further segments and routes {} only in the totals.",
            counted(rollout.dropped_rows, "summary", "summaries"),
            plural(rollout.dropped_rows, "is", "are")
        ));
    }
    notes
}

/// Notes on what to do about each kind of uncertain comparison.
pub(crate) fn uncertain_comparisons(outcomes: &Outcomes, allow: ErrorBudget) -> Vec<String> {
    let mut notes = Vec::new();
    let noise = outcomes.get(Outcome::Noise);
    if Share::of(noise, outcomes.judged()) > allow.share() {
        notes.push(format!(
            "v1 differs from itself in {}. Find the places with `turnout diff` on two responses of v1, and add them \
             to `compare.ignore`.",
            counted(noise, "comparison", "comparisons")
        ));
    }
    let unrepeatable = outcomes.get(Outcome::Unrepeatable);
    if unrepeatable > 0 {
        notes.push(format!(
            "When the filter repeated {}, v1 responded differently than it had to the user. If the route rewrites the \
             path, the host or headers, declare that in `shadow.rewrite` (`turnout lint --admin` reads the routes). \
             Exclude requests that can be sent only once, such as those with a one-time token.",
            counted(unrepeatable, "request", "requests")
        ));
    }
    let unconfirmed = outcomes.get(Outcome::Unconfirmed);
    if unconfirmed > 0 {
        notes.push(format!(
            "{} not confirmed, because v1 did not respond again or was not asked again: a worker asks v1 again at \
             most 10 times a second.",
            counted(unconfirmed, "difference is", "differences are")
        ));
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notes_of<const N: usize>(counts: [(Outcome, u64); N]) -> Vec<String> {
        let mut outcomes = Outcomes::default();
        for (outcome, count) in counts {
            outcomes.add(outcome, count);
        }
        uncertain_comparisons(&outcomes, ErrorBudget::default())
    }

    #[test]
    fn notes_on_uncertain_comparisons_say_what_to_do() {
        let equal = (Outcome::Equal, 10_000);
        assert!(notes_of([equal, (Outcome::Noise, 10)]).is_empty());
        for (outcome, names) in [
            (Outcome::Noise, "`compare.ignore`"),
            (Outcome::Unrepeatable, "`shadow.rewrite`"),
            (Outcome::Unconfirmed, "10 times a second"),
        ] {
            let notes = notes_of([equal, (outcome, 11)]);
            assert!(
                matches!(&*notes, [note] if note.contains(names)),
                "{notes:?}"
            );
        }
    }
}
