//! The policies of steps.

use turnout_core::Plan;

use crate::StepPolicy;

use super::corpus::{check, policy};

const BAKE: &str = r#""bake": { "requests": 10000 }"#;

fn steps(policy: &str, steps: &str, more: &str) -> Vec<StepPolicy> {
    let plan = format!(
        r#"{{ "version": 1, "policy": "p", "rollout": "chat-users", "steps": [{steps}]{more} }}"#
    );
    let checked = check(&plan, policy);
    let problems = format!("{}\n{}", checked.diagnostics, checked.policy_diagnostics);
    assert!(!checked.steps.is_empty(), "{problems}");
    checked.steps
}

#[test]
fn a_step_changes_the_rules_and_the_revision_and_nothing_else() {
    let policy = policy("base");
    let list = format!(
        r#"{{ "name": "canary", "rule": 2, "accounts": 2.50, {BAKE} }},
           {{ "name": "more", "rule": 2, "accounts": 10, "requests": 60, {BAKE} }},
           {{ "name": "all", "rules": [ {{}} ] }}"#
    );
    let found = steps(&policy, &list, "");
    let [canary, more, all] = &found[..] else {
        panic!("{found:?}")
    };
    let expected = policy
        .replace("\"accounts\": 1,", "\"accounts\": 2.5,")
        .replace("2026-12-01.1", canary.revision.as_str());
    assert_eq!(canary.policy_text, expected);
    let expected = policy
        .replace(
            "\"accounts\": 1, \"requests\": 50",
            "\"accounts\": 10, \"requests\": 60",
        )
        .replace("2026-12-01.1", more.revision.as_str());
    assert_eq!(more.policy_text, expected);
    let start = policy.find("[{ \"when\"").expect("the rules");
    let end = policy.find("50 }]").expect("their end") + 5;
    let expected = [&policy[..start], "[ {} ]", &policy[end..]].concat();
    let expected = expected.replace("2026-12-01.1", all.revision.as_str());
    assert_eq!(all.policy_text, expected);
    for (step, name) in found.iter().zip(["canary", "more", "all"]) {
        assert_eq!(step.name, name);
        let revision = step.revision.as_str();
        let (own, hash) = revision.rsplit_once('.').expect("a hash");
        assert_eq!(own, format!("2026-12-01.1+roll.{name}"));
        assert_eq!(hash.len(), 8);
        let plan = Plan::from_json(&step.policy_text).expect("a valid policy");
        assert_eq!(plan.revision().as_str(), revision);
    }
}

#[test]
fn a_forbidden_segment_has_a_rule_of_its_own_until_its_step() {
    let policy = policy("one-rule");
    let list = format!(
        r#"{{ "name": "a", "accounts": 2, {BAKE} }}, {{ "name": "b", "accounts": 3, {BAKE} }},
           {{ "name": "c", "accounts": 4, {BAKE} }}, {{ "name": "d", "accounts": 100 }}"#
    );
    let forbid = r#", "forbid": [{ "segment": "hvc", "until": "d" }, { "segment": "beta", "until": "b" }, { "segment": "hvc", "until": "b" }]"#;
    let found = steps(&policy, &list, forbid);
    let rules = [
        r#"[{"when":{"in":["beta","hvc"]},"serve":"v1"},{ "accounts": 2, "requests": 50 }]"#,
        r#"[{"when":{"in":["hvc"]},"serve":"v1"},{ "accounts": 3, "requests": 50 }]"#,
        r#"[{"when":{"in":["hvc"]},"serve":"v1"},{ "accounts": 4, "requests": 50 }]"#,
        r#"[{ "accounts": 100, "requests": 50 }]"#,
    ];
    for (step, rules) in found.iter().zip(rules) {
        let expected = policy
            .replace("[{ \"accounts\": 1, \"requests\": 50 }]", rules)
            .replace("2026-12-01.1", step.revision.as_str());
        assert_eq!(step.policy_text, expected);
    }
}

#[test]
fn fields_that_the_policy_does_not_have_are_inserted() {
    let policy = policy("no-rules").replace("  \"revision\": \"2026-12-01.1\",\n", "");
    let list = format!(
        r#"{{ "name": "a", "rules": [{{}}], {BAKE} }}, {{ "name": "b", "requests": 5, "accounts": 1, {BAKE} }}, {{ "name": "c", "accounts": 2 }}"#
    );
    // The first step has no control, so it is valid only with a limit.
    let policy = policy.replace(
        "\"guard\": {}",
        "\"guard\": { \"limit\": { \"error_percent\": 1 } }",
    );
    let found = steps(&policy, &list, "");
    let own = Plan::from_json(&policy).expect("a policy");
    let rules = [
        "[{}]",
        r#"[{"accounts":1,"requests":5}]"#,
        r#"[{"accounts":2,"requests":5}]"#,
    ];
    for (step, rules) in found.iter().zip(rules) {
        let revision = step.revision.as_str();
        let expected = policy
            .replacen('{', &format!("{{\"revision\":\"{revision}\","), 1)
            .replacen(
                "{\n      \"name\"",
                &format!("{{\"rules\":{rules},\n      \"name\""),
                1,
            );
        assert_eq!(step.policy_text, expected);
        let prefix = format!("{}+roll.{}.", own.revision(), step.name);
        assert!(revision.starts_with(&prefix), "{revision}");
    }
}

#[test]
fn a_revision_depends_on_the_policy_and_the_rules_and_may_be_a_hash() {
    let policy = policy("one-rule");
    let revision = |policy: &str, accounts: &str| {
        let list = format!(r#"{{ "name": "all", "accounts": {accounts}, "requests": 100 }}"#);
        steps(policy, &list, "")[0].revision.to_string()
    };
    let first = revision(&policy, "5");
    assert_eq!(revision(&policy, "5.0"), first);
    assert_ne!(revision(&policy, "6"), first);
    let other = policy.replace("users-v2", "users-v3");
    assert_ne!(revision(&other, "5"), first);
    let long = policy.replace("2026-12-01.1", &"r".repeat(60));
    let hash = revision(&long, "5");
    assert!(
        hash.len() == 16 && hash.bytes().all(|digit| digit.is_ascii_hexdigit()),
        "{hash}"
    );
    assert_ne!(revision(&long, "6"), hash);
}
