//! The memory of a worker's VM per account, and per open request.

use support::mock::Vm;
use support::sized_policy::packed;
use support::wasm::{filter_wasm, lean_wasm};
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

/// Each request has a context until it ends, and an entry in tables that double when they are full.
#[test]
fn an_open_request_takes_few_bytes() {
    const OPEN: usize = 50_000;
    const MOST_OF_EACH: usize = 96;
    for wasm in [filter_wasm(), lean_wasm()] {
        let mut vm = Vm::start(&wasm);
        accept(&mut vm, &configuration("", ""));
        let headers = [(":method", "GET"), (":path", "/"), ("x-account-sid", "a")];
        let before = vm.memory_bytes();
        let mut all_open = || {
            let streams: Vec<_> = (0..OPEN)
                .map(|_| vm.request(&headers, false).expect("no trap"))
                .collect();
            let memory = vm.memory_bytes();
            for stream in streams {
                vm.finish(stream).expect("no trap");
            }
            memory
        };
        // The tables grow once more when they are used again for the first or the second time, and then they stay.
        all_open();
        all_open();
        let all = all_open();
        let each = (all - before).div_ceil(OPEN);
        println!("{}: {each} bytes", wasm.display());
        assert!(each <= MOST_OF_EACH, "{}: {each} bytes", wasm.display());
        assert_eq!(all_open(), all);
    }
}
