//! The JSON Schema, tested with the corpus and an independent validator: it rejects malformed policies and no
//! others.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use jsonschema::Validator;
use proptest::prelude::*;
use serde_json::Value;
use support::corpus;
use turnout_core::{Diagnostic, Plan};

use crate::properties::policy_with_another_value;

static VALIDATOR: LazyLock<Validator> = LazyLock::new(|| {
    jsonschema::draft202012::new(&turnout_core::schema()).expect("a schema of 2020-12")
});

/// The pointers at which the validator finds an error.
fn refused(validator: &Validator, policy: &Value) -> BTreeSet<String> {
    let errors = validator.iter_errors(policy);
    errors
        .map(|error| error.instance_path().to_string())
        .collect()
}

#[test]
fn it_is_a_schema_of_2020_12_in_which_everything_is_described() {
    let schema = turnout_core::schema();
    assert_eq!(
        schema["$schema"],
        "https://json-schema.org/draft/2020-12/schema"
    );
    jsonschema::meta::validate(&schema).expect("right by the meta-schema");
    let fields = described(&schema, "#");
    assert!(fields > 60, "only {fields} fields");
}

/// The number of object fields, each of which has a description.
fn described(schema: &Value, at: &str) -> usize {
    let Some(object) = schema.as_object() else {
        return 0;
    };
    let mut count = 0;
    for (keyword, value) in object {
        let at = format!("{at}/{keyword}");
        let inner = value.as_object().into_iter().flatten();
        for (name, value) in inner {
            let at = format!("{at}/{name}");
            if keyword == "properties" && !at.contains("/if/") && !at.contains("/then/") {
                let text = value["description"].as_str().unwrap_or_default();
                assert!(text.len() > 8, "{at} is not described: {text:?}");
                assert!(!text.contains('\n'), "{at}: {text:?}");
                count += 1;
            }
            count += described(value, &at);
        }
    }
    count
}

#[test]
fn valid_policies_match_the_schema() {
    let mut files = corpus::files("policies/valid", "json");
    // Some of these policies have an error besides their warning.
    files.extend(corpus::files("policies/warnings", "json"));
    files.retain(|path| Plan::from_json(&read(path)).is_ok());
    assert!(files.len() > 10, "only {} files", files.len());
    for path in files {
        assert_eq!(
            refused(&VALIDATOR, &json(&path)),
            BTreeSet::new(),
            "{}",
            path.display()
        );
    }
    for (file, scenario) in corpus::Scenario::all() {
        let policy = serde_json::from_str(scenario.policy()).expect("JSON");
        assert_eq!(refused(&VALIDATOR, &policy), BTreeSet::new(), "{file}");
    }
}

#[test]
fn schema_and_core_find_the_same_malformed_places() {
    let mut structural = 0;
    for path in corpus::files("policies/invalid", "json") {
        let text = read(&path);
        let Ok(policy) = serde_json::from_str(&text) else {
            continue;
        };
        let by_schema = refused(&VALIDATOR, &policy);
        let diagnostics = Plan::from_json(&text).expect_err("an invalid policy");
        let by_core: Vec<_> = diagnostics.as_slice().iter().collect();
        let name = path.display();
        for diagnostic in by_core.iter().filter(|found| is_about_form(found)) {
            structural += 1;
            assert!(
                by_schema
                    .iter()
                    .any(|place| is_near(place, &diagnostic.pointer)),
                "{name}: the schema accepts {diagnostic}"
            );
        }
        for place in &by_schema {
            assert!(
                by_core.iter().any(|found| is_near(place, &found.pointer)),
                "{name}: the schema refuses {place}, and core does not"
            );
        }
    }
    assert!(structural > 60, "only {structural} problems of form");
}

/// For a missing or unknown field a validator names the object, and core names the unknown field. For a value with
/// two forms (a percentage, a ramp) a validator only reports that it has neither.
fn is_near(by_schema: &str, by_core: &str) -> bool {
    let parent = by_core.rsplit_once('/').map(|(parent, _)| parent);
    let is_inside = by_core
        .strip_prefix(by_schema)
        .is_some_and(|rest| rest.starts_with('/') && by_schema.ends_with("/accounts"));
    by_schema == by_core || Some(by_schema) == parent || is_inside
}

/// Whether the schema can find an error, without knowing the meaning of names and texts. The range of a
/// percentage is part of its form; its number of decimals is not.
fn is_about_form(diagnostic: &Diagnostic) -> bool {
    const CODES: [&str; 10] = [
        "empty-list",
        "missing-field",
        "not-one-of",
        "out-of-range",
        "too-many",
        "unknown-field",
        "unknown-version",
        "unknown-word",
        "useless-percentage",
        "wrong-type",
    ];
    CODES.contains(&diagnostic.code())
        || diagnostic.code() == "malformed-percentage"
            && diagnostic
                .to_string()
                .contains("write a number from 0 to 100")
}

proptest! {
    #[test]
    fn what_core_accepts_the_schema_accepts(text in policy_with_another_value()) {
        if Plan::from_json(&text).is_ok() {
            let policy = serde_json::from_str(&text).expect("JSON");
            prop_assert_eq!(refused(&VALIDATOR, &policy), BTreeSet::new(), "{}", text);
        }
    }
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).expect("a readable policy")
}

fn json(path: &Path) -> Value {
    serde_json::from_str(&read(path)).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}
