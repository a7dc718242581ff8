//! Exports of which one thing is changed: a field is left out, a field is there that no tool writes, a
//! value is of another type. None of it may change who takes v2 without a word.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use turnout_import::{Imported, Tool, import};

use crate::cases::{Case, all};

/// Fields that a tool leaves out where they say nothing, so that nobody can see that one is missing.
/// `*` is any step.
const LEFT_OUT_WHEN_EMPTY: &[(Tool, &[&str])] = &[
    (Tool::Split, &["prerequisites"]),
    // A segment's name is what the policy's is called.
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
    // An empty targeting is none.
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

/// Objects of which the names are data: whatever is called so may be there.
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

/// Objects that are about something else than who is served what.
const HARMLESS: &[&str] = &[
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

/// The places in a value that the import of a flag reads: those of the flag, and of what flags share.
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
        // One of many texts is as good as another.
        Value::Array(items) if items.len() > 3 && items.iter().all(Value::is_string) => {}
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                walk(value, &format!("{place}/{index}"), visit);
            }
        }
        _ => {}
    }
}

/// What is changed, and what the import makes of it.
fn after(case: &Case, changed: &Value) -> Option<Imported> {
    import(case.tool, &changed.to_string(), &case.options).ok()
}

/// Whether a place is one of these: `*` is any step, and what stands before it does not count.
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

/// Files without most of their flags, in which there are few texts in a list.
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
fn a_field_that_is_left_out_is_missed_or_changes_nothing() {
    let mut silent = BTreeSet::new();
    let mut tried = 0;
    for case in all() {
        let whole = file(&case);
        let before = after(&case, &whole).expect("an import");
        let left_out = LEFT_OUT_WHEN_EMPTY
            .iter()
            .find(|(tool, _)| *tool == case.tool);
        let left_out = left_out.map_or(&[][..], |(_, fields)| fields);
        for place in places(&case, &whole) {
            let (parent, key) = place.rsplit_once('/').unwrap_or(("", ""));
            let mut changed = whole.clone();
            let removed = changed
                .pointer_mut(parent)
                .and_then(Value::as_object_mut)
                .and_then(|map| map.remove(&key.replace("~1", "/").replace("~0", "~")));
            if removed.is_none() || is_one_of(&place, left_out) {
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

/// Whether a flag has to do with a place in what flags share.
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
fn a_field_that_no_tool_writes_is_reported_with_its_pointer() {
    let mut silent = BTreeSet::new();
    let mut tried = 0;
    for case in all() {
        let whole = file(&case);
        let before = after(&case, &whole).expect("an import");
        for place in places(&case, &whole) {
            let skipped = [NAMED_BY_USERS, HARMLESS].concat();
            let in_harmless = HARMLESS
                .iter()
                .any(|end| place.contains(&format!("{end}/")));
            if in_harmless || skipped.iter().any(|end| place.ends_with(end)) {
                continue;
            }
            // A flag that is killed serves its default treatment, and another environment is another's.
            let is_elsewhere = (case.name == "killed_on" && place.contains("/conditions/"))
                || place.starts_with("/environments/test");
            if is_elsewhere || !is_read(&case, &whole, &before, &place) {
                continue;
            }
            let mut changed = whole.clone();
            let Some(map) = changed.pointer_mut(&place).and_then(Value::as_object_mut) else {
                continue;
            };
            map.insert("unheardOf".into(), json!(1));
            tried += 1;
            let pointer = format!("{place}/unheardOf");
            let is_silent = after(&case, &changed).is_some_and(|after| {
                // Or what it is in is left out as a whole.
                let is_told = |told: &str| {
                    told == pointer
                        || place.strip_prefix(told).is_some_and(|rest| {
                            !told.is_empty() && (rest.is_empty() || rest.starts_with('/'))
                        })
                };
                !after.is_lossy || !after.notes.iter().any(|note| is_told(&note.pointer))
            });
            if is_silent {
                silent.insert(format!("{:?} {}: {place}", case.tool, case.name));
            }
        }
    }
    assert!(silent.is_empty(), "{silent:#?}");
    assert!(tried > 500, "{tried}");
}

/// Whether a value of this type is one that the tool reads there too, with a meaning of its own.
fn means_something(tool: Tool, place: &str, other: &Value) -> bool {
    match tool {
        // A condition may be a truth value, and a prefix may be a word.
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
