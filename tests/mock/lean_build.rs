//! The build without shadowing: it exports no callback that a decision does not need, decides like the whole
//! filter, and rejects a policy with shadowing.

use serde_json::{Value, json};
use support::mock::{Level, Vm};
use support::wasm::{filter_wasm, lean_wasm};
use turnout_core::{Configuration, Inbound};

/// Callbacks for each request, each body or each response.
const ONLY_FOR_COPIES: [&str; 5] = [
    "proxy_on_request_body",
    "proxy_on_response_headers",
    "proxy_on_response_body",
    "proxy_on_response_trailers",
    "proxy_on_http_call_response",
];
/// Callbacks that neither build needs, and that the proxy would call for each request.
const FOR_NOBODY: [&str; 3] = ["proxy_on_done", "proxy_on_log", "proxy_on_request_metadata"];

fn configuration(changes: &Value) -> String {
    let mut rollout = json!({
        "name": "r", "v1": "a", "v2": "b", "mode": "split", "rules": [{}],
    });
    for (key, value) in changes.as_object().expect("an object") {
        rollout[key] = value.clone();
    }
    let policy = json!({
        "version": 1,
        "account": { "from": [{ "header": "x-account-sid" }], "format": "sid" },
        "rollouts": [{ "name": "first", "match": { "hosts": ["b"] }, "v1": "a", "v2": "b", "mode": "off" }, rollout],
    });
    Configuration::to_json(&policy.to_string(), Inbound::Strip)
}

#[test]
fn functions_that_are_not_exported_are_not_called() {
    let (whole, lean) = (Vm::start(&filter_wasm()), Vm::start(&lean_wasm()));
    for callback in ONLY_FOR_COPIES {
        assert!(whole.exports(callback), "{callback}");
        assert!(!lean.exports(callback), "{callback}");
    }
    for callback in FOR_NOBODY {
        assert!(
            !whole.exports(callback) && !lean.exports(callback),
            "{callback}"
        );
    }
}

#[test]
fn the_lean_build_rejects_shadowing_and_keeps_its_policy() {
    let mut vm = Vm::start(&lean_wasm());
    assert!(
        vm.configure(configuration(&json!({})).as_bytes())
            .expect("no trap")
    );
    for changes in [
        json!({ "mode": "shadow", "shadow": { "requests": 1 } }),
        json!({ "shadow": { "requests": 0 } }),
        json!({ "mode": "off", "shadow": { "requests": 100 } }),
    ] {
        vm.drain_log();
        let taken = vm
            .configure(configuration(&changes).as_bytes())
            .expect("no trap");
        assert!(!taken, "{changes}");
        let log = vm.drain_log();
        let said = |text: &str| {
            let lines = log.iter().filter(|(level, _)| *level == Level::Error);
            lines.filter(|(_, line)| line.contains(text)).count()
        };
        assert_eq!(
            said("/rollouts/1/shadow: this build of the filter does not support `shadow`"),
            1,
            "{log:?}"
        );
        assert_eq!(said("configuration refused: 1 problem(s)"), 1, "{log:?}");
    }
    let request = [
        (":method", "GET"),
        (":authority", "a"),
        (":path", "/"),
        ("x-account-sid", "AC7342e9713fa896e4af00c654c444aada"),
    ];
    let exchange = vm.exchange(&request).expect("no trap");
    assert_eq!(exchange.header("x-turnout-treatment"), Some("v2"));
}
