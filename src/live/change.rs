//! Changes the active policy.
//!
//! A halt, of everyone or of a rollout, is a state of a policy, not another policy: an entry has the text from before
//! the halt, and what is halted. A rollback returns to the previous policy, never to another state of the same one:
//! after a halt of B, a rollback returns to A.
//!
//! A re-armed guard is another state of the same policy too: the entry has the count of each guard. An apply or a rollback
//! keeps the greater count of the active policy and of its own, so that it does not undo a rearm, which would re-arm
//! the guard again and lose a trip.
//!
//! A halt ends only on request: by a resume, or by an apply or a rollback with `--resume` or `--resume-rollout`. Any
//! other apply or rollback leaves what is halted halted, and is refused if its policy has no rollout of that name.
//!
//! Each write is atomic. An apply, a rollback or a rearm writes the policy's text, the entry, `filter.json`, then the
//! outcome, so no policy becomes active without an entry. A halt or resume writes `filter.json` first, because
//! it is urgent, and needs no history to be understood later. If a command is killed in between, the former
//! leaves an entry with the outcome `begun`, and the latter a file that the next command adds to the history.

use std::collections::BTreeMap;

use turnout_core::Time;

use crate::atomic_file;
use crate::directory::{CurrentPolicy, Directory, FolderState, last_accepted};
use crate::error::Error;
use crate::filter_file::{self, PluginOverrides, fingerprint};
use crate::folder_handle::Links;
use crate::folder_lock::Lock;
use crate::halts::{Halts, LiftedHalts};
use crate::history::History;
use crate::history_entry::{HistoryEntry, Outcome};
use crate::intent::Intent;
use crate::planned_change::PlannedChange;
use crate::policy_text::PolicyText;
use crate::preview::Preview;

/// The longest text from people or proxies that is kept, in characters.
const LONGEST: usize = 2_000;

/// Who changes the policy.
#[derive(Clone, Debug, Default)]
pub struct Author {
    /// Their name.
    pub who: Option<String>,
    /// Why they do it.
    pub why: Option<String>,
    /// When they do it.
    pub when: Time,
    /// The number of entries to keep in the history.
    pub keep: usize,
}

/// A policy to roll back to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// The previous policy.
    Before,
    /// The sequence number of an entry (`7` or `#7`), or a revision.
    Named(String),
}

/// The result of a command.
#[derive(Debug)]
pub struct Change {
    /// The active entry.
    pub entry: HistoryEntry,
    /// Whether the policy was already active, so nothing was written.
    pub is_unchanged: bool,
    /// What was halted before, and stays halted after this command, which is not a halt.
    pub keeps: Halts,
    /// For an apply or a rollback: the guards, by rollout, that keep a greater `rearmed` than that of the policy's text.
    pub keeps_rearmed: BTreeMap<String, u64>,
    /// For a resume: the resumed rollouts that still take v1 if their guard has tripped.
    pub guarded: Vec<String>,
    /// Messages about the state of the folder.
    pub notes: Vec<String>,
    /// The previous `filter.json`, and its entry.
    pub(crate) before: Option<(Vec<u8>, HistoryEntry)>,
}

impl Directory {
    /// Applies a policy. A halt stays.
    ///
    /// # Errors
    /// If it fails, nothing has changed.
    pub fn apply(
        &self,
        policy: &str,
        given: PluginOverrides<'_>,
        author: &Author,
    ) -> Result<Change, Error> {
        let intent = Intent::Apply {
            policy,
            given,
            lifts: LiftedHalts::default(),
        };
        self.change(&intent, author, None)
    }

    /// Returns to an earlier policy. A halt stays.
    ///
    /// # Errors
    /// If it fails, nothing has changed.
    pub fn rollback(&self, target: &Target, author: &Author) -> Result<Change, Error> {
        let intent = Intent::Rollback {
            target,
            lifts: LiftedHalts::default(),
        };
        self.change(&intent, author, None)
    }

    /// Sends everyone to v1.
    ///
    /// # Errors
    /// If it fails, nothing has changed.
    pub fn halt(&self, author: &Author) -> Result<Change, Error> {
        self.change(&Intent::Halt { rollout: None }, author, None)
    }

    /// Ends a halt.
    ///
    /// # Errors
    /// If it fails, nothing has changed.
    pub fn resume(&self, author: &Author) -> Result<Change, Error> {
        self.change(&Intent::Resume { rollout: None }, author, None)
    }

    /// Changes the active policy. With a preview, it fails if the folder has changed since.
    ///
    /// # Errors
    /// If it fails, nothing has changed.
    pub fn change(
        &self,
        intent: &Intent<'_>,
        author: &Author,
        preview: Option<&Preview>,
    ) -> Result<Change, Error> {
        self.check_intent(intent)?;
        if let Intent::Apply { .. } = intent {
            self.make()?;
        }
        let lock = self.lock(intent.action().as_str())?;
        let mut state = FolderState::read(self, intent.is_urgent())?;
        if preview.is_some_and(|preview| !preview.is_of(&state)) {
            return Err(Error::ChangedMeanwhile);
        }
        let step = self.step(&mut state, intent, author)?;
        if step.is_unchanged {
            return self.already(state, step, author);
        }
        match intent {
            Intent::Apply { .. } | Intent::Rollback { .. } | Intent::Rearm { .. } => {
                self.put(lock, state, step, author)
            }
            Intent::Halt { .. } | Intent::Resume { .. } => self.switch(lock, state, step, author),
        }
    }

    /// Writes `filter.json`, then the history, because a halt is urgent.
    fn switch(
        &self,
        _lock: Lock,
        mut state: FolderState,
        step: PlannedChange,
        author: &Author,
    ) -> Result<Change, Error> {
        let PlannedChange {
            current,
            mut entry,
            base,
            keeps,
            keeps_rearmed,
            guarded,
            ..
        } = step;
        entry.sequence = match &current {
            Some(current) => after(&state, current),
            None => state.next(),
        };
        let text = PolicyText::with_state(&base, &entry.state()).map_err(|_| Error::NotAPolicy)?;
        let file = filter_file::file(&text.text, &text.revision, &entry.plugin(), entry.sequence);
        entry.filter = fingerprint(file.as_bytes());
        entry.outcome = Outcome::Written;
        atomic_file::replace(&self.filter(), Links::Followed, file.as_bytes())?;

        let recorded = add_found(&mut state.history, current.as_ref(), author)
            .and_then(|()| state.history.write(&entry))
            .and_then(|()| prune(&mut state.history, &entry, author));
        if let Err(error) = recorded {
            let note = format!("the history is incomplete: {error}");
            state.notes.push(note);
        }
        let bytes = state.bytes.take();
        Ok(Change {
            entry,
            is_unchanged: false,
            keeps,
            keeps_rearmed,
            guarded,
            notes: state.notes,
            before: bytes.zip(current.map(|current| current.entry)),
        })
    }

    /// Writes the history, then `filter.json`.
    fn put(
        &self,
        _lock: Lock,
        mut state: FolderState,
        step: PlannedChange,
        author: &Author,
    ) -> Result<Change, Error> {
        let PlannedChange {
            current,
            mut entry,
            base,
            keeps,
            keeps_rearmed,
            guarded,
            ..
        } = step;
        entry.sequence = match &current {
            Some(current) => after(&state, current),
            None => state.next(),
        };
        let text = PolicyText::with_state(&base, &entry.state()).map_err(|_| Error::NotAPolicy)?;
        let file = filter_file::file(&text.text, &text.revision, &entry.plugin(), entry.sequence);
        entry.filter = fingerprint(file.as_bytes());
        add_found(&mut state.history, current.as_ref(), author)?;
        state.history.keep_text(&base)?;
        state.history.write(&entry)?;
        atomic_file::replace(&self.filter(), Links::Followed, file.as_bytes())?;

        entry.outcome = Outcome::Written;
        let recorded = state.history.write(&entry);
        if let Err(error) = recorded.and_then(|()| prune(&mut state.history, &entry, author)) {
            let note = format!("the policy is active, but the history is incomplete: {error}");
            state.notes.push(note);
        }
        let bytes = state.bytes.take();
        // Only a policy that the proxies may have accepted can be restored.
        let before = current.filter(|current| current.is_in_place);
        Ok(Change {
            entry,
            is_unchanged: false,
            keeps,
            keeps_rearmed,
            guarded,
            notes: state.notes,
            before: bytes.zip(before.map(|before| before.entry)),
        })
    }

    fn already(
        &self,
        mut state: FolderState,
        step: PlannedChange,
        author: &Author,
    ) -> Result<Change, Error> {
        if let Err(error) = add_found(&mut state.history, step.current.as_ref(), author) {
            state.notes.push(error.to_string());
        }
        Ok(Change {
            entry: step.entry,
            is_unchanged: true,
            keeps: step.keeps,
            keeps_rearmed: step.keeps_rearmed,
            guarded: step.guarded,
            notes: state.notes,
            before: None,
        })
    }
}

/// Returns the sequence number after that of the active policy, which may not be in the history yet.
fn after(state: &FolderState, current: &CurrentPolicy) -> u64 {
    let next = state.next();
    match current.is_found {
        true => next.max(current.entry.sequence.saturating_add(1)),
        false => next,
    }
}

/// Adds the active policy to the history, if something else wrote it.
fn add_found(
    history: &mut History,
    current: Option<&CurrentPolicy>,
    author: &Author,
) -> Result<(), Error> {
    let Some(current) = current.filter(|current| current.is_found) else {
        return Ok(());
    };
    history.keep_text(&current.base)?;
    let mut entry = current.entry.clone();
    if entry.when.is_empty() {
        entry.when = author.when.to_string();
    }
    history.write(&entry)
}

fn prune(history: &mut History, newest: &HistoryEntry, author: &Author) -> Result<(), Error> {
    let before = last_accepted(history, newest.before).ok().flatten();
    let needed = before.map_or(newest.sequence, |before| before.sequence);
    history.prune(author.keep.max(2), &[newest.sequence, needed])
}

pub(crate) fn bounded(text: &str) -> String {
    text.chars().take(LONGEST).collect()
}
