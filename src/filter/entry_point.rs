//! The entry point of a worker's VM.

use proxy_wasm::types::LogLevel;

use crate::plugin_context::PluginContext;

proxy_wasm::main! {{
    // The proxy drops lines below its own level.
    proxy_wasm::set_log_level(LogLevel::Trace);
    proxy_wasm::set_root_context(|id| Box::new(PluginContext::new(id)));
}}
