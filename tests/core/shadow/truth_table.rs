//! What becomes of a difference, for every combination of v1's first answer, v2's first answer, and
//! what both answer when they are asked again. `docs/shadow.md` has the same table.

use super::*;

/// What is answered.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Says {
    /// 200 and `{"balance":1}`, as v1 at first.
    A,
    /// 200 and another balance.
    B,
    /// 200 and a third balance.
    C,
    /// 500.
    Fails,
    /// 404, with the same body whoever answers.
    NotFound,
    /// Nothing in time.
    Nothing,
    /// 200 and more than is kept.
    TooLarge,
    /// 500 and more than is kept.
    FailsTooLarge,
}

use Says::{A, B, C, Fails, FailsTooLarge, NotFound, Nothing, TooLarge};

impl Says {
    fn reply(self) -> Reply {
        let (status, body) = match self {
            A => (200, json!({ "balance": 1, "name": "x" })),
            B => (200, json!({ "balance": 2, "name": "x" })),
            C => (200, json!({ "balance": 3, "name": "x" })),
            NotFound => (404, json!({ "error": "no such path" })),
            Fails | FailsTooLarge | TooLarge | Nothing => (500, json!({ "error": "oops" })),
        };
        Reply {
            status,
            headers: vec![],
            body: body.to_string().into_bytes(),
        }
    }

    fn answer(self) -> Answered {
        match self {
            Nothing => Answered::Not(Outcome::Timeout),
            TooLarge => Answered::Unread(200, Outcome::TooLarge),
            FailsTooLarge => Answered::Unread(500, Outcome::TooLarge),
            A | B | C | Fails | NotFound => Answered::Reply(self.reply()),
        }
    }
}

/// How a trial ends, and what its findings say.
fn trial(v1: Says, v2: Says, v1_again: &[Says], v2_again: Says) -> (Outcome, Vec<String>) {
    let plan = plan("shadow", &json!({ "requests": 1 }));
    let mut model = NoiseModel::new(shadow(&plan));
    let (mut trial, first) = Trial::start(v1.reply(), true, false, &mut model);
    assert_eq!(first, Treatment::V2);
    let mut answer = v2.answer();
    let mut repetitions = v1_again.iter().chain(v1_again.last().into_iter().cycle());
    loop {
        let mut judge = Judge {
            shadow: shadow(&plan),
            model: &mut model,
            route: None,
            now_ms: 1_000_000,
        };
        answer = match trial.answered(answer, &mut judge) {
            Next::Ask(Treatment::V1) => repetitions.next().expect("v1 again").answer(),
            Next::Ask(Treatment::V2) => v2_again.answer(),
            Next::Done(verdict) => {
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
    // v2 answers as v1 did: nobody is asked again.
    (A, A, &[Nothing], Nothing, Outcome::Equal, &[]),
    // v1 repeats itself: the difference stands, whatever v2 says the second time.
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
    // v1 varies where they differ, at once or later: that is noise.
    (A, B, &[C], B, Outcome::Noise, &[]),
    (A, B, &[B], B, Outcome::Noise, &[]),
    (A, B, &[B, C], B, Outcome::Noise, &[]),
    (A, B, &[A, A, A, B], A, Outcome::Noise, &[]),
    (A, B, &[A, A, A, C], B, Outcome::Noise, &[]),
    // v1 answers with another status: it is no yardstick.
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
    // v1 says nothing when it is asked again: nobody knows.
    (A, B, &[Nothing], B, Outcome::Unconfirmed, &[]),
    (A, B, &[TooLarge], B, Outcome::Unconfirmed, &[]),
    (A, B, &[A, A, Nothing], B, Outcome::Unconfirmed, &[]),
    (A, Fails, &[Nothing], A, Outcome::Unconfirmed, &[]),
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
    // A status that differs is a difference also where the body is too large to keep.
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
    // v2 does not answer.
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

/// Whatever the four answers are: a v1 that repeats itself makes a difference count, and v2's second
/// answer takes nothing back.
#[test]
fn what_v2_answers_the_second_time_never_changes_the_outcome() {
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
                let differs = matches!(v2.answer(), Answered::Reply(_) | Answered::Unread(500, _))
                    && v2 != v1
                    && !(v1 == Fails && v2 == FailsTooLarge);
                if differs && v1_again == v1 {
                    assert_eq!(first, Outcome::Different, "{v1:?} {v2:?}");
                }
            }
        }
    }
}
