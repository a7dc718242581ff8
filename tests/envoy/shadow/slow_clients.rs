//! Clients that send or read a byte per second, and requests at a slow v1: other requests are still compared.

use std::time::Duration;

use hyper::body::Incoming;
use serde_json::json;
use support::scripted_upstream::{Received, Response, Scripted};
use tokio::time::timeout;

use super::http1_connection::{Wire, head};
use super::streaming_upstream::{Frames, Streaming, ok};
use super::testbed::{ShadowTestbed, at_both_moments, one_worker, shadow_policy};

/// The default limit of requests in flight.
const SLOW: usize = 64;
const HONEST: u64 = 40;
const PATIENCE: Duration = Duration::from_secs(30);

fn policy(moment: &str) -> serde_json::Value {
    shadow_policy(&json!({ "send": moment, "max_in_flight": SLOW }))
}

#[tokio::test]
async fn uploads_of_a_byte_a_second_do_not_blind_shadow_mode() {
    at_both_moments(slow_uploads).await;
}

async fn slow_uploads(moment: &'static str) {
    let response = |_: &_| Response::text("taken");
    let (v1, v2) = (Scripted::start(response), Scripted::start(response));
    let mut testbed = ShadowTestbed::between(v1, v2, &policy(moment), one_worker).await;
    let mut slow = Vec::new();
    for number in 0..SLOW {
        let mut wire = Wire::open(testbed.address()).await;
        let account = format!("x-account-sid: AC{number:032x}");
        wire.write(head("POST", "/slow", &["content-length: 100", &account]))
            .await;
        slow.push(tokio::spawn(async move {
            for _ in 0..4 {
                wire.write(b"x").await;
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }));
    }
    testbed.sampled(SLOW as u64).await;
    assert_eq!(testbed.counted().await.in_flight, 0);
    let mut wire = Wire::open(testbed.address()).await;
    for _ in 0..HONEST {
        wire.write(head("GET", "/1", &[])).await;
        assert_eq!(wire.read_response("GET").await.status, 200);
    }
    let ended = testbed.any_of(HONEST, SLOW as u64).await;
    assert_eq!(ended["equal"], HONEST, "{moment}: {ended:?}");
    for wire in slow {
        wire.await.expect("written");
    }
    testbed.expect(&[("skipped_aborted", SLOW as u64)]).await;
    testbed.settle().await;
}

#[tokio::test]
async fn slowly_read_responses_do_not_blind_shadow_mode() {
    at_both_moments(slow_readers).await;
}

async fn slow_readers(moment: &'static str) {
    let v1 = Streaming::start(|request: hyper::Request<Incoming>| async move {
        let body = Frames::of(&["tak", "en"]);
        match request.uri().path() {
            "/v1/Channels/slow" => ok("text/plain", body.hangs()),
            _ => ok("text/plain", body),
        }
    })
    .await;
    let v2 = Scripted::start(|_| Response::text("taken"));
    let mut testbed = ShadowTestbed::between(v1, v2, &policy(moment), one_worker).await;
    let mut slow = Vec::new();
    for number in 0..SLOW {
        let mut wire = Wire::open(testbed.address()).await;
        let account = format!("x-account-sid: AC{number:032x}");
        wire.write(head("GET", "/slow", &[&account])).await;
        assert_eq!(wire.head().await.status, 200);
        slow.push(wire);
    }
    let mut wire = Wire::open(testbed.address()).await;
    for _ in 0..HONEST {
        wire.write(head("GET", "/1", &[])).await;
        assert_eq!(wire.read_response("GET").await.status, 200);
    }
    let ended = testbed.any_of(HONEST, SLOW as u64).await;
    assert_eq!(ended["equal"], HONEST, "{moment}: {ended:?}");
    drop(slow);
    testbed.expect(&[("skipped_aborted", SLOW as u64)]).await;
    testbed.rest().await;
}

/// As many requests as may wait go to a slow path of v1.
#[tokio::test]
async fn requests_at_a_slow_v1_do_not_blind_shadow_mode() {
    const PLACES: usize = 16;
    let response = |request: &Received| match request.path.as_str() {
        "/v1/Channels/slow" => Response::text("taken").after(Duration::from_secs(12)),
        _ => Response::text("taken"),
    };
    let (v1, v2) = (Scripted::start(response), Scripted::start(response));
    let policy = shadow_policy(&json!({ "max_in_flight": PLACES }));
    let testbed = ShadowTestbed::between(v1, v2, &policy, one_worker).await;
    let mut slow = Vec::new();
    for number in 0..4 * PLACES {
        let mut wire = Wire::open(testbed.address()).await;
        let account = format!("x-account-sid: AC{number:032x}");
        wire.write(head("GET", "/slow", &[&account])).await;
        slow.push(wire);
    }
    testbed.sampled(4 * PLACES as u64).await;
    let mut wire = Wire::open(testbed.address()).await;
    let mut honest = 0;
    let mut before = 0;
    // At first young requests take all the room. From the first compared request on, all are compared.
    while honest < HONEST {
        wire.write(head("GET", "/1", &[])).await;
        assert_eq!(wire.read_response("GET").await.status, 200);
        honest += u64::from(before > 0);
        if before == 0 {
            before = equal(&testbed).await;
        }
    }
    let patience = timeout(PATIENCE, async {
        while equal(&testbed).await < before + HONEST {}
    });
    patience.await.expect("each of them is compared");
    let outcomes = testbed.counted().await.outcomes;
    assert!(
        outcomes["dropped_slow"] <= 2 * PLACES as u64,
        "{outcomes:?}"
    );
    // Each user gets the response, however slow v1 is.
    for mut wire in slow {
        assert_eq!(wire.read_response("GET").await.status, 200);
    }
    testbed.rest().await;
}

async fn equal(testbed: &ShadowTestbed) -> u64 {
    let outcomes = testbed.counted().await.outcomes;
    outcomes.get("equal").copied().unwrap_or_default()
}
