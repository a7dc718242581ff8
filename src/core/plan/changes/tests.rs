//! Checks the differences between two policies, as they are printed.

use super::*;

fn plan(halted: bool, segments: &str, rollouts: &str) -> Plan {
    Plan::from_json(&format!(
        r#"{{"version": 1, "halted": {halted}, "segments": {segments},
             "account": {{"from": [{{"header": "a"}}], "format": "opaque"}},
             "rollouts": [{rollouts}]}}"#
    ))
    .unwrap()
}

fn rollout(rest: &str) -> String {
    format!(r#"{{"name": "r", "v1": "a", "v2": "b", "mode": "split", {rest}}}"#)
}

fn lines(old: &Plan, new: &Plan) -> Vec<String> {
    let changes = new.changes_since(Some(old)).into_iter();
    let line = |change: PlanChange| {
        let part = match change.part {
            ChangedPart::Policy => "policy".to_owned(),
            ChangedPart::Segment(name) => format!("segment {name}"),
            ChangedPart::Rollout(name) => name,
        };
        format!("{part}: {}", change.differences.join("; "))
    };
    changes.map(line).collect()
}

const SEGMENTS: &str = r#"{"s": {"accounts": ["1", "2"]}, "t": {"accounts": ["3"]}}"#;

#[test]
fn each_difference_in_a_rule_is_listed() {
    for (old, new, expected) in [
        (
            r#"{"accounts": 5}"#,
            r#"{"accounts": 10}"#,
            "rule 1 accounts 5 % → 10 %",
        ),
        (r#"{"accounts": 5}"#, r#"{"accounts": 5.0}"#, ""),
        (
            r#"{"accounts": 0.000001}"#,
            r#"{"accounts": 12.5, "requests": 1}"#,
            "rule 1 accounts 0.000001 % → 12.5 %, requests 100 % → 1 %",
        ),
        (
            r#"{"serve": "v1"}, {"accounts": 1}, {"accounts": 5}"#,
            r#"{"serve": "v1"}, {"accounts": 1}, {"accounts": 10}"#,
            "rule 3 accounts 5 % → 10 %",
        ),
        (
            r#"{"accounts": 5}"#,
            r#"{"serve": "v1"}"#,
            "rule 1 accounts 5 % → v1",
        ),
        (
            r#"{"when": {"in": ["s", "t"]}}"#,
            r#"{"when": {"in": ["t", "s"]}}"#,
            "",
        ),
        (
            r#"{"when": {"in": ["s"]}}"#,
            r#"{"when": {"not_in": ["s"], "headers": {"b": {"exact": "1"}}, "regions": ["eu"]}}"#,
            "rule 1 when in s → not in s and header b = 1 and in region eu",
        ),
        (
            r#"{"accounts": 5}"#,
            r#"{"accounts": [{"from": "2026-12-01T09:00:00Z", "percent": 1},
                             {"from": "2026-12-02T09:00:00Z", "percent": 50}]}"#,
            "rule 1 accounts 5 % → (1 % from 2026-12-01T09:00:00Z, 50 % from 2026-12-02T09:00:00Z)",
        ),
        (
            r#"{"accounts": 5}"#,
            r#"{"when": {"in": ["s"]}, "serve": "v1"}, {"accounts": 5}"#,
            "1 rule → 2 rules; new rule 1: in s: v1",
        ),
        (
            r#"{"accounts": 5}, {"accounts": 1}, {"accounts": 7}"#,
            r#"{"accounts": 5}, {"accounts": 7}"#,
            "3 rules → 2 rules; removed rule 2: accounts 1 %",
        ),
        (
            r#"{"accounts": 5}"#,
            "",
            "1 rule → 0 rules; removed rule 1: accounts 5 %",
        ),
    ] {
        let of = |rules: &str| plan(false, SEGMENTS, &rollout(&format!(r#""rules": [{rules}]"#)));
        let expected: Vec<String> = match expected {
            "" => Vec::new(),
            expected => vec![format!("r: {expected}")],
        };
        assert_eq!(lines(&of(old), &of(new)), expected, "{old} {new}");
    }
}

#[test]
fn a_rollout_that_is_new_removed_or_changed_is_one_line() {
    let none = plan(false, "{}", "");
    let first = plan(false, SEGMENTS, &rollout(r#""rules": [{"serve": "v1"}]"#));
    assert_eq!(first.changes_since(None), first.changes_since(Some(&none)));
    let one = plan(false, "{}", &rollout(r#""rules": [{"accounts": 5}]"#));
    assert_eq!(
        lines(&none, &one),
        ["r: new, mode split; v1 a, v2 b; match all requests; rule 1 accounts 5 %"]
    );
    assert_eq!(lines(&one, &none), ["r: removed, its mode was split"]);
    let other = r#"{"name": "r", "v1": "c", "v2": "b", "mode": "on", "rules": [{"accounts": 5}],
                    "match": {"hosts": ["h"], "path": {"prefix": "/x"}, "methods": ["GET"]}}"#;
    assert_eq!(
        lines(&one, &plan(false, "{}", other)),
        ["r: mode split → on; v1 a → c; match all requests → host h and path prefix /x and GET"]
    );
    assert_eq!(lines(&one, &one), [""; 0]);
}

#[test]
fn a_halt_of_a_rollout_is_in_its_own_line() {
    let going = plan(false, "{}", &rollout(r#""rules": []"#));
    let halted = plan(false, "{}", &rollout(r#""halted": true, "rules": []"#));
    assert_eq!(lines(&going, &halted), ["r: halted: its requests get v1"]);
    assert_eq!(lines(&halted, &going), ["r: no longer halted"]);
    let all_halted = plan(true, "{}", &rollout(r#""rules": []"#));
    assert_eq!(
        lines(&all_halted, &halted),
        ["policy: no longer halted", "r: halted: its requests get v1"]
    );
    let new = plan(false, "{}", "");
    assert_eq!(
        lines(&new, &halted),
        ["r: new, mode split; v1 a, v2 b; match all requests; halted: its requests get v1"]
    );
}

#[test]
fn the_policy_and_its_segments_have_lines_of_their_own() {
    let old = plan(false, SEGMENTS, "");
    let new = plan(
        true,
        r#"{"s": {"accounts": ["2", "4", "5"]}, "u": {"accounts": ["3"]}}"#,
        "",
    );
    assert_eq!(
        lines(&old, &new),
        [
            "policy: halted: everyone gets v1",
            "segment s: 2 → 3 accounts (2 added, 1 removed)",
            "segment u: new, 1 account",
            "segment t: removed, 1 account",
        ]
    );
    assert_eq!(
        lines(&new, &plan(false, "{}", ""))[0],
        "policy: no longer halted"
    );
    let named =
        |name: &str| format!(r#"{{"name": "{name}", "v1": "a", "v2": "b", "mode": "off"}}"#);
    let of = |names: [&str; 2]| plan(false, "{}", &names.map(named).join(","));
    assert_eq!(
        lines(&of(["x", "y"]), &of(["y", "x"])),
        ["policy: new order of rollouts: y, x"]
    );
}

#[test]
fn a_changed_guard_is_named_and_a_changed_definition_re_arms_it() {
    let guarded = |guard: &str, rest: &str| {
        let rest =
            format!(r#""guard": {guard}, "rules": [{{"accounts": 5, "requests": 10}}]{rest}"#);
        plan(false, SEGMENTS, &rollout(&rest))
    };
    let before = guarded(r#"{"errors": {"ratio": 1.2}, "accounts": {}}"#, "");
    let defaults = "guard errors ratio 1.2, alpha 0.01, settle 20 s, action halt, accounts 0.1 false ejections";
    for (after, expected) in [
        (
            guarded(
                r#"{"accounts": {}, "errors": {"ratio": 1.20}}"#,
                r#", "halted": false"#,
            ),
            "",
        ),
        (
            guarded(
                r#"{"errors": {"ratio": 1.2}, "accounts": {}}"#,
                r#", "halted": true"#,
            ),
            "r: halted: its requests get v1",
        ),
        (
            guarded(
                r#"{"errors": {"ratio": 1.2}, "accounts": {}, "rearmed": 1}"#,
                "",
            ),
            "r: the guard re-arms",
        ),
        (
            guarded(
                r#"{"errors": {"ratio": 1.2}, "accounts": {}}"#,
                r#", "salt": "s""#,
            ),
            "r: the guard re-arms",
        ),
        (
            guarded(
                r#"{"slow": {"over_ms": 500}, "limit": {"error_percent": 0.5}, "alpha": 0.001, "settle_seconds": 30, "action": "report"}"#,
                "",
            ),
            "r: guard errors ratio 1.2 → none; guard slow over none → 500 ms; guard slow ratio none → 1.5; \
             guard limit none → 0.5 %; guard alpha 0.01 → 0.001; guard settle 20 s → 30 s; guard action halt → report; \
             guard accounts 0.1 false ejections → none; the guard re-arms",
        ),
    ] {
        assert_eq!(lines(&before, &after).join("\n"), expected);
    }
    let without = plan(
        false,
        SEGMENTS,
        &rollout(r#""rules": [{"accounts": 5, "requests": 10}]"#),
    );
    assert_eq!(lines(&without, &before), [format!("r: {defaults}")]);
    assert_eq!(lines(&before, &without), ["r: no longer guarded"]);
    let new = before.changes_since(None);
    let new = new.iter().flat_map(|change| &change.differences).last();
    assert_eq!(new, Some(&defaults.to_owned()));
}
