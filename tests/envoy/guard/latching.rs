//! How long a tripped guard stays tripped.

use serde_json::{Value, json};
use support::random::Random;
use support::render::discovered_with;
use support::wasm::Build;

use super::{ARMED, Guarded, TRIPPED, failing, guarded, reason, request};
use crate::testbed::strip;

fn quick() -> Value {
    json!({ "settle_seconds": 1 })
}

/// An Envoy in which the guard of `r` has tripped, and v2 is healthy again.
async fn tripped() -> Guarded {
    let bed = Guarded::start(&guarded(&["r", "other"], 50, &quick()), 4).await;
    bed.v2.respond_with(failing(1_000_000, 0));
    let mut random = Random::new(1);
    let requests = (0..60).map(|_| request("r", &mut random)).collect();
    bed.client.send_all(requests, 4).await;
    bed.wait_for("r", TRIPPED).await;
    bed.wait_for_ticks(1).await;
    bed.v2.respond_with(failing(0, 0));
    bed
}

/// The number of the next hundred requests, on connections of their own, that the guard sends to v1.
async fn guarded_requests(bed: &Guarded) -> usize {
    let mut random = Random::new(2);
    let mut guarded = 0;
    for _ in 0..100 {
        let response = bed.envoy.client().send(request("r", &mut random)).await;
        assert_eq!(response.status, 200);
        guarded += usize::from(reason(&response) == "guard");
    }
    guarded
}

#[tokio::test]
async fn another_rollout_another_build_and_the_same_policy_re_arm_nothing() {
    let bed = tripped().await;
    assert_eq!(guarded_requests(&bed).await, 100);
    let mut policy = guarded(&["r", "other"], 50, &quick());
    policy["rollouts"][1]["mode"] = json!("off");
    bed.swap_policy(&policy).await;
    assert_eq!(guarded_requests(&bed).await, 100);
    for build in [Build::Lean, Build::Whole] {
        let filter = discovered_with(build, &strip(&policy));
        bed.swap_to(&filter).await;
        assert_eq!(guarded_requests(&bed).await, 100, "{build:?}");
        bed.wait_for_ticks(2).await;
        assert_eq!(guarded_requests(&bed).await, 100, "{build:?}");
    }
    bed.swap_policy(&guarded(&["r"], 50, &quick())).await;
    assert_eq!(guarded_requests(&bed).await, 100);
    assert_eq!(bed.state("r").await, TRIPPED);
    let log = bed.envoy.log();
    let said = |what: &str| log.lines().filter(|line| line.contains(what)).count();
    assert_eq!(said("v2 is worse"), 1, "{log}");
}

#[tokio::test]
async fn a_re_arm_and_a_change_of_the_rollout_arm_it_again() {
    let bed = tripped().await;
    let rearmed = json!({ "settle_seconds": 1, "rearmed": 1 });
    let mut changed = guarded(&["r", "other"], 50, &quick());
    changed["rollouts"][0]["rules"] = json!([{ "accounts": 100, "requests": 40 }]);
    for policy in [guarded(&["r", "other"], 50, &rearmed), changed] {
        bed.swap_policy(&policy).await;
        assert_eq!(guarded_requests(&bed).await, 0);
        bed.wait_for_ticks(3).await;
        assert_eq!(bed.state("r").await, ARMED);
        // It works again.
        bed.v2.respond_with(failing(1_000_000, 0));
        let mut random = Random::new(3);
        let requests = (0..80).map(|_| request("r", &mut random)).collect();
        bed.client.send_all(requests, 4).await;
        bed.wait_for("r", TRIPPED).await;
        bed.v2.respond_with(failing(0, 0));
    }
}

#[tokio::test]
async fn a_restart_of_envoy_forgets_it_and_counts_again() {
    let bed = tripped().await;
    let Guarded { envoy, .. } = bed;
    drop(envoy);
    let policy = guarded(&["r", "other"], 50, &quick());
    let bed = Guarded::start(&policy, 4).await;
    assert_eq!(bed.state("r").await, ARMED);
    let mut random = Random::new(4);
    let requests: Vec<_> = (0..60).map(|_| request("r", &mut random)).collect();
    bed.v2.respond_with(failing(1_000_000, 0));
    bed.client.send_all(requests, 4).await;
    bed.wait_for("r", TRIPPED).await;
}
