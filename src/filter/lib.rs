//! Turnout as an Envoy filter: it reads the request, asks core, and applies the answer.
//!
//! Everything that depends on the proxy is here, and nothing else is: the policy, the buckets and
//! the decision are `turnout_core`. What a client sends can neither make this code panic (a panic
//! traps the worker's VM) nor choose its own treatment.
//!
//! The proxy speaks proxy-wasm, ABI 0.2.1: [`exports`] is what it calls, [`host`] what it offers.
//! There is no SDK in between. An exported callback is called for every request whether it has
//! anything to do or not, and the SDK exports all there are; its wrappers panic on what they do not
//! expect; and it would be a fifth of the artifact.

#[cfg_attr(not(feature = "copies"), path = "no_copies.rs")]
mod copies;
mod counters;
mod exports;
mod held;
mod host;
mod neighbours;
mod reading;
mod root;
mod stream;
mod vm;
