//! How many errors of v2 users see before the guard trips.

use std::time::{Duration, Instant};

use serde_json::json;
use support::random::Random;

use super::{Guarded, PATIENCE, TRIPPED, failing, guarded, ok, reason, request};

const WORKERS: u32 = 4;
/// The errors of v2 that suffice at 50 % of requests where v1 has none.
const ENOUGH: u64 = 15;
const TRIALS: usize = 20;
const BATCH: usize = 2_000;
/// Requests of each trial at most.
const MOST: usize = 100_000;

/// After fifteen errors of v2 there is no more traffic. Within two seconds each worker must know.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_v2_that_always_fails_ends_on_every_worker_after_fifteen_errors() {
    let policy = guarded(&["r"], 50, &json!({ "settle_seconds": 1 }));
    let bed = Guarded::start(&policy, WORKERS).await;
    bed.v2.respond_with(failing(1_000_000, 0));
    let mut random = Random::new(1);
    let (mut sent, mut errors) = (0_u64, 0);
    while errors < ENOUGH {
        let response = bed.envoy.client().send(request("r", &mut random)).await;
        sent += 1;
        errors += u64::from(response.status == 503);
    }
    // The requests that look for the workers' states must not be further errors.
    bed.v2.respond_with(ok);
    let took = last_on_v2(&bed, &mut random).await;
    bed.wait_for("r", TRIPPED).await;
    let metrics = bed.wait_for_settled("r", sent).await;
    assert_eq!(metrics[".r.50.v2.errors"], ENOUGH);
    println!("{errors} errors of v2 in {sent} requests; {took:?} later every worker used v1");
    // Two seconds, and what a loaded machine adds.
    assert!(took < Duration::from_secs(2 + 3), "{took:?}");
}

/// Sends requests on new connections, which can reach any worker, until the guard has sent 150 in succession to v1.
/// Returns when the last one before them was sent.
async fn last_on_v2(bed: &Guarded, random: &mut Random) -> Duration {
    let start = Instant::now();
    let mut last = Duration::ZERO;
    let mut guarded = 0;
    while guarded < 150 {
        let sent = start.elapsed();
        assert!(sent < PATIENCE, "{:?}", bed.metrics().await);
        let response = bed.envoy.client().send(request("r", random)).await;
        guarded += 1;
        if reason(&response) != "guard" {
            (last, guarded) = (sent, 0);
        }
    }
    last
}

/// Twenty rollouts, each with a guard of its own, fail ten times as often on v2 as on v1.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_v2_that_fails_ten_times_as_often_ends_after_few_errors() {
    let names: Vec<String> = (0..TRIALS).map(|trial| format!("t{trial}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let policy = guarded(&names, 5, &json!({ "settle_seconds": 1 }));
    let bed = Guarded::start(&policy, 2).await;
    bed.v1.respond_with(failing(1_000, 17));
    bed.v2.respond_with(failing(10_000, 18));
    let mut random = Random::new(2);
    let mut sent = vec![0; TRIALS];
    loop {
        let metrics = bed.metrics().await;
        let open = |trial: &usize| metrics[&format!("_state.t{trial}")] != TRIPPED;
        let open: Vec<usize> = (0..TRIALS).filter(open).collect();
        if open.is_empty() {
            break;
        }
        let requests = (0..BATCH).map(|number| {
            let trial = open[number % open.len()];
            sent[trial] += 1;
            request(names[trial], &mut random)
        });
        let requests = requests.collect();
        bed.client.send_all(requests, 16).await;
        assert!(sent.iter().all(|sent| *sent < MOST), "{sent:?} {metrics:?}");
    }
    bed.wait_for_ticks(3).await;
    let metrics = bed.metrics().await;
    let mut errors: Vec<u64> = (0..TRIALS)
        .map(|trial| metrics[&format!(".t{trial}.5.v2.errors")])
        .collect();
    errors.sort_unstable();
    println!("errors of v2 until the guard tripped, in {TRIALS} trials: {errors:?}");
    assert!(errors[TRIALS / 2] <= 20, "{errors:?}");
}
