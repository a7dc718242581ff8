//! Lines whose recorded decision contradicts the replay.

use std::num::NonZeroUsize;

use turnout_core::{Plan, Time};
use turnout_simulate::{Contradiction, LogFields, Replay, TrafficReport};

const ACCOUNT: &str = "AC00000000000000000000000000000001";

fn policy(changes: &str) -> Plan {
    let policy = format!(
        r#"{{ "version": 1, "revision": "r1", "account": {{ "from": [{{ "header": "x-account-sid" }}], "format": "sid" }},
            "rollouts": [ {{ "name": "chat", "v1": "a", "v2": "b", "mode": "split",
                "match": {{ "path": {{ "prefix": "/api/v1/" }} }}, "rules": [{{ "accounts": 100 }}] {changes} }} ] }}"#
    );
    Plan::from_json(&policy).expect("a policy")
}

fn line(path: &str, recorded: &str, revision: &str) -> String {
    format!(
        r#"{{"authority":"flex.example.com","method":"GET","path":"{path}","request_id":"c7f1c0d5","start_time":"2026-11-28T02:17:20.765Z","turnout":"{recorded} revision={revision} account={ACCOUNT}"}}"#
    )
}

fn replayed(plan: &Plan, lines: &[String]) -> TrafficReport {
    let read = |threads| {
        let replay = Replay {
            fields: LogFields::default(),
            format: None,
            threads: NonZeroUsize::new(threads).expect("a number"),
        };
        TrafficReport::of(
            plan,
            Time::from_seconds(0),
            &replay,
            lines.join("\n").as_bytes(),
        )
        .expect("it is read")
    };
    let traffic = read(1);
    assert_eq!(traffic, read(3));
    traffic
}

fn kinds(found: &[Contradiction]) -> Vec<(&str, bool, u64)> {
    let kinds = found.iter();
    kinds
        .map(|found| (found.what, found.same_revision, found.requests))
        .collect()
}

const CHAT: &str = "rollout=chat treatment=v2 reason=rule";

#[test]
fn a_rewritten_path_contradicts_the_rollout_that_the_line_names() {
    let lines: Vec<String> = (0..4)
        .map(|n| line(&format!("/v1/x{n}"), CHAT, "r1"))
        .collect();
    let traffic = replayed(&policy(""), &lines);
    assert_eq!(kinds(&traffic.contradictions), [("rollout", true, 4)]);
    let text = traffic.to_text();
    assert!(
        text.contains("the log contradicts 4 of these decisions"),
        "{text}"
    );
    let warning = &traffic.contradictions[0].warning;
    for part in [
        "4 of 4 requests",
        "/v1/x0",
        "X-ENVOY-ORIGINAL-PATH",
        "rollout=- ",
    ] {
        assert!(warning.contains(part), "{part}: {warning}");
    }
    // Also if the policy may have changed since.
    let lines: Vec<String> = (0..4)
        .map(|n| line(&format!("/v1/x{n}"), CHAT, "r0"))
        .collect();
    let traffic = replayed(&policy(""), &lines);
    assert_eq!(kinds(&traffic.contradictions), [("rollout", false, 4)]);
}

#[test]
fn equal_decisions_and_decisions_of_another_policy_are_no_contradiction() {
    for (plan, recorded, revision) in [
        (policy(""), CHAT, "r1"),
        (policy(""), CHAT, "r0"),
        // These have decisions of another policy.
        (
            policy(""),
            "rollout=chat treatment=v1 reason=outside_accounts",
            "r0",
        ),
        (policy(""), "rollout=chat treatment=v1 reason=off", "r0"),
        (policy(""), "rollout=- treatment=v1 reason=no_rollout", "r0"),
        (policy(""), "rollout=old treatment=v2 reason=rule", "r0"),
        // A line cannot contain this.
        (policy(""), "rollout=chat treatment=v1 reason=inbound", "r1"),
        (
            policy(""),
            "rollout=chat treatment=v1 reason=of_a_later_version",
            "r1",
        ),
        (policy(r#", "shadow": { "requests": 1 }"#), CHAT, "r1"),
    ] {
        let traffic = replayed(&plan, &[line("/api/v1/x", recorded, revision)]);
        assert_eq!(traffic.contradictions, [], "{recorded} {revision}");
    }
    let ramp = policy("").revision().to_string();
    assert_eq!(ramp, "r1");
    let plan = Plan::from_json(
        r#"{ "version": 1, "revision": "r1", "account": { "from": [{ "header": "x" }], "format": "sid" }, "rollouts": [
            { "name": "chat", "v1": "a", "v2": "b", "mode": "split",
              "rules": [{ "accounts": [{ "from": "2026-12-01T09:00:00Z", "percent": 100 }] }] }] }"#,
    )
    .expect("a policy");
    let traffic = replayed(&plan, &[line("/", CHAT, "r1")]);
    assert_eq!(traffic.contradictions, [], "a step that comes later");
}

#[test]
fn a_different_decision_of_the_same_revision_is_a_contradiction() {
    let plan = policy("");
    for (path, recorded, what) in [
        (
            "/api/v1/x",
            "rollout=chat treatment=v1 reason=outside_accounts",
            "decision",
        ),
        (
            "/api/v1/x",
            "rollout=chat treatment=v1 reason=malformed_account",
            "decision",
        ),
        (
            "/api/v1/x",
            "rollout=- treatment=v1 reason=no_rollout",
            "rollout",
        ),
        (
            "/api/v1/x",
            "rollout=users treatment=v2 reason=rule",
            "rollout",
        ),
        ("/x", "rollout=users treatment=v2 reason=rule", "rollout"),
    ] {
        let traffic = replayed(&plan, &[line(path, recorded, "r1")]);
        assert_eq!(
            kinds(&traffic.contradictions),
            [(what, true, 1)],
            "{path} {recorded}"
        );
    }
}

#[test]
fn a_line_without_a_field_of_the_match_has_a_missing_field() {
    let line = format!(r#"{{"method":"GET","turnout":"{CHAT} revision=r1 account={ACCOUNT}"}}"#);
    let traffic = replayed(&policy(""), &[line]);
    assert_eq!(traffic.contradictions, []);
    assert_eq!(traffic.missing_fields[0].field, "path");
}
