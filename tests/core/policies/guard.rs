//! The `guard` of a rollout: its settings, and which changes of the policy re-arm it.

use std::collections::BTreeSet;
use std::fs;

use proptest::prelude::*;
use serde_json::{Value, json};
use support::corpus;
use turnout_core::guard::{
    Alpha, ErrorLimit, FalseEjections, GuardAction, GuardSettings, Ratio, SettleSeconds,
    SlowSettings,
};
use turnout_core::{GuardPlan, Plan};

fn policy(rollout: &Value) -> Value {
    json!({ "version": 1, "account": { "from": [{ "header": "x-a" }], "format": "sid" }, "rollouts": [rollout] })
}

fn guard_of(policy: &str) -> Option<GuardPlan> {
    let plan = Plan::from_json(policy).unwrap_or_else(|e| panic!("{policy}: {e}"));
    plan.rollouts()[0].guard.clone()
}

fn rollout(guard: &Value) -> Value {
    json!({ "name": "r", "v1": "a", "v2": "b", "mode": "split", "rules": [{ "accounts": 50, "requests": 10 }],
        "guard": guard })
}

fn settings(guard: &Value) -> GuardSettings {
    let guard = guard_of(&policy(&rollout(guard)).to_string());
    guard.expect("a guard").settings
}

#[test]
fn an_empty_guard_has_the_defaults() {
    assert_eq!(settings(&json!({})), GuardSettings::default());
}

#[test]
fn every_setting_is_exact() {
    let full = json!({
        "errors": { "ratio": 1.25 }, "slow": { "over_ms": 500, "ratio": 2 }, "limit": { "error_percent": 0.5 },
        "alpha": 0.001, "settle_seconds": 30, "action": "report", "accounts": { "false_ejections": 0.25 }, "rearmed": 2
    });
    let expected = GuardSettings {
        errors: Ratio::new(1_250),
        slow: Some(SlowSettings {
            over_ms: 500,
            ratio: Ratio::new(2_000).expect("a ratio"),
        }),
        limit: ErrorLimit::new(500_000),
        alpha: Alpha::new(1_000).expect("an alpha"),
        settle_seconds: SettleSeconds::new(30).expect("seconds"),
        action: GuardAction::Report,
        accounts: FalseEjections::new(250),
    };
    assert_eq!(settings(&full), expected);
}

#[test]
fn only_the_tests_that_are_set_are_on() {
    let default = GuardSettings::default();
    let slow = SlowSettings {
        over_ms: 500,
        ratio: Ratio::new(1_500).expect("a ratio"),
    };
    for (guard, expected) in [
        (json!({ "errors": {} }), default),
        (
            json!({ "slow": { "over_ms": 500 } }),
            GuardSettings {
                errors: None,
                slow: Some(slow),
                ..default
            },
        ),
        (
            json!({ "limit": { "error_percent": 2 } }),
            GuardSettings {
                errors: None,
                limit: ErrorLimit::new(2_000_000),
                ..default
            },
        ),
        (
            json!({ "errors": {}, "slow": { "over_ms": 500 } }),
            GuardSettings {
                slow: Some(slow),
                ..default
            },
        ),
        (
            json!({ "accounts": {} }),
            GuardSettings {
                accounts: FalseEjections::new(100),
                ..default
            },
        ),
    ] {
        assert_eq!(settings(&guard), expected, "{guard}");
    }
}

#[test]
fn only_modes_in_which_v2_responds_have_a_guard() {
    for (mode, is_guarded) in [
        ("off", false),
        ("dark", false),
        ("shadow", false),
        ("split", true),
        ("on", true),
    ] {
        let mut rollout = rollout(&json!({}));
        rollout["mode"] = mode.into();
        rollout["shadow"] = json!({ "requests": 1 });
        let guard = guard_of(&policy(&rollout).to_string());
        assert_eq!(guard.is_some(), is_guarded, "{mode}");
    }
}

#[test]
fn the_memory_of_a_plan_includes_its_guards() {
    let held = |rollout: &Value| {
        let plan = Plan::from_json(&policy(rollout).to_string()).expect("a policy");
        plan.held_bytes(0)
    };
    let mut unguarded = rollout(&json!({}));
    unguarded["mode"] = "dark".into();
    let rules: Vec<Value> = (1..=32)
        .map(|percent| json!({ "requests": percent }))
        .collect();
    let mut largest = rollout(&json!({ "settle_seconds": 300, "accounts": {} }));
    largest["rules"] = json!(rules);
    let without = held(&unguarded);
    for (name, rollout, kib) in [
        ("least", rollout(&json!({})), 50..=70),
        (
            "with accounts",
            rollout(&json!({ "accounts": {} })),
            100..=200,
        ),
    ] {
        let guard = held(&rollout) - without;
        println!("{name}: {guard} bytes");
        assert!(kib.contains(&(guard / 1_024)), "{name}: {guard} bytes");
    }
    let mut largest_without = largest.clone();
    largest_without["mode"] = "dark".into();
    let guard = held(&largest) - held(&largest_without);
    println!("largest: {guard} bytes");
    assert!(guard < 1 << 20, "{guard} bytes");
}

/// The rollout of the corpus with most fields, guarded.
fn everything() -> Value {
    let path = corpus::folder().join("policies/valid/everything.json");
    let policy = fs::read_to_string(path).expect("a readable policy");
    let mut policy: Value = serde_json::from_str(&policy).expect("JSON");
    let guard = policy["rollouts"][1]["guard"].clone();
    let mut rollout = policy["rollouts"][0].take();
    rollout["guard"] = guard;
    rollout["shadow"] =
        json!({ "requests": 5, "compare": { "ignore": ["/at", "/id"] }, "recheck": true });
    policy["rollouts"] = json!([rollout]);
    policy
}

fn epoch(policy: &str) -> u64 {
    guard_of(policy).expect("a guard").epoch
}

fn pointers(value: &Value, at: &str) -> Vec<String> {
    let escaped = |name: &str| name.replace('~', "~0").replace('/', "~1");
    match value {
        Value::Array(items) => items
            .iter()
            .enumerate()
            .flat_map(|(index, item)| pointers(item, &format!("{at}/{index}")))
            .collect(),
        Value::Object(fields) => fields
            .iter()
            .flat_map(|(name, item)| pointers(item, &format!("{at}/{}", escaped(name))))
            .collect(),
        _ => vec![at.to_owned()],
    }
}

/// Every other value that keeps the policy valid, at every place of the rollout, has an epoch of its own, except in
/// `halted`.
#[test]
fn every_change_of_the_rollout_re_arms_and_no_other_does() {
    let original = everything();
    let text = original.to_string();
    let first = epoch(&text);
    let mut epochs = BTreeSet::from([first]);
    let mut changed = 0;
    let places = pointers(&original["rollouts"][0], "/rollouts/0");
    for place in &places {
        for other in [
            json!(true),
            json!(false),
            json!(3),
            json!("x-other"),
            json!("/other"),
            json!("GET"),
        ] {
            let mut policy = original.clone();
            let value = policy.pointer_mut(place).expect("a place");
            if *value == other {
                continue;
            }
            *value = other;
            let text = policy.to_string();
            let Ok(plan) = Plan::from_json(&text) else {
                continue;
            };
            let epoch = plan.rollouts()[0].guard.as_ref().map(|guard| guard.epoch);
            let epoch = epoch.expect("a guard");
            if place == "/rollouts/0/halted" {
                assert_eq!(epoch, first);
            } else {
                assert!(epochs.insert(epoch), "{text}");
                changed += 1;
            }
        }
    }
    assert!(changed > 20, "{changed} of {places:?}");

    for (place, other) in [
        ("/revision", json!("another")),
        ("/halted", json!(true)),
        ("/segments/hvc/accounts", json!([])),
        ("/account/from/0/header", json!("x-other")),
    ] {
        let mut policy = original.clone();
        *policy.pointer_mut(place).expect("a place") = other;
        assert_eq!(epoch(&policy.to_string()), first, "{place}");
    }
    let mut policy = original.clone();
    let another = json!({ "name": "first", "v1": "a", "v2": "b", "mode": "on" });
    let rollouts = policy["rollouts"].as_array_mut().expect("a list");
    rollouts.insert(0, another);
    let plan = Plan::from_json(&policy.to_string()).expect("a policy");
    let guard = plan.rollouts()[1].guard.as_ref();
    assert_eq!(guard.expect("a guard").epoch, first);
}

/// Writes a value with other white space, another order of fields, escapes, and other notations of numbers.
fn rewritten(value: &Value, choices: &mut impl Iterator<Item = u32>, text: &mut String) {
    let mut choose = |of: u32| choices.next().unwrap_or_default() % of;
    let space = ["", " ", "\n\t", "\r\n  "][choose(4) as usize];
    text.push_str(space);
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            let by = choose(8) as usize;
            if !fields.is_empty() {
                let length = fields.len();
                fields.rotate_left(by % length);
            }
            text.push('{');
            for (index, (name, field)) in fields.into_iter().enumerate() {
                text.push_str(if index == 0 { "" } else { "," });
                rewritten(&Value::from(name.clone()), choices, text);
                text.push(':');
                rewritten(field, choices, text);
            }
            text.push('}');
        }
        Value::Array(items) => {
            text.push('[');
            for (index, item) in items.iter().enumerate() {
                text.push_str(if index == 0 { "" } else { "," });
                rewritten(item, choices, text);
            }
            text.push(']');
        }
        Value::String(string) => {
            text.push('"');
            for unit in string.encode_utf16() {
                match char::from_u32(unit.into()) {
                    Some(c) if c != '"' && c != '\\' && choose(3) > 0 => text.push(c),
                    _ => text.push_str(&format!("\\u{unit:04x}")),
                }
            }
            text.push('"');
        }
        Value::Number(number) => {
            let double = number.as_f64().expect("a number");
            match choose(3) {
                0 => text.push_str(&number.to_string()),
                1 => text.push_str(&format!("{double:e}")),
                _ => text.push_str(&format!("{double:?}")),
            }
        }
        other => text.push_str(&other.to_string()),
    }
    text.push_str(space);
}

proptest! {
    #[test]
    fn another_spelling_of_the_same_policy_does_not_re_arm(choices in prop::collection::vec(any::<u32>(), 600)) {
        let policy = everything();
        let mut text = String::new();
        rewritten(&policy, &mut choices.into_iter(), &mut text);
        prop_assert_eq!(serde_json::from_str::<Value>(&text).is_ok(), true, "{}", text);
        prop_assert_eq!(epoch(&text), epoch(&policy.to_string()), "{}", text);
    }

    #[test]
    fn any_number_within_bounds_is_exact(thousandths in 1_000..=5_000_u32, millionths in 1..=500_000_u32) {
        let decimal = |units: u32, decimals: i32| f64::from(units) / 10_f64.powi(decimals);
        let read = settings(&json!({ "errors": { "ratio": decimal(thousandths, 3) }, "alpha": decimal(millionths, 6) }));
        prop_assert_eq!(read.errors.map(Ratio::get), Some(thousandths));
        prop_assert_eq!(read.alpha.get(), millionths);
    }
}
