//! The guard in the filter: what it counts, what its workers share, how long it is latched.

use serde_json::{Value, json};
use support::mock::{ForcedStatus, Level, Vm};
use support::wasm::{filter_wasm, lean_wasm};
use turnout_core::{Configuration, Inbound};

use crate::{accept, configured};

const ACCOUNT: &str = "AC0123456789abcdef0123456789abcdef";

fn policy(rollouts: &[Value]) -> String {
    let policy = json!({
        "version": 1,
        "account": { "from": [{ "header": "x-account-sid" }], "format": "sid" },
        "rollouts": rollouts,
    });
    Configuration::to_json(&policy.to_string(), Inbound::Strip)
}

/// A rollout at 50 % of requests, for paths that begin with its name.
fn rollout(name: &str, guard: &Value) -> Value {
    json!({
        "name": name, "match": { "path": { "prefix": format!("/{name}") } }, "v1": "a", "v2": "b", "mode": "split",
        "rules": [{ "accounts": 100, "requests": 50 }],
        "guard": guard,
    })
}

fn guarded(guard: &Value) -> String {
    policy(&[rollout("r", guard)])
}

fn quick() -> Value {
    json!({ "settle_seconds": 1 })
}

/// How upstream responds.
#[derive(Clone, Copy)]
struct Upstream {
    v1: u64,
    v2: u64,
}

const HEALTHY: Upstream = Upstream { v1: 200, v2: 200 };
const V2_FAILS: Upstream = Upstream { v1: 200, v2: 500 };
const BOTH_FAIL: Upstream = Upstream { v1: 500, v2: 500 };

/// Sends a request, and returns its treatment and reason.
fn send(vm: &mut Vm, path: &str, id: &str, upstream: Upstream) -> (String, String) {
    let headers = [
        (":method", "GET"),
        (":authority", "a"),
        (":path", path),
        ("x-account-sid", ACCOUNT),
        ("x-request-id", id),
    ];
    let stream = vm.request(&headers, true).expect("no trap");
    let is_v2 = vm.request_header(&stream, "x-turnout-cluster").as_deref() == Some("b");
    let code = if is_v2 { upstream.v2 } else { upstream.v1 };
    vm.response(&stream, &[(":status", &code.to_string())], true)
        .expect("no trap");
    end_with(vm, code, 0, "via_upstream");
    let exchange = vm.finish(stream).expect("no trap");
    let logged = exchange.logged();
    (logged["treatment"].clone(), logged["reason"].clone())
}

fn end_with(vm: &mut Vm, code: u64, flags: u64, details: &str) {
    vm.set_property(&["response", "code"], &code.to_le_bytes());
    vm.set_property(&["response", "flags"], &flags.to_le_bytes());
    vm.set_property(&["response", "code_details"], details.as_bytes());
    vm.set_property(&["request", "duration"], &1_000_000_u64.to_le_bytes());
}

/// Sends requests with new ids to `/r`, and returns how many of them took v2.
fn send_many(vm: &mut Vm, name: &str, requests: usize, upstream: Upstream) -> usize {
    let requests = (0..requests).map(|number| format!("{name}-{number}"));
    requests
        .filter(|id| send(vm, "/r", id, upstream).0 == "v2")
        .count()
}

fn ticks(vms: &mut [&mut Vm], seconds: usize) {
    for _ in 0..seconds {
        for vm in vms.iter_mut() {
            vm.tick().expect("no trap");
        }
    }
}

fn state(vm: &Vm) -> u64 {
    vm.metrics()["turnout.guard_state.r"]
}

/// The lines of the log about guards.
fn lines(vm: &mut Vm) -> Vec<String> {
    let lines = vm.drain_log().into_iter();
    let lines = lines.filter(|(level, line)| *level == Level::Warn && line.contains("guard of"));
    lines.map(|(_, line)| line).collect()
}

#[test]
fn everyone_is_on_v1_once_v2_is_worse() {
    let mut vm = configured(&guarded(&quick()));
    assert_eq!(state(&vm), 0);
    let of_v2 = send_many(&mut vm, "a", 60, V2_FAILS);
    ticks(&mut [&mut vm], 1);
    assert_eq!(state(&vm), 1, "the outcomes of a second have not settled");
    let reason = send(&mut vm, "/r", "during", V2_FAILS);
    assert_eq!(reason, ("v1".into(), "guard".into()));
    ticks(&mut [&mut vm], 1);
    assert_eq!(state(&vm), 2);
    assert_eq!(send(&mut vm, "/r", "later", HEALTHY).1, "guard");
    ticks(&mut [&mut vm], 1);
    let metrics = vm.metrics();
    let of_v2 = of_v2 as u64;
    assert_eq!(metrics["turnout.guard.r.50.v2.all"], of_v2);
    assert_eq!(metrics["turnout.guard.r.50.v2.errors"], of_v2);
    assert_eq!(metrics["turnout.guard.r.50.v1.all"], 60 - of_v2);
    assert_eq!(metrics["turnout.guard.r.50.v1.errors"], 0);
    assert!(!metrics.contains_key("turnout.guard.r.50.v1.slow"));
    assert_eq!(metrics["turnout.guard_threshold_milli.r"], 2_000);
    assert!(metrics["turnout.guard_evidence_milli.r"] >= 2_000);
    assert_eq!(metrics["turnout.decisions.r.v1.guard"], 2);
    let lines = lines(&mut vm);
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].contains("v2 looks worse"), "{lines:?}");
    assert!(lines[1].contains("v2 is worse"), "{lines:?}");
}

#[test]
fn errors_of_both_treatments_do_nothing() {
    let mut vm = configured(&guarded(&quick()));
    for second in 0..20 {
        send_many(&mut vm, &format!("s{second}"), 50, BOTH_FAIL);
        ticks(&mut [&mut vm], 1);
    }
    assert_eq!(state(&vm), 0);
    assert_eq!(lines(&mut vm), [""; 0]);
}

#[test]
fn a_guard_that_only_reports_changes_no_decision() {
    let guard = json!({ "settle_seconds": 1, "action": "report" });
    let mut vm = configured(&guarded(&guard));
    send_many(&mut vm, "a", 60, V2_FAILS);
    ticks(&mut [&mut vm], 3);
    assert_eq!(state(&vm), 2);
    assert!(send_many(&mut vm, "b", 60, V2_FAILS) > 10);
}

#[test]
fn what_one_worker_finds_all_workers_know_within_a_second() {
    let mut one = configured(&guarded(&quick()));
    let mut two = one.start_worker();
    accept(&mut two, &guarded(&quick()));
    ticks(&mut [&mut one, &mut two], 1);
    send_many(&mut one, "a", 60, V2_FAILS);
    ticks(&mut [&mut one, &mut two], 2);
    assert_eq!((state(&one), state(&two)), (2, 2));
    assert_eq!(send(&mut two, "/r", "x", HEALTHY).1, "guard");
    let lines = [lines(&mut one), lines(&mut two)];
    assert_eq!(lines.each_ref().map(Vec::len), [2, 0], "{lines:?}");
    let settled = |vm: &Vm| vm.metrics()["turnout.guard.r.50.v2.errors"];
    assert!(settled(&one) > 10);
    assert_eq!(settled(&two), 0, "each worker counts only its own requests");
}

#[test]
fn errors_of_several_workers_add_up() {
    let mut workers: Vec<Vm> = vec![configured(&guarded(&quick()))];
    for _ in 1..8 {
        let mut worker = workers[0].start_worker();
        accept(&mut worker, &guarded(&quick()));
        workers.push(worker);
    }
    let mut all: Vec<&mut Vm> = workers.iter_mut().collect();
    ticks(&mut all, 1);
    for (number, vm) in all.iter_mut().enumerate() {
        send_many(vm, &format!("w{number}"), 5, V2_FAILS);
    }
    ticks(&mut all, 4);
    assert!(all.iter().all(|vm| state(vm) == 2));
}

#[test]
fn a_guard_stays_tripped_through_changes_of_other_rollouts_and_builds() {
    let other = |mode: &str| json!({ "name": "other", "match": { "path": { "prefix": "/other" } }, "v1": "a", "v2": "b", "mode": mode });
    let first = policy(&[rollout("r", &quick()), other("off")]);
    let mut vm = configured(&first);
    send_many(&mut vm, "a", 60, V2_FAILS);
    ticks(&mut [&mut vm], 2);
    assert_eq!(state(&vm), 2);
    for changed in [
        first.clone(),
        policy(&[rollout("r", &quick()), other("on")]),
        policy(&[other("on"), rollout("r", &quick())]),
    ] {
        accept(&mut vm, &changed);
        assert_eq!(send(&mut vm, "/r", "at-once", HEALTHY).1, "guard");
        ticks(&mut [&mut vm], 1);
        assert_eq!(state(&vm), 2);
        assert_eq!(send(&mut vm, "/r", "later", HEALTHY).1, "guard");
    }
    let mut other_build = vm.start_worker_of(&lean_wasm());
    accept(&mut other_build, &first);
    assert_eq!(send(&mut other_build, "/r", "build", HEALTHY).1, "guard");
}

#[test]
fn a_change_of_its_own_rollout_re_arms_a_guard() {
    let rearmed = json!({ "settle_seconds": 1, "rearmed": 1 });
    let renamed = json!({ "settle_seconds": 1, "alpha": 0.02 });
    for changed in [rearmed, renamed] {
        let mut vm = configured(&guarded(&quick()));
        send_many(&mut vm, "a", 60, V2_FAILS);
        ticks(&mut [&mut vm], 2);
        accept(&mut vm, &guarded(&changed));
        assert_eq!(state(&vm), 0);
        assert!(send_many(&mut vm, "b", 60, HEALTHY) > 10);
        ticks(&mut [&mut vm], 3);
        assert_eq!(state(&vm), 0);
        // And back: that is another change.
        accept(&mut vm, &guarded(&quick()));
        ticks(&mut [&mut vm], 3);
        assert_eq!(state(&vm), 0);
    }
}

#[test]
fn a_halt_of_the_rollout_does_not_re_arm_its_guard() {
    let mut halted = rollout("r", &quick());
    halted["halted"] = json!(true);
    let mut vm = configured(&guarded(&quick()));
    send_many(&mut vm, "a", 60, V2_FAILS);
    ticks(&mut [&mut vm], 2);
    accept(&mut vm, &policy(&[halted]));
    assert_eq!(send(&mut vm, "/r", "halted", HEALTHY).1, "halted");
    ticks(&mut [&mut vm], 1);
    accept(&mut vm, &guarded(&quick()));
    assert_eq!(send(&mut vm, "/r", "resumed", HEALTHY).1, "guard");
}

#[test]
fn every_compared_request_settles_whatever_replaces_the_policy() {
    let mut vm = configured(&guarded(&json!({})));
    let mut sent = [0, 0];
    for swap in 0..12_u32 {
        let of_v2 = send_many(&mut vm, &format!("s{swap}"), 30, HEALTHY);
        sent = [sent[0] + 30 - of_v2, sent[1] + of_v2];
        ticks(&mut [&mut vm], 1);
        accept(&mut vm, &guarded(&json!({ "rearmed": swap / 2 })));
    }
    accept(&mut vm, &policy(&[]));
    let metrics = vm.metrics();
    let counted = ["v1", "v2"].map(|arm| metrics[&format!("turnout.guard.r.50.{arm}.all")]);
    assert_eq!(counted, sent.map(|count| count as u64));
}

#[test]
fn the_shared_data_does_not_grow_with_policies_and_builds() {
    let mut vm = configured(&guarded(&quick()));
    ticks(&mut [&mut vm], 1);
    assert_eq!(vm.shared_keys(), 1);
    for swap in 0..20 {
        accept(&mut vm, &guarded(&json!({ "rearmed": swap })));
        ticks(&mut [&mut vm], 1);
    }
    assert_eq!(vm.shared_keys(), 1);
    for swap in 0..20 {
        let mut next = vm.start_worker();
        accept(&mut next, &guarded(&json!({ "rearmed": swap / 4 })));
        ticks(&mut [&mut vm, &mut next], 1);
        send_many(&mut next, &format!("b{swap}"), 10, HEALTHY);
        vm.leave().expect("no trap");
        vm = next;
    }
    assert!(vm.shared_keys() <= 3, "{}", vm.shared_keys());
}

#[test]
fn counts_of_an_ended_build_remain() {
    let mut old = configured(&guarded(&quick()));
    send_many(&mut old, "a", 4, V2_FAILS);
    ticks(&mut [&mut old], 3);
    let mut new = old.start_worker();
    accept(&mut new, &guarded(&quick()));
    ticks(&mut [&mut old, &mut new], 1);
    let evidence = |vm: &Vm| vm.metrics()["turnout.guard_evidence_milli.r"];
    let before = evidence(&new);
    assert!(before > 0);
    old.leave().expect("no trap");
    ticks(&mut [&mut new], 20);
    assert_eq!(evidence(&new), before);
}

#[test]
fn without_shared_data_each_worker_counts_alone_with_less_alpha() {
    let mut vm = Vm::start(&filter_wasm());
    vm.force_status(ForcedStatus {
        function: Some("proxy_set_shared_data"),
        callback: None,
        status: 12,
    });
    accept(&mut vm, &guarded(&quick()));
    ticks(&mut [&mut vm], 1);
    assert_eq!(vm.metrics()["turnout.guard_threshold_milli.r"], 4_107);
    send_many(&mut vm, "a", 100, V2_FAILS);
    ticks(&mut [&mut vm], 2);
    assert_eq!(state(&vm), 2);
}

#[test]
fn one_account_can_be_ejected_alone() {
    let guard = json!({ "settle_seconds": 1, "accounts": { "false_ejections": 1 } });
    let mut vm = configured(&guarded(&guard));
    send_many(&mut vm, "a", 200, V2_FAILS);
    ticks(&mut [&mut vm], 3);
    assert_eq!(state(&vm), 0);
    assert_eq!(send(&mut vm, "/r", "x", HEALTHY).1, "guard_account");
    let other = [
        (":method", "GET"),
        (":authority", "a"),
        (":path", "/r"),
        ("x-account-sid", "AC00000000000000000000000000000000"),
        ("x-request-id", "y"),
    ];
    let reason = vm.exchange(&other).expect("no trap").logged()["reason"].clone();
    assert_ne!(reason, "guard_account");
}

#[test]
fn a_guard_that_was_removed_from_the_policy_is_armed_when_it_returns() {
    let mut one = configured(&guarded(&quick()));
    let mut two = one.start_worker();
    accept(&mut two, &guarded(&quick()));
    ticks(&mut [&mut one, &mut two], 1);
    send_many(&mut one, "a", 60, V2_FAILS);
    ticks(&mut [&mut one, &mut two], 2);
    assert_eq!((state(&one), state(&two)), (2, 2));
    for vm in [&mut one, &mut two] {
        accept(vm, &policy(&[]));
    }
    for vm in [&mut one, &mut two] {
        accept(vm, &guarded(&quick()));
        assert_eq!(state(vm), 0);
        assert!(send_many(vm, "b", 60, HEALTHY) > 10);
    }
    ticks(&mut [&mut one, &mut two], 3);
    assert_eq!((state(&one), state(&two)), (0, 0));
}

#[test]
fn a_worker_that_ended_by_a_trap_does_not_trip_a_guard_that_was_re_armed() {
    let mut vm = configured(&guarded(&quick()));
    let mut trapped = vm.start_worker();
    accept(&mut trapped, &guarded(&quick()));
    ticks(&mut [&mut vm, &mut trapped], 1);
    send_many(&mut vm, "a", 60, V2_FAILS);
    ticks(&mut [&mut vm, &mut trapped], 2);
    assert_eq!((state(&vm), state(&trapped)), (2, 2));
    drop(trapped);
    accept(
        &mut vm,
        &guarded(&json!({ "settle_seconds": 1, "rearmed": 1 })),
    );
    ticks(&mut [&mut vm], 10);
    accept(&mut vm, &guarded(&quick()));
    ticks(&mut [&mut vm], 3);
    assert_eq!(state(&vm), 0);
}

#[test]
fn a_worker_that_stalls_gets_a_slot_of_its_own_again() {
    let mut one = configured(&guarded(&quick()));
    let mut stalled = one.start_worker();
    accept(&mut stalled, &guarded(&quick()));
    ticks(&mut [&mut one, &mut stalled], 1);
    let rearmed = guarded(&json!({ "settle_seconds": 1, "rearmed": 1 }));
    accept(&mut one, &rearmed);
    ticks(&mut [&mut one], 10);
    // Its slot is free now, and the guard of another rollout takes it.
    let other = policy(&[
        rollout("r", &json!({ "settle_seconds": 1, "rearmed": 1 })),
        rollout("other", &quick()),
    ]);
    accept(&mut one, &other);
    ticks(&mut [&mut one], 1);
    ticks(&mut [&mut one, &mut stalled], 2);
    accept(&mut stalled, &other);
    ticks(&mut [&mut one, &mut stalled], 2);
    let number = |number: usize| format!("x{number}");
    for number in (0..60).map(number) {
        send(&mut stalled, "/other", &number, V2_FAILS);
    }
    ticks(&mut [&mut stalled, &mut one], 3);
    for vm in [&one, &stalled] {
        let metrics = vm.metrics();
        assert_eq!(metrics["turnout.guard_state.other"], 2);
        assert_eq!(metrics["turnout.guard_state.r"], 0);
    }
    assert_eq!(one.shared_keys(), 4);
}

#[test]
fn many_policies_within_a_second_end_no_other_worker() {
    let mut one = configured(&guarded(&quick()));
    let mut two = one.start_worker();
    accept(&mut two, &guarded(&quick()));
    ticks(&mut [&mut one, &mut two], 1);
    send_many(&mut one, "a", 60, V2_FAILS);
    ticks(&mut [&mut one, &mut two], 2);
    lines(&mut two);
    for _ in 0..8 {
        accept(&mut two, &policy(&[]));
        accept(&mut two, &guarded(&quick()));
        assert_eq!(state(&two), 2);
    }
    assert_eq!(lines(&mut two), [""; 0], "the other worker has logged it");
}

#[test]
fn a_configuration_that_is_tried_and_not_used_does_not_change_the_gauges_for_long() {
    let mut vm = configured(&guarded(&quick()));
    send_many(&mut vm, "a", 60, V2_FAILS);
    ticks(&mut [&mut vm], 3);
    vm.drain_root_calls();
    ticks(&mut [&mut vm], 1);
    let calls = vm.drain_root_calls();
    let gauges = calls.iter().filter(|call| **call == "proxy_record_metric");
    assert!(gauges.count() >= 3, "{calls:?}");
}

#[test]
fn a_guard_finds_a_free_slot_with_few_calls() {
    const GUARDS: usize = 100;
    let rollouts: Vec<Value> = (0..GUARDS)
        .map(|number| rollout(&format!("r{number}"), &quick()))
        .collect();
    let policy = policy(&rollouts);
    let mut vms = vec![configured(&policy)];
    for _ in 1..3 {
        let mut vm = vms[0].start_worker();
        accept(&mut vm, &policy);
        vms.push(vm);
    }
    for vm in &mut vms {
        vm.drain_root_calls();
        vm.tick().expect("no trap");
        let first = vm.drain_root_calls().len();
        vm.tick().expect("no trap");
        let next = vm.drain_root_calls().len();
        println!("{first} calls at the first tick, then {next}");
        assert!(
            first <= 3 * 3 * GUARDS && next <= 3 * 3 * GUARDS,
            "{first} {next}"
        );
    }
    assert_eq!(vms[0].shared_keys(), 3 * GUARDS);
    let last = vms.len() - 1;
    let vm = &mut vms[last];
    vm.drain_root_calls();
    accept(vm, &guarded(&quick()));
    let calls = vm.drain_root_calls();
    let reads = calls
        .iter()
        .filter(|call| **call == "proxy_get_shared_data");
    assert!(reads.count() <= 3 * 3 * GUARDS + 3);
}

#[test]
fn a_trip_outlives_the_build_that_found_it() {
    let mut old = configured(&guarded(&quick()));
    let mut old_too = old.start_worker();
    accept(&mut old_too, &guarded(&quick()));
    ticks(&mut [&mut old, &mut old_too], 1);
    send_many(&mut old, "a", 60, V2_FAILS);
    ticks(&mut [&mut old, &mut old_too], 2);
    let mut new = old.start_worker_of(&lean_wasm());
    old.leave().expect("no trap");
    old_too.leave().expect("no trap");
    accept(&mut new, &guarded(&quick()));
    assert_eq!(send(&mut new, "/r", "x", HEALTHY).1, "guard");
    ticks(&mut [&mut new], 10);
    assert_eq!(send(&mut new, "/r", "x", HEALTHY).1, "guard");
    let mut newer = new.start_worker();
    accept(&mut newer, &guarded(&quick()));
    new.leave().expect("no trap");
    ticks(&mut [&mut newer], 1);
    assert_eq!(send(&mut newer, "/r", "x", HEALTHY).1, "guard");
}
