//! What became of the copies: the filter's counters.

use std::collections::BTreeMap;

use crate::stage::ROLLOUT;

/// What stands before the name of every counter of a filter in Envoy's statistics.
const PREFIX: &str = "wasmcustom.turnout.";

/// The counters of the rollout.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counted {
    /// How many requests were drawn.
    pub(crate) sampled: u64,
    /// What became of them.
    pub(crate) outcomes: BTreeMap<String, u64>,
    /// How many copies are on their way.
    pub(crate) in_flight: u64,
}

impl Counted {
    /// From Envoy's statistics, by name.
    pub(crate) fn of(stats: &BTreeMap<String, u64>) -> Self {
        let of = |name: &str| stats.get(&format!("{PREFIX}{name}.{ROLLOUT}")).copied();
        let outcomes = format!("{PREFIX}shadow.{ROLLOUT}.");
        let outcome = |(name, count): (&String, &u64)| {
            let outcome = name.strip_prefix(&outcomes)?;
            (*count > 0).then(|| (outcome.to_owned(), *count))
        };
        Self {
            sampled: of("shadow_sampled").unwrap_or_default(),
            outcomes: stats.iter().filter_map(outcome).collect(),
            in_flight: of("shadow_in_flight").unwrap_or_default(),
        }
    }

    /// How many have come to an end.
    pub(crate) fn ended(&self) -> u64 {
        self.outcomes.values().sum()
    }

    /// Whether nothing is on its way and each of so many requests has come to one end.
    pub(crate) fn accounts_for(&self, requests: u64) -> bool {
        (self.sampled, self.ended(), self.in_flight) == (requests, requests, 0)
    }
}

/// An outcome in plain words.
pub(crate) fn in_words(outcome: &str) -> &'static str {
    match outcome {
        "equal" => "v2 answered the same",
        "different" => "v2 answered something else",
        "noise" => "they differ only where v1 differs from itself",
        "skipped_method" => "not copied: not a GET or HEAD",
        "dropped_busy" => "not copied: too many were on their way",
        "dropped_slow" => "not copied: the client or v1 was slow",
        "timeout" => "v2 took too long",
        "v2_error" => "v2 did not answer",
        "too_large" => "not compared: too large",
        "not_comparable" => "not compared: nothing that can be",
        // A request of the demo gives no other cause.
        _ => "unexpected here",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sampled_has_to_have_ended() {
        let stats = |different: u64, in_flight: u64| {
            let name = |what: &str| format!("wasmcustom.turnout.{what}");
            Counted::of(&BTreeMap::from([
                (name(&format!("shadow.{ROLLOUT}.equal")), 3),
                (name(&format!("shadow.{ROLLOUT}.different")), different),
                (name(&format!("shadow.{ROLLOUT}.timeout")), 0),
                (name("shadow.another.equal"), 9),
                (name(&format!("shadow_sampled.{ROLLOUT}")), 5),
                (name(&format!("shadow_in_flight.{ROLLOUT}")), in_flight),
            ]))
        };
        assert_eq!(stats(2, 0).outcomes.len(), 2);
        assert!(stats(2, 0).accounts_for(5));
        assert!(!stats(2, 0).accounts_for(6));
        assert!(!stats(1, 0).accounts_for(5));
        assert!(!stats(2, 1).accounts_for(5));
    }
}
