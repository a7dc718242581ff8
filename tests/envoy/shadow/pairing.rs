//! Requests and responses are paired correctly: of thousands of concurrent requests, each shadow request belongs to
//! its request, and each of v1's responses is compared with the one to its own shadow request.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use support::client::Request;
use support::envoy::Bootstrap;
use support::scripted_upstream::{Received, Response};

use super::http2_connection::{H2, request};
use super::streaming_upstream::Frames;
use super::testbed::{ShadowTestbed, at_both_moments};
use crate::testbed::INSIDE;

/// Requests over HTTP/1.1, and as many over HTTP/2.
const REQUESTS: usize = 1_500;
const AT_ONCE: usize = 50;

/// Headers that only a shadow request has, or that differ in each request.
const OWN: [&str; 9] = [
    "accept-encoding",
    "content-length",
    "transfer-encoding",
    "x-envoy-expected-rq-timeout-ms",
    "x-envoy-internal",
    "x-turnout-cluster",
    "x-turnout-decision",
    "x-turnout-shadow",
    "x-turnout-treatment",
];

/// Names the request, so that any wrong pair differs.
fn echo(request: &Received) -> Response {
    Response::json(&json!({
        "method": request.method,
        "path": request.path,
        "id": request.header("x-request-id"),
        "name": request.header("x-name"),
        "body": String::from_utf8_lossy(&request.body),
    }))
    .after(delay(request))
}

/// Delays responses, so that their order differs between v1 and v2.
fn delay(request: &Received) -> Duration {
    let is_shadow_request = request.header("x-turnout-shadow").is_some();
    let number = request.path.bytes().map(u64::from).sum::<u64>();
    Duration::from_millis(if is_shadow_request {
        number % 7
    } else {
        number % 5
    })
}

fn path(number: usize) -> String {
    format!("/{number}?of={number}")
}

/// Every second request has a body, of different lengths.
fn body(number: usize) -> String {
    match number % 2 {
        0 => String::new(),
        _ => format!("{number} ").repeat(1 + number % 97 * 7),
    }
}

fn name(protocol: &str, number: usize) -> String {
    format!("{protocol}-{number}")
}

fn is_right(protocol: &str, number: usize, said: &Value) -> bool {
    said["name"] == name(protocol, number)
        && said["path"] == format!("/v1/Channels{}", path(number))
        && said["body"] == body(number)
}

#[tokio::test]
async fn each_shadow_request_is_paired_with_its_own_request() {
    at_both_moments(pairs).await;
}

async fn pairs(moment: &'static str) {
    // Some requests to v1 are repeated to detect noise. They are shadow requests too.
    let changes = json!({ "send": moment, "noise": { "requests": 10 } });
    let either = |b: Bootstrap| match moment {
        "with_request" => b.http2_to("channels-v1").http2_to("channels-v2"),
        _ => b,
    };
    let mut testbed = ShadowTestbed::start(&changes, either, echo).await;
    let client = testbed.client();

    let mut connections = Vec::new();
    for _ in 0..3 {
        connections.push(H2::open(testbed.address()).await);
    }
    let numbers: Vec<usize> = (0..REQUESTS).collect();
    // Shadow requests do not slow users down, so a slow v2 would accumulate them. Hence the waves.
    for wave in numbers.chunks(AT_ONCE) {
        let old = client.send_all(wave.iter().map(|number| old(*number)).collect(), AT_ONCE);
        let (old, new) = tokio::join!(old, over_http2(&connections, wave));
        for ((number, old), new) in wave.iter().zip(old).zip(new) {
            assert!(
                is_right("h1", *number, &old.json()),
                "{number}: {}",
                old.text()
            );
            assert!(is_right("h2", *number, &new), "{number}: {new}");
        }
        testbed.expect(&[("equal", 2 * wave.len() as u64)]).await;
    }
    let sent = 2 * REQUESTS;
    testbed.settle().await;

    let (asked, shadowed) = (testbed.v1.received(), testbed.v2.received());
    let is_shadow_request = |one: &&Received| one.header("x-turnout-shadow").is_some();
    let originals: BTreeMap<String, &Received> = asked
        .iter()
        .filter(|one| !is_shadow_request(one))
        .map(by_name)
        .collect();
    assert_eq!((originals.len(), shadowed.len()), (sent, sent));
    let shadow_requests: BTreeMap<String, &Received> = shadowed.iter().map(by_name).collect();
    assert_eq!(shadow_requests.len(), sent, "each is shadowed once");
    let asked_twice = asked.iter().filter(is_shadow_request);
    for request in shadowed.iter().chain(asked_twice.clone()) {
        let (name, request) = by_name(request);
        let original = originals[&name];
        assert_eq!(
            (&request.method, &request.path),
            (&original.method, &original.path),
            "{name}"
        );
        assert_eq!(request.body, original.body, "{name}");
        assert_eq!(headers(request), headers(original), "{name}");
        assert_eq!(request.header("x-turnout-shadow"), Some("1"), "{name}");
    }
    let noise = asked_twice.count();
    assert!(noise > 0, "v1 was never asked twice");
    println!(
        "{moment}: {sent} requests, {noise} asked twice, all equal and each shadow request its own"
    );
}

fn old(number: usize) -> Request {
    let path = format!("/v1/Channels{}", path(number));
    let request = match number % 2 {
        0 => Request::get(path),
        _ => Request::post(path, body(number)),
    };
    request
        .header("x-account-sid", INSIDE)
        .header("x-name", name("h1", number))
        .header("x-twice", "1")
        .header("x-twice", "2")
}

fn new(number: usize) -> hyper::Request<Frames> {
    let body = body(number);
    let (method, body) = match number % 2 {
        0 => ("GET", Frames::default()),
        _ => {
            let (start, end) = body.split_at(body.len() / 2);
            ("POST", Frames::of(&[start, end]))
        }
    };
    let mut request = request(method, &path(number), body);
    for (header, value) in [("x-account-sid", INSIDE), ("x-name", &name("h2", number))] {
        let value = value.parse().expect("a header value");
        request.headers_mut().insert(header, value);
    }
    request
}

/// Sends all requests at once and returns the responses in order.
async fn over_http2(connections: &[H2], numbers: &[usize]) -> Vec<Value> {
    let streams: Vec<_> = numbers
        .iter()
        .map(|number| connections[number % connections.len()].send(new(*number)))
        .map(tokio::spawn)
        .collect();
    let mut responses = Vec::new();
    for stream in streams {
        let response = stream.await.expect("a result").expect("a response");
        responses.push(serde_json::from_slice(&response.body).expect("JSON"));
    }
    responses
}

fn by_name(request: &Received) -> (String, &Received) {
    let name = request.header("x-name").expect("a name");
    (name.to_owned(), request)
}

/// Names and values, without the headers of shadow requests.
fn headers(request: &Received) -> Vec<(String, Vec<u8>)> {
    let headers = request.headers.iter();
    let mut headers: Vec<_> = headers
        .filter(|(name, _)| !OWN.contains(&name.as_str()))
        .map(|(name, value)| (name.to_string(), value.as_bytes().to_vec()))
        .collect();
    headers.sort();
    headers
}
