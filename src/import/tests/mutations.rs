//! Exports with one change: a missing field, an unknown field, or a value of another type. No change may
//! alter who takes v2 without an error or a note.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use turnout_import::{Imported, Tool, import};

use crate::cases::{Case, all};

/// Fields that a tool omits when they are empty, so that a missing one cannot be noticed. `*` is any step.
const OMITTED_WHEN_EMPTY: &[(Tool, &[&str])] = &[
    (Tool::Split, &["prerequisites"]),
    // A segment's name only becomes the name of the policy's segment.
    (
        Tool::Unleash,
        &["dependencies", "strategies/*/segments", "segments/*/name"],
    ),
    (
        Tool::LaunchDarkly,
        &[
            "bucketBy",
            "contextKind",
            "seed",
            "unbounded",
            "rollout/kind",
        ],
    ),
    (
        Tool::GrowthBook,
        &[
            "condition",
            "hashAttribute",
            "hashVersion",
            "namespace",
            "parentConditions",
            "rules",
            "seed",
            "weights",
            "savedGroups",
        ],
    ),
    // An empty targeting counts as missing.
    (
        Tool::Flagd,
        &[
            "defaultVariant",
            "targeting",
            "targeting/if",
            "targeting/fractional",
        ],
    ),
];

/// Objects with keys that users choose.
const NAMED_BY_USERS: &[&str] = &[
    "/flags",
    "/features",
    "/segments",
    "/savedGroups",
    "/$evaluators",
    "/configurations",
    "/variants",
    "/environments",
    "/metadata",
];

/// Objects without a meaning for the decision.
const IGNORED_OBJECTS: &[&str] = &[
    "/rbs",
    "/clientSideAvailability",
    "/_links",
    "/_links/self",
    "/_maintainer",
    "/_site",
    "/_summary",
    "/_summary/variations",
    "/customProperties",
    "/defaults",
    "/experiments",
    "/migration",
    "/query",
];

/// The pointers that the import of a flag reads: those of the flag, and those that flags share.
fn places(case: &Case, file: &Value) -> Vec<String> {
    let mut found = Vec::new();
    walk(file, "", &mut |place, _| {
        found.push(place.to_owned());
    });
    let wanted = case.options.flag.as_deref();
    found.retain(|place| match other_flag(file, place) {
        Some(name) => wanted.is_none_or(|wanted| wanted == name),
        None => true,
    });
    found
}

/// The flag that a place is in.
fn other_flag(file: &Value, place: &str) -> Option<String> {
    for list in ["/flags/", "/features/", "/ff/d/", "/splits/", "/items/"] {
        let Some(rest) = place.strip_prefix(list) else {
            continue;
        };
        let step = rest.split('/').next()?;
        let flag = file.pointer(&format!("{list}{step}"))?;
        if step.parse::<usize>().is_err() {
            return Some(step.to_owned());
        }
        let name = flag.get("name").or_else(|| flag.get("key"))?.as_str();
        return name.map(str::to_owned);
    }
    None
}

fn walk(value: &Value, place: &str, visit: &mut dyn FnMut(&str, &Value)) {
    visit(place, value);
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let key = key.replace('~', "~0").replace('/', "~1");
                walk(value, &format!("{place}/{key}"), visit);
            }
        }
        // One string of a long list is enough.
        Value::Array(items) if items.len() > 3 && items.iter().all(Value::is_string) => {}
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                walk(value, &format!("{place}/{index}"), visit);
            }
        }
        _ => {}
    }
}

/// Imports the changed file.
fn after(case: &Case, changed: &Value) -> Option<Imported> {
    import(case.tool, &changed.to_string(), &case.options).ok()
}

/// Whether a pointer has one of these ends. `*` is any step.
fn is_one_of(place: &str, ends: &[&str]) -> bool {
    let steps: Vec<_> = place.split('/').rev().collect();
    ends.iter().any(|end| {
        let end: Vec<_> = end.trim_start_matches('/').split('/').rev().collect();
        end.len() <= steps.len()
            && end
                .iter()
                .zip(&steps)
                .all(|(end, step)| *end == "*" || end == step)
    })
}

/// The export, with shortened lists of strings.
fn file(case: &Case) -> Value {
    let mut value: Value = serde_json::from_str(&case.text()).expect("JSON");
    shorten(&mut value);
    value
}

fn shorten(value: &mut Value) {
    match value {
        Value::Array(items) if items.len() > 4 && items.iter().all(Value::is_string) => {
            items.truncate(2);
        }
        Value::Array(items) => items.iter_mut().for_each(shorten),
        Value::Object(map) => map.values_mut().for_each(shorten),
        _ => {}
    }
}

#[test]
fn a_missing_field_is_reported_or_changes_nothing() {
    let mut silent = BTreeSet::new();
    let mut tried = 0;
    for case in all() {
        let whole = file(&case);
        let before = after(&case, &whole).expect("an import");
        let omitted = OMITTED_WHEN_EMPTY
            .iter()
            .find(|(tool, _)| *tool == case.tool);
        let omitted = omitted.map_or(&[][..], |(_, fields)| fields);
        for place in places(&case, &whole) {
            let (parent, key) = place.rsplit_once('/').unwrap_or(("", ""));
            let mut changed = whole.clone();
            let removed = changed
                .pointer_mut(parent)
                .and_then(Value::as_object_mut)
                .and_then(|map| map.remove(&key.replace("~1", "/").replace("~0", "~")));
            if removed.is_none() || is_one_of(&place, omitted) {
                continue;
            }
            tried += 1;
            let is_silent = after(&case, &changed)
                .is_some_and(|after| !after.is_lossy && after.policy != before.policy);
            if is_silent {
                silent.insert(format!("{:?} {}: {place}", case.tool, case.name));
            }
        }
    }
    assert!(silent.is_empty(), "{silent:#?}");
    assert!(tried > 2_000, "{tried}");
}

/// Whether the import of a flag reads a pointer that flags share.
fn is_read(case: &Case, file: &Value, before: &Imported, place: &str) -> bool {
    let mut steps = place.splitn(4, '/').skip(1);
    let (Some(shared), Some(name)) = (steps.next(), steps.next()) else {
        return true;
    };
    if !["segments", "savedGroups", "$evaluators"].contains(&shared) {
        return true;
    }
    let mut changed = file.clone();
    if let Some(entry) = changed.pointer_mut(&format!("/{shared}/{name}")) {
        *entry = json!({ "id": -1 });
    }
    after(case, &changed)
        .is_none_or(|after| after.policy != before.policy || after.notes != before.notes)
}

#[test]
fn an_unknown_field_is_reported_with_its_pointer() {
    let mut silent = BTreeSet::new();
    let mut tried = 0;
    for case in all() {
        let whole = file(&case);
        let before = after(&case, &whole).expect("an import");
        for place in places(&case, &whole) {
            let skipped = [NAMED_BY_USERS, IGNORED_OBJECTS].concat();
            let is_ignored = IGNORED_OBJECTS
                .iter()
                .any(|end| place.contains(&format!("{end}/")));
            if is_ignored || skipped.iter().any(|end| place.ends_with(end)) {
                continue;
            }
            // A killed flag serves its default treatment, and another environment is not imported.
            let is_elsewhere = (case.name == "killed_on" && place.contains("/conditions/"))
                || place.starts_with("/environments/test");
            if is_elsewhere || !is_read(&case, &whole, &before, &place) {
                continue;
            }
            let mut changed = whole.clone();
            let Some(map) = changed.pointer_mut(&place).and_then(Value::as_object_mut) else {
                continue;
            };
            map.insert("unknownField".into(), json!(1));
            tried += 1;
            let pointer = format!("{place}/unknownField");
            let is_silent = after(&case, &changed).is_some_and(|after| {
                // An enclosing part may be skipped as a whole.
                let is_reported = |reported: &str| {
                    reported == pointer
                        || place.strip_prefix(reported).is_some_and(|rest| {
                            !reported.is_empty() && (rest.is_empty() || rest.starts_with('/'))
                        })
                };
                !after.is_lossy || !after.notes.iter().any(|note| is_reported(&note.pointer))
            });
            if is_silent {
                silent.insert(format!("{:?} {}: {place}", case.tool, case.name));
            }
        }
    }
    assert!(silent.is_empty(), "{silent:#?}");
    assert!(tried > 500, "{tried}");
}

/// Whether the tool also reads values of this type there, with another meaning.
fn means_something(tool: Tool, place: &str, other: &Value) -> bool {
    match tool {
        // A condition may be a boolean, and a prefix may be a string.
        Tool::Flagd => {
            let is_condition = place.contains("/targeting/") || place.contains("/$evaluators/");
            (is_condition && other.is_boolean()) || (place.contains("/cat/") && other.is_string())
        }
        Tool::GrowthBook => place.contains("/condition/") && other.is_string(),
        Tool::Unleash => {
            is_one_of(place, &["parameters/rollout", "parameters/percentage"]) && other.is_number()
        }
        Tool::Split | Tool::LaunchDarkly => false,
    }
}

#[test]
fn a_value_of_another_type_is_refused_or_changes_nothing() {
    let others = [
        json!(7),
        json!("x"),
        json!(true),
        json!([]),
        json!({}),
        json!([7]),
        json!({"a": 1}),
    ];
    let mut silent = BTreeSet::new();
    for case in all() {
        let whole = file(&case);
        let before = after(&case, &whole).expect("an import");
        for place in places(&case, &whole) {
            let Some(value) = whole.pointer(&place) else {
                continue;
            };
            for other in &others {
                if means_something(case.tool, &place, other) {
                    continue;
                }
                if value.is_null() || std::mem::discriminant(value) == std::mem::discriminant(other)
                {
                    continue;
                }
                let mut changed = whole.clone();
                if let Some(value) = changed.pointer_mut(&place) {
                    *value = other.clone();
                }
                let is_silent = after(&case, &changed)
                    .is_some_and(|after| !after.is_lossy && after.policy != before.policy);
                if is_silent {
                    silent.insert(format!("{:?} {}: {place}: {other}", case.tool, case.name));
                }
            }
        }
    }
    assert!(silent.is_empty(), "{silent:#?}");
}
