//! Bodies, concurrent requests, and clients that disconnect.

use std::net::SocketAddr;

use serde_json::json;
use support::client::Request;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::testbed::{INSIDE, OUTSIDE, Testbed, policy, request_of, strip, version};

#[tokio::test]
async fn a_body_arrives_unchanged_at_either_version() {
    let testbed = Testbed::of("cluster-header.yaml", &strip(&policy(&json!({}))), |b| b).await;
    let long = "Hello, channel! ".repeat(64 * 1024);
    for (account, served) in [(INSIDE, "v2"), (OUTSIDE, "v1")] {
        for body in ["", "x", &long] {
            let request = Request::post("/v1/Channels?a=%2F&b", body.to_owned())
                .header("x-account-sid", account);
            let response = testbed.client().send(request).await;
            let reached = response.json();
            assert_eq!(version(&response), served);
            assert_eq!(reached["method"], "POST");
            assert_eq!(reached["path"], "/v1/Channels?a=%2F&b");
            assert!(reached["body"] == *body, "{} bytes", body.len());
        }
    }
}

#[tokio::test]
async fn a_hundred_concurrent_requests_are_decided() {
    let testbed = Testbed::of("cluster-header.yaml", &strip(&policy(&json!({}))), |b| b).await;
    let account = |number: usize| [OUTSIDE, INSIDE][number % 2];
    let requests = (0..100).map(|number| request_of(account(number))).collect();
    let responses = testbed.client().send_all(requests, 100).await;
    for (number, response) in responses.iter().enumerate() {
        assert_eq!(
            version(response),
            ["v1", "v2"][number % 2],
            "request {number}"
        );
    }
}

#[tokio::test]
async fn a_client_that_goes_away_amid_its_body_does_no_harm() {
    const GONE: usize = 20;
    let testbed = Testbed::of("cluster-header.yaml", &strip(&policy(&json!({}))), |b| b).await;
    let log = testbed.envoy.settled_log().await;
    for _ in 0..GONE {
        send_half(testbed.envoy.address()).await;
    }
    // Each request has a line in the access log once Envoy has noticed the end.
    let noticed = testbed.envoy.access_log(GONE).await;
    assert!(
        noticed.iter().all(|line| line["reason"] == "rule"),
        "{noticed:#?}"
    );
    assert_eq!(testbed.decisions().await["chat.v2.rule"], GONE as u64);
    assert_eq!(testbed.envoy.settled_log().await, log);

    let response = testbed.client().send(request_of(INSIDE)).await;
    assert_eq!(version(&response), "v2");
}

/// Announces a body, sends half of it, and closes the connection.
async fn send_half(target: SocketAddr) {
    let mut stream = TcpStream::connect(target).await.expect("a connection");
    let head = format!(
        "POST /v1/Channels HTTP/1.1\r\nhost: a\r\nx-account-sid: {INSIDE}\r\ncontent-length: 10\r\n\r\nhello"
    );
    stream
        .write_all(head.as_bytes())
        .await
        .expect("half a request");
}
