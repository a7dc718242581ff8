//! A client that could keep or choose its request id could choose its treatment. Each request gets a new id,
//! whatever else the client sends.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use support::client::Request;

use crate::testbed::{INSIDE, Testbed, policy, request_of, strip};

const ID: &str = "2b9dba03-eeb9-4af3-8c60-86ed95e6b0cd";

/// Headers of other proxies and tracers, which may make Envoy treat a request as internal or traced.
const HEADERS: &[(&str, &str)] = &[
    ("x-envoy-force-trace", "true"),
    ("x-envoy-internal", "true"),
    ("x-envoy-external-address", "127.0.0.1"),
    ("x-envoy-downstream-service-cluster", "turnout"),
    ("x-envoy-downstream-service-node", "turnout"),
    ("x-envoy-original-path", "/other"),
    ("x-envoy-original-host", "b"),
    ("x-envoy-decorator-operation", "v2"),
    ("x-envoy-retry-on", "5xx,connect-failure"),
    ("x-envoy-max-retries", "3"),
    ("x-envoy-upstream-rq-timeout-ms", "5000"),
    ("x-envoy-expected-rq-timeout-ms", "5000"),
    ("x-envoy-hedge-on-per-try-timeout", "true"),
    ("x-envoy-upstream-alt-stat-name", "a"),
    ("x-envoy-attempt-count", "7"),
    ("x-envoy-ip-tags", "internal"),
    ("x-envoy-peer-metadata", "AAAA"),
    ("x-client-trace-id", ID),
    (
        "traceparent",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    ),
    ("tracestate", "a=b"),
    ("b3", "80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-1"),
    ("x-b3-traceid", "80f198ee56343ba864fe8b2a57d3eff7"),
    ("x-b3-sampled", "1"),
    ("x-b3-flags", "1"),
    ("x-ot-span-context", "a"),
    (
        "x-cloud-trace-context",
        "105445aa7843bc8bf206b12000100000/1;o=1",
    ),
    ("uber-trace-id", "1:2:3:1"),
    ("x-forwarded-proto", "https"),
    ("x-forwarded-for", "127.0.0.1"),
    ("x-forwarded-for", "10.0.0.1"),
    ("x-forwarded-for", "192.168.0.1, 10.0.0.1"),
    ("x-forwarded-for", "172.16.0.1,"),
    ("x-forwarded-for", "::1"),
    ("x-forwarded-for", "fd00::1"),
    ("x-forwarded-for", "::ffff:10.0.0.1"),
    ("x-forwarded-for", "unknown"),
    ("x-forwarded-for", "256.1.1.1"),
    ("x-forwarded-for", ""),
];

fn ids() -> Vec<(&'static str, Vec<String>)> {
    let upper = ID.to_uppercase();
    let forms: [(&str, &[&str]); 8] = [
        ("a UUID", &[ID]),
        ("one in upper case", &[&upper]),
        ("no UUID", &["one-of-mine"]),
        ("empty", &[""]),
        ("twice", &[ID, ID]),
        ("two", &[ID, "3b9dba03-eeb9-4af3-8c60-86ed95e6b0cd"]),
        ("joined", &["2b9dba03-eeb9-4af3-8c60-86ed95e6b0cd,x"]),
        ("bytes above ASCII", &["\u{e9}\u{e9}"]),
    ];
    let owned = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect();
    let mut ids: Vec<(&str, Vec<String>)> = forms.map(|(what, ids)| (what, owned(ids))).to_vec();
    ids.push(("5,000 bytes", vec!["2".repeat(5_000)]));
    ids
}

#[tokio::test]
async fn whatever_a_client_sends_each_request_gets_a_new_id() {
    let half = json!({ "rules": [{ "requests": 50 }] });
    let testbed = Testbed::of("cluster-header.yaml", &strip(&policy(&half)), |b| b).await;
    let mut sent: Vec<(String, Vec<String>, Request)> = Vec::new();
    for (name, value) in HEADERS {
        let request = request_of(INSIDE).header("x-request-id", ID);
        let request = request.header(name, value);
        sent.push((format!("{name}: {value}"), vec![ID.to_owned()], request));
    }
    for (what, ids) in ids() {
        let add = |request: Request, id: &String| request.header("x-request-id", id);
        let request = ids.iter().fold(request_of(INSIDE), add);
        sent.push((what.to_owned(), ids, request));
    }
    let mut seen = BTreeSet::new();
    let mut answered = 0;
    for _ in 0..2 {
        for (what, ids, request) in &sent {
            let response = testbed.client().send(request.clone()).await;
            assert_eq!(response.status, 200, "{what}: {}", response.text());
            let reached = ids_of(&response.json());
            let [id] = &reached[..] else {
                panic!("{what}: {reached:?}");
            };
            assert!(is_uuid(id), "{what}: {id}");
            assert!(
                !ids.iter().any(|own| own.eq_ignore_ascii_case(id)),
                "{what}"
            );
            seen.insert(id.clone());
            answered += 1;
        }
    }
    assert_eq!(seen.len(), answered, "an id came twice");
    // With ids of its own choice a client would be on one side.
    let (v1, v2) = testbed.reached();
    assert!(v1 > 10 && v2 > 10, "{v1} on v1, {v2} on v2");
}

/// The ids that an upstream sees.
fn ids_of(reached: &Value) -> Vec<String> {
    let headers = reached["headers"].as_array().expect("headers");
    let ids = headers.iter().filter(|header| header[0] == "x-request-id");
    ids.map(|header| header[1].as_str().expect("text").to_owned())
        .collect()
}

fn is_uuid(id: &str) -> bool {
    let lengths: Vec<usize> = id.split('-').map(str::len).collect();
    lengths == [8, 4, 4, 4, 12] && id.bytes().all(|b| b == b'-' || b.is_ascii_hexdigit())
}
