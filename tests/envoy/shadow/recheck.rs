//! Requests with a difference are repeated before it counts, within limits.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use serde_json::{Value, json};
use support::client::Request;
use support::scripted_upstream::{Received, Response};
use turnout_report::Verdict;

use super::records_testbed::{RecordsTestbed, is_shadow_request, of_kind, outcomes, shadow};
use crate::testbed::{INSIDE, request_of};

fn document(number: u64) -> Response {
    Response::json(&json!({ "number": number }))
}

/// Only the first response differs.
fn odd_at_first() -> impl Fn(&Received) -> Response + Send + Sync {
    let responses = AtomicU64::new(0);
    move |_| document(responses.fetch_add(1, Ordering::SeqCst).min(1))
}

/// v2's second response does not cancel a difference; it is a finding of its own.
#[tokio::test]
async fn a_correct_second_response_of_v2_does_not_excuse_the_first() {
    for recheck in [true, false] {
        let policy = shadow(&json!({ "recheck": recheck }));
        let testbed = RecordsTestbed::of(&policy, |_| document(1), odd_at_first(), |b| b).await;
        testbed.send([request_of(INSIDE)]).await;
        assert_eq!(testbed.settled(1).await, outcomes([("different", 1)]));
        // v1 must repeat its response eight times before a difference at a new place counts.
        let asked_again = if recheck { (8, 2) } else { (0, 1) };
        assert_eq!(
            (testbed.v1.count(is_shadow_request), testbed.v2.requests()),
            asked_again
        );
        let records = testbed.records(|all| !of_kind(all, "difference").is_empty());
        let records = records.await;
        let record = of_kind(&records, "difference")[0];
        assert_eq!(record["rechecked"], recheck);
        let findings = record["findings"].as_array().expect("findings").iter();
        let kinds: Vec<_> = findings.map(|one| &one["kind"]).collect();
        let expected: &[&str] = if recheck {
            &["value", "unstable"]
        } else {
            &["value"]
        };
        assert_eq!(kinds, expected);
    }
}

/// A v2 that fails sometimes is never READY, even if its second responses are correct.
#[tokio::test]
async fn a_v2_that_fails_sometimes_is_not_ready() {
    const REQUESTS: u64 = 1_000;
    const FAILS_EACH: u64 = 40;
    let responses = AtomicU64::new(0);
    let v2 = move |_: &Received| match responses.fetch_add(1, Ordering::SeqCst) % FAILS_EACH {
        7 => Response::json(&json!({ "error": "oops" })).status(500),
        _ => document(1),
    };
    // Room and time for all, on a loaded machine.
    let policy = shadow(&json!({ "max_in_flight": REQUESTS, "timeout_ms": 60_000 }));
    let testbed = RecordsTestbed::of(&policy, |_| document(1), v2, |b| b).await;
    let requests = vec![request_of(INSIDE); REQUESTS as usize];
    testbed.client().send_all(requests, 8).await;
    let ended = testbed.settled(REQUESTS).await;
    let different = ended.get("different").copied().unwrap_or(0);
    assert!((24..=27).contains(&different), "{ended:?}");
    assert_eq!(ended["equal"] + different, REQUESTS, "{ended:?}");
    assert_eq!(testbed.verdict().await, Verdict::NotReady);
}

/// The data changed once, before the repeated request to v1.
#[tokio::test]
async fn a_write_does_not_hide_later_differences() {
    let testbed =
        RecordsTestbed::of(&shadow(&json!({})), odd_at_first(), |_| document(1), |b| b).await;
    testbed.send([request_of(INSIDE)]).await;
    assert_eq!(testbed.settled(1).await, outcomes([("noise", 1)]));
    testbed.v2.respond_with(|_| document(7));
    for sent in 2..=6 {
        testbed.send([request_of(INSIDE)]).await;
        testbed.settled(sent).await;
    }
    let ended = testbed.settled(6).await;
    assert_eq!(ended, outcomes([("different", 5), ("noise", 1)]));
}

/// A v2 that does not respond to the repeated request differs.
#[tokio::test]
async fn a_v2_without_a_second_response_still_differs() {
    let answer_once = |number: u64| {
        let responses = AtomicU64::new(0);
        move |request: &Received| match is_shadow_request(request) {
            true if responses.fetch_add(1, Ordering::SeqCst) == 1 => document(number).cut(),
            _ => document(number),
        }
    };
    // v2's second response breaks off.
    let policy = shadow(&json!({}));
    let testbed = RecordsTestbed::of(&policy, |_| document(1), answer_once(2), |b| b).await;
    testbed.send([request_of(INSIDE)]).await;
    assert_eq!(testbed.settled(1).await, outcomes([("different", 1)]));
    assert_eq!(testbed.v2.requests(), 2);
    let records = testbed.records(|all| !of_kind(all, "difference").is_empty());
    let record = of_kind(&records.await, "difference")[0].clone();
    assert_eq!(
        (&record["rechecked"], &record["v2"]["status"]),
        (&json!(true), &json!(200))
    );
}

#[tokio::test]
async fn requests_with_side_effects_are_never_repeated() {
    let policy = shadow(&json!({
        "methods": ["POST", "PUT", "PATCH", "DELETE"],
        "noise": { "requests": 100 },
    }));
    for send in ["after_answer", "with_request"] {
        let mut policy = policy.clone();
        policy["rollouts"][0]["shadow"]["send"] = json!(send);
        let testbed = RecordsTestbed::of(&policy, |_| document(1), |_| document(2), |b| b).await;
        let methods = ["POST", "PUT", "PATCH", "DELETE"];
        let request = |method| Request::new(method, "/v1/Channels").header("x-account-sid", INSIDE);
        testbed.send(methods.map(request)).await;
        assert_eq!(testbed.settled(4).await, outcomes([("different", 4)]));
        assert_eq!(
            (testbed.v1.count(is_shadow_request), testbed.v2.requests()),
            (0, 4)
        );
    }
}

/// Each response of v2 misses another field, so every difference is new.
#[tokio::test]
async fn rechecks_stay_within_the_limit_of_requests_to_v1() {
    const BURST: usize = 10;
    const PER_SECOND: usize = 10;
    const REQUESTS: usize = 200;
    let keys: Vec<String> = ('a'..='z')
        .flat_map(|first| ('a'..='z').map(move |second| format!("{first}{second}")))
        .take(REQUESTS)
        .collect();
    let full: Value = keys.iter().map(|key| (key.clone(), json!(1))).collect();
    let response = Response::json(&full);
    let without = {
        let full = full.clone();
        move |request: &Received| {
            let mut document = full.clone();
            let key = request.route().rsplit('/').next().expect("a key");
            document.as_object_mut().expect("an object").remove(key);
            Response::json(&document)
        }
    };
    let policy = shadow(&json!({ "max_in_flight": BURST }));
    let testbed = RecordsTestbed::of(&policy, move |_| response.clone(), without, |b| b).await;
    let started = Instant::now();
    let request =
        |key: &String| Request::get(format!("/v1/Channels/{key}")).header("x-account-sid", INSIDE);
    testbed.send(keys.iter().map(request)).await;
    testbed.settled(REQUESTS as u64).await;
    let seconds = started.elapsed().as_secs() as usize + 1;
    let asked = testbed.v1.count(is_shadow_request);
    assert!(asked >= BURST, "{asked} times");
    assert!(
        asked <= 2 * BURST + PER_SECOND * seconds,
        "{asked} times in {seconds} s"
    );
    assert!(
        asked < REQUESTS / 2,
        "{asked} times in {seconds} s: nothing is shown"
    );

    // Once a difference is confirmed, v1 is only asked whether it varies now.
    let testbed =
        RecordsTestbed::of(&shadow(&json!({})), |_| document(1), |_| document(2), |b| b).await;
    for sent in 1..=20 {
        testbed.send([request_of(INSIDE)]).await;
        testbed.settled(sent).await;
    }
    assert_eq!(
        (testbed.v1.count(is_shadow_request), testbed.v2.requests()),
        (8 + 19, 40)
    );
}
