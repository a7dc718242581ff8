//! Counters: counts are published at ticks and before a policy ends, and none is lost.

use serde_json::json;
use support::mock::Vm;
use turnout_core::{Configuration, Inbound};

use crate::{accept, configured};

const ADD: &str = "proxy_increment_metric";
const ON: &str = "turnout.decisions.r.v2.on";
const OFF: &str = "turnout.decisions.r.v1.off";
const NO_ROLLOUT: &str = "turnout.decisions.-.v1.no_rollout";

fn configuration(mode: &str) -> String {
    let policy = json!({
        "version": 1,
        "account": { "from": [{ "header": "x-account-sid" }], "format": "sid" },
        "rollouts": [
            { "name": "r", "match": { "path": { "prefix": "/r" } }, "v1": "a", "v2": "b", "mode": mode },
        ],
    });
    Configuration::to_json(&policy.to_string(), Inbound::Strip)
}

fn request(path: &str) -> [(&str, &str); 3] {
    [(":method", "GET"), (":authority", "a"), (":path", path)]
}

fn send(vm: &mut Vm, path: &str) {
    vm.exchange(&request(path)).expect("no trap");
}

/// How often a tick calls the proxy.
fn published_by_a_tick(vm: &mut Vm) -> usize {
    vm.drain_root_calls();
    vm.tick().expect("no trap");
    let calls = vm.drain_root_calls();
    calls.iter().filter(|call| **call == ADD).count()
}

#[test]
fn a_tick_publishes_each_changed_counter_once() {
    let mut vm = configured(&configuration("on"));
    assert_eq!(
        published_by_a_tick(&mut vm),
        1,
        "nothing was counted; held bytes are published once"
    );
    (0..1_000).for_each(|_| send(&mut vm, "/r"));
    (0..3).for_each(|_| send(&mut vm, "/other"));
    assert_eq!(vm.metrics()[ON], 0, "a request publishes nothing");
    assert_eq!(published_by_a_tick(&mut vm), 2);
    assert_eq!(vm.metrics()[ON], 1_000);
    assert_eq!(vm.metrics()[NO_ROLLOUT], 3);
    assert_eq!(published_by_a_tick(&mut vm), 0, "published once");
    assert_eq!(vm.metrics()[ON], 1_000);
}

#[test]
fn a_replaced_policy_loses_no_counts() {
    let mut vm = configured(&configuration("on"));
    (0..5).for_each(|_| send(&mut vm, "/r"));
    // A request in flight keeps the policy. Its counts are published in the end.
    let under_way = vm.request(&request("/r"), true).expect("no trap");
    accept(&mut vm, &configuration("off"));
    assert_eq!(vm.metrics()[ON], 0);
    send(&mut vm, "/r");
    vm.finish(under_way).expect("no trap");
    assert_eq!(vm.metrics()[ON], 6);
    vm.tick().expect("no trap");
    assert_eq!((vm.metrics()[ON], vm.metrics()[OFF]), (6, 1));

    // The same for a policy without requests in flight.
    (0..4).for_each(|_| send(&mut vm, "/r"));
    accept(&mut vm, &configuration("on"));
    assert_eq!(vm.metrics()[OFF], 5);
}

#[test]
fn a_plugin_that_is_configured_twice_loses_nothing() {
    let mut vm = configured(&configuration("on"));
    (0..5).for_each(|_| send(&mut vm, "/r"));
    let again = vm.configure_again(configuration("on").as_bytes());
    assert!(again.expect("no trap"));
    assert_eq!(vm.metrics()[ON], 5);
    send(&mut vm, "/r");
    vm.tick().expect("no trap");
    assert_eq!(vm.metrics()[ON], 6);
}
