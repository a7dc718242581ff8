//! Callbacks for contexts that do not exist, or exist already. Proxies have made them, and the SDK panics at them.

use support::mock::Vm;
use support::wasm::Build;
use turnout_core::{Configuration, Inbound};

use super::{accept, gained};

/// The callbacks of a request, each with arguments.
const OF_A_REQUEST: [(&str, &[u32]); 6] = [
    ("proxy_on_request_headers", &[0, 1]),
    ("proxy_on_request_body", &[0, 1]),
    ("proxy_on_request_trailers", &[0]),
    ("proxy_on_response_headers", &[0, 1]),
    ("proxy_on_response_body", &[0, 1]),
    ("proxy_on_response_trailers", &[0]),
];
/// A context that never exists.
const NEVER: u32 = 1_000_000;

fn policy() -> String {
    let policy = r#"{"version": 1, "account": {"from": [{"header": "x-account-sid"}], "format": "opaque"},
                     "rollouts": [{"name": "r", "v1": "a", "v2": "b", "mode": "on"}]}"#;
    Configuration::to_json(policy, Inbound::Strip)
}

fn decides(vm: &mut Vm) {
    gained(vm);
    let request = [(":method", "GET"), (":path", "/"), ("x-account-sid", "a")];
    let exchange = vm.exchange(&request).expect("no trap");
    assert_eq!(exchange.header("x-turnout-cluster"), Some("b"));
    let counted = [("turnout.decisions.r.v2.on".to_owned(), 1)];
    assert_eq!(gained(vm), counted);
}

fn ignored(vm: &mut Vm, context: u32, what: &str) {
    for (callback, arguments) in OF_A_REQUEST {
        let action = vm.call_back(callback, context, arguments);
        let action = action.unwrap_or_else(|trap| panic!("{what}: {trap}"));
        assert!(matches!(action, None | Some(0)), "{what}: {callback}");
    }
}

#[test]
fn callbacks_for_contexts_that_do_not_exist_are_ignored() {
    for build in [Build::Whole, Build::Lean] {
        let mut vm = Vm::start(&build.artifact());
        accept(&mut vm, &policy());
        let root = vm.root();
        let mut next = 10_000;
        let mut context = || {
            next += 1;
            next
        };
        let call = |vm: &mut Vm, callback, context, arguments: &[u32]| {
            vm.call_back(callback, context, arguments)
                .unwrap_or_else(|trap| panic!("{build:?}: {trap}"))
        };

        ignored(&mut vm, NEVER, "a context that never existed");
        ignored(&mut vm, root, "the context of a plugin");
        assert_eq!(call(&mut vm, "proxy_on_configure", NEVER, &[2]), Some(0));
        call(&mut vm, "proxy_on_tick", NEVER, &[]);
        call(&mut vm, "proxy_on_delete", NEVER, &[]);
        decides(&mut vm);

        // Created twice, deleted twice, and used after that.
        let request = context();
        call(&mut vm, "proxy_on_context_create", request, &[root]);
        call(&mut vm, "proxy_on_context_create", request, &[root]);
        call(&mut vm, "proxy_on_tick", request, &[]);
        assert_eq!(call(&mut vm, "proxy_on_configure", request, &[2]), Some(0));
        call(&mut vm, "proxy_on_delete", request, &[]);
        ignored(&mut vm, request, "a request that has ended");
        call(&mut vm, "proxy_on_delete", request, &[]);
        decides(&mut vm);

        // The plugin itself.
        call(&mut vm, "proxy_on_context_create", root, &[0]);
        call(&mut vm, "proxy_on_context_create", context(), &[NEVER]);
        decides(&mut vm);
        let open = context();
        call(&mut vm, "proxy_on_context_create", open, &[root]);
        call(&mut vm, "proxy_on_delete", root, &[]);
        call(&mut vm, "proxy_on_delete", root, &[]);
        call(&mut vm, "proxy_on_tick", root, &[]);
        assert_eq!(call(&mut vm, "proxy_on_configure", root, &[2]), Some(0));
        call(&mut vm, "proxy_on_context_create", context(), &[root]);
        ignored(&mut vm, open, "a request of a plugin that has ended");
        call(&mut vm, "proxy_on_delete", open, &[]);
        accept(&mut vm, &policy());
    }
}
