//! Refuses a policy whose revision another policy has or may get.

use crate::directory::CurrentPolicy;
use crate::error::Error;
use crate::history::History;
use crate::history_entry::{Action, HistoryEntry, Outcome};
use crate::policy_text::PolicyText;
use crate::state_revision::root;

/// Checks that no other policy has the same revision, in any state: a revision in a log has to identify one policy
/// text, and a halt must never fail because its revision is taken. A policy that every proxy rejected does not count,
/// because it has decided nothing.
pub(crate) fn check_revision_is_unique(
    history: &History,
    current: Option<&CurrentPolicy>,
    new: &HistoryEntry,
) -> Result<(), Error> {
    let own = root(&new.revision);
    let has_root = |revision: &str| root(revision) == own;
    let is_other = |entry: &HistoryEntry, text: &dyn Fn() -> Option<String>| {
        entry.policy != new.policy
            && entry.outcome != Outcome::Rejected
            && (has_root(&entry.revision)
                || may_be_hashed(entry) && text().is_some_and(|text| has_own(&text, own)))
    };
    let mut entries = history.entries();
    let of_history = entries.find(|entry| is_other(entry, &|| history.text(&entry.policy).ok()));
    let active = current.filter(|current| is_other(&current.entry, &|| Some(current.base.clone())));
    match of_history.or(active.map(|active| active.entry.clone())) {
        None => Ok(()),
        Some(other) => Err(Error::RevisionTaken {
            revision: new.revision.clone(),
            sequence: other.sequence,
            other: other.revision,
        }),
    }
}

/// Whether the revision of an entry may be a hash, because that of its policy was too long to add a mark.
fn may_be_hashed(entry: &HistoryEntry) -> bool {
    let is_hash =
        entry.revision.len() == 16 && entry.revision.bytes().all(|c| c.is_ascii_hexdigit());
    let has_mark = entry.halts().is_any() || !entry.rearmed.is_empty();
    is_hash && (has_mark || entry.action == Action::Resume)
}

/// Whether the revision in a policy's text has this root.
fn has_own(text: &str, own: &str) -> bool {
    PolicyText::read(text).is_ok_and(|text| root(text.revision.as_str()) == own)
}
