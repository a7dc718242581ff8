//! Counts and proxies for tests.

use turnout_admin::{Counter, CounterValues, GuardCounter, GuardEvent, GuardGauges};
use turnout_core::guard::GuardState;
use turnout_core::{Fraction, Treatment};

use crate::{JudgedRollout, Observation, ObservedProxy};

pub(crate) fn percent(literal: &str) -> Fraction {
    Fraction::from_percentage(literal).unwrap()
}

/// The rollout `chat` with the default guard.
pub(crate) fn chat() -> JudgedRollout {
    JudgedRollout::of_counts("chat")
}

/// The counters of strata of `chat`, each with its percentage, and `[all, errors, slow]` of v1 and v2.
pub(crate) fn counters(strata: &[(&str, [u64; 3], [u64; 3])]) -> CounterValues {
    let mut sum = CounterValues::default();
    for (requests, v1, v2) in strata {
        let mut counters = CounterValues::default();
        for (arm, counts) in Treatment::ALL.into_iter().zip([v1, v2]) {
            for ((event, _), count) in GuardEvent::ALL.into_iter().zip(counts) {
                let counter = GuardCounter {
                    rollout: "chat".to_owned(),
                    requests: percent(requests),
                    arm,
                    event,
                };
                counters.insert(Counter::Guard(counter), *count);
            }
        }
        sum.add(&counters);
    }
    sum
}

/// Two proxies with revision 7 whose guards are armed, and the sum of their counters.
pub(crate) fn observed(strata: &[(&str, [u64; 3], [u64; 3])]) -> Observation {
    Observation {
        proxies: Some(vec![proxy("a"), proxy("b")]),
        counters: counters(strata),
        rates: None,
        observed_seconds: 600,
        changed_rollouts: [].into(),
    }
}

pub(crate) fn proxy(name: &str) -> ObservedProxy {
    let gauges = GuardGauges {
        state: Some(GuardState::Armed),
        ..GuardGauges::default()
    };
    ObservedProxy {
        name: name.to_owned(),
        revision_number: Some(7),
        guards: [("chat".to_owned(), gauges)].into(),
        ..ObservedProxy::default()
    }
}
