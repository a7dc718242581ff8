//! Plans a rearm: increases the `rearmed` of a rollout's guard by one.
//!
//! A guard that has tripped stays tripped until the definition of its rollout changes. Its `rearmed` is part of that
//! definition, so every proxy that receives the policy re-arms the guard.

use crate::change::Author;
use crate::directory::{CurrentPolicy, FolderState};
use crate::error::Error;
use crate::halts::LiftedHalts;
use crate::history_entry::{Action, HistoryEntry};
use crate::intent::{check_is_known, check_rollouts};
use crate::planned_change::{PlannedChange, blank};
use crate::policy_state::PolicyState;
use crate::policy_text::{MAX_REARMED, PolicyText, rollout_names};

/// Plans a rearm. What is halted stays halted.
pub(crate) fn rearmed(
    state: &mut FolderState,
    current: CurrentPolicy,
    rollout: &str,
    author: &Author,
) -> Result<PlannedChange, Error> {
    let base = current.base.clone();
    check_is_known(&rollout_names(&base), Some(rollout))?;
    let own = PolicyText::read(&base).map_err(|_| Error::NotAPolicy)?;
    if !own.guards.contains_key(rollout) {
        return Err(Error::NoGuard {
            name: rollout.to_owned(),
            guarded: own.guards.into_keys().collect(),
        });
    }
    let lifts = LiftedHalts::default();
    let halts = state.note_halts(Some(&current), lifts);
    check_rollouts(&base, &current.entry.revision, &halts, lifts)?;
    let mut rearmed = own.greater_rearmed(&state.rearmed(Some(&current)));
    let count = rearmed.entry(rollout.to_owned()).or_default();
    if *count >= MAX_REARMED {
        return Err(Error::RearmedTooOften(rollout.to_owned()));
    }
    *count = count.saturating_add(1);
    let keeps = halts.clone();
    let text = PolicyText::with_state(&base, &PolicyState { halts, rearmed });
    let text = text.map_err(|_| Error::NotAPolicy)?;
    let entry = HistoryEntry {
        policy: current.entry.policy.clone(),
        before: current.entry.before,
        rollout: Some(rollout.to_owned()),
        ..blank(Action::Rearm, &text, &current.entry.plugin(), author)
    };
    Ok(PlannedChange {
        keeps,
        ..PlannedChange::new(Some(current), entry, base)
    })
}
