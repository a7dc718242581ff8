//! A request in flight finishes under the policy that was active when it started.

use std::time::Duration;

use serde_json::{Value, json};
use support::client::Request;
use support::envoy::{Bootstrap, Envoy, Swap, file};
use support::scripted_upstream::{Fault, Response, Scripted};
use support::upstream::Upstream;

use crate::testbed::{INSIDE, filter, policy, request_of, strip, version};

const IN_FLIGHT: usize = 20;

#[tokio::test]
async fn a_request_in_flight_finishes_under_the_policy_that_it_began_with() {
    let v1 = Upstream::start("v1");
    let v2 = Scripted::start(|_| Response::json(&json!({})).header("x-version", "v2"));
    let filter_of = |policy: &Value| filter(&strip(policy));
    let bootstrap = Bootstrap::live(
        file("live-policy.yaml"),
        filter_of(&named("before", false)),
        &v1,
        &v2,
    );
    let envoy = Envoy::start(bootstrap.keep_request_ids()).await;
    let client = envoy.client();

    // Longer than the swap takes.
    v2.fail(Fault::Late(Duration::from_millis(800)));
    let waiting = tokio::spawn({
        let client = client.clone();
        async move {
            let ids = (0..IN_FLIGHT).map(|number| identified(&format!("before-{number}")));
            client.send_all(ids.collect::<Vec<_>>(), IN_FLIGHT).await
        }
    });
    v2.wait_for_requests(IN_FLIGHT as u64).await;
    let swap = envoy.swap_filter(&filter_of(&named("after", true))).await;
    assert_eq!(swap, Swap::Accepted);
    let response = client.send(identified("after-0")).await;
    assert_eq!(version(&response), "v1");

    for response in waiting.await.expect("answers") {
        assert_eq!((response.status, version(&response)), (200, "v2"));
    }
    for line in envoy.access_log(IN_FLIGHT + 1).await {
        let id = line["request_id"].as_str().expect("an id");
        let (revision, reason) = match id.starts_with("before") {
            true => ("before", "rule"),
            false => ("after", "halted"),
        };
        assert_eq!(line["revision"], revision, "{line}");
        assert_eq!(line["reason"], reason, "{line}");
    }
}

fn named(revision: &str, halted: bool) -> Value {
    let mut policy = policy(&json!({}));
    policy["revision"] = json!(revision);
    policy["halted"] = json!(halted);
    policy
}

fn identified(id: &str) -> Request {
    request_of(INSIDE).header("x-request-id", id)
}
