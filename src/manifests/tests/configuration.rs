//! The filter's configuration, after what Kubernetes and Istio make of its JSON: keys in another
//! order, white space gone, and each number a double.

use serde_json::{Number, Value, json};
use turnout_core::{Configuration, Headers, Inbound, Revision, Time, decide};

use crate::given::{CHANNELS, Mesh, SERVICES, plan, policy};

/// As a `google.protobuf.Struct` holds it, and as its JSON is written: a whole number without a point.
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

/// With every kind of number and of white space, and no revision.
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
fn it_is_of_the_same_revision_and_decides_the_same() {
    for (mesh, clusters) in [(Mesh::Gateway, CHANNELS), (Mesh::EnvoyGateway, SERVICES)] {
        let policy = text(clusters);
        let plan = plan(&policy);
        let written = plan.revision().written_into(&policy);
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
            &Revision::given(plan.revision().as_str()).expect("one")
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

/// Else two proxies that run the same policy would say different revisions.
#[test]
fn without_a_revision_in_it_the_revision_would_be_another_one() {
    let policy = text(CHANNELS);
    let again = as_struct(&serde_json::from_str(&policy).expect("JSON")).to_string();
    assert_ne!(plan(&again).revision(), plan(&policy).revision());
}
