//! The decisions of the corpus in the filter.

use support::corpus::{Expectation, Scenario};
use support::mock::{Exchange, Vm};
use support::wasm::lean_wasm;

use crate::{accept, gained, in_region, placed};

#[test]
fn every_case_agrees() {
    for (file, scenario) in Scenario::all() {
        let mut vm = in_region(&scenario.region);
        accept(&mut vm, &scenario.configuration());
        send_all_cases(&mut vm, &file, &scenario);
    }
}

#[test]
fn every_case_without_shadowing_agrees_in_the_lean_build() {
    let mut asked = 0;
    for (file, scenario) in Scenario::all() {
        let mut vm = placed(Vm::start(&lean_wasm()), &scenario.region);
        let configuration = scenario.configuration();
        let taken = vm.configure(configuration.as_bytes()).expect("no trap");
        assert_eq!(taken, !scenario.needs_shadowing(), "{file}");
        if taken {
            send_all_cases(&mut vm, &file, &scenario);
            asked += 1;
        }
    }
    assert!(asked > 10, "{asked}");
}

fn send_all_cases(vm: &mut Vm, file: &str, scenario: &Scenario) {
    for case in &scenario.cases {
        let name = format!("{file}: {}", case.name);
        vm.drain_counters();
        let exchange = vm.exchange(&case.request.pairs()).expect("no trap");
        check(&name, &exchange, &case.expect);
        assert_eq!(gained(vm), [(case.expect.counter(), 1)], "{name}");
    }
    assert!(vm.unimplemented().is_empty(), "{:?}", vm.unimplemented());
}

fn check(name: &str, exchange: &Exchange, expect: &Expectation) {
    let rollout = expect.rollout.as_deref();
    let served = rollout.map(|_| expect.served());
    assert_eq!(exchange.header("x-turnout-treatment"), served, "{name}");
    let cluster = served.map(|served| format!("channels-{served}"));
    assert_eq!(
        exchange.header("x-turnout-cluster"),
        cluster.as_deref(),
        "{name}"
    );
    if let Some(rollout) = rollout {
        let entry = format!("{rollout}={}", expect.served());
        let decisions = exchange.header("x-turnout-decision").expect("a decision");
        let own = format!("{rollout}=");
        let entries: Vec<_> = decisions
            .split(',')
            .filter(|e| e.starts_with(&own))
            .collect();
        assert_eq!(entries, [entry], "{name}");
        assert!(exchange.header_changes > 0, "{name}");
    }
    let logged = exchange.logged();
    assert_eq!(logged["rollout"], rollout.unwrap_or("-"), "{name}");
    assert_eq!(logged["treatment"], expect.treatment, "{name}");
    assert_eq!(logged["reason"], expect.reason, "{name}");
}
