//! The replay of a log agrees with `decide` for each request.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use proptest::prelude::*;
use serde_json::{Value, json};
use turnout_core::{Headers, Inbound, Time, decide};
use turnout_simulate::{
    LogFields, LogSummary, MovedRequests, PolicyAt, Replay, RequestChange, TrafficReport,
};

use crate::policies::{ACCOUNTS, account, plan, policy, region};

fn replay(threads: usize) -> Replay {
    let mut fields = LogFields::default();
    fields.map("header:x-beta=beta").expect("a header");
    Replay {
        fields,
        format: None,
        threads: NonZeroUsize::new(threads).expect("a number"),
    }
}

#[derive(Clone, Debug)]
struct Line {
    account: usize,
    rollout: &'static str,
    method: &'static str,
    beta: Option<&'static str>,
    id: String,
    /// A nested object, which needs the parser rather than the scanner.
    is_nested: bool,
}

fn line() -> impl Strategy<Value = Line> {
    let rollout = prop::sample::select(vec!["a", "b", "c"]);
    let method = prop::sample::select(vec!["GET", "POST"]);
    (
        0..ACCOUNTS,
        rollout,
        method,
        prop::sample::select(vec![None, Some("1"), Some("")]),
        "[a-z\"\\\\]{1,6}",
        any::<bool>(),
    )
        .prop_map(|(account, rollout, method, beta, id, is_nested)| Line {
            account,
            rollout,
            method,
            beta,
            id,
            is_nested,
        })
}

impl Line {
    fn json(&self) -> Value {
        let mut line = json!({
            "account": account(self.account),
            "method": self.method,
            "authority": format!("{}.example.com", self.rollout),
            "path": format!("/{}/x?y=z", self.rollout),
            "request_id": self.id,
            "start_time": "2026-11-21T03:00:00.123Z",
            "beta": self.beta,
        });
        if self.is_nested {
            let nested = json!({ "account": "other" });
            line.as_object_mut()
                .expect("an object")
                .insert("nested".into(), nested);
        }
        line
    }

    fn headers(&self) -> Vec<(String, String)> {
        let mut headers = vec![
            (":method".into(), self.method.into()),
            (":authority".into(), format!("{}.example.com", self.rollout)),
            (":path".into(), format!("/{}/x?y=z", self.rollout)),
            ("x-request-id".into(), self.id.clone()),
            ("x-account".into(), account(self.account)),
        ];
        if let Some(beta) = self.beta {
            headers.push(("x-beta".into(), beta.into()));
        }
        headers
    }
}

fn log(lines: &[Line]) -> String {
    lines
        .iter()
        .map(|line| format!("{}\n", line.json()))
        .collect()
}

type DecisionCount = BTreeMap<(String, &'static str, &'static str), u64>;

proptest! {
    #[test]
    fn a_replay_decides_as_the_filter_does(
        policy in policy(), new in policy(), region in region(),
        lines in prop::collection::vec(line(), 1..40), threads in 1..4_usize,
    ) {
        let (plan, new) = (plan(&policy, region), plan(&new, region));
        let at = Time::from_seconds(150);
        let traffic = TrafficReport::of(&plan, at, &replay(threads), log(&lines).as_bytes()).expect("it is read");
        let mut expected = DecisionCount::new();
        let mut moved = BTreeMap::<String, RequestChange>::new();
        let mut no_rollout = 0;
        for line in &lines {
            let headers = line.headers();
            let pairs: Vec<_> = headers.iter().map(|(n, v)| (n.as_bytes(), v.as_bytes())).collect();
            let [then, now] = [&plan, &new].map(|plan| {
                decide(plan, &plan.request(Headers::new(&pairs), Inbound::Strip, at))
            });
            match then.rollout {
                None => no_rollout += 1,
                Some(rollout) => {
                    let decided = (rollout.name.clone(), then.treatment.as_str(), then.reason.as_str());
                    *expected.entry(decided).or_default() += 1;
                }
            }
            if let Some(rollout) = now.rollout.or(then.rollout) {
                let change = moved.entry(rollout.name.clone()).or_default();
                change.requests += 1;
                match (then.served().as_str(), now.served().as_str()) {
                    ("v1", "v2") => change.v1_to_v2 += 1,
                    ("v2", "v1") => change.v2_to_v1 += 1,
                    _ => {}
                }
            }
        }
        let found: DecisionCount = traffic.rollouts.iter().flat_map(|rollout| {
            let decisions = rollout.total.decisions.iter();
            decisions.map(|d| ((rollout.rollout.clone(), d.treatment, d.reason), d.requests))
        }).collect();
        prop_assert_eq!(found, expected);
        prop_assert_eq!(traffic.no_rollout, no_rollout);
        let versions = [&plan, &new].map(|plan| PolicyAt { plan, at });
        let [old, new] = versions;
        let change = MovedRequests::between(old, new, &replay(threads), log(&lines).as_bytes()).expect("it is read");
        for name in ["a", "b"] {
            let expected = moved.get(name).copied().unwrap_or_default();
            prop_assert_eq!(change.of(name).unwrap_or_default(), expected);
        }
    }

    /// The number of threads does not change the result, and every line is counted.
    #[test]
    fn every_line_has_an_outcome(
        lines in prop::collection::vec(prop_oneof![
            line().prop_map(|line| line.json().to_string()),
            "[ -~]{0,40}",
            "[\\[{\"][ -~]{0,40}",
            Just(String::from(r#"[2026-11-21T03:00:00.123Z] "GET /a HTTP/1.1" 200 - 0 1 3 2 "-" "c" "id" "h" "-""#)),
        ], 0..50),
    ) {
        let plan = plan(&json!({
            "version": 1, "account": { "from": [{ "header": "x" }], "format": "opaque" }, "rollouts": [],
        }).to_string(), None);
        let text = lines.join("\n");
        let read = |threads| -> LogSummary {
            let traffic = TrafficReport::of(&plan, Time::from_seconds(0), &replay(threads), text.as_bytes());
            traffic.expect("it is read").log
        };
        let one = read(1);
        prop_assert_eq!(one.lines, one.requests + one.blank + one.not_requests.count() + one.unreadable.count);
        prop_assert_eq!(one.lines, text.lines().count() as u64);
        prop_assert_eq!(one, read(3));
    }
}

#[test]
fn fields_that_the_log_omits_are_reported_once() {
    let policy = json!({
        "version": 1,
        "account": { "from": [{ "header": "x-account" }], "format": "sid" },
        "rollouts": [
            { "name": "h", "match": { "hosts": ["h"] }, "v1": "a", "v2": "b", "mode": "split" },
            { "name": "r", "v1": "a", "v2": "b", "mode": "split", "rules": [
                { "when": { "headers": { "x-team": { "present": true } } } }, { "requests": 10 }] },
        ],
    });
    let plan = plan(&policy.to_string(), None);
    let log = format!(
        "{{\"path\":\"/\",\"account\":\"{}\"}}\n{{\"path\":\"/\",\"host\":\"x\",\"request_id\":\"i\",\"reason\":\"inbound\"}}\n",
        account(1)
    );
    let traffic = TrafficReport::of(&plan, Time::from_seconds(0), &replay(1), log.as_bytes());
    let missing = traffic.expect("it is read").missing_fields;
    let missing: Vec<_> = missing
        .iter()
        .map(|missing| (missing.field.as_str(), missing.requests))
        .collect();
    assert_eq!(
        missing,
        [
            ("host", 1),
            ("request_id", 1),
            ("account", 1),
            ("inbound", 1),
            ("header:x-team", 2)
        ]
    );
}

#[test]
fn recorded_decisions_are_compared_with_the_replay() {
    let policy = json!({
        "version": 1,
        "account": { "from": [{ "header": "x" }], "format": "opaque" },
        "rollouts": [{ "name": "r", "v1": "a", "v2": "b", "mode": "on" }],
    });
    let plan = plan(&policy.to_string(), None);
    let log = "{\"treatment\":\"v1\"}\n{\"treatment\":\"v2\"}\n{\"treatment\":null,\"path\":\"/\"}\n{\"treatment\":\"v1\"}\n";
    let traffic = TrafficReport::of(&plan, Time::from_seconds(0), &replay(1), log.as_bytes());
    let traffic = traffic.expect("it is read");
    let recorded = traffic.rollouts[0].recorded.expect("the log has decisions");
    assert_eq!(
        (
            recorded.same,
            recorded.v1_to_v2,
            recorded.v2_to_v1,
            recorded.unknown
        ),
        (1, 2, 0, 1)
    );
}
