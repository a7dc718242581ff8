//! Random policies, accounts and times.

use proptest::prelude::*;
use serde_json::{Value, json};
use turnout_core::{Plan, Time};

/// Accounts inside and outside the segments of the policies.
pub(crate) const ACCOUNTS: usize = 40;
pub(crate) const SEGMENTS: [&str; 3] = ["big", "hvc", "test"];

pub(crate) fn account(number: usize) -> String {
    format!("AC{:032x}", (number + 1) * 0x9e37_79b9_7f4a)
}

fn percentage() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!(0)),
        Just(json!(100)),
        (0..=100_u8).prop_map(|p| json!(p))
    ]
}

fn accounts() -> impl Strategy<Value = Value> {
    prop_oneof![
        percentage(),
        (percentage(), percentage()).prop_map(|(first, second)| json!([
            { "from": "1970-01-01T00:01:40Z", "percent": first },
            { "from": "1970-01-01T00:03:20Z", "percent": second },
        ])),
    ]
}

fn when() -> impl Strategy<Value = Value> {
    let segments = || prop::sample::subsequence(SEGMENTS.to_vec(), 1..=2);
    prop_oneof![
        3 => Just(json!({})),
        3 => segments().prop_map(|names| json!({ "in": names })),
        3 => segments().prop_map(|names| json!({ "not_in": names })),
        1 => Just(json!({ "regions": ["here"] })),
        1 => any::<bool>().prop_map(|present| json!({ "headers": { "x-beta": { "present": present } } })),
    ]
}

fn rule() -> impl Strategy<Value = Value> {
    prop_oneof![
        4 => (when(), accounts(), percentage()).prop_map(|(when, accounts, requests)| {
            json!({ "when": when, "accounts": accounts, "requests": requests })
        }),
        1 => when().prop_map(|when| json!({ "when": when, "serve": "v1" })),
    ]
}

fn rollout(name: &'static str) -> impl Strategy<Value = Value> {
    let mode = prop::sample::select(vec!["off", "dark", "split", "split", "split", "on"]);
    let salt = prop::sample::select(vec!["one", "two"]);
    let matches = prop_oneof![
        Just(json!({ "path": { "prefix": format!("/{name}") } })),
        Just(json!({ "hosts": [format!("{name}.example.com")] })),
        Just(json!({ "methods": ["POST"] })),
    ];
    (mode, prop::bool::weighted(0.1), salt, matches, prop::collection::vec(rule(), 0..4)).prop_map(
        move |(mode, halted, salt, matches, rules)| {
            json!({ "name": name, "match": matches, "v1": "a", "v2": "b", "mode": mode, "halted": halted,
                    "salt": salt, "rules": rules })
        },
    )
}

/// A policy and its text.
pub(crate) fn policy() -> impl Strategy<Value = String> {
    let segment = || prop::collection::vec(0..ACCOUNTS, 0..8);
    let rollouts = (
        prop::option::weighted(0.8, rollout("a")),
        prop::option::weighted(0.8, rollout("b")),
    );
    (
        prop::bool::weighted(0.1),
        segment(),
        segment(),
        segment(),
        rollouts,
    )
        .prop_map(|(halted, big, hvc, test, (a, b))| {
            let accounts = |numbers: Vec<usize>| {
                let mut numbers = numbers;
                numbers.sort_unstable();
                numbers.dedup();
                let accounts: Vec<String> = numbers.into_iter().map(account).collect();
                json!({ "accounts": accounts })
            };
            let rollouts: Vec<Value> = [a, b].into_iter().flatten().collect();
            json!({
                "version": 1,
                "account": { "from": [{ "header": "x-account" }], "format": "sid" },
                "segments": { "big": accounts(big), "hvc": accounts(hvc), "test": accounts(test) },
                "halted": halted,
                "rollouts": rollouts,
            })
            .to_string()
        })
}

pub(crate) fn plan(text: &str, region: Option<&str>) -> Plan {
    let mut plan = Plan::from_json(text).expect("a valid policy");
    if let Some(region) = region {
        plan.set_region(region);
    }
    plan
}

pub(crate) fn region() -> impl Strategy<Value = Option<&'static str>> {
    prop::sample::select(vec![None, Some("here"), Some("elsewhere")])
}

/// Times before, between and after the steps of ramps.
pub(crate) fn moment() -> impl Strategy<Value = Time> {
    (0..300_i64).prop_map(Time::from_seconds)
}
