//! The filter's `.wasm` in the mock host: its calls for a request and for a configuration.

mod artifacts;
mod configuration;
mod counting;
mod decisions;
mod exports;
mod filter_instruction_count;
mod guard;
mod guard_digits;
mod host_statuses;
mod hostile;
mod image;
mod instruction_count;
mod instruction_table;
mod lean_build;
mod memory;
mod neighbours;
mod ramps;
mod request;
mod series;
mod shadow;
mod unknown_contexts;

use support::mock::Vm;
use support::wasm::filter_wasm;

/// A VM with an active configuration.
fn configured(configuration: &str) -> Vm {
    let mut vm = Vm::start(&filter_wasm());
    accept(&mut vm, configuration);
    vm
}

fn accept(vm: &mut Vm, configuration: &str) {
    let accepted = vm.configure(configuration.as_bytes()).expect("no trap");
    assert!(accepted, "{:?}", vm.log());
}

/// A VM of a proxy in a region, in the year 2026. An empty name sets no region.
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

/// The increments of the counters after the filter has published them, without zeros.
fn gained(vm: &mut Vm) -> Vec<(String, u64)> {
    vm.tick().expect("no trap");
    let gains = vm.drain_counters();
    gains.into_iter().filter(|(_, gain)| *gain > 0).collect()
}
