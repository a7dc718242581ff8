//! Flags that look complete and are not, and bucketings that depend on more than the account: no account
//! takes v2, and the import is lossy and has a note with the place.

use turnout_import::{Options, Tool, import};

/// Asserts that nothing of the file takes effect, and that a note has this pointer.
#[track_caller]
fn is_off_and_lossy(tool: Tool, file: &str, pointer: &str) {
    let imported = import(tool, file, &Options::default()).expect(file);
    assert!(
        imported.policy.contains(r#""mode": "off""#),
        "{file}\n{}",
        imported.policy
    );
    assert!(imported.is_lossy, "{file}\n{:#?}", imported.notes);
    let places: Vec<_> = imported.notes.iter().map(|note| &note.pointer).collect();
    assert!(
        places.iter().any(|place| *place == pointer),
        "{file}\n{places:?}"
    );
}

#[track_caller]
fn is_whole(tool: Tool, file: &str, mode: &str) {
    let imported = import(tool, file, &Options::default()).expect(file);
    assert!(!imported.is_lossy, "{file}\n{:#?}", imported.notes);
    let mode = format!(r#""mode": "{mode}""#);
    assert!(
        imported.policy.contains(&mode),
        "{file}\n{}",
        imported.policy
    );
}

fn unleash(strategy: &str) -> String {
    format!(
        r#"{{"features": [{{"name": "chat", "enabled": true, "strategies": [{{{strategy}}}]}}]}}"#
    )
}

/// `jq '{name, enabled, strategies: [.strategies[] | {name, parameters}]}'` removes all fields that
/// show that the server wrote the file.
#[test]
fn a_strategy_without_the_field_constraints_is_not_for_everyone() {
    for strategy in [
        r#""name": "flexibleRollout", "parameters": {"groupId": "chat", "rollout": "25", "stickiness": "default"}"#,
        r#""name": "default", "parameters": {}"#,
        r#""name": "default", "segments": []"#,
        r#""name": "userWithId", "parameters": {"userIds": "a"}, "id": "1", "sortOrder": 1"#,
    ] {
        is_off_and_lossy(
            Tool::Unleash,
            &unleash(strategy),
            "/features/0/strategies/0",
        );
    }
    for strategy in [
        r#""name": "default", "constraints": []"#,
        r#""name": "default""#,
    ] {
        is_whole(Tool::Unleash, &unleash(strategy), "on");
    }
    // Unleash's specification for SDKs writes flags like this one.
    let of_specification = r#"{"version": 1, "features": [{"name": "chat", "description": "", "enabled": true,
        "strategies": [{"name": "gradualRolloutUserId", "parameters": {"percentage": "10", "groupId": "g"}}]}]}"#;
    is_whole(Tool::Unleash, of_specification, "split");
}

#[test]
fn a_hundred_percent_of_another_attribute_is_not_everyone() {
    for strategy in [
        r#""name": "flexibleRollout", "constraints": [], "parameters": {"rollout": "100", "stickiness": "tenantId"}"#,
        r#""name": "gradualRolloutSessionId", "constraints": [], "parameters": {"percentage": "100"}"#,
    ] {
        is_off_and_lossy(
            Tool::Unleash,
            &unleash(strategy),
            "/features/0/strategies/0",
        );
    }
    for sticky in ["default", "random", "userId"] {
        let strategy = format!(
            r#""name": "flexibleRollout", "constraints": [], "parameters": {{"rollout": "100", "stickiness": "{sticky}"}}"#
        );
        is_whole(Tool::Unleash, &unleash(&strategy), "split");
    }
    for (default, variants) in [
        ("off", r#"["on", 100], ["off", 0]"#),
        ("on", r#"["on", 0], ["off", 100]"#),
        ("off", r#"["on", 100]"#),
    ] {
        for by in [
            r#"{"var": "email"}"#,
            r#"{"cat": [{"var": "$flagd.flagKey"}, {"var": "email"}]}"#,
        ] {
            let targeting = format!(r#"{{"fractional": [{by}, {variants}]}}"#);
            let file = flagd("ENABLED", default, &targeting);
            is_off_and_lossy(Tool::Flagd, &file, "/flags/chat/targeting/fractional");
        }
    }
}

fn flagd(state: &str, default: &str, targeting: &str) -> String {
    format!(
        r#"{{"flags": {{"chat": {{"state": "{state}", "defaultVariant": "{default}",
        "variants": {{"on": true, "off": false}}, "targeting": {targeting}}}}}}}"#
    )
}

#[test]
fn an_unknown_state_in_flagd_is_reported() {
    for state in ["enabled", "ON", ""] {
        is_off_and_lossy(Tool::Flagd, &flagd(state, "on", "{}"), "/flags/chat/state");
    }
    is_whole(Tool::Flagd, &flagd("DISABLED", "on", "{}"), "off");
}

#[test]
fn a_growthbook_rule_that_forces_null_is_not_ignored() {
    let file = |rule: &str| {
        format!(
            r#"{{"features": {{"chat": {{"defaultValue": false, "rules": [{rule}, {{"force": true}}]}}}}}}"#
        )
    };
    let null = r#"{"condition": {"id": "a"}, "force": null}"#;
    is_off_and_lossy(Tool::GrowthBook, &file(null), "/features/chat/rules/0");
    let coverage = r#"{"force": true, "coverage": null, "hashAttribute": "id"}"#;
    is_off_and_lossy(Tool::GrowthBook, &file(coverage), "/features/chat/rules/0");
}

fn launchdarkly(rules: &str, segments: &str) -> String {
    format!(
        r#"{{"flags": {{"chat": {{"key": "chat", "on": true, "prerequisites": [], "targets": [],
        "rules": [{rules}], "salt": "s", "offVariation": 1, "variations": [true, false],
        "fallthrough": {{"variation": 1}}}}}}, "segments": {{{segments}}}}}"#
    )
}

#[test]
fn deleted_and_disabled_parts_in_launchdarkly_give_nobody_v2() {
    let clause = r#""clauses": [{"attribute": "key", "op": "in", "values": ["a"], "negate": false}], "variation": 0"#;
    for (field, name) in [
        (r#""disabled": true"#, "disabled"),
        (r#""_deleted": true"#, "_deleted"),
    ] {
        let file = launchdarkly(&format!("{{{clause}, {field}}}"), "");
        let place = format!("/flags/chat/rules/0/{name}");
        is_off_and_lossy(Tool::LaunchDarkly, &file, &place);
    }
    let file = launchdarkly(
        &format!(r#"{{{clause}, "disabled": false, "_deleted": false}}"#),
        "",
    );
    is_whole(Tool::LaunchDarkly, &file, "split");
    let of_segment = r#"{"clauses": [{"attribute": "", "op": "segmentMatch", "values": ["s"], "negate": false}], "variation": 0}"#;
    let file = launchdarkly(
        of_segment,
        r#""s": {"key": "s", "included": ["a"], "rules": [], "deleted": true}"#,
    );
    is_off_and_lossy(Tool::LaunchDarkly, &file, "/segments/s/deleted");
}

#[test]
fn a_launchdarkly_attribute_is_a_reference_only_with_a_context_kind() {
    let rule = |attribute: &str, kind: &str| {
        format!(
            r#"{{"clauses": [{{"attribute": "{attribute}", "op": "in", "values": ["a"], "negate": false{kind}}}], "variation": 0}}"#
        )
    };
    let of_user = r#", "contextKind": "user""#;
    for (attribute, kind) in [("key", ""), ("key", of_user), ("/key", of_user)] {
        let file = launchdarkly(&rule(attribute, kind), "");
        is_whole(Tool::LaunchDarkly, &file, "split");
    }
    for (attribute, kind) in [("/key", ""), ("//key", of_user)] {
        let file = launchdarkly(&rule(attribute, kind), "");
        let place = "/flags/chat/rules/0/clauses/0";
        is_off_and_lossy(Tool::LaunchDarkly, &file, place);
    }
}
