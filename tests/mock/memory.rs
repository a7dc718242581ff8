//! The memory of a worker's VM per account.

use support::mock::Vm;
use support::sized_policy::packed;
use support::wasm::filter_wasm;
use turnout_core::{Configuration, Inbound};

use super::accept;

const ACCOUNTS: u32 = 1_000_000;
/// An account itself, its part of the index, and the number of its segments.
const MOST: usize = 32;

fn configuration(hvc: &str, big: &str) -> String {
    let policy = format!(
        r#"{{"version": 1, "revision": "1",
            "account": {{"from": [{{"header": "x-account-sid"}}], "format": "sid"}},
            "segments": {{"hvc": {{"accounts_packed": "{hvc}"}},
                         "big": {{"accounts_packed": "{big}"}}}},
            "rollouts": []}}"#
    );
    Configuration::to_json(&policy, Inbound::Strip)
}

/// A VM never shrinks, so this includes the memory that loading takes.
#[test]
fn a_million_accounts_take_few_bytes_each() {
    let half = ACCOUNTS / 2;
    let one = [packed(0..ACCOUNTS), String::new()];
    // Two overlapping segments, so that accounts differ in their segments.
    let two = [packed(0..half + 1_000), packed(half - 1_000..ACCOUNTS)];
    for (name, [hvc, big]) in [("one segment", one), ("two segments", two)] {
        let mut vm = Vm::start(&filter_wasm());
        accept(&mut vm, &configuration("", ""));
        let before = vm.memory_bytes();
        accept(&mut vm, &configuration(&hvc, &big));
        let each = (vm.memory_bytes() - before).div_ceil(ACCOUNTS as usize);
        println!("{name}: {each} bytes");
        assert!(each <= MOST, "{name}: {each} bytes");
    }
}
