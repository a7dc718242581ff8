//! Records the outcome of a change after asking the proxies.

use crate::atomic_file;
use crate::change::{Change, bounded};
use crate::directory::Directory;
use crate::error::Error;
use crate::filter_file::fingerprint;
use crate::folder_handle::Links;
use crate::history::History;
use crate::history_entry::{Action, HistoryEntry, Outcome};

/// The largest number of reasons that are kept.
const REASONS: usize = 100;

/// The result of recording an outcome.
#[derive(Debug)]
pub struct RecordedOutcome {
    /// The revision that was restored to `filter.json`.
    pub restored: Option<String>,
    /// The known reasons for a rejection.
    pub reasons: Vec<String>,
    /// The earlier entry with the same policy that has these reasons, if the proxies gave none this time.
    pub reasons_of_entry: Option<u64>,
    /// Messages for the user.
    pub notes: Vec<String>,
}

impl Directory {
    /// Records the outcome of a change. If every proxy rejected it, the previous `filter.json` is restored, so that
    /// an Envoy that restarts does not load the rejected policy.
    pub fn record_outcome(
        &self,
        change: &mut Change,
        outcome: Outcome,
        reasons: &[String],
    ) -> RecordedOutcome {
        let mut recorded = RecordedOutcome {
            restored: None,
            reasons: reasons
                .iter()
                .take(REASONS)
                .map(|line| bounded(line))
                .collect(),
            reasons_of_entry: None,
            notes: Vec::new(),
        };
        let result = self.try_record_outcome(change, outcome, &mut recorded);
        if let Err(error) = result {
            recorded.notes.push(error.to_string());
        }
        recorded
    }

    fn try_record_outcome(
        &self,
        change: &mut Change,
        outcome: Outcome,
        recorded: &mut RecordedOutcome,
    ) -> Result<(), Error> {
        if change.is_unchanged && outcome != Outcome::Accepted {
            // The recorded outcome is more reliable, because nothing was sent to the proxies.
            return Ok(());
        }
        let _lock = self.lock("recording an outcome")?;
        let mut history = self.history()?;
        if outcome.is_refused() && recorded.reasons.is_empty() {
            let remembered = remembered(&history, &change.entry);
            if let Some((sequence, reasons)) = remembered {
                recorded.reasons = reasons;
                recorded.reasons_of_entry = Some(sequence);
            }
        }
        change.entry.outcome = outcome;
        change.entry.reasons.clone_from(&recorded.reasons);
        // `filter.json` comes before the history, because Envoy reads it.
        let restored = match outcome {
            // Only an operator can end a halt: other proxies may run it, and these proxies may have rejected the
            // policy before it.
            Outcome::Rejected if change.entry.action == Action::Halt => {
                recorded.notes.push(
                    "the file stays halted for other proxies and for proxies that start later"
                        .into(),
                );
                Ok(())
            }
            Outcome::Rejected => self.restore(change, recorded),
            _ => Ok(()),
        };
        let is_kept = history.sequences().contains(&change.entry.sequence);
        match is_kept {
            true => restored.and(history.write(&change.entry)),
            false => restored,
        }
    }

    fn restore(&self, change: &Change, recorded: &mut RecordedOutcome) -> Result<(), Error> {
        let now = atomic_file::read(&self.filter())?;
        if now.as_deref().map(fingerprint).as_ref() != Some(&change.entry.filter) {
            recorded
                .notes
                .push("something else has changed the policy since; it is left unchanged".into());
            return Ok(());
        }
        match &change.before {
            Some((bytes, entry)) => {
                atomic_file::replace(&self.filter(), Links::Followed, bytes)?;
                recorded.restored = Some(entry.revision.clone());
            }
            // Without the file, Envoy would not start. With it, Envoy starts and serves v1.
            None => recorded.notes.push(
                "there is no earlier policy to restore; proxies that start now serve v1".into(),
            ),
        }
        Ok(())
    }
}

/// Returns the reasons of an earlier rejection of the same policy.
fn remembered(history: &History, entry: &HistoryEntry) -> Option<(u64, Vec<String>)> {
    let mut entries = history.entries();
    let same = entries.find(|other| {
        other.outcome.is_refused()
            && !other.reasons.is_empty()
            && other.has_same_policy_as(entry)
            && other.state() == entry.state()
    })?;
    Some((same.sequence, same.reasons))
}
