//! Envoy's memory while endless accounts and policies come: it does not grow after the first of them.

use serde_json::{Value, json};
use support::client::Request;
use support::envoy::Envoy;
use support::sized_policy::sid;

use super::outcomes_of;
use crate::testbed::{Testbed, policy, strip, traps};

/// The number of requests, each of a new account.
const REQUESTS: u64 = 2_500;
const ROUNDS: u64 = 3;
const SWAPS: usize = 24;
const ACCOUNTS: usize = 20_000;
/// The allowed growth from the first to the last round: caches and the garbage of V8.
const RATIO: f64 = 1.25;
const SLACK: u64 = 24 << 20;

/// In bytes.
fn memory(envoy: &Envoy) -> u64 {
    let path = format!("/proc/{}/status", envoy.id());
    let status = std::fs::read_to_string(path).expect("a process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kibibytes.expect("a number") * 1_024
}

#[track_caller]
fn is_flat(what: &str, first: u64, last: u64) {
    println!("{what}: {} MiB, then {} MiB", first >> 20, last >> 20);
    let most = (first as f64 * RATIO) as u64 + SLACK;
    assert!(last < most, "{what}: from {first} to {last}");
}

#[tokio::test]
async fn accounts_without_end_leave_nothing_behind() {
    let shadow = json!({
        "mode": "shadow",
        "shadow": { "requests": 100, "max_in_flight": 1_000, "summary_seconds": 1 },
    });
    let configuration = strip(&policy(&shadow));
    let testbed = Testbed::of("cluster-header.yaml", &configuration, |b| b.concurrency(1)).await;
    let mut numbers = 0..;
    let mut first = None;
    for round in 1..=ROUNDS {
        let requests = (0..REQUESTS).map(|number| {
            let account = sid(numbers.next().expect("a number"));
            let path = format!("/v1/Channels/{account}/{number}?round={round}");
            Request::get(path).header("x-account-sid", account)
        });
        let responses = testbed.client().send_all(requests.collect(), 8).await;
        assert!(responses.iter().all(|response| response.status == 200));
        // Each request has an outcome, so nothing is held any more.
        outcomes_of(&testbed.envoy, "chat", round * REQUESTS).await;
        first.get_or_insert(memory(&testbed.envoy));
    }
    is_flat("accounts", first.expect("a round"), memory(&testbed.envoy));
    let log = testbed.envoy.settled_log().await;
    assert_eq!(traps(&log), Vec::<&String>::new());
}

#[tokio::test]
async fn policies_without_end_leave_nothing_behind() {
    let testbed = Testbed::live(&strip(&policy(&json!({}))), |b| b.concurrency(1)).await;
    let mut numbers = 0..;
    let mut first = None;
    for number in 0..SWAPS {
        let accounts: Vec<String> = (0..ACCOUNTS)
            .map(|_| sid(numbers.next().expect("a number")))
            .collect();
        let mut next: Value = policy(&json!({ "salt": format!("s{number}") }));
        next["segments"] = json!({ "many": { "accounts": accounts } });
        next["rollouts"][0]["rules"] = json!([{ "when": { "in": ["many"] } }, { "accounts": 50 }]);
        testbed.swap_policy(&next).await;
        let request = Request::get("/v1/Channels").header("x-account-sid", &accounts[number]);
        let response = testbed.client().send(request).await;
        assert_eq!(crate::testbed::version(&response), "v2", "{number}");
        if number == SWAPS / 3 {
            first = Some(memory(&testbed.envoy));
        }
    }
    is_flat("policies", first.expect("a third"), memory(&testbed.envoy));
    let log = testbed.envoy.settled_log().await;
    assert_eq!(traps(&log), Vec::<&String>::new());
}
