//! Incomplete requests and responses: users get v1's responses, nothing blocks, and nothing remains.

use hyper::body::Incoming;
use support::scripted_upstream::{Fault, Received, Response, Scripted};

use super::http1_connection::{Wire, head};
use super::streaming_upstream::{Frames, Streaming, ok};
use super::testbed::{
    KEPT, MOMENTS, REPEATS, ShadowTestbed, at_both_moments, echo, few_places, one_worker,
    shadow_policy,
};

#[tokio::test]
async fn a_client_that_goes_away_leaves_nothing_behind() {
    at_both_moments(clients_go_away).await;
}

async fn clients_go_away(moment: &'static str) {
    let mut testbed = ShadowTestbed::start(&few_places(moment), one_worker, echo).await;
    for _ in 0..REPEATS {
        // Within the request.
        let mut wire = Wire::open(testbed.address()).await;
        let request = head("POST", "/half", &["content-length: 10"]) + "hello";
        wire.write(request).await;
        drop(wire);
        testbed.expect(&[("skipped_aborted", 1)]).await;

        // Before the response.
        testbed.v1.fail(Fault::Silence);
        let before = testbed.v1.requests();
        let mut wire = Wire::open(testbed.address()).await;
        wire.write(head("GET", "/silent", &[])).await;
        testbed.v1.wait_for_requests(before + 1).await;
        drop(wire);
        testbed.expect(&[("skipped_aborted", 1)]).await;
        testbed.v1.heal();

        // After everything.
        let mut wire = Wire::open(testbed.address()).await;
        wire.write(head("GET", "/1", &[])).await;
        assert_eq!(wire.read_response("GET").await.status, 200);
        drop(wire);
        testbed.expect(&[("equal", 1)]).await;
    }
    let halves = |one: &Received| one.route().ends_with("/half");
    assert_eq!(
        testbed.v2.count(halves),
        0,
        "no upstream got the complete request"
    );
    let unanswered = testbed.v2.count(|one| one.route().ends_with("/silent"));
    let asked = if moment == MOMENTS[1] { REPEATS } else { 0 };
    assert_eq!(unanswered as u64, asked);
    testbed.settle().await;
}

#[tokio::test]
async fn an_incomplete_response_is_not_compared() {
    at_both_moments(responses_without_end).await;
}

async fn responses_without_end(moment: &'static str) {
    let v1 = Streaming::start(|request: hyper::Request<Incoming>| async move {
        let body = Frames::of(&["hel", "lo"]);
        match request.uri().path() {
            "/v1/Channels/hangs" => ok("text/plain", body.hangs()),
            "/v1/Channels/breaks" => ok("text/plain", body.breaks()),
            // Its content type marks an endless response.
            "/v1/Channels/events" => ok("text/event-stream", body.hangs()),
            _ => ok("text/plain", Frames::of(&[&*"x".repeat(KEPT), "x"]).hangs()),
        }
    })
    .await;
    let v2 = Scripted::start(|_| Response::text("hello"));
    let mut testbed =
        ShadowTestbed::between(v1, v2, &shadow_policy(&few_places(moment)), one_worker).await;
    for round in 0..REPEATS {
        for (path, outcome) in [
            ("/hangs", "skipped_aborted"),
            ("/breaks", "skipped_aborted"),
            ("/events", "not_comparable"),
            ("/long", "too_large"),
        ] {
            let mut wire = Wire::open(testbed.address()).await;
            wire.write(head("GET", path, &[])).await;
            assert_eq!(wire.head().await.status, 200);
            // The user has everything that v1 has sent so far, without waiting for the end or for v2.
            wire.take(10).await;
            let wire = (path != "/hangs").then_some(wire);
            testbed.expect(&[(outcome, 1)]).await;
            // Envoy closes the connection with a delay.
            if round == 0 && path == "/breaks" {
                let seen = wire.expect("a connection").rest().await;
                assert!(
                    !seen.ends_with(b"0\r\n\r\n"),
                    "a response as if it were whole"
                );
            }
        }
    }
    testbed.rest().await;
}

#[tokio::test]
async fn a_response_before_the_end_of_the_request_is_sent_at_once() {
    at_both_moments(early_responses).await;
}

async fn early_responses(moment: &'static str) {
    let v1 = Streaming::start(|_| async {
        let mut response = ok("text/plain", Frames::of(&["too much"]));
        *response.status_mut() = hyper::StatusCode::PAYLOAD_TOO_LARGE;
        response
    })
    .await;
    let v2 = Scripted::start(echo);
    let mut testbed =
        ShadowTestbed::between(v1, v2, &shadow_policy(&few_places(moment)), one_worker).await;
    for _ in 0..REPEATS {
        let mut wire = Wire::open(testbed.address()).await;
        let request = head("POST", "/1", &["content-length: 10"]) + "hello";
        wire.write(request).await;
        let response = wire.read_response("POST").await;
        assert_eq!((response.status, &*response.text()), (413, "too much"));
        testbed.expect(&[("skipped_early_response", 1)]).await;
    }
    assert_eq!(testbed.v2.requests(), 0);
    testbed.rest().await;
}
