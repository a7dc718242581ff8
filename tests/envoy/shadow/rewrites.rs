//! A route that changes requests after the filter: v1's response to the filter is not the one to the user. The filter
//! detects that, and the verdict is never READY; with a declared rewrite it compares.

use serde_json::{Value, json};
use support::client::Request;
use support::envoy::Bootstrap;
use support::scripted_upstream::{Received, Response};
use turnout_report::Verdict;

use super::records_testbed::{RecordsTestbed, is_shadow_request, outcomes, shadow};
use crate::testbed::INSIDE;

const ROUTE: &str = "\
                  prefix: /
                  headers:
                  - { name: x-turnout-cluster, present_match: true }
                route: { cluster_header: x-turnout-cluster }
";
/// A route that changes only the path.
const REWRITES_THE_PATH: &str = "\
                  prefix: /api/
                  headers:
                  - { name: x-turnout-cluster, present_match: true }
                route: { cluster_header: x-turnout-cluster, prefix_rewrite: / }
";
const REWRITES_ALL: &str = "\
                  prefix: /api/
                  headers:
                  - { name: x-turnout-cluster, present_match: true }
                route:
                  cluster_header: x-turnout-cluster
                  prefix_rewrite: /
                  host_rewrite_literal: v1.internal
                request_headers_to_remove: [x-debug]
                request_headers_to_add:
                - append_action: OVERWRITE_IF_EXISTS_OR_ADD
                  header: { key: x-tenant, value: a }
";
const REQUESTS: u64 = 40;

/// An upstream that knows only the rewritten paths.
fn knows_rewritten(status: u16, not_found: u16) -> impl Fn(&Received) -> Response + Send + Sync {
    move |request| match request.path.as_str() {
        "/v1/Users?page=2" => {
            Response::json(&json!({ "host": request.header("host") })).status(status)
        }
        _ => Response::json(&json!({ "error": "no such path" })).status(not_found),
    }
}

fn route(route: &'static str) -> impl FnOnce(Bootstrap) -> Bootstrap {
    move |bootstrap| bootstrap.replace(ROUTE, route)
}

fn policy(options: &Value) -> Value {
    let mut policy = shadow(options);
    // Room and time for all, on a loaded machine.
    policy["rollouts"][0]["shadow"]["timeout_ms"] = json!(60_000);
    policy["rollouts"][0]["match"] = json!({ "path": { "prefix": "/api/" } });
    policy
}

async fn send(testbed: &RecordsTestbed) {
    let request = Request::get("/api/v1/Users?page=2").header("x-account-sid", INSIDE);
    testbed
        .client()
        .send_all(vec![request; REQUESTS as usize], 4)
        .await;
}

/// v2 responds with 500 to every path that v1 gets; both respond with 404 to the filter's requests.
#[tokio::test]
async fn a_rewritten_path_that_is_not_declared_is_unrepeatable_and_never_ready() {
    let (v1, v2) = (knows_rewritten(200, 404), knows_rewritten(500, 404));
    let testbed = RecordsTestbed::of(&policy(&json!({})), v1, v2, route(REWRITES_THE_PATH)).await;
    send(&testbed).await;
    let ended = testbed.settled(REQUESTS).await;
    assert_eq!(ended, outcomes([("unrepeatable", REQUESTS)]));
    assert_eq!(testbed.verdict().await, Verdict::NotEnoughData);
}

/// The same with 200 for an unknown path, so that only the bodies show it.
#[tokio::test]
async fn a_rewritten_path_is_detected_from_the_bodies_too() {
    let (v1, v2) = (knows_rewritten(200, 200), knows_rewritten(500, 200));
    let testbed = RecordsTestbed::of(&policy(&json!({})), v1, v2, route(REWRITES_THE_PATH)).await;
    for _ in 0..REQUESTS {
        let request = Request::get("/api/v1/Users?page=2").header("x-account-sid", INSIDE);
        testbed.send([request]).await;
    }
    let ended = testbed.settled(REQUESTS).await;
    let unrepeatable = ended.get("unrepeatable").copied().unwrap_or(0);
    assert!(unrepeatable >= REQUESTS - 5, "{ended:?}");
    assert!(
        !ended.contains_key("different") && !ended.contains_key("equal"),
        "{ended:?}"
    );
    assert_eq!(testbed.verdict().await, Verdict::NotEnoughData);
}

/// With the declared rewrite, both get the request that v1 gets for the user.
#[tokio::test]
async fn a_declared_rewrite_sends_what_the_user_sent() {
    let declared = [
        json!({ "prefix": "/", "host": "v1.internal", "headers": { "x-tenant": "a", "x-debug": null } }),
        json!({ "prefix": { "from": "/api/", "to": "/" }, "host": "v1.internal",
                "headers": { "X-Tenant": "a", "x-debug": null } }),
    ];
    for rewrite in declared {
        let (v1, v2) = (knows_rewritten(200, 404), knows_rewritten(500, 404));
        let testbed = RecordsTestbed::of(
            &policy(&json!({ "rewrite": rewrite })),
            v1,
            v2,
            route(REWRITES_ALL),
        )
        .await;
        let request = Request::get("/api/v1/Users?page=2")
            .header("x-account-sid", INSIDE)
            .header("x-debug", "1")
            .header("x-tenant", "theirs");
        testbed.send([request]).await;
        assert_eq!(testbed.settled(1).await, outcomes([("different", 1)]));
        let received = [testbed.v1.received(), testbed.v2.received()].concat();
        let what = |one: &Received| {
            let header = |name: &str| one.header(name).map(str::to_owned);
            let names = ["host", "x-tenant", "x-debug", "x-envoy-original-path"];
            (one.path.clone(), names.map(header))
        };
        let user = received
            .iter()
            .find(|one| !is_shadow_request(one))
            .expect("the user's request");
        let shadow_requests: Vec<_> = received
            .iter()
            .filter(|one| is_shadow_request(one))
            .collect();
        assert_eq!(shadow_requests.len(), 8 + 2);
        for request in shadow_requests {
            assert_eq!(what(request), what(user));
        }
        // A single difference may still be noise.
        assert_eq!(testbed.verdict().await, Verdict::NotEnoughData);
    }
}

/// A request that cannot be repeated: v1 rejects it the second time.
#[tokio::test]
async fn a_request_that_cannot_be_repeated_is_unrepeatable() {
    let v1 = |request: &Received| match is_shadow_request(request) {
        true => Response::json(&json!({ "error": "used" })).status(409),
        false => Response::json(&json!({ "token": "used now" })),
    };
    let v2 = |_: &Received| Response::json(&json!({ "error": "used" })).status(409);
    let testbed = RecordsTestbed::of(&policy(&json!({})), v1, v2, |b| b).await;
    send(&testbed).await;
    let ended = testbed.settled(REQUESTS).await;
    assert_eq!(ended, outcomes([("unrepeatable", REQUESTS)]));
    assert_eq!(testbed.verdict().await, Verdict::NotEnoughData);
}
