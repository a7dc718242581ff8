//! Host functions that return any status: whatever they return to a running filter, no callback traps and no request
//! is held up. Afterwards the same VM decides the next request.

mod scenario;

use std::collections::BTreeSet;
use std::error::Error;

use support::mock::{ForcedStatus, Vm};
use support::wasm::Build;

use scenario::Scenario;

/// A callback and a host function that it calls; `None` is all of them.
type Place = (Option<&'static str>, Option<&'static str>);

/// All statuses of the ABI, from `Ok` to `Unimplemented`.
const STATUSES: std::ops::RangeInclusive<u32> = 0..=12;

/// Calls that the scenario must cause in every build.
const CALLS: [(&str, &[&str]); 4] = [
    (
        "proxy_on_request_headers",
        &[
            "proxy_add_header_map_value",
            "proxy_get_header_map_pairs",
            "proxy_remove_header_map_value",
            "proxy_set_property",
        ],
    ),
    (
        "proxy_on_request_trailers",
        &[
            "proxy_get_header_map_pairs",
            "proxy_remove_header_map_value",
        ],
    ),
    (
        "proxy_on_tick",
        &[
            "proxy_get_current_time_nanoseconds",
            "proxy_increment_metric",
        ],
    ),
    (
        "proxy_on_delete",
        &[
            "proxy_increment_metric",
            "proxy_set_tick_period_milliseconds",
        ],
    ),
];

/// Calls of the build with shadowing.
const CALLS_FOR_SHADOWING: [(&str, &[&str]); 9] = [
    ("proxy_on_request_headers", &["proxy_http_call"]),
    (
        "proxy_on_request_body",
        &["proxy_get_buffer_bytes", "proxy_http_call"],
    ),
    ("proxy_on_request_trailers", &["proxy_http_call"]),
    (
        "proxy_on_response_headers",
        &["proxy_get_header_map_pairs", "proxy_get_property"],
    ),
    ("proxy_on_response_body", &["proxy_get_buffer_bytes"]),
    (
        "proxy_on_response_trailers",
        &["proxy_get_current_time_nanoseconds"],
    ),
    (
        "proxy_on_http_call_response",
        &[
            "proxy_get_buffer_bytes",
            "proxy_get_header_map_pairs",
            "proxy_http_call",
            "proxy_log",
            "proxy_record_metric",
        ],
    ),
    ("proxy_on_tick", &["proxy_http_call", "proxy_log"]),
    ("proxy_on_delete", &["proxy_http_call", "proxy_log"]),
];

#[test]
fn the_whole_filter_runs_whatever_a_host_function_returns() {
    runs_whatever_a_host_function_returns(Build::Whole);
}

#[test]
fn the_lean_filter_runs_whatever_a_host_function_returns() {
    runs_whatever_a_host_function_returns(Build::Lean);
}

fn runs_whatever_a_host_function_returns(build: Build) {
    let scenario = Scenario::of(build);
    let places = places(build, &scenario);
    let mut problems = Vec::new();
    for (callback, function) in places {
        let mut vm = scenario.start();
        for status in STATUSES {
            let forced = ForcedStatus {
                function,
                callback,
                status,
            };
            if let Err(error) = run(&scenario, &mut vm, forced) {
                let function = function.unwrap_or("every function");
                let callback = callback.unwrap_or("every callback");
                problems.push(format!("{function} in {callback} = {status}: {error}"));
                // A trap ends a VM.
                vm = scenario.start();
            }
        }
    }
    assert!(
        problems.is_empty(),
        "{build:?}: {} problems:\n{}",
        problems.len(),
        problems.join("\n")
    );
}

/// The callbacks and the functions that each of them calls if nothing fails, and all of them.
fn places(build: Build, scenario: &Scenario) -> Vec<Place> {
    let mut vm = scenario.start();
    // The first run is the only one after a start.
    scenario.record(&mut vm).expect("nothing fails");
    let calls = scenario.record(&mut vm).expect("nothing fails");
    let again = scenario.record(&mut vm).expect("nothing fails");
    assert_eq!(calls, again, "each run makes the same calls");
    assert!(vm.unimplemented().is_empty(), "{:?}", vm.unimplemented());
    let for_shadowing = match build {
        Build::Whole => &CALLS_FOR_SHADOWING[..],
        Build::Lean => &[],
    };
    for (callback, functions) in CALLS.iter().chain(for_shadowing) {
        for function in *functions {
            let is_called = calls.contains(&(*callback, *function));
            assert!(is_called, "{build:?}: {function} in {callback}: {calls:?}");
        }
    }
    let callbacks: BTreeSet<_> = calls.iter().map(|(callback, _)| *callback).collect();
    let functions: BTreeSet<_> = calls.iter().map(|(_, function)| *function).collect();
    let one = calls
        .iter()
        .map(|(callback, function)| (Some(*callback), Some(*function)));
    let in_one = callbacks.into_iter().map(|callback| (Some(callback), None));
    let of_one = functions.into_iter().map(|function| (None, Some(function)));
    let all = std::iter::once((None, None));
    one.chain(in_one).chain(of_one).chain(all).collect()
}

/// Runs the scenario while host functions return a status, and requests without that before and after a new policy.
fn run(scenario: &Scenario, vm: &mut Vm, forced: ForcedStatus) -> Result<(), Box<dyn Error>> {
    let mut forced_calls = 0;
    vm.force_status(forced);
    scenario.serve(vm)?;
    forced_calls += vm.force_no_status();
    scenario.check(vm)?;

    let retiring = scenario.replace_policy(vm)?;
    vm.force_status(forced);
    scenario.retire(vm, retiring)?;
    forced_calls += vm.force_no_status();
    scenario.check(vm)?;
    if forced_calls == 0 {
        return Err("no call had the forced status".into());
    }
    Ok(())
}
