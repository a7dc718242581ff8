//! A change that is planned and not yet written.

use turnout_core::Revision;

use crate::change::{Author, bounded};
use crate::directory::CurrentPolicy;
use crate::filter_file::Plugin;
use crate::halts::Halts;
use crate::history_entry::{Action, HistoryEntry, Outcome};
use crate::policy_state::RearmCounts;
use crate::policy_text::PolicyText;

/// The change that an intent leads to in the current state of the folder.
pub(crate) struct PlannedChange {
    pub(crate) current: Option<CurrentPolicy>,
    /// The new entry, without a number; or the active entry if nothing changes.
    pub(crate) entry: HistoryEntry,
    /// The text of the policy from before a halt, resume or rearm.
    pub(crate) base: String,
    pub(crate) is_unchanged: bool,
    /// What was halted before and stays halted. Empty for a halt.
    pub(crate) keeps: Halts,
    /// For an apply or a rollback: the guards that keep a greater `rearmed` than that of the policy's text.
    pub(crate) keeps_rearmed: RearmCounts,
    /// For a resume: the resumed rollouts that still take v1 if their guard has tripped.
    pub(crate) guarded: Vec<String>,
}

impl PlannedChange {
    /// A change that keeps nothing.
    pub(crate) fn new(current: Option<CurrentPolicy>, entry: HistoryEntry, base: String) -> Self {
        Self {
            current,
            entry,
            base,
            is_unchanged: false,
            keeps: Halts::default(),
            keeps_rearmed: RearmCounts::new(),
            guarded: Vec::new(),
        }
    }

    /// The active policy stays as it is.
    pub(crate) fn already(current: &CurrentPolicy, keeps: Halts) -> Self {
        let (entry, base) = (current.entry.clone(), current.base.clone());
        Self {
            is_unchanged: true,
            keeps,
            ..Self::new(Some(current.clone()), entry, base)
        }
    }
}

/// Returns an entry without its number, hashes and references.
pub(crate) fn blank(
    action: Action,
    text: &PolicyText<'_>,
    plugin: &Plugin,
    author: &Author,
) -> HistoryEntry {
    HistoryEntry {
        sequence: 0,
        when: author.when.to_string(),
        who: author.who.as_deref().map(bounded),
        action,
        rollout: None,
        why: author.why.as_deref().map(bounded),
        revision: text.revision.to_string(),
        number: Revision::number(&text.revision),
        halted: text.halts.everyone,
        halted_rollouts: text.halts.rollouts.clone(),
        rearmed: text.state().rearmed,
        wasm: plugin.wasm.clone(),
        inbound: plugin.inbound.as_str().to_owned(),
        headers: plugin.headers,
        record_level: plugin.record_level,
        max_held_bytes: plugin.max_held_bytes,
        policy: String::new(),
        filter: String::new(),
        before: None,
        back_to: None,
        outcome: Outcome::Begun,
        reasons: Vec::new(),
    }
}
