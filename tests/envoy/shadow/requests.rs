//! All kinds of requests over HTTP/1.1: each gets its normal response, has the right outcome, and gets an identical
//! shadow request.

use hyper::Response as HttpResponse;
use hyper::body::Incoming;
use serde_json::{Value, json};
use support::envoy::Bootstrap;
use support::scripted_upstream::{Received, Response, Scripted};

use super::http1_connection::{Wire, head};
use super::streaming_upstream::{Frames, Streaming};
use super::testbed::{
    KEPT, MOMENTS, REPEATS, ShadowTestbed, at_both_moments, echo, few_places, one_worker,
    shadow_policy,
};

/// Echoes the request, or the length of a long body.
fn say(request: &Received) -> Response {
    Response::json(&echo_of(&request.method, &request.path, &request.body))
}

fn echo_of(method: &str, path: &str, body: &[u8]) -> Value {
    let beginning = String::from_utf8_lossy(&body[..body.len().min(100)]);
    json!({ "method": method, "path": path, "length": body.len(), "body": beginning })
}

#[tokio::test]
async fn every_kind_of_request_gets_a_response_and_an_outcome() {
    at_both_moments(every_sort).await;
}

async fn every_sort(moment: &'static str) {
    let mut testbed = ShadowTestbed::start(&few_places(moment), one_worker, say).await;
    for (what, method, lines, body, outcome) in sorts() {
        for _ in 0..REPEATS {
            let path = "/1?a=%2F&b";
            let mut wire = Wire::open(testbed.address()).await;
            wire.write(head(method, path, lines)).await;
            if lines.contains(&"expect: 100-continue") {
                assert_eq!(wire.read_response(method).await.status, 100, "{what}");
            }
            wire.write(&body.written).await;
            let response = wire.read_response(method).await;
            assert_eq!(response.status, 200, "{what}");
            let path = format!("/v1/Channels{path}");
            let said = echo_of(method, &path, body.meant.as_bytes()).to_string();
            let length = format!("\r\ncontent-length: {}\r\n", said.len());
            assert!(response.head.contains(&length), "{what}: {response:?}");
            if method != "HEAD" {
                assert_eq!(response.text(), said, "{what}");
            }
            testbed.expect(&[(outcome, 1)]).await;
        }
        let [v1, v2] = [&testbed.v1, &testbed.v2].map(Scripted::received);
        let shadow_requests = u64::from(outcome == "equal") * REPEATS;
        let reached = (v1.len() as u64, v2.len() as u64);
        assert_eq!(reached, (REPEATS, shadow_requests), "{what}");
        for one in &v2 {
            assert_eq!(one.body, body.meant.as_bytes(), "{what}");
            assert_eq!(one.header("expect"), None, "{what}");
            assert_eq!(one.header("transfer-encoding"), None, "{what}");
            let length = one
                .header("content-length")
                .map_or(0, |text| text.parse().expect("a length"));
            assert_eq!(length, body.meant.len(), "{what}");
        }
        testbed.v1.forget();
        testbed.v2.forget();
    }
    testbed.settle().await;
}

/// A request body, as written and as meant.
struct Sent {
    written: Vec<u8>,
    meant: String,
}

fn plain(body: &str) -> Sent {
    Sent {
        written: body.into(),
        meant: body.to_owned(),
    }
}

fn chunked(pieces: &[&str], trailers: &str) -> Sent {
    let chunk = |piece: &&str| format!("{:x}\r\n{piece}\r\n", piece.len());
    let chunks: String = pieces.iter().map(chunk).collect();
    Sent {
        written: format!("{chunks}0\r\n{trailers}\r\n").into(),
        meant: pieces.concat(),
    }
}

type Sort = (
    &'static str,
    &'static str,
    &'static [&'static str],
    Sent,
    &'static str,
);

fn sorts() -> Vec<Sort> {
    let none = || plain("");
    let longest = "a".repeat(KEPT);
    vec![
        ("a GET", "GET", &[], none(), "equal"),
        ("a HEAD", "HEAD", &[], none(), "equal"),
        ("no body at all", "POST", &[], none(), "equal"),
        (
            "an empty body",
            "POST",
            &["content-length: 0"],
            none(),
            "equal",
        ),
        (
            "an empty body in chunks",
            "POST",
            &["transfer-encoding: chunked"],
            chunked(&[], ""),
            "equal",
        ),
        (
            "a body",
            "PUT",
            &["content-length: 5"],
            plain("hello"),
            "equal",
        ),
        (
            "a GET with a body",
            "GET",
            &["content-length: 5"],
            plain("hello"),
            "equal",
        ),
        (
            "chunks",
            "POST",
            &["transfer-encoding: chunked"],
            chunked(&["he", "l", "lo"], ""),
            "equal",
        ),
        (
            "chunks and trailers",
            "POST",
            &["transfer-encoding: chunked"],
            chunked(&["hello"], "x-sum: 1\r\n"),
            "equal",
        ),
        (
            "a body that has to be asked for",
            "POST",
            &["content-length: 5", "expect: 100-continue"],
            plain("hello"),
            "equal",
        ),
        (
            "the longest body",
            "POST",
            &["content-length: 1000"],
            plain(&longest),
            "equal",
        ),
        (
            "too long a body",
            "POST",
            &["content-length: 1001"],
            plain(&format!("{longest}a")),
            "too_large",
        ),
        (
            "too many chunks",
            "POST",
            &["transfer-encoding: chunked"],
            chunked(&[&longest, "a"], ""),
            "too_large",
        ),
        (
            "a method that is not shadowed",
            "PATCH",
            &["content-length: 5"],
            plain("hello"),
            "skipped_method",
        ),
        (
            "a part",
            "GET",
            &["range: bytes=0-9"],
            none(),
            "skipped_range",
        ),
        (
            "a part, if",
            "GET",
            &["if-range: \"a\""],
            none(),
            "skipped_range",
        ),
        (
            "a condition",
            "GET",
            &["if-none-match: \"a\""],
            none(),
            "skipped_conditional",
        ),
        (
            "a condition of time",
            "GET",
            &["if-modified-since: Sat, 21 Nov 2026 03:00:00 GMT"],
            none(),
            "skipped_conditional",
        ),
        (
            "a condition for a change",
            "PUT",
            &["if-match: \"a\"", "content-length: 5"],
            plain("hello"),
            "skipped_conditional",
        ),
    ]
}

#[tokio::test]
async fn pipelined_requests_get_responses_in_order_and_a_shadow_request_each() {
    const REQUESTS: u64 = 50;
    let all_at_once = json!({ "max_in_flight": 4 * REQUESTS });
    let mut testbed = ShadowTestbed::start(&all_at_once, one_worker, echo).await;
    let mut wire = Wire::open(testbed.address()).await;
    let request = |number: u64| {
        let body = format!("body {number}");
        let length = format!("content-length: {}", body.len());
        head("POST", &format!("/{number}"), &[&length]) + &body
    };
    wire.write((0..REQUESTS).map(request).collect::<String>())
        .await;
    for number in 0..REQUESTS {
        let response = wire.read_response("POST").await;
        let said: Value = serde_json::from_slice(&response.body).expect("JSON");
        assert_eq!(said["body"], format!("body {number}"));
    }
    testbed.expect(&[("equal", REQUESTS)]).await;
    testbed.rest().await;
}

#[tokio::test]
async fn an_upgrade_works_through_the_filter() {
    let v1 = Streaming::start(|mut request: hyper::Request<Incoming>| async move {
        let upgrade = hyper::upgrade::on(&mut request);
        tokio::spawn(async move {
            use tokio::io::{AsyncReadExt, AsyncWriteExt};
            let upgraded = upgrade.await.expect("an upgrade");
            let mut stream = hyper_util::rt::TokioIo::new(upgraded);
            let mut asked = [0; 5];
            stream.read_exact(&mut asked).await.expect("a question");
            stream.write_all(&asked).await.expect("a reader");
        });
        HttpResponse::builder()
            .status(101)
            .header("connection", "upgrade")
            .header("upgrade", "websocket")
            .body(Frames::default())
            .expect("a response")
    })
    .await;
    let v2 = Scripted::start(echo);
    let adapt = |b: Bootstrap| {
        let upgrades = "          upgrade_configs: [{ upgrade_type: websocket }]\n";
        let before = "          http_filters:\n";
        one_worker(b).replace(before, &format!("{upgrades}{before}"))
    };
    let mut testbed =
        ShadowTestbed::between(v1, v2, &shadow_policy(&few_places(MOMENTS[1])), adapt).await;
    for _ in 0..REPEATS {
        let mut wire = Wire::open(testbed.address()).await;
        let lines = ["connection: upgrade", "upgrade: websocket"];
        wire.write(head("GET", "/1", &lines)).await;
        assert_eq!(wire.read_response("GET").await.status, 101);
        wire.write("hello").await;
        assert_eq!(wire.take(5).await, b"hello");
        testbed.expect(&[("skipped_upgrade", 1)]).await;
    }
    assert_eq!(testbed.v2.requests(), 0);
    testbed.rest().await;
}
