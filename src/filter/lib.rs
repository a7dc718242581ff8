//! Turnout as an Envoy filter: reads the request, asks core for a decision, and applies it.
//!
//! This crate contains only what depends on the proxy. The policy, the bucketing and the decision are
//! in `turnout_core`. A client can neither make this code panic (a panic traps the worker's VM) nor
//! choose its own treatment.
//!
//! It uses the SDK `proxy_wasm`: [`plugin_context`] has the context of a plugin, [`request_context`] that
//! of a request. Loading a configuration uses the SDK's host calls and `log`. Requests, ticks and the
//! responses to the filter's own calls use those of [`host`], which do not panic and copy less. For the
//! same reason, [`callbacks`] are between the proxy and the SDK.
//!
//! The SDK exports every callback of the ABI, and Envoy calls each exported callback whenever its event
//! occurs, even if the filter does nothing in it. So `turnout-trim` removes the exports that a build does
//! not need; `exports/` has the lists.

mod allocator;
mod callbacks;
mod counters;
mod entry_point;
mod guards;
mod held_bytes;
mod host;
mod neighbours;
mod plugin;
mod plugin_context;
mod read_configuration;
mod request_context;

mod route;
#[cfg_attr(not(feature = "shadowing"), path = "shadowing_disabled.rs")]
mod shadowing;

mod worker;
