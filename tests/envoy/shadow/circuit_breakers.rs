//! Shadow requests have their own circuit breakers: they never block users, and users never block them.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::client::Request;
use support::envoy::Bootstrap;
use support::scripted_upstream::{Fault, Scripted};
use support::slow_clients::Crowd;
use tokio::time::sleep;

use super::testbed::{ShadowTestbed, asks, echo, shadow};
use crate::testbed::{INSIDE, OUTSIDE, ROLLOUT, policy, request_of};

const USERS: usize = 20;
/// Far longer than a loaded machine needs. Reaching it means that it will not happen.
const PATIENCE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(20);

fn own_clusters() -> Value {
    json!({ "v1": "channels-v1-shadow", "v2": "channels-v2-shadow" })
}

/// Limits a cluster of the file to one request.
fn limit_to_one(bootstrap: Bootstrap, cluster: &str, places: usize) -> Bootstrap {
    let of = |places: usize| {
        format!(
            "  - name: {cluster}
    type: STATIC
    connect_timeout: 1s
    per_connection_buffer_limit_bytes: 32768
    circuit_breakers:
      thresholds:
      - {{ max_connections: {places}, max_pending_requests: {places}, max_requests: {places} }}
"
        )
    };
    bootstrap.replace(&of(places), &of(1))
}

async fn stat<V1>(testbed: &ShadowTestbed<V1>, name: &str) -> u64 {
    let stats = testbed.envoy.admin().stats(&format!("^{name}$")).await;
    stats.get(name).copied().unwrap_or_default()
}

async fn wait_for<V1>(testbed: &ShadowTestbed<V1>, name: &str, least: u64) {
    let deadline = Instant::now() + PATIENCE;
    while stat(testbed, name).await < least {
        assert!(Instant::now() < deadline, "{name} is less than {least}");
        sleep(POLL).await;
    }
}

#[tokio::test]
async fn shadow_requests_never_use_the_circuit_breaker_of_users() {
    let adapt = |bootstrap| limit_to_one(bootstrap, "channels-v2-shadow", 512);
    let testbed = ShadowTestbed::start(&own_clusters(), adapt, echo).await;
    testbed.v2.fail(Fault::Silence);
    let requests: Vec<Request> = (0..USERS).map(|_| asks("GET", "")).collect();
    for response in testbed.client().send_all(requests, USERS).await {
        assert_eq!(response.status, 200);
    }
    let overflow = "cluster.channels-v2-shadow.upstream_rq_pending_overflow";
    assert!(stat(&testbed, overflow).await > 0);
    for of_users in ["channels-v1", "channels-v2"] {
        let overflow = format!("cluster.{of_users}.upstream_rq_pending_overflow");
        assert_eq!(stat(&testbed, &overflow).await, 0, "{of_users}");
    }
    let of_users = "cluster.channels-v2.upstream_rq_total";
    assert_eq!(stat(&testbed, of_users).await, 0);
}

#[tokio::test]
async fn users_of_v2_do_not_block_shadow_requests() {
    let (v1, v2) = (Scripted::start(echo), Scripted::start(echo));
    let policy = policy(&json!({ "mode": "split", "shadow": shadow(&own_clusters()) }));
    let adapt = |bootstrap| limit_to_one(bootstrap, "channels-v2", 10_000);
    let testbed = ShadowTestbed::between(v1, v2, &policy, adapt).await;
    // One endless request of a user of v2, and other requests that wait for it.
    let stalled = format!(
        "POST /v1/Channels HTTP/1.1\r\nhost: a\r\nx-account-sid: {INSIDE}\r\ncontent-length: 9\r\n\r\n"
    );
    let crowd = Crowd::open(testbed.address(), 4, stalled.as_bytes()).await;
    wait_for(
        &testbed,
        "cluster.channels-v2.upstream_rq_pending_overflow",
        1,
    )
    .await;
    for _ in 0..USERS {
        let response = testbed.client().send(request_of(OUTSIDE)).await;
        assert_eq!(response.status, 200);
    }
    let equal = format!("wasmcustom.turnout.shadow.{ROLLOUT}.equal");
    wait_for(&testbed, &equal, USERS as u64).await;
    drop(crowd);
}
