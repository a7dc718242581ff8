//! A missing v2, of any kind: a name without a DNS record, no endpoint, a closed port. A shadow request to it is an
//! error of v2 alone, and only requests that the policy sends there get a 503.

use serde_json::{Value, json};
use support::client::Request;

use super::outcomes_of;
use crate::testbed::{INSIDE, OUTSIDE, Testbed, policy, strip, traps, version};

/// Clusters in Envoy's configuration, besides one that it does not have.
const CLUSTERS: &str = r#"  clusters:
  - name: no-such-name
    type: STRICT_DNS
    connect_timeout: 1s
    wait_for_warm_on_init: false
    load_assignment:
      cluster_name: no-such-name
      endpoints:
      - lb_endpoints:
        - endpoint:
            address:
              socket_address: { address: turnout-v2.invalid, port_value: 80 }
  - name: no-such-logical-name
    type: LOGICAL_DNS
    connect_timeout: 1s
    wait_for_warm_on_init: false
    load_assignment:
      cluster_name: no-such-logical-name
      endpoints:
      - lb_endpoints:
        - endpoint:
            address:
              socket_address: { address: turnout-v2.invalid, port_value: 80 }
  - name: no-endpoint
    type: STATIC
    connect_timeout: 1s
    load_assignment: { cluster_name: no-endpoint, endpoints: [] }
  - name: nobody
    type: STATIC
    connect_timeout: 1s
    load_assignment:
      cluster_name: nobody
      endpoints:
      - lb_endpoints:
        - endpoint:
            address:
              socket_address: { address: 127.0.0.1, port_value: 1 }
"#;
const NAMES: [&str; 5] = [
    "no-such-name",
    "no-such-logical-name",
    "no-endpoint",
    "nobody",
    "not-in-this-envoy",
];
const EACH: u64 = 5;

/// A rollout for each cluster, with the same name.
fn rollouts(of: impl Fn(&str) -> Value) -> Value {
    let mut all = policy(&json!({}));
    let rollout = |name: &str| {
        let mut rollout = all["rollouts"][0].clone();
        rollout["name"] = json!(name);
        rollout["v2"] = json!(name);
        rollout["match"] = json!({ "path": { "exact": format!("/{name}") } });
        for (field, value) in of(name).as_object().expect("fields") {
            rollout[field] = value.clone();
        }
        rollout
    };
    let made: Vec<Value> = NAMES.iter().map(|name| rollout(name)).collect();
    all["rollouts"] = json!(made);
    all
}

async fn testbed(policy: &Value) -> Testbed {
    Testbed::of("cluster-header.yaml", &strip(policy), |b| {
        b.concurrency(1).replace("  clusters:\n", CLUSTERS)
    })
    .await
}

#[tokio::test]
async fn only_requests_that_the_policy_sends_to_a_missing_v2_fail() {
    let testbed = testbed(&rollouts(|_| json!({}))).await;
    for name in NAMES {
        let ask = |account: &str| Request::get(format!("/{name}")).header("x-account-sid", account);
        for _ in 0..EACH {
            let response = testbed.client().send(ask(INSIDE)).await;
            // Each salt may put these two on either side.
            match response.status {
                200 => assert_eq!(version(&response), "v1", "{name}"),
                status => assert_eq!(status, 503, "{name}: {}", response.text()),
            }
            testbed.client().send(ask(OUTSIDE)).await;
        }
    }
    let decisions = testbed.decisions().await;
    let of = |name: &str, version: &str| -> u64 {
        let prefix = format!("{name}.{version}.");
        let of_it = decisions.iter().filter(|(key, _)| key.starts_with(&prefix));
        of_it.map(|(_, count)| count).sum()
    };
    let mut on_v1 = 0;
    for name in NAMES {
        assert_eq!(of(name, "v1") + of(name, "v2"), 2 * EACH, "{decisions:?}");
        on_v1 += of(name, "v1");
    }
    assert_eq!(testbed.reached(), (on_v1, 0));
    let log = testbed.envoy.settled_log().await;
    assert_eq!(traps(&log), Vec::<&String>::new());
}

#[tokio::test]
async fn a_shadow_of_a_missing_v2_is_an_error_of_v2_and_no_user_notices() {
    let testbed = testbed(&rollouts(|_| {
        json!({
            "mode": "shadow",
            "shadow": { "requests": 100, "back_off_ms": 0, "timeout_ms": 2_000, "summary_seconds": 1 },
        })
    }))
    .await;
    for name in NAMES {
        for _ in 0..EACH {
            let request = Request::get(format!("/{name}")).header("x-account-sid", INSIDE);
            let response = testbed.client().send(request).await;
            assert_eq!((response.status, version(&response)), (200, "v1"), "{name}");
        }
    }
    for name in NAMES {
        let outcomes = outcomes_of(&testbed.envoy, name, EACH).await;
        assert_eq!(outcomes, [("v2_error".to_owned(), EACH)].into(), "{name}");
    }
    assert_eq!(testbed.reached(), (EACH * NAMES.len() as u64, 0));
}
