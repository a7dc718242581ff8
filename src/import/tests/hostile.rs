//! Files that no tool exports: each is an error with a place, and none panics.

use std::fs;

use turnout_import::{AccountSource, Options, Tool, import};

use crate::cases::{TOOLS, all, folder, options};

fn refused(tool: Tool, text: &str, options: &Options) -> String {
    let error = import(tool, text, options).expect_err("nothing to import");
    error.to_string()
}

#[test]
fn a_file_that_is_not_an_export_is_refused_with_a_place() {
    let deep = "[".repeat(1_000_000);
    for tool in TOOLS {
        for (text, sentence) in [
            (
                "",
                "line 1, column 0: invalid JSON: EOF while parsing a value; pass the JSON file ",
            ),
            ("{\n\"flags\":", "line 2, column 8: invalid JSON: "),
            (
                &deep,
                "line 1, column 128: invalid JSON: recursion limit exceeded; ",
            ),
            (
                "{\"a\": 1e400}",
                "line 1, column 11: invalid JSON: number out of range; ",
            ),
            ("[]", "expected an object, found a list; pass "),
            ("3", "expected an object, found a number; pass "),
        ] {
            let error = refused(tool, text, &Options::default());
            assert!(error.starts_with(sentence), "{tool:?}: {error}");
        }
        let error = refused(tool, "{}", &Options::default());
        assert!(
            error.contains(" is missing; pass the file as the tool exports it"),
            "{error}"
        );
    }
}

#[test]
fn wrong_values_are_reported_with_their_pointers() {
    for (tool, text, sentence) in [
        (
            Tool::Split,
            r#"{"splits": 1}"#,
            "/splits: expected a list, found a number; ",
        ),
        (Tool::Split, r#"{"splits": []}"#, "the file has no flags; "),
        (
            Tool::Split,
            r#"{"splits": [{"name": "a", "defaultTreatment": "off", "conditions": [{"matcherGroup": {"matchers": []}, "partitions": [{"treatment": "on", "size": 101}]}]}]}"#,
            "/splits/0/conditions/0/partitions/0/size: 101 is out of range; expected an integer from 0 to 100",
        ),
        (
            Tool::Split,
            r#"{"splits": [{"name": "a", "algo": 2, "defaultTreatment": "off", "conditions": [{"matcherGroup": {"matchers": []}, "partitions": [{"treatment": "on", "size": 10}]}]}]}"#,
            "/splits/0/conditions/0: the condition needs the flag's `seed`, which is missing; ",
        ),
        (
            Tool::Unleash,
            r#"{"features": [{"name": "a", "enabled": true, "strategies": [{"name": "flexibleRollout", "parameters": {"rollout": "ten"}}]}]}"#,
            "/features/0/strategies/0/parameters/rollout: `ten` is not a percentage; ",
        ),
        (
            Tool::LaunchDarkly,
            r#"{"flags": {"a/~b": {"variations": [true, false], "on": true, "fallthrough": {"variation": 7}}}}"#,
            "/flags/a~1~0b/fallthrough/variation: the flag has no variation 7; ",
        ),
        (
            Tool::LaunchDarkly,
            r#"{"flags": {"a": {"variations": [true, false], "on": true, "salt": "s", "fallthrough": {"rollout": {"variations": [{"variation": 0, "weight": 1e30}]}}}}}"#,
            "/flags/a/fallthrough/rollout/variations/0/weight: expected an integer, found a number; ",
        ),
        (
            Tool::GrowthBook,
            r#"{"features": {"a": {"defaultValue": false, "rules": [{"force": true, "coverage": 0.1, "hashVersion": 3}]}}}"#,
            "/features/a/rules/0/hashVersion: the hash version 3 is not supported; ",
        ),
        (
            Tool::GrowthBook,
            r#"{"features": {}, "encryptedFeatures": "abc"}"#,
            "/encryptedFeatures: the features are encrypted; ",
        ),
        (
            Tool::Flagd,
            r#"{"flags": {"a": {"state": "ENABLED", "variants": {"on": true, "off": false}, "targeting": {"if": [], "or": []}}}}"#,
            "/flags/a/targeting: expected an object with one operation; ",
        ),
        (
            Tool::Flagd,
            r#"{"flags": {"a": {"state": "ENABLED", "variants": {"on": true, "off": false}, "targeting": {"$ref": "a"}}}, "$evaluators": {"a": {"$ref": "a"}}}"#,
            "/$evaluators/a: the targeting has too many expressions or too long chains of `$ref`; ",
        ),
        (
            Tool::Flagd,
            r#"{"flags": {"a": {"state": "ENABLED", "variants": {"red": 1, "blue": 2}}}}"#,
            "/flags/a/variants: which of the variations `blue`, `red` is v2 is ambiguous; set it with --v2-is VARIATION",
        ),
    ] {
        let error = refused(tool, text, &Options::default());
        assert!(error.starts_with(sentence), "{error}");
    }
}

#[test]
fn options_that_do_not_fit_are_refused() {
    let flag = r#"{"splits": [{"name": "a", "defaultTreatment": "off", "conditions": []}]}"#;
    let with = |change: fn(&mut Options)| {
        let mut options = Options::default();
        change(&mut options);
        refused(Tool::Split, flag, &options)
    };
    assert_eq!(
        with(|options| options.flag = Some("b".into())),
        "--flag: the file has no flag `b`; use one of `a`"
    );
    assert_eq!(
        with(|options| options.v2_is = Some("b".into())),
        "--v2-is: the flag has no variation `b`; use one of `off`"
    );
    assert!(with(|options| options.name = Some("B".into())).starts_with("--name: "));
    assert!(with(|options| options.v1 = Some("\n".into())).starts_with("--v1: "));
    assert!(with(|options| options.v2 = Some(String::new())).starts_with("--v2: "));
    assert!(with(|options| options.environment = Some("a".into())).starts_with("--environment: "));
    assert!(with(|options| options.account_key = Some("a".into())).starts_with("--account-key: "));
    let source = |text: &str| vec![text.parse::<AccountSource>().expect("a source")];
    let mut options = options("a");
    options.account = source("path:/no/place");
    assert!(refused(Tool::Split, flag, &options).starts_with("--account: "));
    assert!("x-account-sid".parse::<AccountSource>().is_err());
}

/// Cuts files anywhere and replaces their values.
#[test]
fn no_damage_to_an_export_panics() {
    let others = [
        "null",
        "-1",
        "1e308",
        "9223372036854775808",
        "\"\"",
        "[]",
        "{}",
        "true",
        "[[\"a\", -1]]",
    ];
    for case in all() {
        let text = case.text();
        let value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let small = serde_json::to_string(&smaller(value)).expect("JSON");
        assert!(
            import(case.tool, &small, &case.options).is_ok(),
            "{}",
            case.name
        );
        for cut in (0..small.len()).step_by(997) {
            let Some(cut) = small.get(..cut) else {
                continue;
            };
            assert!(import(case.tool, cut, &case.options).is_err());
        }
        for (place, _) in small.match_indices(':').step_by(61) {
            let (head, tail) = small.split_at(place + 1);
            let (_, tail) = tail.split_at(tail.find([',', '}']).unwrap_or(0));
            for other in others {
                let changed = [head, other, tail].concat();
                if let Err(error) = import(case.tool, &changed, &case.options) {
                    assert!(!error.message.contains("does not compile"), "{error}");
                }
            }
        }
    }
}

/// Shortens lists of strings, so that the test takes less time.
fn smaller(value: serde_json::Value) -> serde_json::Value {
    use serde_json::Value;
    match value {
        Value::Array(items) if items.len() > 9 && items.iter().all(Value::is_string) => {
            items.into_iter().take(2).collect()
        }
        Value::Array(items) => items.into_iter().map(smaller).collect(),
        Value::Object(map) => map
            .into_iter()
            .map(|(key, value)| (key, smaller(value)))
            .collect(),
        other => other,
    }
}

#[test]
fn a_flood_of_rules_and_of_notes_is_bounded() {
    let rule = r#"{"force": true, "condition": {"country": "de"}}"#;
    let rules = |count| vec![rule; count].join(",");
    let of = |count| {
        format!(
            r#"{{"features": {{"a": {{"defaultValue": false, "rules": [{}]}}}}}}"#,
            rules(count)
        )
    };
    let imported = import(Tool::GrowthBook, &of(1_000), &Options::default()).expect("an import");
    assert_eq!(imported.notes.len(), 1_000);
    assert_eq!(imported.omitted, 1);
    assert!(imported.is_lossy);
    let rules: Vec<_> = (0..101)
        .map(|n| {
            format!(
                r#"{{"force": {}, "condition": {{"id": "{n}"}}}}"#,
                n % 2 == 0
            )
        })
        .collect();
    let many = format!(
        r#"{{"features": {{"a": {{"defaultValue": false, "rules": [{}]}}}}}}"#,
        rules.join(",")
    );
    let error = refused(Tool::GrowthBook, &many, &Options::default());
    assert!(
        error.starts_with("the policy would have 101 rules, and a rollout has at most 100; "),
        "{error}"
    );
    let error = refused(Tool::GrowthBook, &of(100_000), &Options::default());
    assert!(
        error.starts_with("the flag has too many rules or too long lists; "),
        "{error}"
    );
    let long = format!(r#"{{"features": {{"{}": {{}}}}}}"#, "a".repeat(1_000_000));
    let error = refused(Tool::GrowthBook, &long, &Options::default());
    assert!(
        error.len() < 300 && error.contains("has 1000000 bytes"),
        "{error}"
    );
}

#[test]
fn control_characters_of_a_file_do_not_reach_a_terminal() {
    let text = "{\"features\": {\"a\": {\"defaultValue\": false, \"rules\": [{\"force\": true, \"\\u001b[31m\": 1, \"condition\": {\"\\u0007\\n\": 1}}]}}}";
    let imported = import(Tool::GrowthBook, text, &Options::default()).expect("an import");
    for note in &imported.notes {
        assert!(!note.to_string().contains(char::is_control), "{note}");
    }
    assert!(imported.notes.len() >= 2);
}

#[test]
fn every_file_of_the_corpus_belongs_to_a_flag() {
    for tool in TOOLS {
        for entry in fs::read_dir(folder(tool)).expect("a folder") {
            let path = entry.expect("an entry").path();
            let name = path
                .file_name()
                .and_then(|name| name.to_str())
                .expect("a name");
            let is_known = all().iter().any(|case| {
                let expected =
                    ["policy.json", "notes.txt"].map(|end| format!("{}.{end}", case.name));
                case.tool == tool && (case.file == name || expected.iter().any(|one| one == name))
            });
            assert!(is_known || name.ends_with(".csv"), "{}", path.display());
        }
    }
}
