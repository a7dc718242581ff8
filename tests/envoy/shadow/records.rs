//! The difference records: their fields and their number.

use std::time::Instant;

use serde_json::{Value, json};
use support::client::Request;
use support::scripted_upstream::{Received, Response};

use super::records_testbed::{RecordsTestbed, of_kind, outcomes, shadow};
use crate::testbed::{INSIDE, OUTSIDE, request_of};

fn v1() -> Value {
    json!({ "name": "a", "items": [{ "n": 1 }, { "n": 2 }], "gone": null, "kind": 1 })
}

fn v2() -> Value {
    json!({ "name": "b", "items": [{ "n": 3 }, { "n": 4 }], "kind": "1", "new": [] })
}

/// A policy with everything that a record can name.
fn policy(shadow_changes: &Value) -> Value {
    let mut options = json!({
        "methods": ["GET", "POST"],
        "routes": ["/v1/Channels/*", "/v1/Channels/*/*"],
        "reveal": ["/kind"],
        "compare": { "headers": ["x-kind"] },
    });
    for (field, value) in shadow_changes.as_object().expect("fields of a shadow") {
        options[field] = value.clone();
    }
    let mut policy = shadow(&options);
    policy["segments"] = json!({
        "first": { "accounts": [INSIDE] },
        "second": { "accounts": [INSIDE, OUTSIDE] },
    });
    policy
}

async fn testbed(policy: &Value) -> RecordsTestbed {
    let v1 = Response::json(&v1()).header("x-kind", "1");
    let v2 = Response::json(&v2()).status(201);
    RecordsTestbed::of(policy, move |_| v1.clone(), move |_| v2.clone(), |b| b).await
}

/// Replaces values that differ from run to run, if they are valid.
fn fixed(record: &Value) -> Value {
    let mut record = record.clone();
    for time in ["/time_ms", "/v1/us", "/v2/us"] {
        let value = record.pointer_mut(time).expect("a time");
        assert!(
            value.as_u64().is_some_and(|time| time > 0),
            "{time}: {value}"
        );
        *value = json!(1);
    }
    let hex = |value: &mut Value| {
        let text = value.as_str().unwrap_or_default();
        assert!(
            text.len() == 16 && u64::from_str_radix(text, 16).is_ok(),
            "{text}"
        );
        *value = json!("hex");
    };
    hex(&mut record["fingerprint"]);
    for finding in record["findings"].as_array_mut().expect("findings") {
        for version in ["v1", "v2"] {
            finding[version].get_mut("hash").map(hex);
        }
    }
    record
}

fn finding(place: (&str, &str), kind: &str, severity: &str, sides: [Value; 2]) -> Value {
    let [v1, v2] = sides;
    let (part, pointer) = place;
    json!({ "part": part, "pointer": pointer, "kind": kind, "severity": severity, "v1": v1, "v2": v2 })
}

fn hashed(kind: &str) -> Value {
    json!({ "type": kind, "hash": "hex" })
}

fn shown(kind: &str, value: &str) -> Value {
    json!({ "type": kind, "value": value })
}

#[tokio::test]
async fn a_record_has_all_fields() {
    let testbed = testbed(&policy(&json!({}))).await;
    let request = Request::get("/v1/Channels/x?a=b").header("x-account-sid", INSIDE);
    testbed
        .send([request.header("x-request-id", "the id")])
        .await;
    testbed.settled(1).await;
    let records = testbed
        .records(|all| !of_kind(all, "difference").is_empty())
        .await;
    let mut record = fixed(of_kind(&records, "difference")[0]);
    let by_place = |finding: &Value| [finding["part"].to_string(), finding["pointer"].to_string()];
    let findings = record["findings"].as_array_mut().expect("findings");
    findings.sort_by_key(by_place);
    let [null, number, string] = ["null", "number", "string"].map(hashed);
    let body = |pointer: &'static str| ("body", pointer);
    let findings = json!([
        finding(body("/gone"), "missing", "breaking", [null, Value::Null]),
        finding(
            body("/items/*/n"),
            "value",
            "changed",
            [number.clone(), number]
        ),
        finding(
            body("/kind"),
            "type",
            "breaking",
            [shown("number", "1"), shown("string", "\"1\"")]
        ),
        finding(body("/name"), "value", "changed", [string.clone(), string]),
        finding(
            body("/new"),
            "extra",
            "additive",
            [Value::Null, hashed("array")]
        ),
        finding(
            ("header", "/x-kind"),
            "missing",
            "breaking",
            [hashed("header"), Value::Null]
        ),
        finding(
            ("status", ""),
            "value",
            "changed",
            [shown("status", "200"), shown("status", "201")]
        ),
    ]);
    let expected = json!({
        "turnout": "difference",
        "time_ms": 1,
        "rollout": "chat",
        "segment": "first",
        "account": INSIDE,
        "request_id": "the id",
        "method": "GET",
        "route": "/v1/Channels/*",
        "v1": { "status": 200, "us": 1 },
        "v2": { "status": 201, "us": 1 },
        "severity": "breaking",
        "rechecked": true,
        "fingerprint": "hex",
        "repeats": 0,
        "findings": findings,
        "omitted": 0,
    });
    assert_eq!(record, expected, "{record:#}");
    // The kind of record comes first, because readers search for it.
    let lines = testbed.lines().await;
    assert!(
        lines.iter().all(|line| line.starts_with(r#"{"turnout":""#)),
        "{lines:#?}"
    );
}

#[tokio::test]
async fn one_record_per_kind_minute_and_worker() {
    let testbed = testbed(&policy(&json!({ "recheck": false }))).await;
    let of = |account, path: &str| Request::get(path).header("x-account-sid", account);
    // Another account or path is not another kind.
    let nobody = Request::get("/v1/Channels/x/y");
    let post = Request::post("/v1/Channels/x", "").header("x-account-sid", INSIDE);
    let kinds = [
        of(INSIDE, "/v1/Channels/x"),
        request_of(OUTSIDE).header("x-request-id", "7"),
        nobody,
        post,
    ];
    let same = [
        of(OUTSIDE, "/v1/Channels/y"),
        of(INSIDE, "/v1/Channels/z?a=b"),
    ];
    testbed.send(kinds).await;
    testbed.settled(4).await;
    testbed.send(same).await;
    assert_eq!(testbed.settled(6).await, outcomes([("different", 6)]));
    let records = testbed
        .records(|all| of_kind(all, "difference").len() >= 4)
        .await;
    let differences = of_kind(&records, "difference");
    let said: Vec<_> = differences
        .iter()
        .map(|one| {
            [
                &one["method"],
                &one["route"],
                &one["segment"],
                &one["account"],
            ]
        })
        .collect();
    let (get, none) = (json!("GET"), json!("-"));
    let (one, more) = (json!("/v1/Channels/*"), json!("/v1/Channels/*/*"));
    let (first, second) = (json!("first"), json!("second"));
    assert_eq!(
        said,
        [
            [&get, &one, &first, &json!(INSIDE)],
            [&get, &none, &second, &json!(OUTSIDE)],
            [&get, &more, &none, &Value::Null],
            [&json!("POST"), &one, &first, &json!(INSIDE)],
        ]
    );
    assert_eq!(testbed.stat("records.suppressed").await, 2);

    // Other findings and other status classes are other kinds.
    let others = [
        Response::json(&v1()).header("x-kind", "2"),
        Response::json(&v2()).status(404),
        Response::json(&v2()).status(500),
    ];
    for (sent, other) in (7..).zip(others) {
        testbed.v2.respond_with(move |_| other.clone());
        testbed.send([request_of(INSIDE)]).await;
        assert_eq!(testbed.settled(sent).await, outcomes([("different", sent)]));
    }
    let records = testbed
        .records(|all| of_kind(all, "difference").len() >= 7)
        .await;
    let mut prints: Vec<_> = of_kind(&records, "difference")
        .iter()
        .map(|one| one["fingerprint"].to_string())
        .collect();
    prints.sort();
    prints.dedup();
    assert_eq!(prints.len(), 7);
}

/// Each worker writes its own records, and none twice.
#[tokio::test]
async fn two_workers_write_one_record_each() {
    let (v1, v2) = (Response::json(&v1()), Response::json(&v2()));
    let policy = policy(&json!({ "recheck": false }));
    let testbed = RecordsTestbed::of(
        &policy,
        move |_| v1.clone(),
        move |_| v2.clone(),
        |b| b.concurrency(2),
    );
    let testbed = testbed.await;
    // Each client has its own connection, which belongs to some worker.
    for _ in 0..20 {
        testbed.send([request_of(INSIDE)]).await;
    }
    assert_eq!(testbed.settled(20).await, outcomes([("different", 20)]));
    let records = testbed.summarised(20).await;
    let written = of_kind(&records, "difference").len() as u64;
    assert!((1..=2).contains(&written), "{records:#?}");
    assert_eq!(testbed.stat("records.suppressed").await, 20 - written);
}

#[tokio::test]
async fn endless_kinds_of_differences_are_not_all_written() {
    const REQUESTS: u64 = 150;
    const BURST: u64 = 50;
    const PER_SECOND: u64 = 10;
    let upstream = |more: u64| {
        move |request: &Received| {
            let key = request
                .route()
                .rsplit('/')
                .next()
                .expect("a key")
                .to_owned();
            Response::json(&json!({ key: more }))
        }
    };
    let policy = policy(&json!({ "recheck": false }));
    let testbed = RecordsTestbed::of(&policy, upstream(1), upstream(2), |b| b).await;
    let letter = |n: u64| char::from(b'a' + u8::try_from(n % 26).expect("a letter"));
    let request = |n: u64| {
        let path = format!("/v1/Channels/{}{}", letter(n), letter(n / 26));
        Request::get(path).header("x-account-sid", INSIDE)
    };
    let started = Instant::now();
    testbed.send((0..REQUESTS).map(request)).await;
    testbed.settled(REQUESTS).await;
    let seconds = started.elapsed().as_secs() + 1;
    let records = testbed.summarised(REQUESTS).await;
    let written = of_kind(&records, "difference").len() as u64;
    assert!(written >= BURST, "{written}");
    assert!(
        written <= BURST + PER_SECOND * seconds,
        "{written} in {seconds} s"
    );
    assert_eq!(testbed.stat("records.suppressed").await, REQUESTS - written);
    // The summaries have all of them.
    let summaries = of_kind(&records, "summary");
    let findings = summaries
        .iter()
        .flat_map(|one| one["findings"].as_array().expect("findings"));
    assert_eq!(findings.count() as u64, REQUESTS);
}
