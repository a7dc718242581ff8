//! The trial of a sampled request: its calls, and its outcome.

use super::*;

/// One rollout of a worker, and its calls and their responses.
struct Bench {
    plan: Plan,
    model: NoiseModel,
}

impl Bench {
    fn new(shadow_options: &Value) -> Self {
        let plan = plan("shadow", shadow_options);
        let model = NoiseModel::new(shadow(&plan));
        Self { plan, model }
    }

    /// Runs one trial with these responses to its calls. Returns the destinations of the calls.
    fn run(
        &mut self,
        noise: bool,
        v1: Value,
        responses: Vec<CallResult>,
    ) -> (Vec<Treatment>, TrialResult) {
        let (mut trial, first) = Trial::start(body(&v1), true, noise, &mut self.model);
        let mut asked = vec![first];
        let mut responses = responses.into_iter();
        loop {
            let response = responses.next().expect("a response to each question");
            let mut judge = TrialContext {
                shadow: shadow(&self.plan),
                model: &mut self.model,
                route: None,
                now_ms: 1_000_000,
            };
            match trial.handle_result(response, &mut judge) {
                NextStep::Call(version) => asked.push(version),
                NextStep::Done(verdict) => {
                    assert_eq!(
                        responses.next().map(|_| ()),
                        None,
                        "a response without a call"
                    );
                    return (asked, verdict);
                }
            }
        }
    }

    fn outcome(&mut self, noise: bool, v1: Value, responses: Vec<CallResult>) -> Outcome {
        self.run(noise, v1, responses).1.outcome
    }
}

fn body(value: &Value) -> StoredResponse {
    StoredResponse {
        status: 200,
        headers: vec![],
        body: value.to_string().into_bytes(),
    }
}

fn reply(value: Value) -> CallResult {
    CallResult::Response(body(&value))
}

use Treatment::{V1, V2};

#[test]
fn equal_responses_need_one_call() {
    let mut bench = Bench::new(&json!({ "requests": 1 }));
    let (asked, verdict) = bench.run(
        false,
        json!({ "a": 1, "b": 2 }),
        vec![reply(json!({ "b": 2, "a": 1 }))],
    );
    assert_eq!((asked, verdict.outcome), (vec![V2], Outcome::Equal));
    assert!(verdict.difference.is_none());
}

#[test]
fn a_missing_response_has_its_own_outcome() {
    for why in [Outcome::Timeout, Outcome::V2Error, Outcome::TooLarge] {
        let mut bench = Bench::new(&json!({ "requests": 1 }));
        assert_eq!(
            bench.outcome(false, json!(1), vec![CallResult::Failed(why)]),
            why
        );
    }
}

#[test]
fn a_difference_counts_after_both_were_asked_again() {
    let mut bench = Bench::new(&json!({ "requests": 1 }));
    let (v1, v2) = (json!({ "a": 1 }), json!({ "a": "1" }));
    let responses = |repetitions: usize| {
        let again = std::iter::repeat_n(reply(v1.clone()), repetitions);
        let responses = [reply(v2.clone())].into_iter().chain(again);
        responses.chain([reply(v2.clone())]).collect()
    };
    let (asked, verdict) = bench.run(false, v1.clone(), responses(8));
    assert_eq!(verdict.outcome, Outcome::Different);
    // A value that varies only sometimes may well come twice.
    assert_eq!(asked, [V2, V1, V1, V1, V1, V1, V1, V1, V1, V2]);
    let difference = verdict.difference.expect("what differs");
    assert!(difference.rechecked);
    assert_eq!(difference.findings.len(), 1);
    assert_eq!(difference.findings[0].pointer, "/a");

    // Now v1 is known to be steady there. It is only asked to confirm that.
    let (asked, verdict) = bench.run(false, v1.clone(), responses(1));
    assert_eq!(
        (asked, verdict.outcome),
        (vec![V2, V1, V2], Outcome::Different)
    );
}

#[test]
fn values_do_not_count_where_v1_varies() {
    let mut bench = Bench::new(&json!({ "requests": 1 }));
    let at = |at: &str, name: Value| json!({ "at": at, "name": name });
    let responses = vec![reply(at("2", json!("x"))), reply(at("3", json!("x")))];
    let outcome = bench.outcome(false, at("1", json!("x")), responses);
    assert_eq!(outcome, Outcome::Noise);

    // It is repeated once more, because it may have been a change at that moment.
    let responses = ["6", "7"].map(|time| reply(at(time, json!("x"))));
    let (asked, verdict) = bench.run(false, at("5", json!("x")), responses.into());
    assert_eq!((asked, verdict.outcome), (vec![V2, V1], Outcome::Noise));

    // From now on the noise is known without asking.
    let responses = vec![reply(at("6", json!("x")))];
    assert_eq!(
        bench.outcome(false, at("5", json!("x")), responses),
        Outcome::Noise
    );

    // Other differences are still found, and so are type and presence at the noisy place.
    let again = (0..8).map(|time| reply(at(&format!("again {time}"), json!("x"))));
    let responses: Vec<_> = [reply(at("8", json!("y")))]
        .into_iter()
        .chain(again.clone())
        .chain([reply(at("0", json!("y")))])
        .collect();
    let (_, verdict) = bench.run(false, at("7", json!("x")), responses);
    let findings = verdict.difference.expect("what differs").findings;
    let pointers: Vec<_> = findings
        .iter()
        .map(|found| found.pointer.as_str())
        .collect();
    assert_eq!(pointers, ["/name"]);
    for v2 in [json!({ "at": 1, "name": "x" }), json!({ "name": "x" })] {
        let responses = [reply(v2.clone())].into_iter().chain(again.clone());
        let responses = responses.chain([reply(v2)]).collect();
        let outcome = bench.outcome(false, at("0", json!("x")), responses);
        assert_eq!(outcome, Outcome::Different);
    }
}

/// A change of the data between the user's response and the repeated request does not hide later
/// differences.
#[test]
fn a_change_of_the_data_hides_no_later_difference() {
    let mut bench = Bench::new(&json!({ "requests": 1 }));
    let response = |n: u8| reply(json!({ "n": n }));
    let (asked, verdict) = bench.run(
        false,
        json!({ "n": 1 }),
        vec![response(2), response(2), response(2)],
    );
    assert_eq!((asked, verdict.outcome), (vec![V2, V1, V1], Outcome::Noise));
    let again = std::iter::repeat_n(response(2), 8);
    let responses = [response(7)].into_iter().chain(again).chain([response(7)]);
    let outcome = bench.outcome(false, json!({ "n": 2 }), responses.collect());
    assert_eq!(outcome, Outcome::Different);
}

/// Once v1 no longer varies, values count again.
#[test]
fn values_count_once_v1_is_steady_again() {
    let mut bench = Bench::new(&json!({ "requests": 1 }));
    let response = |n: u8| reply(json!({ "n": n }));
    let varies = vec![response(2), response(3)];
    assert_eq!(
        bench.outcome(false, json!({ "n": 1 }), varies),
        Outcome::Noise
    );
    let mut outcomes = Vec::new();
    for questions in [8, 1] {
        let again = std::iter::repeat_n(response(2), questions);
        let responses = [response(7)].into_iter().chain(again).chain([response(7)]);
        outcomes.push(bench.outcome(false, json!({ "n": 2 }), responses.collect()));
    }
    assert_eq!(outcomes, [Outcome::Different, Outcome::Different]);
}

/// A route that rewrites requests: v1 sends the filter a response that no user gets.
#[test]
fn responses_that_only_the_filter_gets_are_not_repeatable() {
    let mut bench = Bench::new(&json!({ "requests": 1 }));
    let filter = || reply(json!({ "error": "no such path" }));
    let mut outcomes = Vec::new();
    for account in 0..5 {
        // v2, and v1 twice, until it is known.
        let responses = vec![filter(); if account < 3 { 3 } else { 1 }];
        outcomes.push(bench.outcome(false, json!({ "balance": account }), responses));
    }
    use Outcome::{Noise, Unrepeatable};
    assert_eq!(
        outcomes,
        [Noise, Noise, Unrepeatable, Unrepeatable, Unrepeatable]
    );
}

#[test]
fn noise_requests_to_v1_alternate_before_and_after() {
    let mut bench = Bench::new(&json!({ "requests": 1, "noise": { "requests": 100 } }));
    let response = |n: u8| reply(json!({ "n": n }));
    let (asked, verdict) = bench.run(true, json!({ "n": 1 }), vec![response(2), response(3)]);
    assert_eq!((asked, verdict.outcome), (vec![V1, V2], Outcome::Noise));
    let (asked, verdict) = bench.run(true, json!({ "n": 4 }), vec![response(5), response(6)]);
    assert_eq!((asked, verdict.outcome), (vec![V2, V1], Outcome::Noise));
    let (asked, _) = bench.run(true, json!({ "n": 7 }), vec![response(8), response(9)]);
    assert_eq!(asked, [V1, V2]);
    // A silent v1 teaches nothing, and does not prevent calls to v2.
    let responses = vec![response(1), CallResult::Failed(Outcome::Timeout)];
    assert_eq!(
        bench.outcome(true, json!({ "n": 1 }), responses),
        Outcome::Equal
    );
}

#[test]
fn a_difference_that_cannot_be_rechecked_counts() {
    let recheck = json!({ "requests": 1, "recheck": false });
    let responses = || vec![reply(json!(2))];
    assert_eq!(
        Bench::new(&recheck).outcome(false, json!(1), responses()),
        Outcome::Different
    );

    // An unsafe method is never repeated, whatever the policy sets.
    let mut bench = Bench::new(&json!({ "requests": 1, "noise": { "requests": 100 } }));
    let (mut trial, first) = Trial::start(body(&json!(1)), false, true, &mut bench.model);
    assert_eq!(first, V2);
    let mut judge = TrialContext {
        shadow: shadow(&bench.plan),
        model: &mut bench.model,
        route: None,
        now_ms: 0,
    };
    let next = trial.handle_result(reply(json!(2)), &mut judge);
    assert!(matches!(next, NextStep::Done(verdict) if verdict.outcome == Outcome::Different));
}

#[test]
fn repeated_requests_to_v1_are_limited() {
    let mut bench = Bench::new(&json!({ "requests": 1, "max_in_flight": 3 }));
    let mut again = 0;
    for n in 0..100 {
        // Each differs at a place of its own, so nothing is known yet.
        let field = format!(
            "field_{}",
            char::from(b'a' + n % 26)
                .to_string()
                .repeat(1 + usize::from(n / 26))
        );
        let (v1, v2) = (json!({ &field: 1 }), json!({ &field: 2 }));
        let (mut trial, _) = Trial::start(body(&v1), true, false, &mut bench.model);
        let mut judge = TrialContext {
            shadow: shadow(&bench.plan),
            model: &mut bench.model,
            route: None,
            now_ms: 1_000_000,
        };
        match trial.handle_result(reply(v2), &mut judge) {
            NextStep::Call(_) => again += 1,
            NextStep::Done(verdict) => assert_eq!(verdict.outcome, Outcome::Unconfirmed),
        }
    }
    assert_eq!(again, 2 * 3);
}

#[test]
fn a_finding_of_each_element_is_said_once() {
    let mut bench = Bench::new(&json!({ "requests": 1, "recheck": false }));
    let list = |value: u8| json!((0..100).map(|_| json!({ "a": value })).collect::<Vec<_>>());
    let (_, verdict) = bench.run(false, list(1), vec![reply(list(2))]);
    let difference = verdict.difference.expect("what differs");
    assert_eq!(difference.findings.len(), 1);
    assert_eq!(difference.findings[0].pointer, "/*/a");
    assert_eq!(difference.omitted, 0);
}

#[test]
fn a_revealed_place_shows_its_value_and_nothing_below_it() {
    let options = json!({ "requests": 1, "recheck": false, "reveal": ["/a", "/b"] });
    let mut bench = Bench::new(&options);
    let v1 = json!({ "a": "old", "b": { "name": "Alice" }, "c": "x" });
    let v2 = json!({ "a": "new", "c": "y" });
    let (_, verdict) = bench.run(false, v1, vec![reply(v2)]);
    let difference = verdict.difference.expect("what differs");
    let shown: Vec<_> = difference
        .findings
        .iter()
        .map(
            |found| match &found.sides[0].as_ref().expect("v1's side").shown {
                RecordedValue::Value(value) => (found.pointer.as_str(), value.as_str()),
                RecordedValue::Hash(_) => (found.pointer.as_str(), "a hash"),
            },
        )
        .collect();
    assert_eq!(
        shown,
        [("/a", "\"old\""), ("/c", "a hash"), ("/b", "a hash")]
    );
}
