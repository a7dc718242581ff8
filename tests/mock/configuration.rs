//! Configurations: accepted, rejected, and replaced while requests are in flight.

use support::envoy;
use support::mock::{Level, Vm};
use support::wasm::filter_wasm;
use turnout_core::{Configuration, Inbound};

use crate::{configured, gained};

const REQUEST: [(&str, &str); 4] = [
    (":method", "GET"),
    (":authority", "a"),
    (":path", "/"),
    ("x-account-sid", "AC7342e9713fa896e4af00c654c444aada"),
];

fn configuration(mode: &str) -> String {
    let policy = format!(
        r#"{{"version": 1, "account": {{"from": [{{"header": "x-account-sid"}}], "format": "sid"}},
            "rollouts": [{{"name": "r", "v1": "a", "v2": "b", "mode": "{mode}"}}]}}"#
    );
    Configuration::to_json(&policy, Inbound::Strip)
}

fn lines(vm: &mut Vm, level: Level) -> Vec<String> {
    let lines = vm.drain_log().into_iter();
    lines
        .filter(|(found, _)| *found == level)
        .map(|(_, line)| line)
        .collect()
}

#[test]
fn the_shipped_policy_is_accepted() {
    configured(&Configuration::to_json(
        &envoy::file("policy.json"),
        Inbound::Strip,
    ));
}

#[test]
fn a_bad_configuration_is_rejected_with_every_error() {
    for bad in [
        "",
        "{}",
        "[",
        "{\"policy\": {\"version\": 2, \"rollouts\": [{}]}}",
        "\0",
    ] {
        let mut vm = Vm::start(&filter_wasm());
        assert!(!vm.configure(bad.as_bytes()).expect("no trap"));
        let problems = Configuration::from_json(bad.as_bytes()).expect_err("a bad configuration");
        let mut expected: Vec<String> = problems
            .as_slice()
            .iter()
            .map(|problem| format!("turnout: {problem}"))
            .collect();
        let count = expected.len();
        expected.push(format!(
            "turnout: configuration refused: {count} problem(s)"
        ));
        assert_eq!(lines(&mut vm, Level::Error), expected);
    }
}

#[test]
fn a_rejected_configuration_leaves_the_active_one() {
    let mut vm = configured(&configuration("on"));
    assert!(!vm.configure(b"{\"policy\": {}}").expect("no trap"));
    let exchange = vm.exchange(&REQUEST).expect("no trap");
    assert_eq!(exchange.header("x-turnout-treatment"), Some("v2"));
}

#[test]
fn counters_start_at_zero_and_continue_with_the_next_policy() {
    let mut vm = configured(&configuration("on"));
    let names: Vec<String> = vm.metrics().into_keys().collect();
    assert!(
        names.contains(&"turnout.decisions.-.v1.no_rollout".to_owned()),
        "{names:?}"
    );
    assert!(
        names.contains(&"turnout.decisions.r.v1.off".to_owned()),
        "{names:?}"
    );
    assert!(
        !names.contains(&"turnout.decisions.r.v2.off".to_owned()),
        "{names:?}"
    );
    vm.exchange(&REQUEST).expect("no trap");
    gained(&mut vm);
    assert!(
        vm.configure(configuration("off").as_bytes())
            .expect("no trap")
    );
    assert_eq!(vm.metrics()["turnout.decisions.r.v2.on"], 1);
    vm.exchange(&REQUEST).expect("no trap");
    assert_eq!(
        gained(&mut vm),
        [("turnout.decisions.r.v1.off".to_owned(), 1)]
    );
}

#[test]
fn reloading_a_large_policy_again_and_again_does_not_grow() {
    let accounts: Vec<String> = (0..10_000).map(|n| format!("\"AC{n:032x}\"")).collect();
    let policy = format!(
        r#"{{"version": 1, "account": {{"from": [{{"header": "x-account-sid"}}], "format": "sid"}},
            "segments": {{"s": {{"accounts": [{}]}}}}, "rollouts": []}}"#,
        accounts.join(",")
    );
    let configuration = Configuration::to_json(&policy, Inbound::Strip);
    let mut vm = configured(&configuration);
    let reload = |vm: &mut Vm| assert!(vm.configure(configuration.as_bytes()).expect("no trap"));
    // The allocator reaches its final size by the twentieth policy. Another hundred and forty add nothing.
    (0..24).for_each(|_| reload(&mut vm));
    let settled = vm.memory_bytes();
    (0..12).for_each(|_| reload(&mut vm));
    assert_eq!(vm.memory_bytes(), settled);
}
