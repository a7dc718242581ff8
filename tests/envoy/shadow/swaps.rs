//! The policy changes while shadow requests are in flight: users notice nothing, nothing remains, and each request has
//! one outcome.

use std::time::Duration;

use serde_json::{Value, json};
use support::envoy::Swap;
use support::scripted_upstream::{Fault, Scripted};

use super::testbed::{ShadowTestbed, asks, at_both_moments, echo, shadow_policy, until};
use crate::testbed::{policy, strip};

impl ShadowTestbed {
    pub(super) async fn swap(&self, policy: &Value) {
        let filter = crate::testbed::filter(&strip(policy));
        assert_eq!(self.envoy.swap_filter(&filter).await, Swap::Accepted);
    }
}

/// The policy after one with shadowing: other options, no shadowing, or no rollout that matches the
/// requests.
fn successors(moment: &str) -> [Value; 3] {
    let other = shadow_policy(&json!({ "send": moment, "timeout_ms": 59_999 }));
    let mut elsewhere = other.clone();
    elsewhere["rollouts"][0]["match"] = json!({ "path": { "prefix": "/elsewhere" } });
    [other, policy(&json!({ "mode": "off" })), elsewhere]
}

#[tokio::test]
async fn shadow_requests_in_flight_end_with_their_policy() {
    at_both_moments(shadow_requests_in_flight).await;
}

async fn shadow_requests_in_flight(moment: &'static str) {
    const REQUESTS: usize = 40;
    let first = shadow_policy(&json!({ "send": moment }));
    let (v1, v2) = (Scripted::start(echo), Scripted::start(echo));
    let mut testbed = ShadowTestbed::live(v1, v2, &first, |b| b).await;
    let client = testbed.client();
    for successor in successors(moment) {
        // These requests have a response, and wait for v2.
        testbed.v2.fail(Fault::Silence);
        let before = testbed.v2.requests();
        let requests = vec![asks("GET", "/waits-for-v2"); REQUESTS];
        let responses = client.send_all(requests, 8).await;
        assert!(responses.iter().all(|response| response.status == 200));
        testbed.v2.wait_for_requests(before + REQUESTS as u64).await;
        // These requests still wait for v1.
        testbed.v1.fail(Fault::Late(Duration::from_millis(300)));
        let asked = testbed.v1.requests();
        let waiting = tokio::spawn({
            let client = client.clone();
            async move {
                client
                    .send_all(vec![asks("GET", "/waits-for-v1"); 8], 8)
                    .await
            }
        });
        testbed.v1.wait_for_requests(asked + 8).await;
        testbed.swap(&successor).await;
        let responses = waiting.await.expect("all responses");
        assert!(responses.iter().all(|response| response.status == 200));
        testbed.v1.heal();

        // The old policy ends with its last request.
        testbed
            .expect(&[("skipped_swap", REQUESTS as u64 + 8)])
            .await;
        until("v2 is left alone", || testbed.v2.in_flight() == 0).await;
        testbed.v2.heal();
        testbed.settle().await;

        testbed.swap(&first).await;
        let response = client.send(asks("GET", "/again")).await;
        assert_eq!(response.status, 200);
        testbed.any(1).await;
    }
    testbed.settle().await;
}

#[tokio::test]
async fn no_request_is_miscounted_while_policies_are_swapped() {
    at_both_moments(swaps_under_traffic).await;
}

async fn swaps_under_traffic(moment: &'static str) {
    const REQUESTS: usize = 3_000;
    let with_timeout =
        |timeout: u64| shadow_policy(&json!({ "send": moment, "timeout_ms": timeout }));
    let (v1, v2) = (Scripted::start(echo), Scripted::start(echo));
    let mut testbed = ShadowTestbed::live(v1, v2, &with_timeout(10_000), |b| b).await;
    let client = testbed.client();
    let traffic = tokio::spawn(async move {
        let request = |number: usize| asks("GET", &format!("/{number}"));
        client
            .send_all((0..REQUESTS).map(request).collect(), 8)
            .await
    });
    let mut swaps = 0;
    while !traffic.is_finished() {
        swaps += 1;
        testbed.swap(&with_timeout(10_000 + swaps % 2)).await;
    }
    for (number, response) in traffic.await.expect("all responses").iter().enumerate() {
        assert_eq!(response.json()["path"], format!("/v1/Channels/{number}"));
    }
    assert!(swaps >= 3, "only {swaps} swaps while there was traffic");
    let outcomes = testbed.any(REQUESTS as u64).await;
    let known = ["equal", "skipped_swap"];
    assert!(
        outcomes.keys().all(|one| known.contains(&one.as_str())),
        "{outcomes:?}"
    );
    println!("{moment}: {REQUESTS} requests, {swaps} swaps, {outcomes:?}");
    assert_eq!(testbed.v1.requests(), REQUESTS as u64);
    testbed.settle().await;
}
