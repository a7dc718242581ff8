//! A ramp steps by itself in a running Envoy: no new policy, and nothing that a request waits for.

use std::time::Duration;

use serde_json::json;
use support::corpus::now;
use tokio::time::{Instant, sleep};
use turnout_core::Time;

use crate::testbed::{OUTSIDE, Testbed, policy, request_of, strip, version};

/// Longer than the clocks of this machine and a busy core can be late.
const PATIENCE: Duration = Duration::from_secs(20);

#[tokio::test]
async fn everyone_is_moved_at_the_declared_moment_and_back_at_the_next() {
    let testbed = Testbed::live(&strip(&policy(&json!({}))), |b| b).await;
    // Once Envoy is up, however long that took.
    let step = |seconds: i64, percent: u32| {
        let from = Time::from_seconds(now().seconds() + seconds).to_string();
        json!({ "from": from, "percent": percent })
    };
    let ramp = json!([step(-60, 0), step(4, 100), step(8, 0)]);
    let rules = json!({ "rules": [{ "accounts": ramp }] });
    testbed.swap_policy(&policy(&rules)).await;

    let mut seen = vec![served(&testbed).await];
    let start = Instant::now();
    while seen.len() < 3 && start.elapsed() < PATIENCE {
        let version = served(&testbed).await;
        if seen.last() != Some(&version) {
            seen.push(version);
        }
        // Between two questions, so as not to ask without end.
        sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(seen, ["v1", "v2", "v1"], "after {:?}", start.elapsed());
    let at_least = Duration::from_secs(4);
    assert!(start.elapsed() > at_least, "{:?}", start.elapsed());
}

async fn served(testbed: &Testbed) -> String {
    version(&testbed.client().send(request_of(OUTSIDE)).await).to_owned()
}
