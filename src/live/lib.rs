//! The policy of running proxies: put in force, halted, taken back; and what became of it.
//!
//! Envoy watches one file, `filter.json` (ECDS), in a folder. A [`Directory`] is that folder: it
//! changes the file as a whole, and keeps in `history/` who changed what, when and why, and every
//! policy that can still be gone back to. Envoy does not watch the history.
//!
//! * [`Directory`] changes the policy: apply, rollback, halt, resume. Each leaves an [`Entry`].
//! * [`Proxies`] asks Envoy, at its admin address, which version it runs and whether it refused one.
//! * [`Log`] is the history as people read it.

#![forbid(unsafe_code)]

mod change;
mod directory;
mod edit;
mod entry;
mod error;
mod failpoint;
mod files;
mod folder;
mod halted;
mod history;
mod installed;
mod intent;
mod lock;
mod log;
mod max_held_bytes;
mod past_rollouts;
mod preview;
mod proxies;
mod readiness;
mod record_level;
mod remembered;
mod settle;
#[cfg(test)]
mod tests;
mod wasm;
mod written;

pub use change::{Author, Change, Target};
pub use directory::{Directory, InForce};
pub use entry::{Entry, Outcome, What};
pub use error::Error;
pub use installed::{Given, Plugin};
pub use intent::Intent;
pub use log::{Log, Row};
pub use preview::{Preview, Version};
pub use proxies::{Proxies, Proxy, Verdict, outcome};
pub use readiness::Readiness;
pub use settle::Settled;
pub use wasm::check_wasm;
