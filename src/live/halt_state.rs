//! Determines whether a folder is halted, even if its files are damaged.
//!
//! If it cannot be determined, the folder counts as halted: an account on v1 by mistake is served, an account
//! on a broken v2 is not.

use crate::directory::{CurrentPolicy, Filter, FolderState};
use crate::history_entry::{Action, Outcome};

/// Whether a folder is halted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum HaltState {
    No,
    Yes,
    /// It cannot be determined. The text says why.
    Unknown(String),
}

impl FolderState {
    /// Whether the folder is halted. If that is unknown, it adds a note.
    pub(crate) fn note_halt(&mut self, current: Option<&CurrentPolicy>) -> bool {
        match self.halt(current) {
            HaltState::No => false,
            HaltState::Yes => true,
            HaltState::Unknown(why) => {
                self.notes.push(format!(
                    "it is unknown whether the folder was halted ({why}), so it counts as halted"
                ));
                true
            }
        }
    }

    /// Determines from `filter.json`, or else from the history, whether the folder is halted.
    pub(crate) fn halt(&self, current: Option<&CurrentPolicy>) -> HaltState {
        let Some(halted) = self.is_halted() else {
            return self.halt_of_history();
        };
        // Proxies that rejected the policy in the file run the previous one.
        let runs_another = current.filter(|current| !current.is_in_place);
        match halted || runs_another.is_some_and(|current| current.entry.halted) {
            true => HaltState::Yes,
            false => HaltState::No,
        }
    }

    fn halt_of_history(&self) -> HaltState {
        if self.bytes.as_deref().is_some_and(has_trace) {
            return HaltState::Yes;
        }
        // Such an entry may have been written to the file before the file was lost.
        let mut may_be_written = false;
        for sequence in self.history.sequences().iter().rev() {
            let entry = match self.history.entry(*sequence) {
                Err(why) => return HaltState::Unknown(format!("entry {sequence}: {why}")),
                Ok(entry) => entry,
            };
            match entry.outcome {
                // A halt stays in the folder, even if proxies reject it.
                _ if entry.action == Action::Halt => return HaltState::Yes,
                // It was removed again.
                Outcome::Rejected => {}
                Outcome::Begun => may_be_written |= entry.halted,
                _ if entry.halted || may_be_written => return HaltState::Yes,
                _ => return HaltState::No,
            }
        }
        match &self.filter {
            // No policy has ever been active here.
            Filter::Missing => HaltState::No,
            _ => HaltState::Unknown("no entry of the history shows it".into()),
        }
    }
}

/// Whether a damaged file contains `"halted": true`, escaped or not, or a revision that ends in `-halted`.
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
        before.ends_with(b"-") || is_true
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_file_can_still_say_that_it_halts() {
        for text in [
            r#"{"version_info":"b-halted","resou"#,
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
