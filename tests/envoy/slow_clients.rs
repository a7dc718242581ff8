//! Many slow clients: with each file of the folder `envoy/`, all other clients are still served.
//!
//! The other clients are new, each with its own connection, and all of them get v1's response.

mod limits;
mod testbed;

use support::envoy::Envoy;
use support::slow_clients::Crowd;

use crate::http2::{END_HEADERS, END_STREAM, HEADERS, SETTINGS, frame, literal};
use testbed::{BIG, Testbed, all_others_are_served};

/// The number of clients that once filled the circuit breaker of v1, so that no other client was served.
const CROWD: usize = 2_300;
/// Streams of one connection: the limit of the files.
const STREAMS: usize = 100;
/// Connections that do not read large responses. The system buffers a part of each response, so there are fewer.
const READERS: usize = 200;
/// The memory that an unread response may cost Envoy.
const OF_EACH_READER: u64 = 256 * 1024;

const SLOW_HEADERS: &str = "GET /v1/Channels HTTP/1.1\r\nhost: a\r\nx-slow: ";
const SLOW_BODY: &str = "POST /v1/Channels HTTP/1.1\r\nhost: a\r\ncontent-length: 100000\r\n\r\n";

#[tokio::test]
async fn slow_headers_on_many_connections_block_no_others() {
    all_others_are_served(async |testbed: &Testbed| {
        let crowd = Crowd::open(testbed.envoy.address(), CROWD, SLOW_HEADERS.as_bytes()).await;
        served_during(
            testbed,
            crowd.drip(),
            "http.http.downstream_cx_active",
            CROWD,
        )
        .await
    })
    .await;
}

#[tokio::test]
async fn slow_bodies_on_many_connections_block_no_others() {
    all_others_are_served(async |testbed: &Testbed| {
        let crowd = Crowd::open(testbed.envoy.address(), CROWD, SLOW_BODY.as_bytes()).await;
        served_during(
            testbed,
            crowd.drip(),
            "http.http.downstream_rq_total",
            CROWD,
        )
        .await
    })
    .await;
}

#[tokio::test]
async fn slow_bodies_on_many_http2_streams_block_no_others() {
    let opening = connection_of(b"", STREAMS, |stream| {
        let pseudo = request(stream, "POST", "/v1/Channels", END_HEADERS);
        // One byte, and no end.
        [pseudo, frame(crate::http2::DATA, 0, stream, b"x")].concat()
    });
    all_others_are_served(async |testbed: &Testbed| {
        let connections = CROWD / STREAMS;
        let crowd = Crowd::open(testbed.envoy.address(), connections, &opening).await;
        served_during(
            testbed,
            crowd,
            "http.http.downstream_rq_total",
            connections * STREAMS,
        )
        .await
    })
    .await;
}

#[tokio::test]
async fn connections_without_a_request_block_no_others() {
    all_others_are_served(async |testbed: &Testbed| {
        let crowd = Crowd::open(testbed.envoy.address(), CROWD, b"").await;
        served_during(testbed, crowd, "http.http.downstream_cx_active", CROWD).await
    })
    .await;
}

#[tokio::test]
async fn unread_large_responses_block_no_others() {
    let asked = format!("GET {BIG} HTTP/1.1\r\nhost: a\r\n\r\n");
    all_others_are_served(async |testbed: &Testbed| {
        let crowd = Crowd::open(testbed.envoy.address(), READERS, asked.as_bytes()).await;
        served_during(testbed, crowd, "http.http.downstream_rq_total", READERS).await
    })
    .await;
}

#[tokio::test]
async fn large_responses_to_http2_streams_with_a_closed_window_cost_little_memory() {
    // SETTINGS_INITIAL_WINDOW_SIZE is 0.
    let opening = connection_of(&[0, 4, 0, 0, 0, 0], STREAMS, |stream| {
        request(stream, "GET", BIG, END_HEADERS | END_STREAM)
    });
    all_others_are_served(async |testbed: &Testbed| {
        let before = heap(&testbed.envoy).await;
        let crowd = Crowd::open(testbed.envoy.address(), READERS / 50, &opening).await;
        let streams = READERS / 50 * STREAMS;
        testbed
            .wait_for("http.http.downstream_rq_total", streams)
            .await;
        let served = testbed.served_others().await;
        let each = heap(&testbed.envoy).await.saturating_sub(before) / streams as u64;
        assert!(
            each < OF_EACH_READER,
            "{}: {each} bytes a stream",
            testbed.name
        );
        drop(crowd);
        served
    })
    .await;
}

/// How many other clients are served while this crowd is connected, once a counter has reached a value.
async fn served_during<C>(testbed: &Testbed, crowd: C, counter: &str, count: usize) -> usize {
    testbed.wait_for(counter, count).await;
    let served = testbed.served_others().await;
    drop(crowd);
    served
}

/// The frames of a client on one connection: these settings, and the frames of each stream.
fn connection_of(settings: &[u8], streams: usize, of: impl Fn(u32) -> Vec<u8>) -> Vec<u8> {
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    let numbers = (0..streams).map(|stream| 2 * u32::try_from(stream).expect("few") + 1);
    let streams = numbers.flat_map(of);
    let opening = [preface, frame(SETTINGS, 0, 0, settings)].concat();
    opening.into_iter().chain(streams).collect()
}

fn request(stream: u32, method: &str, path: &str, flags: u8) -> Vec<u8> {
    let headers = [
        (":method", method),
        (":scheme", "http"),
        (":authority", "a"),
        (":path", path),
    ];
    let block: Vec<u8> = headers.iter().flat_map(literal).collect();
    frame(HEADERS, flags, stream, &block)
}

async fn heap(envoy: &Envoy) -> u64 {
    let stats = envoy.admin().stats("^server.memory_allocated$").await;
    stats["server.memory_allocated"]
}
