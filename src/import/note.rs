//! Notes: what is to be known about an import, each with its place in the file.

use std::fmt;

use turnout_text::escape_for_terminal;

/// How many notes are kept; further ones are only counted.
const KEPT: usize = 1_000;

/// Whether a note is about a loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// Something of the flag is not in the policy.
    Lost,
    /// All of it is, and this is to be known.
    Note,
}

impl Severity {
    /// The word for it, which stays the same.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::Note => "note",
        }
    }
}

/// One thing that is to be known. Its `Display` is the whole sentence, on one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// JSON Pointer (RFC 6901) of the value in the file; empty for the whole file.
    pub pointer: String,
    /// What is so.
    pub what: String,
    /// What to do about it.
    pub help: String,
    /// Whether something is lost.
    pub severity: Severity,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.severity.as_str())?;
        if !self.pointer.is_empty() {
            // A key of the file may hold anything.
            write!(f, " at {}", escape_for_terminal(&self.pointer))?;
        }
        write!(
            f,
            ": {}; {}",
            escape_for_terminal(&self.what),
            escape_for_terminal(&self.help)
        )
    }
}

/// Notes while they are being found.
#[derive(Default)]
pub(crate) struct Notes {
    list: Vec<Note>,
    omitted: usize,
    is_lossy: bool,
    /// Which of the list wait for the branch that they are about.
    waiting: Vec<usize>,
}

impl Notes {
    pub(crate) fn lost(&mut self, at: &str, what: impl Into<String>, help: impl Into<String>) {
        self.is_lossy = true;
        self.push(at, what.into(), help.into(), Severity::Lost);
    }

    /// A loss within a branch. What becomes of its accounts depends on the branches behind it, and is
    /// added to the sentence once that is known: see [`Notes::conclude`].
    pub(crate) fn lost_of_branch(&mut self, at: &str, what: impl Into<String>, help: &str) {
        self.lost(at, what, help);
        if self.omitted == 0 {
            self.waiting.push(self.list.len().saturating_sub(1));
        }
    }

    /// The notes that wait for a branch, which is the one that is made now.
    pub(crate) fn take_waiting(&mut self) -> Vec<usize> {
        std::mem::take(&mut self.waiting)
    }

    /// Ends the sentences of these notes.
    pub(crate) fn conclude(&mut self, notes: &[usize], end: &str) {
        for index in notes {
            if let Some(note) = self.list.get_mut(*index) {
                note.what.push(' ');
                note.what.push_str(end);
            }
        }
    }

    pub(crate) fn note(&mut self, at: &str, what: impl Into<String>, help: impl Into<String>) {
        self.push(at, what.into(), help.into(), Severity::Note);
    }

    fn push(&mut self, at: &str, what: String, help: String, severity: Severity) {
        if self.list.len() >= KEPT {
            self.omitted = self.omitted.saturating_add(1);
            return;
        }
        self.list.push(Note {
            pointer: at.to_owned(),
            what,
            help,
            severity,
        });
    }

    pub(crate) fn finish(self) -> (Vec<Note>, usize, bool) {
        (self.list, self.omitted, self.is_lossy)
    }
}
