//! HTTP/2 from the client to v1 and v2: concurrent streams, trailers, gRPC, and aborted streams.

use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde_json::{Value, json};
use support::envoy::Bootstrap;
use support::scripted_upstream::Scripted;

use super::http2_connection::{H2, request};
use super::streaming_upstream::{Frames, Streaming, ok};
use super::testbed::{
    REPEATS, ShadowTestbed, at_both_moments, echo, few_places, shadow_policy, until,
};

fn everywhere(bootstrap: Bootstrap) -> Bootstrap {
    bootstrap
        .http2_to("channels-v1")
        .http2_to("channels-v2")
        .concurrency(1)
}

#[tokio::test]
async fn a_hundred_concurrent_streams_get_a_shadow_request_each() {
    at_both_moments(a_hundred_streams).await;
}

async fn a_hundred_streams(moment: &'static str) {
    const STREAMS: u64 = 100;
    let changes = json!({ "send": moment, "max_in_flight": 4 * STREAMS });
    let mut testbed = ShadowTestbed::start(&changes, everywhere, echo).await;
    let connection = H2::open(testbed.address()).await;
    for round in 0..3 {
        let streams: Vec<_> = (0..STREAMS)
            .map(|number| {
                let body = format!("body {number} of {round}");
                let (method, body) = match number % 2 {
                    0 => ("GET", Frames::default()),
                    _ => ("POST", Frames::of(&[&body, " to", " its end"])),
                };
                let request = request(method, &format!("/{number}?{round}"), body);
                tokio::spawn(connection.send(request))
            })
            .collect();
        for (number, stream) in streams.into_iter().enumerate() {
            let response = stream.await.expect("a result").expect("a response");
            let said: Value = serde_json::from_slice(&response.body).expect("JSON");
            let body = match number % 2 {
                0 => String::new(),
                _ => format!("body {number} of {round} to its end"),
            };
            assert_eq!(said["path"], format!("/v1/Channels/{number}?{round}"));
            assert_eq!(said["body"], body);
        }
        testbed.expect(&[("equal", STREAMS)]).await;
    }
    testbed.rest().await;
}

/// Echoes the request, including its trailers.
async fn with_trailers(request: hyper::Request<Incoming>) -> hyper::Response<Frames> {
    let path = request.uri().path().to_owned();
    let asked = request.into_body().collect().await.expect("a body");
    let trailers = asked.trailers().is_some_and(|all| all["x-sum"] == "5");
    let body = String::from_utf8(asked.to_bytes().to_vec()).expect("text");
    let said = json!({ "body": body, "trailers": trailers }).to_string();
    let kind = match path.ends_with("/grpc") {
        true => "application/grpc",
        false => "application/json",
    };
    ok(kind, Frames::of(&[&said]).trailer("grpc-status", "0"))
}

#[tokio::test]
async fn trailers_pass_in_both_directions() {
    at_both_moments(trailers).await;
}

async fn trailers(moment: &'static str) {
    let v1 = Streaming::start(with_trailers).await;
    // Without trailers: shadow requests do not have them.
    let v2 = Scripted::start(|asked| {
        let body = String::from_utf8_lossy(&asked.body);
        support::scripted_upstream::Response::json(&json!({ "body": body, "trailers": true }))
    });
    let mut testbed =
        ShadowTestbed::between(v1, v2, &shadow_policy(&few_places(moment)), everywhere).await;
    let connection = H2::open(testbed.address()).await;
    for (path, pieces, outcome) in [
        ("/1", &["he", "llo"][..], "equal"),
        ("/1", &[], "equal"),
        ("/grpc", &["hello"], "not_comparable"),
    ] {
        for _ in 0..REPEATS {
            let body = Frames::of(pieces).trailer("x-sum", "5");
            let response = connection
                .send(request("POST", path, body))
                .await
                .expect("a response");
            let said: Value = serde_json::from_slice(&response.body).expect("JSON");
            assert_eq!(said, json!({ "body": pieces.concat(), "trailers": true }));
            assert_eq!(response.trailers["grpc-status"], "0");
            assert_eq!(response.status, 200);
            testbed.expect(&[(outcome, 1)]).await;
        }
    }
    let shadow_requests = testbed.v2.received();
    assert!(
        shadow_requests
            .iter()
            .all(|one| matches!(&one.body[..], b"hello" | b"")),
        "{shadow_requests:?}"
    );
    testbed.rest().await;
}

#[tokio::test]
async fn aborted_streams_leave_nothing_behind() {
    at_both_moments(given_up).await;
}

async fn given_up(moment: &'static str) {
    let v1 = Streaming::start(|request: hyper::Request<Incoming>| async move {
        match request.uri().path() {
            "/v1/Channels/hangs" => ok("text/plain", Frames::of(&["hello"]).hangs()),
            "/v1/Channels/breaks" => ok("text/plain", Frames::of(&["hello"]).breaks()),
            "/v1/Channels/early" => ok("text/plain", Frames::of(&["enough"])),
            _ => std::future::pending().await,
        }
    })
    .await;
    let v2 = Scripted::start(echo);
    let mut testbed =
        ShadowTestbed::between(v1, v2, &shadow_policy(&few_places(moment)), everywhere).await;
    let connection = H2::open(testbed.address()).await;
    for _ in 0..REPEATS {
        // The request is incomplete, and the response is complete.
        let early = request("POST", "/early", Frames::of(&["hello"]).hangs());
        let early = connection.send(early).await.expect("a response");
        assert_eq!((early.status, &early.body[..]), (200, &b"enough"[..]));
        testbed.expect(&[("skipped_early_response", 1)]).await;

        // Whether and by which error the client is notified depends on Envoy's version.
        let breaks = request("GET", "/breaks", Frames::default());
        let _ = connection.send(breaks).await;
        testbed.expect(&[("skipped_aborted", 1)]).await;

        for (method, path, body) in [
            ("GET", "/hangs", Frames::default()),
            ("GET", "/silent", Frames::default()),
            ("POST", "/half", Frames::of(&["hello"]).hangs()),
        ] {
            let sampled = testbed.counted().await.sampled;
            let stream = tokio::spawn(connection.send(request(method, path, body)));
            testbed.sampled(sampled + 1).await;
            stream.abort();
            until("the stream is gone", || stream.is_finished()).await;
            testbed.expect(&[("skipped_aborted", 1)]).await;
        }
    }
    let halves = testbed.v2.count(|one| one.route().ends_with("/half"));
    assert_eq!(halves, 0);
    testbed.settle().await;
}
