//! Changes the policy of running proxies: applies it, halts it, rolls it back, and records the outcome.
//!
//! Envoy watches one file in a folder, `filter.json` (ECDS). [`Directory`] is that folder. It replaces the
//! file atomically, and records in `history/` who changed what, when and why, with every policy that a
//! rollback can return to. Envoy does not watch the history.
//!
//! * [`Directory`] changes the policy: apply, rollback, halt and resume (everyone or one rollout), rearm. Each adds a
//!   [`HistoryEntry`].
//! * [`Proxies`] asks each proxy whether it runs the new revision or has refused it.
//! * [`HistoryLog`] lists the history for people.
//! * [`StateFolder`] keeps the state of a command that runs for a long time.

#![forbid(unsafe_code)]

mod active_revision;
mod atomic_file;
mod change;
mod directory;
mod error;
#[cfg(any(test, feature = "failpoints"))]
pub mod failpoint;
#[cfg(not(any(test, feature = "failpoints")))]
mod failpoint;
mod filter_file;
mod folder_handle;
mod folder_lock;
mod halt_state;
mod halted_policy;
mod halts;
mod history;
mod history_entry;
mod history_log;
mod intent;
mod past_rollouts;
mod planned_change;
mod policy_state;
mod policy_text;
mod preview;
mod proxies;
mod readiness;
mod rearm;
mod record_outcome;
mod remembered_admins;
mod serde_emitted_headers;
mod serde_max_held_bytes;
mod serde_record_level;
mod state_folder;
mod state_revision;
#[cfg(test)]
mod tests;
mod unique_revision;
mod wasm_file;

pub use active_revision::ActiveRevision;
pub use change::{Author, Change, Target};
pub use directory::{ActivePolicy, Directory};
pub use error::Error;
pub use filter_file::{Plugin, PluginOverrides};
pub use folder_lock::Lock;
pub use halted_policy::halted_policy;
pub use halts::{Halts, LiftedHalts};
pub use history_entry::{Action, HistoryEntry, Outcome};
pub use history_log::{HistoryLog, LogRow};
pub use intent::Intent;
pub use preview::{PolicySnapshot, Preview};
pub use proxies::{Proxies, ProxyResult, ProxyState, outcome};
pub use readiness::Readiness;
pub use record_outcome::RecordedOutcome;
pub use state_folder::StateFolder;
pub use wasm_file::check_wasm;
