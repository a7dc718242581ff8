//! Any client input: no trap, a decision, a count, and no growth.

use proptest::prelude::*;
use support::hostile_input::header;
use support::mock::{Action, Vm};
use turnout_core::{Configuration, Inbound};

use crate::{configured, gained};

const POLICY: &str = include_str!("../corpus/policies/valid/everything.json");

proptest! {
    #[test]
    fn any_request_is_decided_and_counted(
        requests in prop::collection::vec(prop::collection::vec(header(), 0..12), 1..4),
        trust: bool,
    ) {
        let inbound = if trust { Inbound::Trust } else { Inbound::Strip };
        let mut vm = configured(&Configuration::to_json(POLICY, inbound));
        vm.drain_counters();
        for headers in &requests {
            let exchange = vm.exchange(headers).expect("no trap");
            prop_assert_eq!(exchange.action, Action::Continue);
            prop_assert!(exchange.header_values("x-turnout-cluster").len() <= 1);
            let counted: u64 = gained(&mut vm).iter().map(|(_, gain)| gain).sum();
            prop_assert_eq!(counted, 1);
        }
        prop_assert!(vm.unimplemented().is_empty());
    }
}

#[test]
fn large_requests_leave_nothing_behind() {
    let mut vm = configured(&Configuration::to_json(POLICY, Inbound::Trust));
    send_large_requests(&mut vm);
    let settled = vm.memory_bytes();
    (0..20).for_each(|_| send_large_requests(&mut vm));
    assert_eq!(vm.memory_bytes(), settled);
}

fn send_large_requests(vm: &mut Vm) {
    let long = "x".repeat(60_000);
    for name in [
        "x-account-sid",
        "authorization",
        "x-turnout-decision",
        "x-request-id",
    ] {
        for value in [
            long.clone(),
            format!("Basic {long}"),
            "a=v1,".repeat(12_000),
        ] {
            vm.exchange(&[(name, value)]).expect("no trap");
        }
    }
    let many: Vec<_> = (0..1_000)
        .map(|n| (format!("x-turnout-{n}"), "v".repeat(60)))
        .collect();
    vm.exchange(&many).expect("no trap");
}
