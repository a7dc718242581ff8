//! Compares each request, account and counter with the decision of the policy.

use std::collections::{BTreeMap, HashSet};

use turnout_core::{Decision, Headers, Inbound, Plan, Reason, Time, Treatment, decide};

use crate::traffic::{Call, HOST, Outcome, Received};
use support::demo::accounts::Segment;

/// Counts by the filter's counters: `turnout.decisions.<rollout>.<treatment>.<reason>`.
pub(crate) type Counts = BTreeMap<String, u64>;

/// One request, its outcome, and the policies that may have decided it: two while one replaces the other,
/// else one.
pub(crate) struct Exchange<'a> {
    pub(crate) call: &'a Call,
    pub(crate) outcome: &'a Outcome,
    pub(crate) plans: &'a [&'a Plan],
}

/// Expected and actual results of many requests.
#[derive(Debug, Default)]
pub(crate) struct Comparison<'a> {
    /// In the order of [`Segment::ALL`].
    pub(crate) rows: [Row<'a>; Segment::ALL.len()],
    /// The counts that the filter should have.
    pub(crate) counts: Counts,
    /// As they are printed.
    differences: Vec<String>,
    pub(crate) failed: usize,
}

/// Expected and actual results of the requests of one segment.
#[derive(Debug, Default)]
pub(crate) struct Row<'a> {
    pub(crate) accounts: HashSet<&'a str>,
    /// The accounts that a rule selects, even if none of their requests takes v2.
    pub(crate) accounts_selected: HashSet<&'a str>,
    pub(crate) accounts_expected: HashSet<&'a str>,
    pub(crate) accounts_actual: HashSet<&'a str>,
    pub(crate) requests: usize,
    pub(crate) requests_expected: usize,
    pub(crate) requests_actual: usize,
    /// Whether the result of any request of the segment is not the expected one.
    pub(crate) differs: bool,
}

/// The sums over all comparisons.
#[derive(Default)]
pub(crate) struct Totals {
    pub(crate) requests: usize,
    pub(crate) failed: usize,
    /// Requests (including failed ones) and counters that are not as expected.
    pub(crate) wrong: usize,
}

/// Compares each request by itself, because sums can agree by chance.
pub(crate) fn compare<'a>(exchanges: impl IntoIterator<Item = Exchange<'a>>) -> Comparison<'a> {
    let mut comparison = Comparison::default();
    for exchange in exchanges {
        comparison.add(&exchange);
    }
    comparison
}

impl<'a> Comparison<'a> {
    fn add(&mut self, exchange: &Exchange<'a>) {
        let call = exchange.call;
        let row = &mut self.rows[call.segment as usize];
        row.requests += 1;
        row.accounts.insert(&call.sid);
        let difference = match exchange.outcome {
            Err(error) => {
                self.failed += 1;
                Some(failure(call, error))
            }
            Ok(answered) => {
                let decision = expectation(exchange, answered);
                *self.counts.entry(counter(&decision)).or_default() += 1;
                row.add(call, answered, &decision)
            }
        };
        row.differs |= difference.is_some();
        self.differences.extend(difference);
    }

    /// Whether every result is the expected one.
    pub(crate) fn is_as_expected(&self) -> bool {
        self.differences.is_empty()
    }

    /// How many requests were compared.
    pub(crate) fn requests(&self) -> usize {
        self.rows.iter().map(|row| row.requests).sum()
    }
}

impl<'a> Row<'a> {
    /// Adds a request, and returns a description if its result is not the expected one.
    fn add(
        &mut self,
        call: &'a Call,
        actual: &Received,
        expected: &Decision<'_>,
    ) -> Option<String> {
        if matches!(expected.reason, Reason::Rule | Reason::OutsideRequests) {
            self.accounts_selected.insert(&call.sid);
        }
        if expected.served() == Treatment::V2 {
            self.requests_expected += 1;
            self.accounts_expected.insert(&call.sid);
        }
        if actual.by == Treatment::V2 {
            self.requests_actual += 1;
            self.accounts_actual.insert(&call.sid);
        }
        (actual.by != expected.served()).then(|| difference(call, actual, expected))
    }
}

fn difference(call: &Call, actual: &Received, expected: &Decision<'_>) -> String {
    let (version, reason) = (expected.served(), expected.reason);
    let about = format!(
        "{}: expected {version} ({reason}), actual {}",
        call.sid, actual.by
    );
    format!("{about}\n      request id {}", actual.id)
}

fn failure(call: &Call, error: &str) -> String {
    // The error may contain a whole page.
    let error: String = error.lines().flat_map(str::chars).take(90).collect();
    format!("{}: the request failed\n      {error}", call.sid)
}

/// The decision of the policy. When two policies may have decided, the one that fits the result.
fn expectation<'a>(exchange: &Exchange<'a>, actual: &Received) -> Decision<'a> {
    let decision = |plan: &&'a Plan| decision(plan, exchange.call, &actual.id);
    let mut decisions = exchange.plans.iter().map(decision);
    decisions
        .find(|decision| decision.served() == actual.by)
        .unwrap_or_else(|| decision(&exchange.plans[0]))
}

/// The decision of a policy for a request with this `x-request-id`.
fn decision<'p>(plan: &'p Plan, call: &Call, id: &str) -> Decision<'p> {
    let pairs: [(&[u8], &[u8]); 5] = [
        (b":method", call.method.as_bytes()),
        (b":authority", HOST.as_bytes()),
        (b":path", call.path.as_bytes()),
        (b"x-account-sid", call.sid.as_bytes()),
        (b"x-request-id", id.as_bytes()),
    ];
    decide(
        plan,
        &plan.request(Headers::new(&pairs), Inbound::Strip, Time::default()),
    )
}

fn counter(decision: &Decision<'_>) -> String {
    let rollout = decision.rollout.map_or("-", |rollout| &rollout.name);
    let (treatment, reason) = (decision.treatment, decision.reason);
    format!("turnout.decisions.{rollout}.{treatment}.{reason}")
}

impl Totals {
    /// Adds a comparison and the counters of the same time, and returns everything that differs.
    pub(crate) fn add(&mut self, comparison: Comparison<'_>, counted: &Counts) -> Vec<String> {
        self.requests += comparison.requests();
        self.failed += comparison.failed;
        let mut wrong = comparison.differences;
        wrong.extend(compare_counters(&comparison.counts, counted));
        self.wrong += wrong.len();
        wrong
    }
}

/// The counters that did not grow by the expected number, as they are printed.
fn compare_counters(expected: &Counts, actual: &Counts) -> Vec<String> {
    let names: BTreeMap<_, ()> = expected
        .keys()
        .chain(actual.keys())
        .map(|n| (n, ()))
        .collect();
    let of = |counts: &Counts, name: &String| counts.get(name).copied().unwrap_or_default();
    names
        .into_keys()
        .map(|name| (name, of(expected, name), of(actual, name)))
        .filter(|(_, expected, actual)| expected != actual)
        .map(|(name, expected, actual)| format!("{name}: expected {expected}, actual {actual}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::ROLLOUT;

    fn call(segment: Segment) -> Call {
        Call {
            segment,
            sid: segment.sids().next().unwrap(),
            method: "GET",
            path: "/v1/Channels",
        }
    }

    fn response(by: Treatment) -> Outcome {
        let id = "a-request".to_owned();
        Ok(Received { by, id })
    }

    fn plan(step: usize) -> Plan {
        ROLLOUT[step].plan().unwrap()
    }

    fn under<'a>(plans: &'a [&'a Plan]) -> impl Fn((&'a Call, &'a Outcome)) -> Exchange<'a> {
        move |(call, outcome)| Exchange {
            call,
            outcome,
            plans,
        }
    }

    #[test]
    fn expected_results_are_counted_and_not_reported() {
        let (regular, hvc) = (call(Segment::Regular), call(Segment::HighVisibility));
        let (v1, v2) = (response(Treatment::V1), response(Treatment::V2));
        let plans = [&plan(2)];
        let comparison = compare([(&regular, &v2), (&hvc, &v1)].map(under(&plans)));
        assert!(comparison.is_as_expected());
        assert_eq!(comparison.requests(), 2);
        assert_eq!(comparison.rows[0].requests_actual, 1);
        assert_eq!(comparison.rows[2].accounts_expected.len(), 0);
        let names: Vec<_> = comparison.counts.iter().collect();
        let rollout = "turnout.decisions.chat-users-dynamodb";
        assert_eq!(
            names,
            [
                (&format!("{rollout}.v1.default"), &1),
                (&format!("{rollout}.v2.rule"), &1)
            ]
        );
    }

    #[test]
    fn two_wrong_requests_with_the_right_sum_are_reported() {
        let (regular, big) = (call(Segment::Regular), call(Segment::BigCustomers));
        let (v1, v2) = (response(Treatment::V1), response(Treatment::V2));
        let plans = [&plan(2)];
        let comparison = compare([(&regular, &v1), (&big, &v2)].map(under(&plans)));
        assert_eq!(comparison.differences.len(), 2);
        assert_eq!(
            comparison.rows.each_ref().map(|row| row.differs),
            [true, true, false]
        );
    }

    #[test]
    fn a_failed_request_is_reported() {
        let (call, outcome) = (call(Segment::Regular), Err("status 503".to_owned()));
        let plans = [&plan(2)];
        let comparison = compare([(&call, &outcome)].map(under(&plans)));
        assert_eq!((comparison.failed, comparison.differences.len()), (1, 1));
        assert!(comparison.rows[0].differs);
    }

    #[test]
    fn while_one_policy_replaces_another_either_may_decide() {
        let (call, on, off) = (call(Segment::Regular), plan(4), plan(5));
        for by in Treatment::ALL {
            let outcome = response(by);
            for (plans, agree) in [
                (&[&on, &off][..], true),
                (&[&on], by == Treatment::V2),
                (&[&off], by == Treatment::V1),
            ] {
                let comparison = compare([(&call, &outcome)].map(under(plans)));
                assert_eq!(comparison.is_as_expected(), agree);
            }
        }
    }

    #[test]
    fn a_counter_that_is_off_by_one_is_reported() {
        let counts = |on: u64, off: u64| Counts::from([("on".into(), on), ("off".into(), off)]);
        let none = Counts::new();
        assert!(compare_counters(&counts(3, 0), &counts(3, 0)).is_empty());
        assert!(compare_counters(&none, &counts(0, 0)).is_empty());
        assert_eq!(compare_counters(&counts(3, 0), &counts(2, 1)).len(), 2);
        assert_eq!(compare_counters(&none, &counts(1, 0)).len(), 1);
        assert_eq!(compare_counters(&counts(1, 0), &none).len(), 1);
    }
}
