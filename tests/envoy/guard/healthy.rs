//! A v2 that is not worse stays.

use serde_json::json;
use support::random::Random;

use super::{ARMED, Guarded, failing, guarded, request};

/// Requests of this test: an hour at 10 per second. `GUARD_REQUESTS` sends more.
const REQUESTS: usize = 36_000;
const BATCH: usize = 2_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guard_does_not_trip_when_both_treatments_fail_alike() {
    let requests = std::env::var("GUARD_REQUESTS").map_or(REQUESTS, |number| {
        number.parse().expect("a number of requests")
    });
    let policy = guarded(&["r"], 20, &json!({ "settle_seconds": 1 }));
    let bed = Guarded::start(&policy, 2).await;
    bed.v1.respond_with(failing(5_000, 3));
    bed.v2.respond_with(failing(5_000, 4));
    let mut random = Random::new(5);
    for batch in 0..requests.div_ceil(BATCH) {
        // In the middle both fail completely for a while.
        let outage = batch == requests / BATCH / 2;
        if outage {
            bed.v1.respond_with(failing(1_000_000, 0));
            bed.v2.respond_with(failing(1_000_000, 0));
        }
        let batch = (0..BATCH).map(|_| request("r", &mut random)).collect();
        bed.client.send_all(batch, 16).await;
        if outage {
            bed.v1.respond_with(failing(5_000, 3));
            bed.v2.respond_with(failing(5_000, 4));
        }
        assert_eq!(bed.state("r").await, ARMED);
    }
    let sent = (requests.div_ceil(BATCH) * BATCH) as u64;
    let metrics = bed.wait_for_settled("r", sent).await;
    let all: u64 = ["v1", "v2"]
        .map(|arm| metrics[&format!(".r.20.{arm}.all")])
        .iter()
        .sum();
    assert_eq!(all, sent);
    assert_eq!(bed.state("r").await, ARMED);
    println!("{sent} requests: {metrics:?}");
}
