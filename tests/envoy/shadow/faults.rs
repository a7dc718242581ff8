//! Faults of v2: the responses of users never change, and each request has an outcome.

use std::time::Duration;

use serde_json::json;
use support::client::{Client, Request, Response as Got};
use support::scripted_upstream::{Fault, Received, Response};

use super::testbed::{MOMENTS, ShadowTestbed, asks, echo};
use crate::testbed::INSIDE;

/// The number of requests of each kind in each fault.
const REPEATS: usize = 4;
const KEPT: usize = 65_536;

/// All faults of v2, and the outcome of a request.
const FAULTS: [(Fault, &str); 12] = [
    (Fault::Refuse, "v2_error"),
    (Fault::Reset, "v2_error"),
    (Fault::Garbage, "v2_error"),
    (Fault::Cut, "v2_error"),
    (Fault::Silence, "timeout"),
    (Fault::Late(Duration::from_secs(30)), "timeout"),
    (Fault::Long(KEPT as u64 + 1), "too_large"),
    (Fault::Long(200_000), "too_large"),
    // More than Envoy buffers of any response, so it aborts without a reason.
    (Fault::Long(100_000_000), "v2_error"),
    (Fault::Endless, "v2_error"),
    (Fault::Status(500), "different"),
    (Fault::Status(503), "different"),
];

/// Responses of all kinds, by path.
fn respond(request: &Received) -> Response {
    match request.route().trim_start_matches("/v1/Channels/") {
        "long" => Response::text(vec![b'a'; KEPT]),
        "created" => echo(request)
            .status(201)
            .header("location", "/v1/Channels/1"),
        "cookies" => echo(request)
            .header("set-cookie", "a=1; Path=/")
            .header("set-cookie", "b=2"),
        "nothing" => Response::new(204),
        "missing" => echo(request).status(404),
        "broken" => Response::text("out of order")
            .status(500)
            .content_type("text/html"),
        _ => echo(request),
    }
}

/// One request of each kind, and whether its response has a body.
fn requests() -> Vec<(Request, bool)> {
    let post = |path: &str, length: usize| {
        let body = "Hello, channel! ".repeat(length / 16);
        Request::post(format!("/v1/Channels{path}"), body).header("x-account-sid", INSIDE)
    };
    vec![
        (asks("GET", "?a=%2F&b"), true),
        (asks("GET", "/long"), true),
        (asks("GET", "/cookies"), true),
        (asks("GET", "/missing"), true),
        (asks("GET", "/broken"), true),
        (asks("GET", "/nothing"), false),
        (asks("HEAD", "/long"), false),
        (asks("DELETE", "/1"), true),
        (post("/1", 0), true),
        (post("/created", 16), true),
        (post("/1", 20_000), true),
    ]
}

#[tokio::test]
async fn no_user_notices_faults_of_v2_after_the_response() {
    no_user_notices(MOMENTS[0]).await;
}

#[tokio::test]
async fn no_user_notices_faults_of_v2_during_the_request() {
    no_user_notices(MOMENTS[1]).await;
}

async fn no_user_notices(moment: &str) {
    let changes = json!({ "send": moment, "timeout_ms": 1_500, "max_body_bytes": KEPT });
    let mut testbed = ShadowTestbed::start(&changes, |b| b, respond).await;
    let client = testbed.client();
    let (requests, has_body): (Vec<_>, Vec<_>) = requests().into_iter().unzip();
    let direct = Client::new(testbed.v1.address());
    let expected = direct.send_all(requests.clone(), 1).await;
    let expected: Vec<_> = expected.into_iter().map(comparable).collect();

    let mut sent = 0;
    for (fault, outcome) in [(None, "equal")]
        .into_iter()
        .chain(FAULTS.map(|(fault, outcome)| (Some(fault), outcome)))
    {
        match fault {
            Some(fault) => testbed.v2.fail(fault),
            None => testbed.v2.heal(),
        }
        // A fault that only affects bodies affects nothing else.
        let is_of_bodies = matches!(fault, Some(Fault::Cut | Fault::Long(_) | Fault::Endless));
        let kinds: Vec<usize> = (0..requests.len())
            .filter(|kind| has_body[*kind] || !is_of_bodies)
            .collect();
        let kinds = kinds.repeat(REPEATS);
        let batch = kinds.iter().map(|kind| requests[*kind].clone()).collect();
        let responses = client.send_all(batch, 8).await;
        for (kind, response) in kinds.iter().zip(responses) {
            let response = comparable(response);
            assert!(
                response == expected[*kind],
                "{fault:?}: {response:?}, and without a proxy {:?}",
                expected[*kind]
            );
        }
        testbed.expect(&[(outcome, kinds.len() as u64)]).await;
        sent += kinds.len();
        println!("{moment}, {fault:?}: {} requests, {outcome}", kinds.len());
    }
    assert_eq!(testbed.v1.requests(), (sent + requests.len()) as u64);

    // The first shadow requests may still find connections that a fault has cut.
    testbed.v2.heal();
    until_equal(&mut testbed, &client).await;
    testbed.settle().await;
}

async fn until_equal(testbed: &mut ShadowTestbed, client: &Client) {
    for _ in 0..100 {
        assert_eq!(client.send(asks("GET", "/1")).await.status, 200);
        if testbed.any(1).await.contains_key("equal") {
            return;
        }
    }
    panic!("v2 works again, but gets no shadow requests");
}

type Comparable = (u16, Vec<(String, Vec<u8>)>, Vec<u8>);

/// Removes headers that a proxy adds or that depend on the time.
fn comparable(response: Got) -> Comparable {
    const ADDED: [&str; 3] = ["date", "server", "x-envoy-upstream-service-time"];
    let mut headers: Vec<_> = response
        .headers
        .iter()
        .filter(|(name, _)| !ADDED.contains(&name.as_str()))
        .map(|(name, value)| (name.to_string(), value.as_bytes().to_vec()))
        .collect();
    headers.sort();
    (response.status, headers, response.body.to_vec())
}
