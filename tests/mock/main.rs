//! The filter's own `.wasm` in the mock host: what it does to one request, and to its
//! configuration, call by call.

mod artifacts;
mod configuration;
mod counting;
mod decisions;
mod hostile;
mod image;
mod instruction_count;
mod lean_build;
mod memory;
mod neighbours;
mod ramps;
mod request;
mod series;
mod shadow;

use support::mock::Vm;
use support::wasm::filter_wasm;

/// A VM in which a configuration is in force.
fn configured(configuration: &str) -> Vm {
    let mut vm = Vm::start(&filter_wasm());
    accept(&mut vm, configuration);
    vm
}

fn accept(vm: &mut Vm, configuration: &str) {
    let accepted = vm.configure(configuration.as_bytes()).expect("no trap");
    assert!(accepted, "{:?}", vm.log());
}

/// A VM of a proxy in a region, in the year 2026; without one where its name is empty.
fn in_region(region: &str) -> Vm {
    placed(Vm::start(&filter_wasm()), region)
}

fn placed(mut vm: Vm, region: &str) -> Vm {
    vm.set_time(1_796_115_600_000_000_000);
    if !region.is_empty() {
        vm.set_property(&["xds", "node", "locality", "region"], region.as_bytes());
    }
    vm
}

/// What the counters gained, once the filter has told it, without those that did not move.
fn gained(vm: &mut Vm) -> Vec<(String, u64)> {
    vm.tick().expect("no trap");
    let gains = vm.drain_counters();
    gains.into_iter().filter(|(_, gain)| *gain > 0).collect()
}
