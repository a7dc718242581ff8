//! Notations of values in exports: Go's zero values, integers as floats, a hundred percent.

use serde_json::Value;
use turnout_import::{Imported, Options, Tool, import};

fn imported(tool: Tool, file: &str) -> Imported {
    import(tool, file, &Options::default()).expect(file)
}

/// The mode, and the percentages of the rules.
fn rollout(imported: &Imported) -> (String, Vec<Value>) {
    let policy: Value = serde_json::from_str(&imported.policy).expect("JSON");
    let rollout = policy.pointer("/rollouts/0").expect("a rollout");
    let mode = rollout.get("mode").and_then(Value::as_str).expect("a mode");
    let rules = rollout.get("rules").and_then(Value::as_array);
    let accounts = |rule: &Value| rule.get("accounts").cloned().unwrap_or_default();
    let rules = rules.into_iter().flatten().map(accounts).collect();
    (mode.to_owned(), rules)
}

#[track_caller]
fn splits(tool: Tool, file: &str, percentage: f64) {
    let imported = imported(tool, file);
    assert!(!imported.is_lossy, "{file}\n{:#?}", imported.notes);
    let (mode, rules) = rollout(&imported);
    assert_eq!(mode, "split", "{file}");
    let found: Vec<_> = rules.iter().filter_map(Value::as_f64).collect();
    assert_eq!(found, [percentage], "{file}");
}

fn split(size: &str, rest: &str, more: &str) -> String {
    format!(
        r#"{{"splits": [{{"changeNumber": 1487277320548, "trafficAllocationSeed": 1667452163,
        "trafficAllocation": 100, "trafficTypeName": "user", "name": "chat", "seed": 1684183541,
        "status": "ACTIVE", "killed": false, "defaultTreatment": "off", "algo": 2, {more}
        "conditions": [{{"conditionType": "ROLLOUT", "matcherGroup": {{"combiner": "AND", "matchers": [
            {{"keySelector": {{"trafficType": "user", "attribute": ""}}, "matcherType": "ALL_KEYS", "negate": false,
              "userDefinedSegmentMatcherData": {{"segmentName": ""}},
              "userDefinedLargeSegmentMatcherData": {{"largeSegmentName": ""}},
              "whitelistMatcherData": {{"whitelist": null}},
              "unaryNumericMatcherData": {{"dataType": "", "value": 0}},
              "betweenMatcherData": {{"dataType": "", "start": 0, "end": 0}},
              "betweenStringMatcherData": {{"start": null, "end": null}},
              "dependencyMatcherData": {{"split": "", "treatments": null}},
              "booleanMatcherData": false, "stringMatcherData": ""}}]}},
            "partitions": [{{"treatment": "on", "size": {size}}}, {{"treatment": "off", "size": {rest}}}],
            "label": ""}}]}}], "since": -1, "till": 1}}"#
    )
}

fn unleash(rollout: &str) -> String {
    format!(
        r#"{{"version": 2, "features": [{{"name": "chat", "type": "release", "description": "", "enabled": true,
        "project": "default", "stale": false, "impressionData": false, "lastSeenAt": null, "dependencies": null,
        "strategies": [{{"id": 0, "name": "flexibleRollout", "constraints": null, "segments": null, "variants": null,
            "parameters": {{"rollout": {rollout}, "stickiness": "default", "groupId": "chat"}}}}],
        "createdAt": "0001-01-01T00:00:00Z", "variants": null}}], "segments": null, "query": {{}}, "meta": {{}}}}"#
    )
}

fn launchdarkly(weight: &str, rest: &str) -> String {
    format!(
        r#"{{"flags": {{"chat": {{"key": "chat", "on": true, "prerequisites": null, "targets": null,
        "contextTargets": null, "rules": null, "salt": "s", "offVariation": 1, "variations": [true, false],
        "fallthrough": {{"variation": null, "rollout": {{"kind": "", "contextKind": "", "seed": null, "bucketBy": "",
            "variations": [{{"variation": 0, "weight": {weight}, "untracked": false}}, {{"variation": 1, "weight": {rest}}}]}}}},
        "trackEvents": false, "trackEventsFallthrough": false, "debugEventsUntilDate": null, "version": 0,
        "deleted": false, "clientSide": false, "clientSideAvailability": {{}}, "migration": null, "samplingRatio": null,
        "excludeFromSummaries": false}}}}, "segments": null}}"#
    )
}

fn growthbook(coverage: &str) -> String {
    format!(
        r#"{{"features": {{"chat": {{"defaultValue": false, "rules": [{{"id": "", "condition": null, "coverage": {coverage},
        "force": true, "variations": null, "key": "", "weights": null, "namespace": null, "hashAttribute": "id",
        "hashVersion": 0, "range": null, "ranges": null, "meta": null, "filters": null, "seed": "", "name": "", "phase": "",
        "fallbackAttribute": "", "disableStickyBucketing": false, "bucketVersion": 0, "minBucketVersion": 0,
        "parentConditions": null, "tracks": null}}]}}}}, "savedGroups": null, "dateUpdated": "", "encryptedFeatures": ""}}"#
    )
}

fn flagd(on: &str, off: &str) -> String {
    format!(
        r#"{{"flags": {{"chat": {{"state": "ENABLED", "defaultVariant": "off", "variants": {{"on": true, "off": false}},
        "targeting": {{"fractional": [["on", {on}], ["off", {off}]]}}, "source": "", "selector": "", "metadata": null,
        "flagSetId": "", "key": "", "priority": 0}}}}, "$evaluators": null, "metadata": {{}}}}"#
    )
}

#[test]
fn zero_values_of_go_count_as_missing() {
    splits(
        Tool::Split,
        &split(
            "30",
            "70",
            r#""configurations": {"on": "", "off": ""}, "sets": null, "prerequisites": null, "impressionsDisabled": false,"#,
        ),
        30.0,
    );
    splits(
        Tool::Split,
        &split("30", "70", r#""configurations": null,"#),
        30.0,
    );
    splits(Tool::Unleash, &unleash("\"30\""), 30.0);
    splits(Tool::LaunchDarkly, &launchdarkly("30000", "70000"), 30.0);
    splits(Tool::GrowthBook, &growthbook("0.3"), 30.0);
    splits(Tool::Flagd, &flagd("30", "70"), 30.0);
}

#[test]
fn integers_may_be_written_as_floats() {
    for (size, rest) in [("25.0", "75.0"), ("2.5e1", "7.5E+1"), ("25", "75.000")] {
        splits(Tool::Split, &split(size, rest, ""), 25.0);
        splits(Tool::Unleash, &unleash(size), 25.0);
        splits(Tool::Unleash, &unleash(&format!("\"{size}\"")), 25.0);
        splits(Tool::Flagd, &flagd(size, rest), 25.0);
    }
    splits(Tool::LaunchDarkly, &launchdarkly("2.5e4", "75000.0"), 25.0);
    let large = split("25", "75", "").replace("1487277320548", "1.487277320548e12");
    splits(
        Tool::Split,
        &large.replace("1684183541", "1.684183541e9"),
        25.0,
    );
}

#[test]
fn fractions_and_numbers_out_of_range_are_refused() {
    for (tool, file, sentence) in [
        (
            Tool::Split,
            split("25.5", "75", ""),
            "expected an integer, found a number",
        ),
        (Tool::Split, split("-1", "75", ""), "-1 is out of range"),
        (
            Tool::Split,
            split("1e30", "75", ""),
            "expected an integer, found a number",
        ),
        (
            Tool::Split,
            split("4294967321", "75", ""),
            "4294967321 is out of range",
        ),
        (
            Tool::Unleash,
            unleash("25.5"),
            "expected an integer, found a number",
        ),
        (
            Tool::Unleash,
            unleash("\"4294967321\""),
            "is not a percentage",
        ),
        (
            Tool::LaunchDarkly,
            launchdarkly("4294997296", "0"),
            "4294997296 is out of range",
        ),
        (
            Tool::LaunchDarkly,
            launchdarkly("30000", "70000")
                .replace("\"seed\": null", "\"seed\": 9007199254740993.0"),
            "expected an integer, found a number",
        ),
        (
            Tool::LaunchDarkly,
            launchdarkly("30000", "70000")
                .replace("\"seed\": null", "\"seed\": 9223372036854775808"),
            "expected an integer, found a number",
        ),
        (
            Tool::Split,
            split("25", "75", "").replace("1684183541", "4294967296"),
            "/splits/0/seed: 4294967296 is out of range",
        ),
    ] {
        let error = import(tool, &file, &Options::default()).expect_err("refused");
        assert!(error.to_string().contains(sentence), "{error}");
        assert!(!error.to_string().contains("does not compile"), "{error}");
    }
}

#[test]
fn a_bucketed_hundred_percent_keeps_requests_without_an_account_on_v1() {
    splits(Tool::Split, &split("100", "0", ""), 100.0);
    splits(Tool::Unleash, &unleash("\"100\""), 100.0);
    splits(Tool::LaunchDarkly, &launchdarkly("100000", "0"), 100.0);
    splits(Tool::GrowthBook, &growthbook("1"), 100.0);
    splits(Tool::Flagd, &flagd("100", "0"), 100.0);
    splits(Tool::Flagd, &flagd("1.0", "0"), 100.0);
    // LaunchDarkly and Split evaluate no flag without a key.
    let all = launchdarkly("0", "0").replace("\"variation\": null", "\"variation\": 0");
    splits(Tool::LaunchDarkly, &all, 100.0);
    let killed = split("0", "100", "").replace("\"killed\": false", "\"killed\": true");
    let killed = killed.replace(
        "\"defaultTreatment\": \"off\"",
        "\"defaultTreatment\": \"on\"",
    );
    splits(Tool::Split, &killed, 100.0);
}

#[test]
fn a_flag_that_needs_no_account_is_on() {
    for (tool, file) in [
        (
            Tool::Unleash,
            r#"{"version": 2, "features": [{"name": "chat", "enabled": true, "strategies": [{"name": "default"}]}]}"#,
        ),
        (
            Tool::GrowthBook,
            r#"{"features": {"chat": {"defaultValue": false, "rules": [{"force": true}]}}}"#,
        ),
        (
            Tool::GrowthBook,
            r#"{"features": {"chat": {"defaultValue": true}}}"#,
        ),
        (
            Tool::Flagd,
            r#"{"flags": {"chat": {"state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "on"}}}"#,
        ),
    ] {
        let imported = imported(tool, file);
        assert_eq!(
            rollout(&imported),
            (String::from("on"), Vec::new()),
            "{file}"
        );
        assert!(!imported.is_lossy, "{:?}", imported.notes);
    }
}

#[test]
fn notes_on_skipped_parts_have_the_treatment_of_their_accounts() {
    let rules = |rules: &str| {
        format!(r#"{{"features": {{"chat": {{"defaultValue": false, "rules": [{rules}]}}}}}}"#)
    };
    let unknown = |value| format!(r#"{{"force": {value}, "condition": {{"country": "de"}}}}"#);
    let part = r#"{"force": true, "coverage": 0.2, "hashAttribute": "id"}"#;
    let several =
        r#"{"variations": [true, false, true], "weights": [0.2, 0.2, 0.6], "coverage": 0.5}"#;
    for (rules, end) in [
        (rules(&unknown("true")), "skipped and its accounts take v1"),
        (
            rules(&[&unknown("true"), part].join(",")),
            "skipped and its accounts take v1, or v2 where a later rule serves it",
        ),
        (
            rules(&[&unknown("false"), part].join(",")),
            "skipped and no later rule serves v2 to its accounts",
        ),
        (
            rules(&[part, &unknown("false")].join(",")),
            "skipped and its accounts take v1",
        ),
        (
            rules(several),
            "supports one, so the rule is skipped and its accounts take v1",
        ),
    ] {
        let imported = imported(Tool::GrowthBook, &rules);
        let messages: Vec<_> = imported
            .notes
            .iter()
            .map(|note| note.message.as_str())
            .collect();
        assert!(
            messages.iter().any(|message| message.ends_with(end)),
            "{rules}\n{messages:#?}"
        );
    }
}

#[test]
fn a_seed_beyond_the_precision_of_a_double_is_a_string_in_the_policy() {
    for (seed, written) in [
        ("9007199254740993", "\"9007199254740993\""),
        ("-9223372036854775808", "\"-9223372036854775808\""),
        ("9007199254740991", "9007199254740991"),
        ("6.1e1", "61"),
    ] {
        let seeded = format!("\"seed\": {seed}");
        let file = launchdarkly("30000", "70000").replace("\"seed\": null", &seeded);
        let policy = imported(Tool::LaunchDarkly, &file).policy;
        assert!(
            policy.contains(&format!("\"seed\": {written}\n")),
            "{policy}"
        );
    }
}
