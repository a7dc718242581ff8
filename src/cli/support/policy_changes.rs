//! Lists the differences between the active policy and its successor, one line per rollout.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use turnout_core::{ChangedPart, Plan, PlanChange};
use turnout_live::Preview;
use turnout_simulate::rebucketing_reason;
use turnout_text::escape_for_terminal;

/// The differences between two policies.
pub(crate) struct Changes(Vec<PlanChange>);

impl Changes {
    pub(crate) fn of(preview: &Preview) -> Self {
        let before = preview.before.as_ref();
        let old = before.and_then(|before| Plan::from_json(&before.policy).ok());
        let new = Plan::from_json(&preview.after.policy).ok();
        let mut changes = match &new {
            Some(new) => new.changes_since(old.as_ref()),
            None => Vec::new(),
        };
        if let (Some(before), Some(old), Some(new)) = (before, &old, &new) {
            add(&mut changes, &rebucketed(old, new));
            add(
                &mut changes,
                &shadows(&before.policy, &preview.after.policy),
            );
        }
        Self(changes)
    }

    pub(crate) fn to_text(&self) -> String {
        let line = |change: &PlanChange| {
            let part = match &change.part {
                ChangedPart::Policy => "policy".to_owned(),
                ChangedPart::Segment(name) => format!("segment {name}"),
                ChangedPart::Rollout(name) => name.clone(),
            };
            escape_for_terminal(&format!("{part}: {}", change.differences.join("; "))) + "\n"
        };
        match self.0.as_slice() {
            [] => "no rollout changes\n".to_owned(),
            changes => changes.iter().map(line).collect(),
        }
    }

    pub(crate) fn to_json(&self) -> Vec<Value> {
        let change = |change: &PlanChange| {
            let (part, name) = match &change.part {
                ChangedPart::Policy => ("policy", None),
                ChangedPart::Segment(name) => ("segment", Some(name)),
                ChangedPart::Rollout(name) => ("rollout", Some(name)),
            };
            json!({ "part": part, "name": name, "differences": change.differences })
        };
        self.0.iter().map(change).collect()
    }
}

/// Further differences by rollout name.
type More = BTreeMap<String, Vec<String>>;

fn add(changes: &mut Vec<PlanChange>, more: &More) {
    for (name, what) in more {
        let part = ChangedPart::Rollout(name.clone());
        match changes.iter_mut().find(|change| change.part == part) {
            Some(change) => change.differences.extend(what.iter().cloned()),
            None => changes.push(PlanChange {
                part,
                differences: what.clone(),
            }),
        }
    }
}

fn rebucketed(old: &Plan, new: &Plan) -> More {
    let mut more = More::new();
    for rollout in new.rollouts() {
        let before = old.rollouts().iter().find(|old| old.name == rollout.name);
        if let Some(before) = before.filter(|before| !before.same_bucketing(rollout)) {
            let what = rebucketing_reason(before, rollout).to_owned();
            more.entry(rollout.name.clone()).or_default().push(what);
        }
    }
    more
}

/// Finds the fields of `shadow` that differ, in rollouts of both policies.
fn shadows(old: &str, new: &str) -> More {
    let parsed = [old, new].map(serde_json::from_str::<Value>);
    let [Ok(old), Ok(new)] = parsed else {
        return More::new();
    };
    let by_name = |policy: &Value| -> BTreeMap<String, Value> {
        let rollouts = policy.get("rollouts").and_then(Value::as_array);
        let named = |rollout: &Value| {
            let name = rollout.get("name")?.as_str()?;
            Some((
                name.to_owned(),
                rollout.get("shadow").cloned().unwrap_or_default(),
            ))
        };
        rollouts.into_iter().flatten().filter_map(named).collect()
    };
    let (old, new) = (by_name(&old), by_name(&new));
    let mut more = More::new();
    for (name, shadow) in &new {
        let Some(before) = old.get(name) else {
            continue;
        };
        let what = match (before, shadow) {
            (Value::Null, Value::Object(_)) => vec!["shadow is new".to_owned()],
            (Value::Object(_), Value::Null) => vec!["shadow is removed".to_owned()],
            (before, shadow) => fields(before, shadow),
        };
        if !what.is_empty() {
            more.insert(name.clone(), what);
        }
    }
    more
}

fn fields(before: &Value, after: &Value) -> Vec<String> {
    let none = serde_json::Map::new();
    let [before, after] = [before, after].map(|value| value.as_object().unwrap_or(&none));
    let gone = before.keys().filter(|name| !after.contains_key(*name));
    let names = after.keys().chain(gone);
    let changed = names.filter_map(|name| match (before.get(name), after.get(name)) {
        (Some(old), Some(new)) if is_same(old, new) => None,
        (Some(old), Some(new)) if is_short(old) && is_short(new) => {
            Some(format!("shadow {name} {old} → {new}"))
        }
        (Some(_), None) => Some(format!("shadow {name} is removed")),
        (None, Some(new)) if is_short(new) => Some(format!("shadow {name} {new} is new")),
        (None, Some(_)) => Some(format!("shadow {name} is new")),
        _ => Some(format!("shadow {name} has changed")),
    });
    changed.collect()
}

fn is_short(value: &Value) -> bool {
    matches!(value, Value::Number(_) | Value::Bool(_) | Value::String(_))
}

/// Whether two JSON values are equal; 5 and 5.0 are the same number.
fn is_same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_same(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            let same = |(name, a): (&String, &Value)| b.get(name).is_some_and(|b| is_same(a, b));
            a.len() == b.len() && a.iter().all(same)
        }
        (a, b) => a == b,
    }
}
