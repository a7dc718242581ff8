//! The result of `simulate` for an access log, in the names of Envoy's counters.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use support::corpus::now;
use turnout_core::Plan;
use turnout_simulate::{LogFields, Replay, TrafficReport};

use crate::testbed::Testbed;

/// Envoy's counters: the number of requests of each decision.
pub(crate) async fn counted(testbed: &Testbed) -> BTreeMap<String, u64> {
    let mut counted = testbed.decisions().await;
    counted.retain(|_, count| *count > 0);
    counted
}

/// Reads a log whose field `account` has the account, and that has these headers in fields of the same
/// name.
pub(crate) fn replay_of(account: &str, headers: &[&str]) -> Replay {
    let mut fields = LogFields::default();
    let mut map = |field: String| fields.map(&field).expect("a field");
    map(format!("account={account}"));
    for name in headers {
        map(format!("header:{name}={name}"));
    }
    Replay {
        fields,
        format: None,
        threads: NonZeroUsize::new(2).expect("two"),
    }
}

/// The number of requests of each decision, like [`counted`]. Every line of the log is a decision, or a connection
/// that broke off before its request was complete.
pub(crate) fn decisions_of(plan: &Plan, replay: &Replay, log: &str) -> BTreeMap<String, u64> {
    let traffic = TrafficReport::of(plan, now(), replay, log.as_bytes()).expect("a log in memory");
    let read = &traffic.log;
    assert_eq!((read.blank, read.unreadable.count), (0, 0), "{read:?}");
    let mut decisions = BTreeMap::from([("-.v1.no_rollout".to_owned(), traffic.no_rollout)]);
    for rollout in &traffic.rollouts {
        for decided in &rollout.total.decisions {
            let decision = [&rollout.rollout, decided.treatment, decided.reason].join(".");
            decisions.insert(decision, decided.requests);
        }
    }
    decisions.retain(|_, count| *count > 0);
    let others = &read.not_requests;
    assert_eq!((others.log_messages, others.other), (0, 0), "{read:?}");
    let requests = decisions.values().sum::<u64>();
    assert_eq!(requests + others.connections, read.lines);
    assert_eq!(traffic.contradictions, []);
    decisions
}
