//! Whose draw a change of a rollout's salt or hash changes, in words.

use turnout_core::Rollout;

/// What has changed in how a rollout draws, and so who is drawn anew.
#[must_use]
pub fn drawn_anew(old: &Rollout, new: &Rollout) -> &'static str {
    if old.hash == new.hash {
        "requests are rebucketed, because its salt has changed"
    } else if is_another_hash(old, new) {
        "accounts are rebucketed, because its hash has changed"
    } else {
        "accounts and requests are rebucketed, because its salt has changed"
    }
}

/// What becomes of the draws where a rollout seems to have another name.
pub(crate) fn drawn_under_new_name(gone: &Rollout, added: &Rollout) -> &'static str {
    if gone.same_bucketing(added) {
        "it draws as before"
    } else if gone.hash == added.hash {
        "it draws accounts as before, and requests anew; give it the old name as its `salt` to keep them"
    } else if is_another_hash(gone, added) {
        "accounts are drawn anew; give it the old `hash` to keep them"
    } else {
        "accounts are drawn anew; give it the old name as its `salt` to keep them"
    }
}

/// Whether it is not the salt by which Turnout's own hash differs.
fn is_another_hash(old: &Rollout, new: &Rollout) -> bool {
    [old, new]
        .iter()
        .any(|rollout| rollout.hash.name() != "turnout")
}
