//! Whether a folder is halted, by what is left of it.
//!
//! Where that cannot be read it counts as halted: who is on v1 by mistake is served, and who is sent
//! back to a broken v2 is not.

use crate::directory::{Current, Filter, State};
use crate::entry::{Outcome, What};

/// Whether a folder is halted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Halt {
    No,
    Yes,
    /// It cannot be read, and why.
    InDoubt(String),
}

impl State {
    /// Whether the folder is halted. Where that is in doubt, a note says so.
    pub(crate) fn note_halt(&mut self, current: Option<&Current>) -> bool {
        match self.halt(current) {
            Halt::No => false,
            Halt::Yes => true,
            Halt::InDoubt(why) => {
                self.notes.push(format!(
                    "it cannot be read whether the folder was halted ({why}), so it counts as halted"
                ));
                true
            }
        }
    }

    /// By the words of `filter.json`, and where those are lost by the history.
    pub(crate) fn halt(&self, current: Option<&Current>) -> Halt {
        let Some(halted) = self.is_halted() else {
            return self.halt_of_history();
        };
        // Proxies that refused what the file holds run what was before.
        let runs_another = current.filter(|current| !current.is_in_place);
        match halted || runs_another.is_some_and(|current| current.entry.halted) {
            true => Halt::Yes,
            false => Halt::No,
        }
    }

    fn halt_of_history(&self) -> Halt {
        if self.bytes.as_deref().is_some_and(has_trace) {
            return Halt::Yes;
        }
        // It may have been written before the file was lost.
        let mut may_be_written = false;
        for sequence in self.history.sequences().iter().rev() {
            let entry = match self.history.entry(*sequence) {
                Err(why) => return Halt::InDoubt(format!("entry {sequence}: {why}")),
                Ok(entry) => entry,
            };
            match entry.outcome {
                // A halt stays in the folder, whatever proxies say of it.
                _ if entry.what == What::Halt => return Halt::Yes,
                // It was taken out again, or it is not known whether it came to be.
                Outcome::Rejected => {}
                Outcome::Begun => may_be_written |= entry.halted,
                _ if entry.halted || may_be_written => return Halt::Yes,
                _ => return Halt::No,
            }
        }
        match &self.filter {
            // No policy was ever in force here.
            Filter::Missing => Halt::No,
            _ => Halt::InDoubt("no entry of the history says it".into()),
        }
    }
}

/// Whether a file that cannot be read says that it halts: `"halted": true`, with whatever escapes, or
/// a revision that ends so.
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
