//! Determines what is halted in a folder, and how many times its guards were re-armed, even if its files are damaged.
//!
//! If it cannot be determined, everyone counts as halted: an account on v1 by mistake is served, an account on a broken
//! v2 is not.

use std::collections::BTreeSet;

use crate::directory::{CurrentPolicy, Filter, FolderState};
use crate::halts::{Halts, LiftedHalts};
use crate::history_entry::{Action, HistoryEntry, Outcome};
use crate::policy_state::{RearmCounts, greater_counts};

/// Whether everyone is halted in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
enum HaltState {
    No,
    Yes,
    /// It cannot be determined. The text says why.
    Unknown(String),
}

impl FolderState {
    /// Returns what is halted in the folder. If it is unknown whether everyone is, and the command does not lift that
    /// halt, it adds a note.
    pub(crate) fn note_halts(
        &mut self,
        current: Option<&CurrentPolicy>,
        lifts: LiftedHalts<'_>,
    ) -> Halts {
        let (everyone, rollouts) = self.halts(current);
        let everyone = match everyone {
            HaltState::No => false,
            HaltState::Yes => true,
            HaltState::Unknown(why) => {
                if !lifts.everyone {
                    self.notes.push(format!(
                        "it is unknown what was halted in this folder ({why}), so everyone counts as halted; halts of \
                         single rollouts may be lost: halt them again before you resume"
                    ));
                }
                true
            }
        };
        Halts { everyone, rollouts }
    }

    /// Returns how many times each guard was re-armed: the greater count of `filter.json` and of the active entry.
    pub(crate) fn rearmed(&self, current: Option<&CurrentPolicy>) -> RearmCounts {
        let of_entry = current.map(|current| current.entry.rearmed.clone());
        let of_file = self.state_of_file().unwrap_or_default().rearmed;
        greater_counts(of_entry.unwrap_or_default(), &of_file)
    }

    /// Determines from `filter.json`, or else from the history, whether everyone is halted, and which rollouts are.
    fn halts(&self, current: Option<&CurrentPolicy>) -> (HaltState, BTreeSet<String>) {
        let Some(halts) = self.state_of_file().map(|state| state.halts) else {
            return self.halts_of_history();
        };
        // Proxies that rejected the policy in the file run the previous one.
        let runs_another = current.filter(|current| !current.is_in_place);
        let halts = match runs_another {
            Some(current) => halts.union(&current.entry.halts()),
            None => halts,
        };
        let everyone = match halts.everyone {
            true => HaltState::Yes,
            false => HaltState::No,
        };
        (everyone, halts.rollouts)
    }

    fn halts_of_history(&self) -> (HaltState, BTreeSet<String>) {
        let has_trace = self.bytes.as_deref().is_some_and(has_trace);
        // Such an entry may have been written to the file before the file was lost.
        let mut may_be_written = Halts::default();
        for sequence in self.history.sequences().iter().rev() {
            let entry = match self.history.entry(*sequence) {
                Err(_) if has_trace => break,
                Err(why) => {
                    let unknown = HaltState::Unknown(format!("entry {sequence}: {why}"));
                    return (unknown, may_be_written.rollouts);
                }
                Ok(entry) => entry,
            };
            let halts = may_be_written.union(&halts_of_entry(&entry));
            match entry.outcome {
                // A halt stays in the folder, even if proxies reject it.
                _ if entry.action == Action::Halt => return known(has_trace, halts),
                // It was removed again.
                Outcome::Rejected => {}
                Outcome::Begun => may_be_written = halts,
                _ => return known(has_trace, halts),
            }
        }
        if has_trace {
            return (HaltState::Yes, may_be_written.rollouts);
        }
        match &self.filter {
            // No policy has ever been active here.
            Filter::Missing => (HaltState::No, BTreeSet::new()),
            _ => {
                let unknown = HaltState::Unknown("no entry of the history shows it".into());
                (unknown, may_be_written.rollouts)
            }
        }
    }
}

fn known(has_trace: bool, halts: Halts) -> (HaltState, BTreeSet<String>) {
    let everyone = match has_trace || halts.everyone {
        true => HaltState::Yes,
        false => HaltState::No,
    };
    (everyone, halts.rollouts)
}

/// Returns what an entry halts. A halt counts even if the entry contradicts itself.
fn halts_of_entry(entry: &HistoryEntry) -> Halts {
    let mut halts = entry.halts();
    if entry.action == Action::Halt {
        match &entry.rollout {
            None => halts.everyone = true,
            Some(rollout) => {
                halts.rollouts.insert(rollout.clone());
            }
        }
    }
    halts
}

/// Whether a damaged file contains `"halted": true`, escaped or not, or a revision with `-halted` or `+halted`.
fn has_trace(bytes: &[u8]) -> bool {
    const WORD: &[u8] = b"halted";
    let windows = bytes.windows(WORD.len());
    let places = windows.enumerate().filter(|(_, window)| *window == WORD);
    places.into_iter().any(|(place, _)| {
        let (before, rest) = bytes.split_at(place);
        let rest = rest.get(WORD.len()..).unwrap_or_default();
        let is_between =
            |byte: &&u8| matches!(byte, b'\\' | b'"' | b':' | b' ' | b'\t' | b'\r' | b'\n');
        let skipped = rest.iter().take_while(is_between).count();
        let is_true = rest
            .get(skipped..)
            .is_some_and(|rest| rest.starts_with(b"true"));
        before.ends_with(b"-") || before.ends_with(b"+") || is_true
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_file_can_still_say_that_it_halts() {
        for text in [
            r#"{"version_info":"b-halted","resou"#,
            r#"{"version_info":"b+halted.a","resou"#,
            r#"{\"halted\":true,"#,
            r#"{\"halted\" :  true"#,
            r#"{"halted":true"#,
        ] {
            assert!(has_trace(text.as_bytes()), "{text}");
        }
        for text in [
            "",
            "garbage",
            r#"{\"halted\":false,"#,
            "halted",
            r#"{"halted":"#,
        ] {
            assert!(!has_trace(text.as_bytes()), "{text}");
        }
    }
}
