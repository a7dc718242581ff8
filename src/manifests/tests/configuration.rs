//! The filter reads its configuration after Kubernetes and Istio have rewritten the JSON: with reordered keys,
//! without white space, and with every number as a double.

use serde_json::{Number, Value, json};
use turnout_core::{Configuration, Headers, Inbound, Revision, Time, decide};

use crate::fixtures::{CHANNELS, Mesh, SERVICES, plan, policy};

/// A value after a `google.protobuf.Struct`, which writes whole numbers without a decimal point.
fn as_struct(value: &Value) -> Value {
    match value {
        Value::Number(number) => {
            let double = number.as_f64().expect("a double");
            let whole = double as i64;
            match whole as f64 == double {
                true => whole.into(),
                false => Number::from_f64(double).map_or(Value::Null, Value::Number),
            }
        }
        Value::Array(items) => items.iter().map(as_struct).collect(),
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_by_key(|(name, _)| *name);
            let fields = fields.into_iter();
            Value::Object(
                fields
                    .map(|(name, value)| (name.clone(), as_struct(value)))
                    .collect(),
            )
        }
        other => other.clone(),
    }
}

/// A policy with every kind of number and of white space, and without a revision.
fn text([v1, v2]: [&str; 2]) -> String {
    let written = policy(&[
        json!({ "name": "channels", "v1": v1, "v2": v2, "mode": "split", "match": {},
                "rules": [{ "accounts": "A", "requests": 99.999999, "when": { "in": ["no"] } },
                          { "accounts": [{ "from": "2026-12-01T09:00:00Z", "percent": "B" }] },
                          { "accounts": "C" }] }),
    ]);
    written
        .replace("\"A\"", "0.000001")
        .replace("\"B\"", "5e1")
        .replace("\"C\"", "12.50")
        .replace("\"revision\":\"2026-12-01.1\",", "")
        .replace("\"rollouts\"", "\n\t\"segments\": { \"no\": { \"accounts\": [\"AC00000000000000000000000000000001\"] } },\n \"rollouts\"")
}

#[test]
fn a_rewritten_policy_has_the_same_revision_and_decisions() {
    for (mesh, clusters) in [(Mesh::Gateway, CHANNELS), (Mesh::EnvoyGateway, SERVICES)] {
        let policy = text(clusters);
        let plan = plan(&policy);
        let written = plan.revision().insert_into(&policy);
        let documents = mesh.documents(&written).expect("manifests");
        let object = &documents.first().expect("the plugin").object;
        let in_object = object
            .pointer("/spec/pluginConfig")
            .or_else(|| object.pointer("/spec/wasm/0/config"))
            .expect("the configuration");
        let arrived = as_struct(in_object).to_string();
        assert_ne!(arrived, Configuration::to_json(&written, Inbound::Strip));
        let arrived = Configuration::from_json(arrived.as_bytes()).expect("a configuration");
        assert_eq!(arrived.inbound, Inbound::Strip);
        assert_eq!(
            arrived.plan.revision(),
            &Revision::from_name(plan.revision().as_str()).expect("one")
        );
        let mut v2 = 0;
        for account in 0..2_000 {
            let account = format!("AC{account:032x}");
            let pairs = [
                (&b":path"[..], &b"/"[..]),
                (b"x-account-sid", account.as_bytes()),
                (b"x-request-id", account.as_bytes()),
            ];
            let at = Time::from_seconds(1_800_000_000);
            let decided = [&plan, &arrived.plan].map(|plan| {
                let request = plan.request(Headers::new(&pairs), Inbound::Strip, at);
                let decision = decide(plan, &request);
                (decision.treatment.as_str(), decision.reason, decision.rule)
            });
            assert_eq!(decided[0], decided[1], "{account}");
            v2 += u32::from(decided[0].0 == "v2");
        }
        assert!((800..1_200).contains(&v2), "{v2}");
    }
}

/// Otherwise, two proxies with the same policy would report different revisions.
#[test]
fn without_a_revision_field_a_rewritten_policy_has_another_revision() {
    let policy = text(CHANNELS);
    let again = as_struct(&serde_json::from_str(&policy).expect("JSON")).to_string();
    assert_ne!(plan(&again).revision(), plan(&policy).revision());
}

/// How a double is printed as JSON: by Go (Istio, the API server), by C++ and by Python.
fn printed(double: f64) -> [String; 4] {
    let shortest = format!("{double:e}");
    let (mantissa, exponent) = shortest.split_once('e').expect("an exponent");
    let exponent: i32 = exponent.parse().expect("a number");
    let scientific = format!("{mantissa}e{exponent:+03}");
    let plain = format!("{double}");
    let is_large = !(-6..21).contains(&exponent);
    let go = if is_large {
        format!("{mantissa}e{exponent:+}")
    } else {
        plain.clone()
    };
    let python = match double.fract() == 0.0 && !is_large {
        true => format!("{double:.1}"),
        false => scientific.clone(),
    };
    let cpp = match (-4..15).contains(&exponent) {
        true => plain,
        false => scientific.clone(),
    };
    [go, cpp, python, scientific]
}

/// JSON text with every number converted to a double and printed in one of these ways.
fn with_doubles(value: &Value, way: usize) -> String {
    match value {
        Value::Number(number) => {
            // Rounded to the nearest double, as JSON parsers do.
            let double: f64 = number.to_string().parse().expect("a double");
            printed(double).into_iter().nth(way).expect("a way")
        }
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(|item| with_doubles(item, way)).collect();
            format!("[{}]", items.join(","))
        }
        Value::Object(fields) => {
            let fields: Vec<_> = fields
                .iter()
                .map(|(name, value)| format!("{}:{}", json!(name), with_doubles(value, way)))
                .collect();
            format!("{{{}}}", fields.join(","))
        }
        other => other.to_string(),
    }
}

/// Every numeric field of a policy, with its smallest and largest value.
fn every_number() -> Vec<String> {
    let [v1, v2] = CHANNELS;
    let rollout = |more: &str| {
        format!(
            r#"{{ "version": 1, "revision": "1", "account": {{ "from": [{{ "header": "x-account-sid" }}], "format": "sid" }},
            "collector": "collector",
            "rollouts": [{{ "name": "r", "v1": "{v1}", "v2": "{v2}", "mode": "split", {more} }}] }}"#
        )
    };
    let mut policies = Vec::new();
    for percentage in [
        "0",
        "0.000001",
        "0.000002",
        "12.345678",
        "33.333333",
        "66.666667",
        "99.999999",
        "100",
        "100.0",
        "1e-6",
        "1e2",
        "1E+1",
        "5.50e1",
    ] {
        policies.push(rollout(&format!(
            r#""rules": [{{ "accounts": [{{ "from": "2026-12-01T09:00:00Z", "percent": {percentage} }}], "requests": {percentage} }}],
            "shadow": {{ "accounts": {percentage}, "requests": {percentage}, "noise": {{ "requests": {percentage} }} }}"#
        )));
    }
    for seed in [
        "0",
        "-1",
        "61",
        "9007199254740991",
        "-9007199254740991",
        "9.007199254740991e15",
        "\"9007199254740993\"",
        "\"-9223372036854775808\"",
        "\"9223372036854775807\"",
    ] {
        policies.push(rollout(&format!(
            r#""hash": {{ "launchdarkly": {{ "seed": {seed} }} }}"#
        )));
    }
    for seed in ["-2147483648", "4294967295", "1684183541.0"] {
        policies.push(rollout(&format!(
            r#""hash": {{ "split": {{ "seed": {seed}, "algo": 2.0, "traffic_allocation": 5e1, "traffic_allocation_seed": {seed} }} }}"#
        )));
    }
    for hash in [
        r#"{ "growthbook": { "seed": "s", "version": 2, "rule": "experiment", "start": 12.34, "namespace": { "id": "n", "from": 0.000001, "to": 33.333333 } } }"#,
        r#"{ "flagd": { "flag_key": "f", "version": 1, "total_weight": 100000000 } }"#,
        r#"{ "flagd": { "flag_key": "f", "version": 2.0, "total_weight": 1e8 } }"#,
    ] {
        policies.push(rollout(&format!(r#""hash": {hash}"#)));
    }
    for shadow in [
        r#""max_body_bytes": 1, "max_in_flight": 1, "timeout_ms": 10, "back_off_ms": 1000, "summary_seconds": 1"#,
        r#""max_body_bytes": 1000000, "max_in_flight": 100, "timeout_ms": 30000, "back_off_ms": 60000, "summary_seconds": 60"#,
        r#""max_body_bytes": 1e5, "timeout_ms": 1.5e3"#,
    ] {
        policies.push(rollout(&format!(
            r#""shadow": {{ "requests": 1, {shadow} }}"#
        )));
    }
    for guard in [
        r#""errors": { "ratio": 1 }, "alpha": 0.000001, "limit": { "error_percent": 0.000001 }, "settle_seconds": 1, "accounts": { "false_ejections": 0.001 }"#,
        r#""errors": { "ratio": 4.999 }, "alpha": 0.499999, "limit": { "error_percent": 49.999999 }, "accounts": { "false_ejections": 9.999 }, "rearmed": 1"#,
        r#""slow": { "over_ms": 1, "ratio": 1.2 }, "settle_seconds": 300"#,
        r#""slow": { "over_ms": 3e5, "ratio": 1.50 }, "settle_seconds": 3e2, "rearmed": 1000000"#,
    ] {
        policies.push(rollout(&format!(r#""guard": {{ {guard} }}"#)));
    }
    for tolerance in [
        "0",
        "0.01",
        "0.1",
        "1e-3",
        "1e-300",
        "123456789012345",
        "0.123456789012345",
        "1.10",
        "1e21",
        "1e299",
    ] {
        policies.push(rollout(&format!(
            r#""shadow": {{ "requests": 1, "compare": {{ "tolerance": [{{ "path": "/a", "absolute": {tolerance} }}, {{ "path": "/b", "relative": {tolerance} }}] }} }}"#
        )));
    }
    policies
}

#[test]
fn every_number_of_a_policy_survives_conversion_to_a_double() {
    let mut tried = 0;
    for policy in every_number() {
        let Ok(plan) = turnout_core::Plan::from_json(&policy) else {
            panic!(
                "{policy}: {:?}",
                turnout_core::Plan::from_json(&policy).err()
            );
        };
        let before = format!("{plan:?}");
        let documents = Mesh::Sidecars.documents(&policy).expect("manifests");
        let object = &documents.first().expect("the plugin").object;
        let in_object = object
            .pointer("/spec/pluginConfig")
            .expect("a configuration");
        for way in 0..4 {
            let arrived = with_doubles(in_object, way);
            let after = Configuration::from_json(arrived.as_bytes());
            let after = after.unwrap_or_else(|problems| panic!("{arrived}: {problems}"));
            assert_eq!(format!("{:?}", after.plan), before, "{policy}\n{arrived}");
            tried += 1;
        }
    }
    assert!(tried > 150, "{tried}");
}

#[test]
fn a_number_that_a_double_cannot_represent_is_an_error() {
    let hash = |seed: &str| format!(r#""hash": {{ "launchdarkly": {{ "seed": {seed} }} }}"#);
    let tolerance = |number: &str| {
        format!(
            r#""shadow": {{ "requests": 1, "compare": {{ "tolerance": [{{ "path": "/a", "absolute": {number} }}] }} }}"#
        )
    };
    for (field, help) in [
        (
            hash("9007199254740993"),
            "write it as a string: \"9007199254740993\"",
        ),
        (
            hash("9007199254740992"),
            "write it as a string: \"9007199254740992\"",
        ),
        (
            hash("-9007199254740993.0"),
            "write it as a string: \"-9007199254740993\"",
        ),
        (
            hash("9.007199254740993e15"),
            "write it as a string: \"9007199254740993\"",
        ),
        (
            tolerance("0.1000000000000000055"),
            "write at most 15 significant digits",
        ),
        (
            tolerance("12345678901234567"),
            "write at most 15 significant digits",
        ),
        (tolerance("1e-400"), "write at most 15 significant digits"),
    ] {
        let policy = format!(
            r#"{{ "version": 1, "account": {{ "from": [{{ "header": "a" }}], "format": "sid" }},
            "rollouts": [{{ "name": "r", "v1": "a", "v2": "b", "mode": "split", {field} }}] }}"#
        );
        let problems = turnout_core::Plan::from_json(&policy).expect_err("a problem");
        let problems = problems.to_string();
        assert!(
            problems.contains(help) && !problems.contains('\n'),
            "{problems}"
        );
    }
}
