//! Turnout as an Envoy filter: it reads the request, asks core, and applies the answer.
//!
//! Everything that depends on the proxy is here, and nothing else is: the policy, the buckets and
//! the decision are `turnout_core`. What a client sends can neither make this code panic (a panic
//! traps the worker's VM) nor choose its own treatment.

#![expect(missing_docs, reason = "the SDK's macro makes a function without any")]

mod counters;
mod host;
mod root;
mod stream;

use proxy_wasm::types::LogLevel;

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Info);
    proxy_wasm::set_root_context(|_| Box::new(root::Root::default()));
}}
