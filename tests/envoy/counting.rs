//! Each decided request is counted exactly once, although the filter publishes counts only at times: under traffic,
//! while policies replace each other, and when one build of the filter replaces the other and so ends its
//! VM.

use serde_json::json;
use support::client::Request;
use support::envoy::Swap;
use support::render::discovered_with;
use support::wasm::Build;

use crate::steady_traffic::Steady;
use crate::testbed::{INSIDE, Testbed, policy, strip};

const SWAPS: usize = 30;

#[tokio::test]
async fn no_count_is_lost_while_policies_and_builds_follow_one_another() {
    let testbed = Testbed::live(&strip(&policy(&json!({}))), |b| b).await;
    let request = |_| Request::get("/v1/Channels").header("x-account-sid", INSIDE);
    let traffic = Steady::start([testbed.client()], request);
    for number in 0..SWAPS {
        // Each time another policy, and each second time the other build.
        let mode = ["on", "off", "split"][number % 3];
        let build = [Build::Lean, Build::Whole][number / 2 % 2];
        let filter = discovered_with(build, &strip(&policy(&json!({ "mode": mode }))));
        assert_eq!(
            testbed.envoy.swap_filter(&filter).await,
            Swap::Accepted,
            "{number}"
        );
    }
    let responses = traffic.end_without_loss().await.len() as u64;
    let decisions = testbed.decisions().await;
    assert_eq!(decisions.values().sum::<u64>(), responses, "{decisions:?}");
    let (v1, v2) = testbed.reached();
    let to_v2 = |(name, _): &(&String, &u64)| name.contains(".v2.");
    let counted_v2: u64 = decisions.iter().filter(to_v2).map(|(_, count)| count).sum();
    assert_eq!(
        (counted_v2, responses - counted_v2),
        (v2, v1),
        "{decisions:?}"
    );
}
