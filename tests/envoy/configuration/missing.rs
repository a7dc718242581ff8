//! No policy, or a policy with a cluster that Envoy does not have.

use serde_json::json;
use support::client::Request;

use crate::testbed::{
    INSIDE, OUTSIDE, Testbed, policy, request_of, strip, turnout_headers, version,
};

#[tokio::test]
async fn without_a_valid_policy_at_the_start_everyone_is_on_v1() {
    let refused = strip(&policy(&json!({ "mode": "onn" })));
    let testbed = Testbed::live(&refused, |b| b).await;
    testbed
        .envoy
        .wait_for_log("turnout: configuration refused")
        .await;
    for request in [
        request_of(INSIDE),
        // A client cannot exploit this either.
        request_of(INSIDE).header("x-turnout-cluster", "channels-v2"),
        Request::get("/other"),
    ] {
        let response = testbed.client().send(request).await;
        assert_eq!(version(&response), "v1");
        assert_eq!(turnout_headers(&response.json()), []);
    }
    assert_eq!(testbed.decisions().await.values().sum::<u64>(), 0);

    testbed.swap_policy(&policy(&json!({}))).await;
    let response = testbed.client().send(request_of(INSIDE)).await;
    assert_eq!(version(&response), "v2");
}

/// Only Envoy knows that a cluster is missing, and only requests that take v2 fail.
#[tokio::test]
async fn a_cluster_that_envoy_does_not_know_is_a_503_until_the_next_policy() {
    let unknown = strip(&policy(&json!({ "v2": "channels-v3" })));
    let testbed = Testbed::live(&unknown, |b| b).await;
    let response = testbed.client().send(request_of(INSIDE)).await;
    assert_eq!((response.status, response.text()), (503, String::new()));
    let response = testbed.client().send(request_of(OUTSIDE)).await;
    assert_eq!(version(&response), "v1");
    assert_eq!(testbed.reached(), (1, 0));

    let log = testbed.envoy.access_log(2).await;
    let unserved: Vec<_> = log
        .iter()
        .filter(|line| line["response_code"] == 503)
        .collect();
    assert_eq!(unserved.len(), 1);
    assert_eq!(unserved[0]["response_flags"], "NC", "no cluster found");
    assert_eq!(unserved[0]["treatment"], "v2");

    testbed
        .swap_policy(&policy(&json!({ "mode": "off" })))
        .await;
    let response = testbed.client().send(request_of(INSIDE)).await;
    assert_eq!(version(&response), "v1");
}
