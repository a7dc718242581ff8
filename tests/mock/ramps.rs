//! Ramps and regions: with a ramp the filter reads the clock once a second, and never for a request.

use serde_json::{Value, json};
use support::mock::{Level, Vm};
use turnout_core::{Configuration, Inbound, Time};

use crate::{accept, in_region};

const CLOCK: &str = "proxy_get_current_time_nanoseconds";

fn configuration(rule: &Value) -> String {
    let policy = json!({
        "version": 1,
        "account": { "from": [{ "header": "x-account-sid" }], "format": "sid" },
        "rollouts": [{ "name": "r", "v1": "a", "v2": "b", "mode": "split", "rules": [rule] }],
    });
    Configuration::to_json(&policy.to_string(), Inbound::Strip)
}

fn ramp() -> Value {
    json!({ "accounts": [
        { "from": "2026-12-01T09:00:00Z", "percent": 100 },
        { "from": "2026-12-01T09:00:10Z", "percent": 0 },
    ] })
}

fn set_time(vm: &mut Vm, time: &str) {
    let seconds = Time::parse(time).expect("a moment").seconds();
    vm.set_time(seconds.cast_unsigned() * 1_000_000_000);
}

/// The decision of a request, which does not read the clock.
fn reason(vm: &mut Vm) -> String {
    let request = [
        (":method", "GET"),
        (":authority", "a"),
        (":path", "/"),
        ("x-account-sid", "AC7342e9713fa896e4af00c654c444aada"),
    ];
    let exchange = vm.exchange(&request).expect("no trap");
    assert!(
        !exchange.host_calls.contains(&CLOCK),
        "{:?}",
        exchange.host_calls
    );
    exchange.logged()["reason"].clone()
}

#[test]
fn a_ramp_step_starts_at_the_next_tick() {
    let mut vm = in_region("");
    set_time(&mut vm, "2026-12-01T08:59:59Z");
    accept(&mut vm, &configuration(&ramp()));
    assert_eq!(reason(&mut vm), "outside_accounts", "before the first step");

    set_time(&mut vm, "2026-12-01T09:00:00Z");
    assert_eq!(
        reason(&mut vm),
        "outside_accounts",
        "nothing read the clock"
    );
    vm.tick().expect("no trap");
    assert_eq!(reason(&mut vm), "rule");

    set_time(&mut vm, "2026-12-01T09:00:09Z");
    vm.tick().expect("no trap");
    assert_eq!(reason(&mut vm), "rule");
    set_time(&mut vm, "2026-12-01T09:00:10Z");
    vm.tick().expect("no trap");
    assert_eq!(
        reason(&mut vm),
        "outside_accounts",
        "the second step goes back"
    );

    set_time(&mut vm, "2026-12-01T09:00:05Z");
    vm.tick().expect("no trap");
    assert_eq!(
        reason(&mut vm),
        "rule",
        "the clock was ahead, and is set back"
    );
}

#[test]
fn a_late_policy_starts_at_the_current_step() {
    let mut vm = in_region("");
    set_time(&mut vm, "2026-12-01T09:00:05Z");
    accept(&mut vm, &configuration(&ramp()));
    assert_eq!(reason(&mut vm), "rule");
    assert_eq!(vm.timers(), 1);
}

#[test]
fn without_a_ramp_no_tick_reads_the_clock() {
    for (rule, looks) in [(json!({ "accounts": 50 }), 0), (ramp(), 1)] {
        let mut vm = in_region("");
        accept(&mut vm, &configuration(&rule));
        vm.drain_root_calls();
        vm.tick().expect("no trap");
        let calls = vm.drain_root_calls();
        let seen = calls.iter().filter(|call| **call == CLOCK).count();
        assert_eq!(seen, looks, "{rule}");
        assert_eq!(vm.timers(), 1);
    }
}

#[test]
fn a_missing_region_is_reported() {
    let rule = json!({ "when": { "regions": ["us-east-1"] } });
    for (region, warnings) in [("", 1), ("us-east-1", 0), ("eu-west-1", 0)] {
        let mut vm = in_region(region);
        accept(&mut vm, &configuration(&rule));
        let log = vm.drain_log();
        let warned: Vec<_> = log
            .iter()
            .filter(|(level, _)| *level == Level::Warn)
            .collect();
        assert_eq!(warned.len(), warnings, "{log:?}");
        assert!(
            warned.iter().all(|(_, line)| line.contains("locality")),
            "{log:?}"
        );
    }
}
