//! The decisions of the corpus, asked of the filter.

use harness::corpus::{Expectation, Scenario};
use harness::mock::Exchange;

use crate::{accept, gained, in_region};

#[test]
fn every_case_agrees() {
    for (file, scenario) in Scenario::all() {
        let mut vm = in_region(&scenario.region);
        accept(&mut vm, &scenario.configuration());
        for case in &scenario.cases {
            let name = format!("{file}: {}", case.name);
            vm.drain_counters();
            let exchange = vm.exchange(&case.request.pairs()).expect("no trap");
            check(&name, &exchange, &case.expect);
            assert_eq!(gained(&mut vm), [(case.expect.counter(), 1)], "{name}");
        }
        assert!(vm.unimplemented().is_empty(), "{:?}", vm.unimplemented());
    }
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
    assert_eq!(
        exchange.property("turnout_rollout"),
        Some(rollout.unwrap_or("-")),
        "{name}"
    );
    assert_eq!(
        exchange.property("turnout_treatment"),
        Some(&*expect.treatment),
        "{name}"
    );
    assert_eq!(
        exchange.property("turnout_reason"),
        Some(&*expect.reason),
        "{name}"
    );
}
