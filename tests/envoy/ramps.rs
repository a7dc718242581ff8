//! A ramp steps in a running Envoy without a new policy, and requests do not wait for it.

use std::time::Duration;

use serde_json::json;
use support::corpus::now;
use tokio::time::{Instant, sleep};
use turnout_core::Time;

use crate::testbed::{OUTSIDE, Testbed, policy, request_of, strip, version};

/// Longer than the delay of this machine's clocks and of a busy core.
const PATIENCE: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_ramp_moves_everyone_at_the_declared_time_and_back() {
    let testbed = Testbed::live(&strip(&policy(&json!({}))), |b| b).await;
    // The ramp starts once Envoy is up, however long that took.
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
        // A pause between two requests.
        sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(seen, ["v1", "v2", "v1"], "after {:?}", start.elapsed());
    let at_least = Duration::from_secs(4);
    assert!(start.elapsed() > at_least, "{:?}", start.elapsed());
}

async fn served(testbed: &Testbed) -> String {
    version(&testbed.client().send(request_of(OUTSIDE)).await).to_owned()
}
