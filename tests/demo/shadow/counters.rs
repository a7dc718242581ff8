//! The filter's counters of shadowing.

use std::collections::BTreeMap;

use crate::testbed::{ROLLOUT, Testbed};

/// The prefix of the filter's counters in Envoy's statistics.
const PREFIX: &str = "wasmcustom.turnout.";

/// The counters of the rollout.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counters {
    /// How many requests were sampled.
    pub(crate) sampled: u64,
    /// How many of them had each outcome.
    pub(crate) outcomes: BTreeMap<String, u64>,
    /// How many shadow requests are in flight.
    pub(crate) in_flight: u64,
}

impl Counters {
    /// Reads the current counters from Envoy.
    pub(crate) async fn read(testbed: &Testbed) -> Self {
        let admin = testbed.envoy.admin();
        Self::of(&admin.stats(r"^wasmcustom\.turnout\.shadow").await)
    }

    /// Picks the counters out of Envoy's statistics.
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

    /// How many requests have an outcome.
    pub(crate) fn ended(&self) -> u64 {
        self.outcomes.values().sum()
    }

    /// Whether nothing is in flight and each of so many requests has one outcome.
    pub(crate) fn accounts_for(&self, requests: u64) -> bool {
        (self.sampled, self.ended(), self.in_flight) == (requests, requests, 0)
    }
}

/// Explains an outcome.
pub(crate) fn in_words(outcome: &str) -> &'static str {
    match outcome {
        "equal" => "the responses are equal",
        "different" => "the responses differ",
        "noise" => "they differ only where v1 differs from itself",
        "skipped_method" => "no shadow request: not a GET or HEAD",
        "dropped_busy" => "no shadow request: too many in flight",
        "dropped_slow" => "no shadow request: the client or v1 was slow",
        "timeout" => "v2 took too long",
        "v2_error" => "v2 did not respond",
        "too_large" => "not compared: too large",
        "not_comparable" => "not compared: no comparable body",
        // The demo does not cause other outcomes.
        _ => "unexpected here",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sampled_request_must_have_an_outcome() {
        let stats = |different: u64, in_flight: u64| {
            let name = |what: &str| format!("wasmcustom.turnout.{what}");
            Counters::of(&BTreeMap::from([
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
