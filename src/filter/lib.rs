//! Turnout as an Envoy filter: reads the request, asks core for a decision, and applies it.
//!
//! This crate contains only what depends on the proxy. The policy, the bucketing and the decision are
//! in `turnout_core`. A client can neither make this code panic (a panic traps the worker's VM) nor
//! choose its own treatment.
//!
//! The proxy speaks proxy-wasm, ABI 0.2.1: [`exports`] has the callbacks and [`host`] the host
//! functions. There is no SDK in between. Every exported callback is called for every request, and the
//! SDK exports all of them; its wrappers panic on unexpected results; and it would be a fifth of the
//! artifact.

mod counters;
mod exports;
mod held_bytes;
mod host;
mod neighbours;
mod read_configuration;
mod root;
#[cfg_attr(not(feature = "shadowing"), path = "shadowing_disabled.rs")]
mod shadowing;
mod stream;
mod vm;
