//! What a client does on purpose neither trips the guard nor ejects anyone else.

use serde_json::json;
use support::client::Request;
use support::random::Random;
use support::scripted_upstream::{Fault, Response as Answer};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::{ARMED, Guarded, guarded, reason, request, request_of};

const REQUESTS: usize = 600;
const MALLORY: u64 = 99_999;

fn guard() -> serde_json::Value {
    json!({ "settle_seconds": 1, "accounts": {}, "slow": { "over_ms": 900 }, "errors": {} })
}

/// After the attack, nobody notices: not the other accounts, and the guard is armed.
async fn nobody_notices(bed: &Guarded) {
    bed.wait_for_ticks(4).await;
    assert_eq!(bed.state("r").await, ARMED, "{:?}", bed.metrics().await);
    let mut random = Random::new(9);
    let mut on_v2 = 0;
    for _ in 0..100 {
        let response = bed.client.send(request("r", &mut random)).await;
        let reason = reason(&response);
        assert!(!reason.starts_with("guard"), "{reason}");
        on_v2 += u32::from(reason == "rule");
    }
    assert!(on_v2 > 20, "{on_v2}");
}

#[tokio::test]
async fn bad_requests_are_no_errors_of_v2() {
    let bed = Guarded::start(&guarded(&["r"], 50, &guard()), 2).await;
    bed.v2.respond_with(|_| Answer::new(404));
    let mut random = Random::new(1);
    let requests = (0..REQUESTS).map(|_| request_of("r", MALLORY, &mut random));
    bed.client.send_all(requests.collect(), 8).await;
    bed.v2.respond_with(super::ok);
    let metrics = bed.wait_for_settled("r", REQUESTS as u64).await;
    assert_eq!(metrics[".r.50.v2.errors"], 0);
    nobody_notices(&bed).await;
}

#[tokio::test]
async fn a_client_that_leaves_makes_no_error() {
    let bed = Guarded::start(&guarded(&["r"], 50, &guard()), 2).await;
    // Only v2 is late, so only requests of v2 are left.
    bed.v2.fail(Fault::Silence);
    let address = bed.envoy.address();
    let mut random = Random::new(2);
    for _ in 0..60 {
        let mut stream = TcpStream::connect(address).await.expect("a connection");
        let id = random.next();
        let head = format!(
            "GET /r/list HTTP/1.1\r\nhost: a\r\nx-account-sid: AC{MALLORY:032x}\r\nx-request-id: {id:016x}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.expect("written");
        // Until the request has reached an upstream.
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    bed.v2.heal();
    let metrics = bed.wait_for_settled("r", 60).await;
    assert_eq!(metrics[".r.50.v2.errors"], 0, "{metrics:?}");
    nobody_notices(&bed).await;
}

/// The client's own account may be ejected: it has failed. Nobody else is.
#[tokio::test]
async fn one_request_id_counts_once_however_often_it_is_repeated() {
    let bed = Guarded::start(&guarded(&["r"], 50, &guard()), 2).await;
    bed.v2.respond_with(|received| {
        let account = received.headers["x-account-sid"].to_str().expect("text");
        let is_mallory = account == format!("AC{MALLORY:032x}");
        Answer::new(if is_mallory { 500 } else { 200 })
    });
    let mut random = Random::new(3);
    // An id that takes v2.
    let id = loop {
        let id = format!("{:016x}", random.next());
        if bed.client.send(of_mallory(&id)).await.status == 500 {
            break id;
        }
    };
    let requests = (0..REQUESTS).map(|_| of_mallory(&id)).collect();
    bed.client.send_all(requests, 8).await;
    nobody_notices(&bed).await;
    let metrics = bed.metrics().await;
    // Once for each worker.
    assert!(metrics[".r.50.v2.errors"] <= 2, "{metrics:?}");
}

fn of_mallory(id: &str) -> Request {
    Request::get("/r/list")
        .header("x-account-sid", format!("AC{MALLORY:032x}"))
        .header("x-request-id", id)
}
