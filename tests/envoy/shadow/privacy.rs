//! Nothing that users send or get leaves the proxy, unless the policy reveals it.
//!
//! The access log is an exception: its author chooses its format, and ours has the path because an access log needs
//! it. Records contain an account and a request id on purpose. A key that looks like the name of a field is taken
//! for one, unless `maps` declares the keys of its object to be data.

use std::collections::BTreeSet;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher, Hasher};

use serde_json::{Value, json};
use support::client::Request;
use support::scripted_upstream::{Collector, Fault, Response};
use xxhash_rust::xxh3::xxh3_64;

use super::personal_data::{self, KINDS, PLANTED, planted_in};
use super::records_testbed::{RecordsTestbed, always, of_kind, outcomes, shadow};
use crate::testbed::{INSIDE, request_of};

fn policy(changes: &Value) -> Value {
    let mut options = json!({
        "methods": ["GET", "POST"],
        "routes": ["/v1/Channels/*/*/*"],
        "timeout_ms": 10_000,
        // Also as many concurrent repeated requests, so that each new difference is confirmed.
        "max_in_flight": 1_000,
        "compare": {
            "headers": ["content-type", "x-user", "x-only-v1", "x-only-v2"],
            "unordered": [{ "path": "/unordered" }, { "path": "/members", "key": "/mail" }],
            "maps": ["/by_name", "/by_name/*"],
        },
    });
    for (field, value) in changes.as_object().expect("fields of a shadow") {
        options[field] = value.clone();
    }
    let mut policy = shadow(&options);
    policy["collector"] = json!("otel-collector");
    policy
}

#[tokio::test]
async fn nothing_personal_leaves_the_proxy() {
    let collector = Collector::start();
    let testbed = RecordsTestbed::of(
        &policy(&json!({})),
        |request| personal_data::respond(request, "v1"),
        |request| personal_data::respond(request, "v2"),
        |bootstrap| {
            let bootstrap = bootstrap.cluster("otel-collector", &collector);
            bootstrap.concurrency(2)
        },
    )
    .await;
    let all = |method| KINDS.map(|kind| personal_data::request(method, kind));
    // Twice, because a confirmed finding takes another path to the record.
    let requests = [all("GET"), all("GET"), all("POST")].concat();
    let sent = requests.len() as u64;
    testbed.send(requests).await;
    let settled = testbed.settled(sent).await;
    assert_eq!(settled, outcomes([("different", sent)]));
    // v2 fails within the response to a person.
    let faults = [Fault::Garbage, Fault::Reset, Fault::Refuse, Fault::Cut];
    for fault in faults {
        testbed.v2.fail(fault);
        testbed.send([personal_data::request("GET", "json")]).await;
        testbed.v2.heal();
    }
    let sent = sent + faults.len() as u64;
    testbed.settled(sent).await;

    let records = testbed.summarised(sent).await;
    assert_eq!(provoked(&records), every_kind());
    let logged = testbed.stat("records.logged").await as usize;
    collector
        .wait_for_records(|exported| exported.len() >= logged)
        .await;

    let admin = testbed.envoy.admin();
    let exported = format!("{:?}", collector.received());
    let log = testbed.envoy.settled_log().await.join("\n");
    let metrics = admin.prometheus().await;
    for (what, text) in [
        ("the log", &log),
        ("the collector", &exported),
        ("/stats", &admin.get("/stats").await),
        ("/stats/prometheus", &metrics),
        ("the report", &report(&[&log, &metrics])),
    ] {
        assert!(text.contains("chat"), "{what} is there");
        assert_eq!(planted_in(text), [""; 0], "in {what}:\n{text}");
    }
    // Ensures that the test is not vacuous.
    let reached = format!("{:?}", testbed.v2.received());
    assert_eq!(planted_in(&reached), PLANTED);
}

/// Everything that is derived from a log and metrics.
fn report(texts: &[&str]) -> String {
    let mut totals = turnout_report::Totals::default();
    for text in texts {
        totals.read("-", text.as_bytes()).expect("bytes are read");
    }
    let report = turnout_report::Report::new(&totals, turnout_report::ErrorBudget::default(), None);
    let report = report.expect("all rollouts");
    [report.to_text(), report.to_json(), report.to_html()].join("\n")
}

/// Parts and kinds of all findings.
fn provoked(records: &[Value]) -> BTreeSet<(String, String)> {
    let differences = of_kind(records, "difference");
    let findings = differences.iter().flat_map(|record| findings(record));
    let word = |finding: &Value, field: &str| finding[field].as_str().expect("a word").to_owned();
    findings
        .map(|finding| (word(&finding, "part"), word(&finding, "kind")))
        .collect()
}

fn every_kind() -> BTreeSet<(String, String)> {
    let body = ["missing", "extra", "type", "value", "length", "order"];
    let header = ["missing", "extra", "value"];
    let all = body.map(|kind| ("body", kind)).into_iter();
    let all = all.chain(header.map(|kind| ("header", kind)));
    all.chain([("status", "value")])
        .map(|(part, kind)| (part.to_owned(), kind.to_owned()))
        .collect()
}

fn findings(record: &Value) -> Vec<Value> {
    record["findings"].as_array().expect("findings").clone()
}

#[tokio::test]
async fn a_revealed_place_shows_its_value_and_no_other_does() {
    let body = |version: &str| {
        let long = format!("Quillfeather {version} {}", "é".repeat(200));
        json!({
            "status": format!("Quillfeather {version}"),
            "name": format!("Quillfeather {version}"),
            "nested": { "status": format!("Quillfeather {version}"), "long": long },
            "items": [{ "status": version }, { "status": format!("Quillfeather {version}") }],
            format!("only_{version}"): { "status": "Quillfeather" },
        })
    };
    let response = |version: &str| {
        let user = format!("Quillfeather {version}");
        Response::json(&body(version)).header("status", user)
    };
    let (v1, v2) = (response("v1"), response("v2"));
    let reveal = json!([
        "/status",
        "/items/0/status",
        "/nested/long",
        "/only_v1/status"
    ]);
    let compare = json!({ "headers": ["status"] });
    let policy = policy(&json!({ "reveal": reveal, "compare": compare }));
    let testbed = RecordsTestbed::of(
        &policy,
        move |_| v1.clone(),
        move |_| v2.clone(),
        no_collector,
    )
    .await;
    testbed.send([request_of(INSIDE)]).await;
    testbed.settled(1).await;
    let records = testbed.lines().await;
    let [record] = &records[..] else {
        panic!("{records:#?}")
    };
    let mut record: Value = serde_json::from_str(record).expect("JSON");

    let mut shown = Vec::new();
    for finding in record["findings"].as_array_mut().expect("findings") {
        let pointer = finding["pointer"].as_str().expect("a pointer").to_owned();
        let is_of_body = finding["part"] == "body";
        for version in ["v1", "v2"] {
            if let Some(value) = finding[version].get_mut("value") {
                assert!(is_of_body, "{pointer}");
                shown.push((pointer.clone(), value.take()));
            }
        }
    }
    // A string as it was sent; a long one is truncated.
    let long = |version: &str| {
        let text = body(version)["nested"]["long"].to_string();
        let cut = String::from_utf8_lossy(&text.as_bytes()[..128]).into_owned();
        ("/nested/long".to_owned(), json!(cut))
    };
    let plain = |pointer: &str, value: &str| (pointer.to_owned(), json!(format!("\"{value}\"")));
    shown.sort_by(|a, b| (&a.0, a.1.to_string()).cmp(&(&b.0, b.1.to_string())));
    assert_eq!(
        shown,
        [
            plain("/items/*/status", "v1"),
            plain("/items/*/status", "v2"),
            long("v1"),
            long("v2"),
            plain("/status", "Quillfeather v1"),
            plain("/status", "Quillfeather v2"),
        ]
    );
    // Nothing of other places, even with the same name or the same end.
    assert_eq!(planted_in(&record.to_string()), [""; 0], "{record:#}");
}

/// A cluster without a listener: exports to it are lost.
fn no_collector(bootstrap: support::envoy::Bootstrap) -> support::envoy::Bootstrap {
    bootstrap.cluster("otel-collector", ([127, 0, 0, 1], 1))
}

/// One document of v1 and one of v2.
async fn hashes_of(v1: &Value, v2: &Value) -> (RecordsTestbed, Value) {
    let policy = policy(&json!({ "recheck": false }));
    let testbed = RecordsTestbed::of(&policy, always(v1), always(v2), no_collector).await;
    let record = one_record(&testbed, request_of(INSIDE)).await;
    (testbed, record)
}

/// The record of a request that is the first of its kind.
async fn one_record(testbed: &RecordsTestbed, request: Request) -> Value {
    let before = testbed.lines().await.len();
    testbed.send([request]).await;
    let records = testbed.records(|all| of_kind(all, "difference").len() > before);
    let records = records.await;
    let last = of_kind(&records, "difference").last().copied();
    last.expect("a difference").clone()
}

fn hash(record: &Value, pointer: &str, version: &str) -> u64 {
    let findings = findings(record);
    let finding = findings.iter().find(|one| one["pointer"] == pointer);
    let finding = finding.unwrap_or_else(|| panic!("no {pointer} in {record:#}"));
    let hash = finding[version]["hash"].as_str();
    let hash = hash.unwrap_or_else(|| panic!("no hash in {finding:#}"));
    assert_eq!(hash.len(), 16, "{hash}");
    u64::from_str_radix(hash, 16).expect("sixteen hex digits")
}

#[tokio::test]
async fn hashes_reveal_only_equality() {
    let v1 = json!({ "a": "Ada", "b": "Eve", "c": 1, "gone": { "x": "Ada" } });
    let v2 = json!({ "a": "Eve", "b": "Ada", "c": "1" });
    let (testbed, record) = hashes_of(&v1, &v2).await;
    let of = |pointer: &str, version: &str| hash(&record, pointer, version);
    let [ada, eve] = [of("/a", "v1"), of("/a", "v2")];
    assert_eq!([of("/b", "v2"), of("/b", "v1")], [ada, eve]);
    let all = [ada, eve, of("/c", "v1"), of("/c", "v2"), of("/gone", "v1")];
    assert_eq!(BTreeSet::from(all).len(), all.len(), "{record:#}");

    // In another record of the same worker they are the same.
    let again = one_record(&testbed, Request::get("/v1/Channels/a/b/c")).await;
    assert_eq!(again["route"], "/v1/Channels/*/*/*");
    assert_eq!(hash(&again, "/a", "v1"), ada);

    // Someone who guesses the value cannot verify the guess.
    for guess in ["\"Ada\"", "Ada"] {
        assert!(!guesses(guess.as_bytes()).contains(&ada), "{record:#}");
    }
    let (_other, record) = hashes_of(&v1, &v2).await;
    assert_ne!(
        hash(&record, "/a", "v1"),
        ada,
        "another worker, another key"
    );
}

/// The hash of a value without the secret.
fn guesses(value: &[u8]) -> Vec<u64> {
    let sip = BuildHasherDefault::<DefaultHasher>::default();
    let written = |write: &dyn Fn(&mut DefaultHasher)| {
        let mut hasher = DefaultHasher::new();
        write(&mut hasher);
        hasher.finish()
    };
    let length = u32::try_from(value.len()).expect("a short value");
    vec![
        xxh3_64(value),
        sip.hash_one(value),
        sip.hash_one(std::str::from_utf8(value).expect("a text")),
        written(&|hasher| hasher.write(value)),
        // Hashes with a 32-bit length.
        written(&|hasher| {
            hasher.write_u32(length);
            hasher.write(value);
        }),
    ]
}
