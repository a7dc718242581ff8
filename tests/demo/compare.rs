//! Compares what was seen with what the policy says: each request, each account, each counter.

use std::collections::{BTreeMap, HashSet};

use turnout_core::{Decision, Headers, Inbound, Plan, Reason, Time, Treatment, decide};

use crate::traffic::{Answered, Call, HOST, Outcome};
use harness::accounts::Segment;

/// Counts by the filter's counters: `turnout.decisions.<rollout>.<treatment>.<reason>`.
pub(crate) type Counts = BTreeMap<String, u64>;

/// One request, what came of it, and the policies that may have decided it: one, or two while one
/// replaces the other.
pub(crate) struct Exchange<'a> {
    pub(crate) call: &'a Call,
    pub(crate) outcome: &'a Outcome,
    pub(crate) plans: &'a [&'a Plan],
}

/// What a number of requests came to.
#[derive(Debug, Default)]
pub(crate) struct Comparison<'a> {
    /// In the order of [`Segment::ALL`].
    pub(crate) rows: [Row<'a>; Segment::ALL.len()],
    /// What the filter has to have counted.
    pub(crate) counts: Counts,
    /// Each as it is shown.
    disagreements: Vec<String>,
    pub(crate) failed: usize,
}

/// What the requests of one segment came to.
#[derive(Debug, Default)]
pub(crate) struct Row<'a> {
    pub(crate) accounts: HashSet<&'a str>,
    /// Those that a rule with a percentage draws, whatever becomes of their requests.
    pub(crate) accounts_drawn: HashSet<&'a str>,
    pub(crate) accounts_expected: HashSet<&'a str>,
    pub(crate) accounts_seen: HashSet<&'a str>,
    pub(crate) requests: usize,
    pub(crate) requests_expected: usize,
    pub(crate) requests_seen: usize,
    /// Whether any single request of the segment disagrees.
    pub(crate) differs: bool,
}

/// What all comparisons together have found.
#[derive(Default)]
pub(crate) struct Totals {
    pub(crate) requests: usize,
    pub(crate) failed: usize,
    /// Disagreements: requests, failed ones included, and counters.
    pub(crate) wrong: usize,
}

/// Compares request by request. Sums that agree by chance do not help.
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
        let disagreement = match exchange.outcome {
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
        row.differs |= disagreement.is_some();
        self.disagreements.extend(disagreement);
    }

    /// Whether no request disagrees.
    pub(crate) fn agrees(&self) -> bool {
        self.disagreements.is_empty()
    }

    /// How many requests were compared.
    pub(crate) fn requests(&self) -> usize {
        self.rows.iter().map(|row| row.requests).sum()
    }
}

impl<'a> Row<'a> {
    /// Enters an answered request, and says so when it disagrees.
    fn add(&mut self, call: &'a Call, seen: &Answered, expected: &Decision<'_>) -> Option<String> {
        if matches!(expected.reason, Reason::Rule | Reason::OutsideRequests) {
            self.accounts_drawn.insert(&call.sid);
        }
        if expected.served() == Treatment::V2 {
            self.requests_expected += 1;
            self.accounts_expected.insert(&call.sid);
        }
        if seen.by == Treatment::V2 {
            self.requests_seen += 1;
            self.accounts_seen.insert(&call.sid);
        }
        (seen.by != expected.served()).then(|| disagreement(call, seen, expected))
    }
}

fn disagreement(call: &Call, seen: &Answered, expected: &Decision<'_>) -> String {
    let (version, reason) = (expected.served(), expected.reason);
    let about = format!(
        "{}: expected {version} ({reason}), seen {}",
        call.sid, seen.by
    );
    format!("{about}\n      request id {}", seen.id)
}

fn failure(call: &Call, error: &str) -> String {
    // It may hold a whole page.
    let error: String = error.lines().flat_map(str::chars).take(90).collect();
    format!("{}: the request failed\n      {error}", call.sid)
}

/// What the policy says. Where either of two may have decided, the one that fits.
fn expectation<'a>(exchange: &Exchange<'a>, seen: &Answered) -> Decision<'a> {
    let decision = |plan: &&'a Plan| decision(plan, exchange.call, &seen.id);
    let mut decisions = exchange.plans.iter().map(decision);
    decisions
        .find(|decision| decision.served() == seen.by)
        .unwrap_or_else(|| decision(&exchange.plans[0]))
}

/// What a policy says about a request with this `x-request-id`.
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
    /// Adds a comparison, with what the filter counted meanwhile, and returns all that disagrees.
    pub(crate) fn add(&mut self, comparison: Comparison<'_>, counted: &Counts) -> Vec<String> {
        self.requests += comparison.requests();
        self.failed += comparison.failed;
        let mut wrong = comparison.disagreements;
        wrong.extend(compare_counters(&comparison.counts, counted));
        self.wrong += wrong.len();
        wrong
    }
}

/// Every counter that has not gone up by what is expected, as it is shown.
fn compare_counters(expected: &Counts, seen: &Counts) -> Vec<String> {
    let names: BTreeMap<_, ()> = expected
        .keys()
        .chain(seen.keys())
        .map(|n| (n, ()))
        .collect();
    let of = |counts: &Counts, name: &String| counts.get(name).copied().unwrap_or_default();
    names
        .into_keys()
        .map(|name| (name, of(expected, name), of(seen, name)))
        .filter(|(_, expected, seen)| expected != seen)
        .map(|(name, expected, seen)| format!("{name}: expected {expected}, seen {seen}"))
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

    fn answered(by: Treatment) -> Outcome {
        let id = "a-request".to_owned();
        Ok(Answered { by, id })
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
    fn agreement_is_silent_and_counted() {
        let (regular, hvc) = (call(Segment::Regular), call(Segment::HighVisibility));
        let (v1, v2) = (answered(Treatment::V1), answered(Treatment::V2));
        let plans = [&plan(2)];
        let comparison = compare([(&regular, &v2), (&hvc, &v1)].map(under(&plans)));
        assert!(comparison.agrees());
        assert_eq!(comparison.requests(), 2);
        assert_eq!(comparison.rows[0].requests_seen, 1);
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
    fn two_wrong_requests_with_the_right_sum_disagree() {
        let (regular, big) = (call(Segment::Regular), call(Segment::BigCustomers));
        let (v1, v2) = (answered(Treatment::V1), answered(Treatment::V2));
        let plans = [&plan(2)];
        let comparison = compare([(&regular, &v1), (&big, &v2)].map(under(&plans)));
        assert_eq!(comparison.disagreements.len(), 2);
        assert_eq!(
            comparison.rows.each_ref().map(|row| row.differs),
            [true, true, false]
        );
    }

    #[test]
    fn a_failed_request_disagrees() {
        let (call, outcome) = (call(Segment::Regular), Err("status 503".to_owned()));
        let plans = [&plan(2)];
        let comparison = compare([(&call, &outcome)].map(under(&plans)));
        assert_eq!((comparison.failed, comparison.disagreements.len()), (1, 1));
        assert!(comparison.rows[0].differs);
    }

    #[test]
    fn while_one_policy_replaces_another_either_may_decide() {
        let (call, on, off) = (call(Segment::Regular), plan(4), plan(5));
        for by in Treatment::ALL {
            let outcome = answered(by);
            for (plans, agree) in [
                (&[&on, &off][..], true),
                (&[&on], by == Treatment::V2),
                (&[&off], by == Treatment::V1),
            ] {
                let comparison = compare([(&call, &outcome)].map(under(plans)));
                assert_eq!(comparison.agrees(), agree);
            }
        }
    }

    #[test]
    fn a_counter_that_is_off_by_one_disagrees() {
        let counts = |on: u64, off: u64| Counts::from([("on".into(), on), ("off".into(), off)]);
        let none = Counts::new();
        assert!(compare_counters(&counts(3, 0), &counts(3, 0)).is_empty());
        assert!(compare_counters(&none, &counts(0, 0)).is_empty());
        assert_eq!(compare_counters(&counts(3, 0), &counts(2, 1)).len(), 2);
        assert_eq!(compare_counters(&none, &counts(1, 0)).len(), 1);
        assert_eq!(compare_counters(&counts(1, 0), &none).len(), 1);
    }
}
