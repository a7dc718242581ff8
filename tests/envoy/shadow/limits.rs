//! A silent v2 takes bounded memory, all of which is returned.

use std::time::Duration;

use serde_json::{Value, json};
use support::scripted_upstream::{Fault, Response, Scripted};

use super::http1_connection::{Wire, head};
use super::testbed::{Outcomes, ShadowTestbed, shadow_policy};

const WORKERS: u32 = 2;
/// Requests in flight per worker.
const PLACES: u64 = 50;
const MOST: u64 = WORKERS as u64 * PLACES;
const CONNECTIONS: usize = 24;
/// The timeout of each request.
const BODY: usize = 60_000;
/// The largest body that is kept.
const KEPT: u64 = 65_536;

/// The memory of a request in flight: its body and v1's response in the filter, each in memory that grows by
/// doubling; its body again on the way to v2; and the connection to v2 with its buffers and all
/// headers.
const A_PLACE: u64 = 2 * KEPT + 2 * KEPT + KEPT + 65_536;
/// The memory that the allocators of the filter's VM and of Envoy may keep, for each worker.
const A_WORKER: u64 = 8 << 20;
const BOUND: u64 = MOST * A_PLACE + WORKERS as u64 * A_WORKER;
/// The allowed growth from the first to the second round.
const SLACK: u64 = 8 << 20;

async fn testbed(changes: Value) -> ShadowTestbed {
    let mut policy = json!({ "max_in_flight": PLACES, "max_body_bytes": KEPT });
    for (field, value) in changes.as_object().expect("fields") {
        policy[field] = value.clone();
    }
    let response = |_: &_| Response::text("taken");
    let (v1, v2) = (Scripted::start(response), Scripted::start(response));
    let bounded = |b: support::envoy::Bootstrap| b.concurrency(WORKERS);
    ShadowTestbed::between(v1, v2, &shadow_policy(&policy), bounded).await
}

/// Sends so many requests over a few connections as fast as possible.
async fn send(testbed: &ShadowTestbed, path: &str, requests: usize) {
    let length = format!("content-length: {BODY}");
    let request = [
        head("POST", path, &[&length]).into_bytes(),
        vec![b'b'; BODY],
    ]
    .concat();
    let mut senders = Vec::new();
    for _ in 0..CONNECTIONS {
        let (target, request) = (testbed.address(), request.clone());
        senders.push(tokio::spawn(async move {
            let mut wire = Wire::open(target).await;
            for _ in 0..requests / CONNECTIONS {
                wire.write(&request).await;
                let response = wire.read_response("POST").await;
                assert_eq!((response.status, &response.body[..]), (200, &b"taken"[..]));
            }
        }));
    }
    for sender in senders {
        sender.await.expect("all responses");
    }
}

#[tokio::test]
async fn a_silent_v2_costs_no_more_than_the_policy_allows() {
    const REQUESTS: [usize; 2] = [20_016, 9_984];
    let mut testbed = testbed(json!({ "timeout_ms": 150 })).await;
    // The memory of the same traffic if no rollout matches it.
    send(&testbed, "/../elsewhere", 2_400).await;
    let before = Memory::of(&testbed);
    testbed.v2.fail(Fault::Silence);
    let mut first = None;
    for requests in REQUESTS {
        let watch = async {
            tokio::select! {
                () = send(&testbed, "/1", requests) => {}
                () = watch(&testbed) => {}
            }
        };
        watch.await;
        let outcomes = testbed.any(requests as u64).await;
        let [timeout, dropped] = counts(&outcomes, ["timeout", "dropped_busy"]);
        assert_eq!(timeout + dropped, requests as u64, "{outcomes:?}");
        assert!(timeout >= MOST && dropped > 0, "{outcomes:?}");
        testbed.settle().await;
        assert_eq!(testbed.counted().await.in_flight, 0);

        let now = Memory::of(&testbed);
        println!(
            "{requests} requests: {outcomes:?}; from {before} to {now}; allowed {} more",
            mib(BOUND)
        );
        assert!(now.most <= before.most + BOUND, "from {before} to {now}");
        let first = *first.get_or_insert(now);
        assert!(now.most <= first.most + SLACK, "from {first} to {now}");
        assert!(now.held <= first.held + SLACK, "from {first} to {now}");
    }
}

/// Checks all the time that the limit of requests in flight is kept.
async fn watch(testbed: &ShadowTestbed) {
    const ACTIVE: &str = "cluster.channels-v2.upstream_rq_active";
    loop {
        let held = testbed.counted().await.in_flight;
        let stats = testbed.envoy.admin().stats(&format!("^{ACTIVE}$")).await;
        let asked = stats[ACTIVE];
        assert!(held <= MOST && asked <= MOST, "{held} held, {asked} asked");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn requests_beyond_the_limit_in_flight_are_dropped() {
    const REQUESTS: usize = 2_400;
    let mut testbed = testbed(json!({ "timeout_ms": 60_000 })).await;
    for round in 1..=2 {
        testbed.v2.fail(Fault::Silence);
        send(&testbed, "/1", REQUESTS).await;
        // Each worker has connections, and each holds as many requests as allowed.
        let held = testbed.v2.in_flight();
        assert!(held <= MOST, "{held}");
        assert!(
            testbed.v2.most_in_flight() <= MOST,
            "{}",
            testbed.v2.most_in_flight()
        );
        // The waiting requests are cut off.
        testbed.v2.heal();
        let outcomes = testbed.any(REQUESTS as u64).await;
        let [broken, dropped] = counts(&outcomes, ["v2_error", "dropped_busy"]);
        assert_eq!(broken + dropped, REQUESTS as u64, "{outcomes:?}");
        assert_eq!(broken, held, "{outcomes:?}");
        println!(
            "round {round}: at most {} at v2 of {MOST}; {outcomes:?}",
            testbed.v2.most_in_flight()
        );
        testbed.settle().await;
    }
}

fn counts<const N: usize>(outcomes: &Outcomes, names: [&str; N]) -> [u64; N] {
    names.map(|name| outcomes.get(name).copied().unwrap_or_default())
}

/// Of Envoy's process, in bytes.
#[derive(Clone, Copy)]
pub(super) struct Memory {
    pub(super) held: u64,
    pub(super) most: u64,
}

impl Memory {
    pub(super) fn of(testbed: &ShadowTestbed) -> Self {
        let path = format!("/proc/{}/status", testbed.envoy.id());
        let status = std::fs::read_to_string(path).expect("a process");
        let line = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let kibibytes =
                line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
            kibibytes.expect("a number") * 1_024
        };
        Self {
            held: line("VmRSS:"),
            most: line("VmHWM:"),
        }
    }
}

impl std::fmt::Display for Memory {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} (at most {})", mib(self.held), mib(self.most))
    }
}

fn mib(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}
