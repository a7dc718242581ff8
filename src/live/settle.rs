//! What became of a change, once the proxies were asked.

use crate::change::{Change, bounded};
use crate::directory::Directory;
use crate::entry::{Entry, Outcome, What};
use crate::error::Error;
use crate::files;
use crate::folder::Links;
use crate::history::History;
use crate::installed::fingerprint;

/// How many reasons of a refusal are kept.
const REASONS: usize = 100;

/// What became of a change, after the proxies were asked.
#[derive(Debug)]
pub struct Settled {
    /// The revision that stands in `filter.json` again.
    pub put_back: Option<String>,
    /// What is known of why.
    pub reasons: Vec<String>,
    /// The entry that refused the same with these reasons, where the proxies said none this time.
    pub reasons_of: Option<u64>,
    /// What else to say.
    pub notes: Vec<String>,
}

impl Directory {
    /// Writes down what became of a change. What every proxy refused is taken out of the folder, so
    /// that an Envoy that restarts does not find it. `reasons` is what the proxies said.
    pub fn settle(&self, change: &mut Change, outcome: Outcome, reasons: &[String]) -> Settled {
        let mut settled = Settled {
            put_back: None,
            reasons: reasons
                .iter()
                .take(REASONS)
                .map(|line| bounded(line))
                .collect(),
            reasons_of: None,
            notes: Vec::new(),
        };
        let result = self.try_settle(change, outcome, &mut settled);
        if let Err(error) = result {
            settled.notes.push(error.to_string());
        }
        settled
    }

    fn try_settle(
        &self,
        change: &mut Change,
        outcome: Outcome,
        settled: &mut Settled,
    ) -> Result<(), Error> {
        if change.is_already && outcome != Outcome::Accepted {
            // What was known of it before is worth more: nothing was given to the proxies.
            return Ok(());
        }
        let _lock = self.lock("settle")?;
        let mut history = self.history()?;
        if outcome.is_refused() && settled.reasons.is_empty() {
            let remembered = remembered(&history, &change.entry);
            if let Some((sequence, reasons)) = remembered {
                settled.reasons = reasons;
                settled.reasons_of = Some(sequence);
            }
        }
        change.entry.outcome = outcome;
        change.entry.reasons.clone_from(&settled.reasons);
        // First what an Envoy could read, then what people read.
        let put_back = match outcome {
            // Nothing takes a halt back but people: other proxies may run it, and what these ones
            // refused may have been what was given to them just before.
            Outcome::Rejected if change.entry.what == What::Halt => {
                settled.notes.push(
                    "the file stays halted, for other proxies and for those that start".into(),
                );
                Ok(())
            }
            Outcome::Rejected => self.put_back(change, settled),
            _ => Ok(()),
        };
        let is_kept = history.sequences().contains(&change.entry.sequence);
        match is_kept {
            true => put_back.and(history.write(&change.entry)),
            false => put_back,
        }
    }

    fn put_back(&self, change: &Change, settled: &mut Settled) -> Result<(), Error> {
        let now = files::read(&self.filter())?;
        if now.as_deref().map(fingerprint).as_ref() != Some(&change.entry.filter) {
            settled
                .notes
                .push("somebody has changed the policy meanwhile; it stays so".into());
            return Ok(());
        }
        match &change.before {
            Some((bytes, entry)) => {
                files::replace(&self.filter(), Links::Followed, bytes)?;
                settled.put_back = Some(entry.revision.clone());
            }
            // Without the file Envoy would not start; with it, it starts and serves v1.
            None => settled.notes.push(
                "there is no policy before it to put back; proxies that start now serve v1".into(),
            ),
        }
        Ok(())
    }
}

/// What the same policy was refused for earlier.
fn remembered(history: &History, entry: &Entry) -> Option<(u64, Vec<String>)> {
    let mut entries = history.entries();
    let same = entries.find(|other| {
        other.outcome.is_refused()
            && !other.reasons.is_empty()
            && other.is_state_of(entry)
            && other.halted == entry.halted
    })?;
    Some((same.sequence, same.reasons))
}
