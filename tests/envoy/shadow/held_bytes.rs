//! The memory of Envoy's process under attack: no filter runs out of memory, and every user gets a response.

use std::time::Duration;

use serde_json::{Value, json};
use support::envoy::Swap;
use support::scripted_upstream::{Fault, Response, Scripted};
use tokio::time::timeout;
use turnout_core::{Configuration, MaxHeldBytes, Proxy};

use super::http1_connection::{Wire, head};
use super::limits::Memory;
use super::testbed::{ShadowTestbed, asks, one_worker, shadow_policy};
use crate::testbed::{OUTSIDE, Testbed, policy, request_of, version};

const MIB: usize = 1 << 20;
const PATIENCE: Duration = Duration::from_secs(60);
/// The default limit of the filter.
const LIMIT: u64 = 64 << 20;
/// The memory that Envoy itself holds for calls in flight, and that allocators keep.
const ENVOY: u64 = 96 << 20;

fn largest_samples() -> Value {
    shadow_policy(&json!({
        "max_body_bytes": MIB, "max_in_flight": 1_000, "timeout_ms": 60_000,
    }))
}

async fn testbed() -> ShadowTestbed {
    let response = |_: &_| Response::text("taken");
    let (v1, v2) = (Scripted::start(response), Scripted::start(response));
    ShadowTestbed::between(v1, v2, &largest_samples(), one_worker).await
}

fn upload(path: &str, number: usize, length: usize) -> String {
    let length = format!("content-length: {length}");
    let account = format!("x-account-sid: AC{:032x}", number + 1);
    head("POST", path, &[&length, &account])
}

async fn held(testbed: &ShadowTestbed) -> u64 {
    const GAUGE: &str = "wasmcustom.turnout.held_bytes";
    testbed.envoy.admin().stats("turnout.held_bytes").await[GAUGE]
}

fn check(before: Memory, now: Memory) {
    println!("from {before} to {now}");
    assert!(
        now.most <= before.most + LIMIT + ENVOY,
        "from {before} to {now}"
    );
}

#[tokio::test]
async fn the_largest_bodies_and_a_silent_v2_neither_trap_nor_exceed_the_limit() {
    const REQUESTS: usize = 600;
    let mut testbed = testbed().await;
    testbed.v2.fail(Fault::Silence);
    let before = Memory::of(&testbed);
    let body = vec![b'b'; MIB];
    let mut wire = Wire::open(testbed.address()).await;
    for number in 0..REQUESTS {
        wire.write(upload("/1", number, MIB)).await;
        wire.write(&body).await;
        assert_eq!(wire.read_response("POST").await.status, 200);
        if number % 100 == 0 {
            let held = held(&testbed).await;
            assert!(held <= LIMIT, "{held}");
        }
    }
    check(before, Memory::of(&testbed));
    testbed.v2.heal();
    let outcomes = testbed.any(REQUESTS as u64).await;
    assert!(outcomes["dropped_busy"] >= 500, "{outcomes:?}");
    testbed.settle().await;
}

#[tokio::test]
async fn stalled_uploads_neither_trap_nor_exceed_the_limit() {
    const UPLOADS: usize = 400;
    let mut testbed = testbed().await;
    // The memory of the same uploads if no rollout matches them.
    finish(&mut stall(&testbed, "/../elsewhere", UPLOADS).await).await;
    let before = Memory::of(&testbed);
    let mut stalled = stall(&testbed, "/1", UPLOADS).await;
    testbed.sampled(UPLOADS as u64).await;
    assert!(held(&testbed).await <= LIMIT);
    check(before, Memory::of(&testbed));
    // Each upload ends as without the filter.
    finish(&mut stalled).await;
    let outcomes = testbed.any(UPLOADS as u64).await;
    assert!(outcomes.contains_key("dropped_busy"), "{outcomes:?}");
    testbed.settle().await;
}

/// Envoy's main thread, which has no samples, checks a policy. A worker that rejected it afterwards would have no
/// filter.
#[tokio::test]
async fn a_worker_accepts_the_next_policy_however_much_samples_hold() {
    let response = |_: &_| Response::text("taken");
    let (v1, v2) = (Scripted::start(response), Scripted::start(response));
    let testbed = ShadowTestbed::live(v1, v2, &largest_samples(), one_worker).await;
    let mut stalled = stall(&testbed, "/1", 100).await;
    testbed.sampled(100).await;
    // A worker publishes it once a second.
    let full = async { while held(&testbed).await < LIMIT / 2 {} };
    timeout(PATIENCE, full).await.expect("the worker is full");

    let mut next = policy(&json!({ "mode": "on" }));
    let accounts = support::sized_policy::packed(0..900_000);
    next["segments"] = json!({ "many": { "accounts_packed": accounts } });
    testbed.swap(&next).await;
    let response = testbed.client().send(asks("GET", "/")).await;
    assert_eq!(response.status, 200);
    assert_eq!(testbed.v2.requests(), 1, "the new policy decides");
    finish(&mut stalled).await;
}

/// As many accounts as fit under the smallest limit. Two such policies together exceed it.
const AS_MANY_AS_FIT: u32 = 300_000;

fn smallest_limit(mode: &str, accounts: u32) -> String {
    let mut policy = policy(&json!({ "mode": mode }));
    let accounts = support::sized_policy::packed(0..accounts);
    policy["segments"] = json!({ "many": { "accounts_packed": accounts } });
    let proxy = Proxy {
        max_held_bytes: MaxHeldBytes::new(*MaxHeldBytes::RANGE.start()).expect("a limit"),
        ..Proxy::default()
    };
    Configuration::to_json(&policy.to_string(), proxy)
}

#[tokio::test]
async fn a_policy_that_fits_alone_replaces_another_and_one_that_does_not_changes_nothing() {
    let testbed = Testbed::live(&smallest_limit("off", AS_MANY_AS_FIT), one_worker).await;
    assert_eq!(decided(&testbed).await, "v1");
    let next = smallest_limit("on", AS_MANY_AS_FIT);
    assert_eq!(testbed.swap(&next).await, Swap::Accepted);
    assert_eq!(decided(&testbed).await, "v2");
    let too_large = smallest_limit("off", 3 * AS_MANY_AS_FIT);
    assert_eq!(testbed.swap(&too_large).await, Swap::Rejected);
    assert_eq!(decided(&testbed).await, "v2");
}

async fn decided(testbed: &Testbed) -> String {
    let response = testbed.client().send(request_of(OUTSIDE)).await;
    version(&response).to_owned()
}

/// Uploads without their last byte.
async fn stall(testbed: &ShadowTestbed, path: &str, uploads: usize) -> Vec<Wire> {
    let body = vec![b'b'; MIB - 1];
    let mut stalled = Vec::new();
    for number in 0..uploads {
        let mut wire = Wire::open(testbed.address()).await;
        wire.write(upload(path, number, MIB)).await;
        wire.write(&body).await;
        stalled.push(wire);
    }
    stalled
}

async fn finish(stalled: &mut [Wire]) {
    for wire in stalled {
        wire.write(b"b").await;
        assert_eq!(wire.read_response("POST").await.status, 200);
    }
}
