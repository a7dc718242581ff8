//! What a worker holds under attack, by the memory of Envoy's process: no filter runs out of it, and every
//! user is answered.

use std::time::Duration;

use harness::envoy::Swap;
use harness::scripted::{Answer, Fault, Scripted};
use serde_json::{Value, json};
use tokio::time::timeout;
use turnout_core::{Configuration, MaxHeldBytes, Proxy};

use super::bounded::Memory;
use super::scene::{Shadowed, asks, one_worker, shadow_policy};
use super::wire::{Wire, head};
use crate::scene::{OUTSIDE, Scene, policy, request_of, version};

const MIB: usize = 1 << 20;
const PATIENCE: Duration = Duration::from_secs(60);
/// What the filter holds unless it is told otherwise.
const LIMIT: u64 = 64 << 20;
/// What Envoy itself may hold of the calls under way, and what allocators keep besides.
const ENVOY: u64 = 96 << 20;

fn largest_samples() -> Value {
    shadow_policy(&json!({
        "max_body_bytes": MIB, "max_in_flight": 1_000, "timeout_ms": 60_000,
    }))
}

async fn scene() -> Shadowed {
    let answer = |_: &_| Answer::text("taken");
    let (v1, v2) = (Scripted::start(answer), Scripted::start(answer));
    Shadowed::between(v1, v2, &largest_samples(), one_worker).await
}

fn upload(path: &str, number: usize, length: usize) -> String {
    let length = format!("content-length: {length}");
    let account = format!("x-account-sid: AC{:032x}", number + 1);
    head("POST", path, &[&length, &account])
}

async fn held(scene: &Shadowed) -> u64 {
    const GAUGE: &str = "wasmcustom.turnout.held_bytes";
    scene.envoy.admin().stats("turnout.held_bytes").await[GAUGE]
}

fn check(before: Memory, now: Memory) {
    println!("from {before} to {now}");
    assert!(
        now.most <= before.most + LIMIT + ENVOY,
        "from {before} to {now}"
    );
}

#[tokio::test]
async fn the_largest_bodies_and_a_silent_v2_neither_trap_nor_pass_the_limit() {
    const REQUESTS: usize = 600;
    let mut scene = scene().await;
    scene.v2.fail(Fault::Silence);
    let before = Memory::of(&scene);
    let body = vec![b'b'; MIB];
    let mut wire = Wire::open(scene.address()).await;
    for number in 0..REQUESTS {
        wire.write(upload("/1", number, MIB)).await;
        wire.write(&body).await;
        assert_eq!(wire.answer("POST").await.status, 200);
        if number % 100 == 0 {
            let held = held(&scene).await;
            assert!(held <= LIMIT, "{held}");
        }
    }
    check(before, Memory::of(&scene));
    scene.v2.heal();
    let outcomes = scene.any(REQUESTS as u64).await;
    assert!(outcomes["dropped_busy"] >= 500, "{outcomes:?}");
    scene.settle().await;
}

#[tokio::test]
async fn uploads_that_stall_neither_trap_nor_pass_the_limit() {
    const UPLOADS: usize = 400;
    let mut scene = scene().await;
    // What the same uploads cost where no rollout has them.
    finish(&mut stall(&scene, "/../elsewhere", UPLOADS).await).await;
    let before = Memory::of(&scene);
    let mut stalled = stall(&scene, "/1", UPLOADS).await;
    scene.sampled(UPLOADS as u64).await;
    assert!(held(&scene).await <= LIMIT);
    check(before, Memory::of(&scene));
    // Each of them ends as it would without the filter.
    finish(&mut stalled).await;
    let outcomes = scene.any(UPLOADS as u64).await;
    assert!(outcomes.contains_key("dropped_busy"), "{outcomes:?}");
    scene.settle().await;
}

/// Envoy asks its main thread whether a policy is right, where no samples are. A worker that refused it then
/// would be left without the filter.
#[tokio::test]
async fn whatever_samples_hold_a_worker_takes_the_next_policy() {
    let answer = |_: &_| Answer::text("taken");
    let (v1, v2) = (Scripted::start(answer), Scripted::start(answer));
    let scene = Shadowed::live(v1, v2, &largest_samples(), one_worker).await;
    let mut stalled = stall(&scene, "/1", 100).await;
    scene.sampled(100).await;
    // A worker tells it once a second.
    let full = async { while held(&scene).await < LIMIT / 2 {} };
    timeout(PATIENCE, full).await.expect("the worker is full");

    let mut next = policy(&json!({ "mode": "on" }));
    let accounts = harness::scene::packed(0..900_000);
    next["segments"] = json!({ "many": { "accounts_packed": accounts } });
    scene.swap(&next).await;
    let answer = scene.client().send(asks("GET", "/")).await;
    assert_eq!(answer.status, 200);
    assert_eq!(scene.v2.requests(), 1, "the new policy decides");
    finish(&mut stalled).await;
}

/// As many accounts as fit, under the smallest limit: two such policies at once are more than it.
const AS_MANY_AS_FIT: u32 = 300_000;

fn smallest_limit(mode: &str, accounts: u32) -> String {
    let mut policy = policy(&json!({ "mode": mode }));
    let accounts = harness::scene::packed(0..accounts);
    policy["segments"] = json!({ "many": { "accounts_packed": accounts } });
    let proxy = Proxy {
        max_held_bytes: MaxHeldBytes::new(*MaxHeldBytes::RANGE.start()).expect("a limit"),
        ..Proxy::default()
    };
    Configuration::to_json(&policy.to_string(), proxy)
}

#[tokio::test]
async fn a_policy_that_fits_alone_follows_another_and_one_that_does_not_changes_nothing() {
    let scene = Scene::live(&smallest_limit("off", AS_MANY_AS_FIT), one_worker).await;
    assert_eq!(decided(&scene).await, "v1");
    let next = smallest_limit("on", AS_MANY_AS_FIT);
    assert_eq!(scene.swap(&next).await, Swap::Accepted);
    assert_eq!(decided(&scene).await, "v2");
    let too_large = smallest_limit("off", 3 * AS_MANY_AS_FIT);
    assert_eq!(scene.swap(&too_large).await, Swap::Rejected);
    assert_eq!(decided(&scene).await, "v2");
}

async fn decided(scene: &Scene) -> String {
    let answer = scene.client().send(request_of(OUTSIDE)).await;
    version(&answer).to_owned()
}

/// Uploads that have all but their last byte.
async fn stall(scene: &Shadowed, path: &str, uploads: usize) -> Vec<Wire> {
    let body = vec![b'b'; MIB - 1];
    let mut stalled = Vec::new();
    for number in 0..uploads {
        let mut wire = Wire::open(scene.address()).await;
        wire.write(upload(path, number, MIB)).await;
        wire.write(&body).await;
        stalled.push(wire);
    }
    stalled
}

async fn finish(stalled: &mut [Wire]) {
    for wire in stalled {
        wire.write(b"b").await;
        assert_eq!(wire.answer("POST").await.status, 200);
    }
}
