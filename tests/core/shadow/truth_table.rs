//! The outcome of a difference, for every combination of v1's and v2's first responses and their responses to
//! the repeated request. `docs/shadow.md` has the same table.

use super::*;

/// A response.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Says {
    /// 200 and `{"balance":1}`, v1's first response.
    A,
    /// 200 and another balance.
    B,
    /// 200 and a third balance.
    C,
    /// 500.
    Fails,
    /// 404, with the same body from v1 and v2.
    NotFound,
    /// 429: too many requests.
    Limited,
    /// 503: overloaded.
    Overloaded,
    /// 503 and a body that is too large to keep.
    OverloadedTooLarge,
    /// No response within the timeout.
    Nothing,
    /// 200 and a body that is too large to keep.
    TooLarge,
    /// 500 and a body that is too large to keep.
    FailsTooLarge,
}

use Says::{
    A, B, C, Fails, FailsTooLarge, Limited, NotFound, Nothing, Overloaded, OverloadedTooLarge,
    TooLarge,
};

impl Says {
    fn reply(self) -> StoredResponse {
        let (status, body) = match self {
            A => (200, json!({ "balance": 1, "name": "x" })),
            B => (200, json!({ "balance": 2, "name": "x" })),
            C => (200, json!({ "balance": 3, "name": "x" })),
            Limited => (429, json!({ "error": "too many" })),
            Overloaded | OverloadedTooLarge => (503, json!({ "error": "later" })),
            NotFound => (404, json!({ "error": "no such path" })),
            Fails | FailsTooLarge | TooLarge | Nothing => (500, json!({ "error": "oops" })),
        };
        StoredResponse {
            status,
            headers: vec![],
            body: body.to_string().into_bytes(),
        }
    }

    fn response(self) -> CallResult {
        match self {
            Nothing => CallResult::Failed(Outcome::Timeout),
            TooLarge => CallResult::StatusOnly(200, Outcome::TooLarge),
            FailsTooLarge => CallResult::StatusOnly(500, Outcome::TooLarge),
            OverloadedTooLarge => CallResult::StatusOnly(503, Outcome::TooLarge),
            A | B | C | Fails | NotFound | Limited | Overloaded => {
                CallResult::Response(self.reply())
            }
        }
    }
}

/// The outcome of a trial, and its findings.
fn trial(v1: Says, v2: Says, v1_again: &[Says], v2_again: Says) -> (Outcome, Vec<String>) {
    let plan = plan("shadow", &json!({ "requests": 1 }));
    let mut model = NoiseModel::new(shadow(&plan));
    trial_of(&plan, &mut model, v1, v2, v1_again, v2_again)
}

fn trial_of(
    plan: &Plan,
    model: &mut NoiseModel,
    v1: Says,
    v2: Says,
    v1_again: &[Says],
    v2_again: Says,
) -> (Outcome, Vec<String>) {
    let (mut trial, first) = Trial::start(v1.reply(), true, false, model);
    assert_eq!(first, Treatment::V2);
    let mut response = v2.response();
    let mut repetitions = v1_again.iter().chain(v1_again.last().into_iter().cycle());
    loop {
        let mut judge = TrialContext {
            shadow: shadow(plan),
            model: &mut *model,
            route: None,
            now_ms: 1_000_000,
        };
        response = match trial.handle_result(response, &mut judge) {
            NextStep::Call(Treatment::V1) => repetitions.next().expect("v1 again").response(),
            NextStep::Call(Treatment::V2) => v2_again.response(),
            NextStep::Done(verdict) => {
                let findings = verdict
                    .difference
                    .map_or(Vec::new(), |found| found.findings);
                let findings = findings
                    .iter()
                    .map(|one| [one.part.as_str(), &one.pointer, one.kind.as_str()].join(" "));
                return (verdict.outcome, findings.collect());
            }
        };
    }
}

/// v1, v2, v1 again, v2 again: the outcome, and the findings.
type Row = (
    Says,
    Says,
    &'static [Says],
    Says,
    Outcome,
    &'static [&'static str],
);

const VALUE: &str = "body /balance value";
const UNSTABLE: &str = "body /balance unstable";
const STATUS: &str = "status  value";

const TABLE: &[Row] = &[
    // v2 responds as v1 did: no request is repeated.
    (A, A, &[Nothing], Nothing, Outcome::Equal, &[]),
    // v1 repeats its response: the difference counts, whatever v2's second response is.
    (A, B, &[A], B, Outcome::Different, &[VALUE]),
    (A, B, &[A], A, Outcome::Different, &[VALUE, UNSTABLE]),
    (A, B, &[A], C, Outcome::Different, &[VALUE, UNSTABLE]),
    (A, B, &[A], Nothing, Outcome::Different, &[VALUE]),
    (
        A,
        B,
        &[A],
        Fails,
        Outcome::Different,
        &[VALUE, "status  unstable"],
    ),
    (
        A,
        B,
        &[A],
        FailsTooLarge,
        Outcome::Different,
        &[VALUE, "status  unstable"],
    ),
    // v1 varies where the responses differ, at once or later: that is noise.
    (A, B, &[C], B, Outcome::Noise, &[]),
    (A, B, &[B], B, Outcome::Noise, &[]),
    (A, B, &[B, C], B, Outcome::Noise, &[]),
    (A, B, &[A, A, A, B], A, Outcome::Noise, &[]),
    (A, B, &[A, A, A, C], B, Outcome::Noise, &[]),
    // v1 responds with another status, so it cannot confirm the difference.
    (A, B, &[Fails], B, Outcome::Unrepeatable, &[]),
    (A, B, &[NotFound], B, Outcome::Unrepeatable, &[]),
    (A, B, &[A, A, NotFound], A, Outcome::Unrepeatable, &[]),
    (A, B, &[FailsTooLarge], B, Outcome::Unrepeatable, &[]),
    (
        A,
        NotFound,
        &[NotFound],
        NotFound,
        Outcome::Unrepeatable,
        &[],
    ),
    (A, Fails, &[Fails], A, Outcome::Unrepeatable, &[]),
    (Fails, A, &[A], A, Outcome::Unrepeatable, &[]),
    (Fails, A, &[Fails, A], A, Outcome::Unrepeatable, &[]),
    (NotFound, A, &[A], A, Outcome::Unrepeatable, &[]),
    // v1 does not respond to the repeated request: the difference stays unproven.
    (A, B, &[Nothing], B, Outcome::Unconfirmed, &[]),
    (A, B, &[TooLarge], B, Outcome::Unconfirmed, &[]),
    (A, B, &[A, A, Nothing], B, Outcome::Unconfirmed, &[]),
    (A, Fails, &[Nothing], A, Outcome::Unconfirmed, &[]),
    // A v1 that is too busy for the repeated request proves nothing either.
    (A, B, &[Limited], B, Outcome::Unconfirmed, &[]),
    (A, B, &[Overloaded], B, Outcome::Unconfirmed, &[]),
    (A, B, &[OverloadedTooLarge], B, Outcome::Unconfirmed, &[]),
    (A, B, &[A, A, Limited], B, Outcome::Unconfirmed, &[]),
    (A, Fails, &[Limited], A, Outcome::Unconfirmed, &[]),
    (A, Limited, &[Limited], Limited, Outcome::Unconfirmed, &[]),
    // Statuses are compared like values.
    (
        A,
        Fails,
        &[A],
        Fails,
        Outcome::Different,
        &[
            STATUS,
            "body /balance missing",
            "body /name missing",
            "body /error extra",
        ],
    ),
    (
        A,
        Fails,
        &[A],
        A,
        Outcome::Different,
        &[
            STATUS,
            "body /balance missing",
            "body /name missing",
            "body /error extra",
            "status  unstable",
        ],
    ),
    (
        Fails,
        A,
        &[Fails],
        A,
        Outcome::Different,
        &[
            STATUS,
            "body /error missing",
            "body /balance extra",
            "body /name extra",
        ],
    ),
    // Another status is a difference even if the body is too large to keep.
    (
        A,
        FailsTooLarge,
        &[A],
        FailsTooLarge,
        Outcome::Different,
        &[STATUS],
    ),
    (
        A,
        FailsTooLarge,
        &[A],
        A,
        Outcome::Different,
        &[STATUS, "status  unstable"],
    ),
    (A, TooLarge, &[A], A, Outcome::TooLarge, &[]),
    // v2 does not respond.
    (A, Nothing, &[A], A, Outcome::Timeout, &[]),
];

#[test]
fn every_row_of_the_truth_table_ends_as_it_says() {
    for (v1, v2, v1_again, v2_again, outcome, findings) in TABLE {
        let (ended, found) = trial(*v1, *v2, v1_again, *v2_again);
        let mut found: Vec<&str> = found.iter().map(String::as_str).collect();
        let mut findings = findings.to_vec();
        found.sort_unstable();
        findings.sort_unstable();
        let row = format!("v1 {v1:?}, v2 {v2:?}, v1 again {v1_again:?}, v2 again {v2_again:?}");
        assert_eq!((ended, found), (*outcome, findings), "{row}");
    }
}

/// For any four responses: a v1 that repeats its response makes a difference count, and v2's second response
/// does not change that.
#[test]
fn the_second_response_of_v2_never_changes_the_outcome() {
    let all = [A, B, C, Fails, NotFound, Nothing, TooLarge, FailsTooLarge];
    for v1 in [A, Fails] {
        for v2 in all {
            for v1_again in all {
                let outcomes = all.map(|v2_again| trial(v1, v2, &[v1_again], v2_again).0);
                let first = outcomes[0];
                assert!(
                    outcomes.iter().all(|outcome| *outcome == first),
                    "{v1:?} {v2:?} {v1_again:?}"
                );
                let differs = matches!(
                    v2.response(),
                    CallResult::Response(_) | CallResult::StatusOnly(500, _)
                ) && v2 != v1
                    && !(v1 == Fails && v2 == FailsTooLarge);
                if differs && v1_again == v1 {
                    assert_eq!(first, Outcome::Different, "{v1:?} {v2:?}");
                }
            }
        }
    }
}

/// A v1 that limits repeated requests does not make the statuses of its first responses noise.
#[test]
fn a_v1_that_limits_repeated_requests_does_not_hide_a_failing_v2() {
    let plan = plan("shadow", &json!({ "requests": 1, "max_in_flight": 64 }));
    let mut model = NoiseModel::new(shadow(&plan));
    for busy in [Limited, Overloaded, OverloadedTooLarge] {
        let ended = trial_of(&plan, &mut model, A, Fails, &[busy], Fails);
        assert_eq!(ended.0, Outcome::Unconfirmed, "{busy:?}");
    }
    let ended = trial_of(&plan, &mut model, A, Fails, &[A], Fails);
    assert_eq!(ended.0, Outcome::Different);
    // Confirmed differences stay confirmed.
    let ended = trial_of(&plan, &mut model, A, Fails, &[Limited], Fails);
    assert_eq!(ended.0, Outcome::Different);
}
