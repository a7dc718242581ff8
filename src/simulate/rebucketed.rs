//! Describes which buckets a change of a rollout's salt or hash changes.

use turnout_core::Rollout;

/// Describes what is bucketed again, and why.
#[must_use]
pub fn rebucketing_reason(old: &Rollout, new: &Rollout) -> &'static str {
    if old.hash == new.hash {
        "requests are rebucketed, because its salt has changed"
    } else if is_another_hash(old, new) {
        "accounts are rebucketed, because its hash has changed"
    } else {
        "accounts and requests are rebucketed, because its salt has changed"
    }
}

/// Describes the effect on buckets if a rollout was renamed.
pub(crate) fn rename_effect(gone: &Rollout, added: &Rollout) -> &'static str {
    if gone.same_bucketing(added) {
        "its buckets stay the same"
    } else if gone.hash == added.hash {
        "its accounts keep their buckets, and its requests are rebucketed; set `salt` to the old name to keep them"
    } else if is_another_hash(gone, added) {
        "its accounts are rebucketed; set the old `hash` to keep them"
    } else {
        "its accounts are rebucketed; set `salt` to the old name to keep them"
    }
}

/// Whether a rollout uses another hash than Turnout's own, so that the difference is not only the salt.
fn is_another_hash(old: &Rollout, new: &Rollout) -> bool {
    [old, new]
        .iter()
        .any(|rollout| rollout.hash.name() != "turnout")
}
