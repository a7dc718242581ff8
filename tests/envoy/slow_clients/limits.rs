//! The limits that end slow clients: each limit of the files with a smaller value, so that a test need not wait as
//! long as in production. Envoy reads and enforces it in the same way.

use std::time::{Duration, Instant};

use serde_json::json;
use support::client::Client;
use support::envoy::{Bootstrap, Envoy};
use support::render::rendered;
use support::slow_clients::Crowd;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

use super::testbed::{Testbed, each_file_with};
use super::{SLOW_BODY, SLOW_HEADERS};
use crate::testbed::{OUTSIDE, policy, request_of, strip};

const CROWD: usize = 20;
/// The connection limit in the test of that limit.
const MOST: usize = 40;
/// Far longer than a loaded machine needs. Reaching it means that it will not happen.
const DEADLINE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(100);

/// Each connection of a crowd that sends these bytes, and then keeps sending those, gets a 408 and is closed.
async fn assert_ended_with_408(limit: &str, shipped: &str, sent: &str, then: &'static [u8]) {
    each_file_with(
        |bootstrap| bootstrap.replace(&format!("{limit}: {shipped}"), &format!("{limit}: 1s")),
        async |testbed: &Testbed| {
            let crowd = Crowd::open(testbed.envoy.address(), CROWD, sent.as_bytes()).await;
            for received in crowd.ended(then).await {
                let received = String::from_utf8_lossy(&received);
                let is_408 = received.starts_with("HTTP/1.1 408 Request Timeout\r\n");
                assert!(is_408, "{}: {received}", testbed.name);
            }
        },
        |()| {},
    )
    .await;
}

#[tokio::test]
async fn incomplete_headers_end_the_request() {
    assert_ended_with_408("request_headers_timeout", "10s", SLOW_HEADERS, b"x").await;
}

#[tokio::test]
async fn an_incomplete_body_ends_the_request() {
    assert_ended_with_408("          request_timeout", "300s", SLOW_BODY, b"x").await;
}

#[tokio::test]
async fn a_stalled_request_ends() {
    assert_ended_with_408("stream_idle_timeout", "300s", SLOW_BODY, b"").await;
}

#[tokio::test]
async fn a_connection_without_a_request_ends() {
    each_file_with(
        |bootstrap| bootstrap.replace(" idle_timeout: 900s", " idle_timeout: 1s"),
        async |testbed: &Testbed| {
            let crowd = Crowd::open(testbed.envoy.address(), CROWD, b"").await;
            for received in crowd.ended(b"").await {
                assert_eq!(received, b"", "{}", testbed.name);
            }
        },
        |()| {},
    )
    .await;
}

/// Then connections without a request end long before their normal 900 s, which makes room for
/// others.
#[tokio::test]
async fn clients_that_use_all_connections_lose_idle_ones_to_others() {
    let shipped = "max_active_downstream_connections: 10000";
    let few = format!("max_active_downstream_connections: {MOST}");
    // An older Envoy does not shorten the timeout by the number of connections.
    let is_old = std::env::var("ENVOY_VERSION").is_ok_and(|version| version.starts_with("1.36."));
    each_file_with(
        |bootstrap| {
            let bootstrap = bootstrap.replace(shipped, &few);
            match is_old {
                true => bootstrap.replace(" idle_timeout: 900s", " idle_timeout: 2s"),
                false => bootstrap,
            }
        },
        async |testbed: &Testbed| {
            let name = &testbed.name;
            let crowd = Crowd::open(testbed.envoy.address(), 5 * MOST, b"").await;
            // Envoy refuses some, and the admin endpoint still responds.
            testbed.wait_for(REFUSED, 1).await;
            let deadline = Instant::now() + DEADLINE;
            loop {
                let other = Client::new(testbed.envoy.address());
                match other.try_send(request_of(OUTSIDE)).await {
                    Ok(response) => break assert_eq!(response.status, 200, "{name}"),
                    Err(refused) => assert!(Instant::now() < deadline, "{name}: {refused}"),
                }
                sleep(POLL).await;
            }
            drop(crowd);
        },
        |()| {},
    )
    .await;
}

const REFUSED: &str = "listener.*downstream_global_cx_overflow";

/// WebSocket, server-sent events and gRPC streams get a response while the request continues, or continue to
/// respond.
#[tokio::test]
async fn request_timeouts_do_not_cut_a_response_that_has_started() {
    const PIECES: usize = 8;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("its address");
    let upstream = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let mut received = Vec::new();
        while !received.ends_with(b"0\r\n\r\n") {
            let before = received.len();
            stream.read_buf(&mut received).await.expect("a piece");
            assert!(received.len() > before, "cut off");
            if before == 0 {
                let head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
                stream.write_all(head).await.expect("a head");
            }
        }
        // The request is complete; the response takes longer than the timeout.
        for _ in 0..PIECES {
            sleep(Duration::from_millis(300)).await;
            stream.write_all(b"1\r\nx\r\n").await.expect("a piece");
        }
        stream.write_all(b"0\r\n\r\n").await.expect("the end");
        stream
    });
    let text = rendered("cluster-header.yaml", &strip(&policy(&json!({}))));
    let bootstrap = Bootstrap::new(text, address, address)
        .replace(
            "          request_timeout: 300s",
            "          request_timeout: 1s",
        )
        .replace(
            "request_headers_timeout: 10s",
            "request_headers_timeout: 1s",
        )
        .concurrency(1);
    let envoy = Envoy::start(bootstrap).await;
    let mut client = TcpStream::connect(envoy.address()).await.expect("a client");
    let head = b"POST /x HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n1\r\ny\r\n";
    client.write_all(head).await.expect("a request");
    let mut received = Vec::new();
    while !received.ends_with(b"\r\n\r\n") {
        client.read_buf(&mut received).await.expect("a head");
    }
    for _ in 0..PIECES {
        sleep(Duration::from_millis(300)).await;
        client.write_all(b"1\r\ny\r\n").await.expect("a piece");
    }
    client.write_all(b"0\r\n\r\n").await.expect("the end");
    while !received.ends_with(b"0\r\n\r\n") {
        let more = client.read_buf(&mut received).await.expect("a piece");
        assert!(more > 0, "cut off: {}", String::from_utf8_lossy(&received));
    }
    let received = String::from_utf8_lossy(&received);
    assert_eq!(received.matches("1\r\nx\r\n").count(), PIECES, "{received}");
    upstream.await.expect("an upstream");
}
