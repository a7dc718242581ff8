//! The filter's own `.wasm` in the mock host: what it does to one request, and to its
//! configuration, call by call.

mod artifact;
mod configuration;
mod decisions;
mod hostile;
mod request;
mod shadow;

use harness::mock::Vm;
use harness::wasm::filter_wasm;

/// A VM in which a configuration is in force.
fn configured(configuration: &str) -> Vm {
    let mut vm = Vm::start(&filter_wasm());
    let accepted = vm.configure(configuration.as_bytes()).expect("no trap");
    assert!(accepted, "{:?}", vm.log());
    vm
}

/// What the counters gained, without those that did not move.
fn gained(vm: &mut Vm) -> Vec<(String, u64)> {
    let gains = vm.drain_counters();
    gains.into_iter().filter(|(_, gain)| *gain > 0).collect()
}
