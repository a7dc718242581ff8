//! Previews a change.

use std::collections::{BTreeMap, BTreeSet};

use crate::change::Author;
use crate::directory::{Directory, FolderState};
use crate::error::Error;
use crate::filter_file::fingerprint;
use crate::intent::Intent;
use crate::planned_change::PlannedChange;
use crate::policy_state::PolicyState;
use crate::policy_text::PolicyText;

/// The change that an intent would make to the folder at one moment.
#[derive(Debug)]
pub struct Preview {
    /// The active policy, if there is one.
    pub before: Option<PolicySnapshot>,
    /// The policy that would become active.
    pub after: PolicySnapshot,
    /// Whether it is already active, so nothing would be written.
    pub is_unchanged: bool,
    /// The guards, by rollout, that keep a greater `rearmed` than that of the policy's text.
    pub keeps_rearmed: BTreeMap<String, u64>,
    /// The hash of `filter.json`.
    file: Option<String>,
}

/// A policy as the proxies receive it, in its state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicySnapshot {
    /// The text of the policy.
    pub policy: String,
    /// Its revision.
    pub revision: String,
    /// The number of the revision, as the gauge has it.
    pub number: u64,
    /// Whether everyone is on v1.
    pub halted: bool,
    /// The rollouts that have a halt of their own.
    pub halted_rollouts: BTreeSet<String>,
    /// How many times each guard was re-armed, by the name of its rollout. A guard that never was is absent.
    pub rearmed: BTreeMap<String, u64>,
    /// Whether `filter.json` has it. Otherwise it comes from the history.
    pub is_in_place: bool,
}

impl Directory {
    /// Plans a change without making it. It needs no lock, because each write is atomic.
    ///
    /// # Errors
    /// The same as those of [`Directory::change`].
    pub fn preview(&self, intent: &Intent<'_>, author: &Author) -> Result<Preview, Error> {
        self.check_intent(intent)?;
        let mut state = FolderState::read(self, intent.is_urgent())?;
        let file = state.bytes.as_deref().map(fingerprint);
        let step = self.step(&mut state, intent, author)?;
        let PlannedChange {
            current,
            entry,
            base,
            is_unchanged,
            keeps_rearmed,
            ..
        } = step;
        let version = |base: &str, state: &PolicyState, is_in_place| {
            let text = PolicyText::with_state(base, state).map_err(|_| Error::NotAPolicy)?;
            let rearmed = text.state().rearmed;
            Ok(PolicySnapshot {
                number: text.revision.number(),
                revision: text.revision.to_string(),
                policy: text.text.into_owned(),
                halted: text.halts.everyone,
                halted_rollouts: text.halts.rollouts,
                rearmed,
                is_in_place,
            })
        };
        let before = current.map(|current| {
            let state = current.entry.state();
            version(&current.base, &state, current.is_in_place)
        });
        Ok(Preview {
            before: before.transpose()?,
            after: version(&base, &entry.state(), is_unchanged)?,
            is_unchanged,
            keeps_rearmed,
            file,
        })
    }
}

impl Preview {
    /// Whether the folder is unchanged since the preview.
    pub(crate) fn is_of(&self, state: &FolderState) -> bool {
        state.bytes.as_deref().map(fingerprint) == self.file
    }
}
