//! Slow clients, many of them: each file of the folder `envoy/` goes on to answer everyone else.
//!
//! "Everyone else" are new clients, each with a connection of its own: all of them get v1's answer.

mod limits;
mod testbed;

use support::envoy::Envoy;
use support::slow_clients::Crowd;

use crate::http2::{END_HEADERS, END_STREAM, HEADERS, SETTINGS, frame, literal};
use testbed::{BIG, Testbed, all_others_are_answered};

/// As many as once filled the circuit breaker of v1, so that nobody else was answered.
const CROWD: usize = 2_300;
/// Streams of one connection: what the files allow.
const STREAMS: usize = 100;
/// Connections that do not read large answers. The system keeps some of each answer, so there are fewer.
const READERS: usize = 200;
/// What an answer that nobody reads may cost Envoy.
const OF_EACH_READER: u64 = 256 * 1024;

const SLOW_HEADERS: &str = "GET /v1/Channels HTTP/1.1\r\nhost: a\r\nx-slow: ";
const SLOW_BODY: &str = "POST /v1/Channels HTTP/1.1\r\nhost: a\r\ncontent-length: 100000\r\n\r\n";

#[tokio::test]
async fn slow_headers_of_many_connections_take_nobody_elses_place() {
    all_others_are_answered(async |testbed: &Testbed| {
        let crowd = Crowd::open(testbed.envoy.address(), CROWD, SLOW_HEADERS.as_bytes()).await;
        let crowd = crowd.drip();
        testbed
            .wait_for("http.http.downstream_cx_active", CROWD)
            .await;
        let answered = testbed.others_answered().await;
        drop(crowd);
        answered
    })
    .await;
}

#[tokio::test]
async fn slow_bodies_of_many_connections_take_nobody_elses_place() {
    all_others_are_answered(async |testbed: &Testbed| {
        let crowd = Crowd::open(testbed.envoy.address(), CROWD, SLOW_BODY.as_bytes()).await;
        let crowd = crowd.drip();
        testbed
            .wait_for("http.http.downstream_rq_total", CROWD)
            .await;
        let answered = testbed.others_answered().await;
        drop(crowd);
        answered
    })
    .await;
}

#[tokio::test]
async fn slow_bodies_of_many_http2_streams_take_nobody_elses_place() {
    let opening = connection_of(b"", STREAMS, |stream| {
        let pseudo = request(stream, "POST", "/v1/Channels", END_HEADERS);
        // One byte, and no end.
        [pseudo, frame(crate::http2::DATA, 0, stream, b"x")].concat()
    });
    all_others_are_answered(async |testbed: &Testbed| {
        let connections = CROWD / STREAMS;
        let crowd = Crowd::open(testbed.envoy.address(), connections, &opening).await;
        testbed
            .wait_for("http.http.downstream_rq_total", connections * STREAMS)
            .await;
        let answered = testbed.others_answered().await;
        drop(crowd);
        answered
    })
    .await;
}

#[tokio::test]
async fn connections_without_a_request_take_nobody_elses_place() {
    all_others_are_answered(async |testbed: &Testbed| {
        let crowd = Crowd::open(testbed.envoy.address(), CROWD, b"").await;
        testbed
            .wait_for("http.http.downstream_cx_active", CROWD)
            .await;
        let answered = testbed.others_answered().await;
        drop(crowd);
        answered
    })
    .await;
}

#[tokio::test]
async fn large_answers_that_nobody_reads_take_nobody_elses_place() {
    let asked = format!("GET {BIG} HTTP/1.1\r\nhost: a\r\n\r\n");
    all_others_are_answered(async |testbed: &Testbed| {
        let crowd = Crowd::open(testbed.envoy.address(), READERS, asked.as_bytes()).await;
        testbed
            .wait_for("http.http.downstream_rq_total", READERS)
            .await;
        let answered = testbed.others_answered().await;
        drop(crowd);
        answered
    })
    .await;
}

#[tokio::test]
async fn large_answers_to_http2_streams_whose_window_is_shut_cost_little_memory() {
    // SETTINGS_INITIAL_WINDOW_SIZE is 0.
    let opening = connection_of(&[0, 4, 0, 0, 0, 0], STREAMS, |stream| {
        request(stream, "GET", BIG, END_HEADERS | END_STREAM)
    });
    all_others_are_answered(async |testbed: &Testbed| {
        let before = heap(&testbed.envoy).await;
        let crowd = Crowd::open(testbed.envoy.address(), READERS / 50, &opening).await;
        let streams = READERS / 50 * STREAMS;
        testbed
            .wait_for("http.http.downstream_rq_total", streams)
            .await;
        let answered = testbed.others_answered().await;
        let each = heap(&testbed.envoy).await.saturating_sub(before) / streams as u64;
        assert!(
            each < OF_EACH_READER,
            "{}: {each} bytes a stream",
            testbed.name
        );
        drop(crowd);
        answered
    })
    .await;
}

/// What a client sends on one connection: these settings, and what is made for each stream.
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
