//! Tests of the live folder as a whole, and the fixtures that they share.

mod clocks;
mod failpoints;
mod halts;
mod history;
mod links;
mod model;
mod numbered_policies;
mod rearm;
mod routine_commands;

use serde_json::Value;
use tempfile::TempDir;
use turnout_core::Time;

use crate::{Author, Directory, Outcome, PluginOverrides};

pub(super) const WASM: PluginOverrides<'static> = PluginOverrides {
    wasm: Some("/filter.wasm"),
    inbound: None,
    headers: None,
    record_level: None,
    max_held_bytes: None,
};

pub(super) fn policy(revision: &str) -> String {
    format!(
        r#"{{"revision":"{revision}", "version": 1, "account": {{ "from": [{{ "header": "a" }}], "format": "sid" }}, "rollouts": []}}"#
    )
}

pub(super) fn author() -> Author {
    Author {
        who: None,
        why: None,
        when: Time::from_seconds(1_800_000_000),
        keep: 100,
    }
}

pub(super) fn folder() -> (TempDir, Directory) {
    let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
    let folder = folder.expect("a folder");
    let directory = Directory::new(folder.path().join("d"));
    (folder, directory)
}

/// Applies a policy, with this outcome at the proxies.
pub(super) fn apply(directory: &Directory, revision: &str, outcome: Outcome) {
    let change = directory.apply(&policy(revision), WASM, &author());
    let mut change = change.expect("written");
    directory.record_outcome(&mut change, outcome, &[]);
}

/// The policy in `filter.json`.
pub(super) fn active_policy(directory: &Directory) -> Value {
    let active = directory
        .active_policy()
        .expect("a folder")
        .expect("a policy");
    serde_json::from_str(&active.policy).expect("JSON")
}

#[track_caller]
pub(super) fn assert_halts(directory: &Directory, revision: &str) {
    let change = directory.halt(&author()).expect("halted");
    assert!(!change.is_unchanged, "{change:?}");
    let policy = active_policy(directory);
    assert_eq!(policy["halted"], true);
    assert_eq!(policy["revision"], revision);
}

pub(super) fn history(directory: &Directory) -> std::path::PathBuf {
    directory.path().join("history")
}
