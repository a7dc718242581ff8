//! Differences that v1 shows against itself are noise, and never findings.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};
use support::client::Request;
use support::scripted_upstream::{Received, Response};
use turnout_report::Verdict;

use super::records_testbed::{RecordsTestbed, is_shadow_request, of_kind, outcomes, shadow};
use crate::testbed::{INSIDE, request_of};

/// A token and a time that differ in every response of v1 and v2, and stable fields.
fn noisy() -> impl Fn(&Received) -> Response + Clone + Send + Sync {
    let responses = Arc::new(AtomicU64::new(0));
    move |_| {
        let number = responses.fetch_add(1, Ordering::SeqCst);
        Response::json(&noise(number))
            .header("etag", format!("\"{number}\""))
            .header("x-kind", "channels")
    }
}

fn noise(number: u64) -> Value {
    json!({
        "token": format!("token {number}"),
        "meta": { "at": 1_795_232_300_123_u64 + number, "zone": number * 3 },
        "links": (0..number % 1_000).collect::<Vec<_>>(),
        "items": [{ "nonce": number, "name": "a" }, { "nonce": number + 1, "name": "b" }],
        "name": "Channels",
    })
}

fn policy(changes: &Value) -> Value {
    let mut options = json!({
        "methods": ["GET", "POST"],
        "routes": ["/v1/Channels/*"],
        "compare": { "headers": ["content-type", "etag", "x-kind"] },
    });
    for (field, value) in changes.as_object().expect("fields of a shadow") {
        options[field] = value.clone();
    }
    shadow(&options)
}

async fn testbed(policy: &Value) -> RecordsTestbed {
    let upstream = noisy();
    RecordsTestbed::of(policy, upstream.clone(), upstream, |b| b).await
}

/// All outcomes are noise, and the log has no difference.
async fn only_noise(testbed: &RecordsTestbed, sent: u64) {
    let ended = testbed.settled(sent).await;
    let records = testbed.lines().await;
    assert_eq!(ended, outcomes([("noise", sent)]), "{records:#?}");
    let differences = records.iter().filter(|line| line.contains("difference"));
    assert_eq!(differences.count(), 0, "{records:#?}");
}

#[tokio::test]
async fn noise_is_not_a_finding_from_the_first_request_on() {
    for (noise, send) in [
        (0, "after_answer"),
        (0, "with_request"),
        (100, "after_answer"),
    ] {
        let options = json!({ "noise": { "requests": noise }, "send": send });
        let testbed = testbed(&policy(&options)).await;
        for sent in 1..=5 {
            testbed.send([request_of(INSIDE)]).await;
            only_noise(&testbed, sent).await;
        }
    }
}

/// As many concurrent requests as allowed, before anything is known.
#[tokio::test]
async fn noise_is_not_a_finding_of_concurrent_requests() {
    const AT_ONCE: usize = 64;
    let testbed = testbed(&policy(&json!({ "max_in_flight": 4 * AT_ONCE }))).await;
    let requests = vec![request_of(INSIDE); AT_ONCE];
    let responses = testbed.client().send_all(requests, AT_ONCE).await;
    assert!(responses.iter().all(|response| response.status == 200));
    only_noise(&testbed, AT_ONCE as u64).await;
}

/// The noise of one route does not affect the next, even with many concurrent requests.
#[tokio::test]
async fn noise_of_one_route_leaves_no_findings_to_the_next() {
    const AT_ONCE: u64 = 64;
    let routes: Vec<String> = (0..4).map(|n| format!("/v1/Channels/{n}")).collect();
    let changes = json!({ "max_in_flight": 4 * AT_ONCE, "routes": routes });
    let testbed = testbed(&policy(&changes)).await;
    for (route, sent) in routes.iter().zip(1..) {
        let request = Request::get(route).header("x-account-sid", INSIDE);
        let requests = vec![request; AT_ONCE as usize];
        testbed.client().send_all(requests, AT_ONCE as usize).await;
        only_noise(&testbed, sent * AT_ONCE).await;
    }
}

/// A field that disappears or changes its type is not noise of its value.
#[tokio::test]
async fn missing_fields_and_other_types_are_found_despite_noise() {
    let testbed = testbed(&policy(&json!({ "noise": { "requests": 100 } }))).await;
    testbed.send(vec![request_of(INSIDE); 3]).await;
    only_noise(&testbed, 3).await;

    testbed.v2.respond_with(|_| {
        let mut body = noise(7_000_000);
        body["token"] = json!(7);
        body["meta"] = json!({ "at": null, "more": 1 });
        body["items"] = json!([{ "name": "a" }, { "nonce": [1], "name": "b" }]);
        Response::json(&body).header("x-kind", "channels")
    });
    testbed.send([request_of(INSIDE)]).await;
    let records = testbed
        .records(|all| !of_kind(all, "difference").is_empty())
        .await;
    let record = of_kind(&records, "difference")[0];
    let findings = record["findings"].as_array().expect("findings").iter();
    let mut found: Vec<String> = findings
        .map(|one| {
            let word = |field: &str| one[field].as_str().expect("a word");
            [word("part"), word("pointer"), word("kind")].join(" ")
        })
        .collect();
    found.sort();
    let expected = [
        "body /items/*/nonce missing",
        "body /items/*/nonce type",
        "body /meta/at type",
        "body /meta/more extra",
        "body /meta/zone missing",
        "body /token type",
        "header /etag missing",
    ];
    assert_eq!(found, expected, "{record:#}");
    assert_eq!(record["severity"], "breaking");
    assert_eq!(
        testbed.settled(4).await,
        outcomes([("different", 1), ("noise", 3)])
    );
}

/// The destinations in the order of arrival: `user`, `v1`, `v2`.
fn order(testbed: &RecordsTestbed) -> Vec<&'static str> {
    let [v1, v2] = [&testbed.v1, &testbed.v2].map(|upstream| upstream.received());
    let v1 = v1
        .iter()
        .map(|one| (one.at, if is_shadow_request(one) { "v1" } else { "user" }));
    let mut all: Vec<_> = v1.chain(v2.iter().map(|one| (one.at, "v2"))).collect();
    all.sort();
    all.into_iter().map(|(_, who)| who).collect()
}

#[tokio::test]
async fn repeated_requests_to_v1_alternate_before_and_after_v2() {
    let testbed = RecordsTestbed::of(
        &policy(&json!({ "noise": { "requests": 100 } })),
        |_| Response::json(&json!({ "a": 1 })),
        |_| Response::json(&json!({ "a": 1 })),
        |b| b,
    )
    .await;
    let methods = ["GET", "GET", "GET", "GET", "POST", "GET"];
    let before_v2 = ["user", "v1", "v2"];
    let after_v2 = ["user", "v2", "v1"];
    let only_v2 = ["user", "v2"];
    let mut expected: Vec<&str> = Vec::new();
    let turns = [
        &before_v2[..],
        &after_v2,
        &before_v2,
        &after_v2,
        &only_v2,
        &before_v2,
    ];
    for (sent, (method, turn)) in (1..).zip(methods.into_iter().zip(turns)) {
        let request = Request::new(method, "/v1/Channels/a").header("x-account-sid", INSIDE);
        testbed.send([request]).await;
        testbed.settled(sent).await;
        expected.extend(turn);
        assert_eq!(order(&testbed), expected, "{method} {sent}");
    }
    let sent = methods.len() as u64;
    assert_eq!(testbed.settled(sent).await, outcomes([("equal", sent)]));
}

/// A repeated request to v1 is marked as a shadow request.
#[tokio::test]
async fn a_repeated_request_to_v1_is_a_shadow_request_too() {
    let policy = policy(&json!({ "noise": { "requests": 100 }, "strip_headers": ["cookie"] }));
    let testbed = testbed(&policy).await;
    let request = request_of(INSIDE).header("cookie", "a=1");
    testbed.send([request]).await;
    testbed.settled(1).await;
    let received = testbed.v1.received();
    let shadow_requests: Vec<_> = received
        .iter()
        .filter(|one| is_shadow_request(one))
        .collect();
    assert!(!shadow_requests.is_empty());
    for request in shadow_requests {
        assert_eq!(request.header("x-turnout-shadow"), Some("1"));
        assert_eq!(request.header("x-turnout-cluster"), Some("channels-v1"));
        assert_eq!(request.header("x-turnout-treatment"), Some("v1"));
        assert_eq!(request.header("x-turnout-decision"), Some("chat=v1"));
        assert_eq!(request.header("cookie"), None);
    }
}

/// Ten fields with one of two random values, in v1 and v2: a good v2 is not NOT READY,
/// and so much noise is not READY either.
#[tokio::test]
async fn random_fields_do_not_make_a_good_v2_not_ready() {
    const REQUESTS: u64 = 400;
    let random = |seed| {
        let seed = AtomicU64::new(seed);
        move |_: &Received| {
            let step = seed.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::SeqCst);
            let bits = (step ^ (step >> 31)).wrapping_mul(0x94d0_49bb_1331_11eb) >> 40;
            let fields = ('a'..='j').enumerate();
            let fields = fields.map(|(index, name)| (name.to_string(), json!(bits >> index & 1)));
            Response::json(&fields.collect::<Value>())
        }
    };
    let (v1, v2) = (random(7), random(4_242));
    let changes = json!({ "max_in_flight": 1_000, "timeout_ms": 60_000 });
    let testbed = RecordsTestbed::of(&policy(&changes), v1, v2, |b| b).await;
    let requests = vec![request_of(INSIDE); REQUESTS as usize];
    testbed.client().send_all(requests, 16).await;
    let ended = testbed.settled(REQUESTS).await;
    let different = ended.get("different").copied().unwrap_or(0);
    assert!(
        different <= 1 && ended["noise"] > REQUESTS * 9 / 10,
        "{ended:?}"
    );
    assert_eq!(testbed.verdict().await, Verdict::NotEnoughData, "{ended:?}");
}
