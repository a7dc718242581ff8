//! Notes on an import, each with its place in the file.

use std::fmt;

use turnout_text::escape_for_terminal;

/// The number of notes that are kept; further ones are only counted.
const MOST_NOTES: usize = 1_000;

/// Whether a note is about a loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// A part of the flag is missing in the policy.
    Lost,
    /// Nothing is missing.
    Note,
}

impl Severity {
    /// The severity's name in the text and the JSON output.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::Note => "note",
        }
    }
}

/// A note on the import. Its `Display` is one sentence, on one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// JSON Pointer (RFC 6901) to the value in the file; empty for the whole file.
    pub pointer: String,
    /// What the import did, and which treatment the accounts concerned take.
    pub message: String,
    /// What to do.
    pub help: String,
    /// Whether a part of the flag is lost.
    pub severity: Severity,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.severity.as_str())?;
        if !self.pointer.is_empty() {
            // A key of the file may have any characters.
            write!(f, " at {}", escape_for_terminal(&self.pointer))?;
        }
        write!(
            f,
            ": {}; {}",
            escape_for_terminal(&self.message),
            escape_for_terminal(&self.help)
        )
    }
}

/// Collects notes.
#[derive(Default)]
pub(crate) struct Notes {
    list: Vec<Note>,
    omitted: usize,
    is_lossy: bool,
    /// Indices of the notes that belong to the next branch and whose messages are not complete.
    pending: Vec<usize>,
}

impl Notes {
    pub(crate) fn add_loss(
        &mut self,
        at: &str,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.is_lossy = true;
        self.push(at, message.into(), help.into(), Severity::Lost);
    }

    /// Adds a loss within a branch. The treatment of its accounts depends on later branches, so
    /// [`Notes::complete`] adds it to the message later.
    pub(crate) fn add_branch_loss(&mut self, at: &str, message: impl Into<String>, help: &str) {
        self.add_loss(at, message, help);
        if self.omitted == 0 {
            self.pending.push(self.list.len().saturating_sub(1));
        }
    }

    /// Returns the pending notes, for the branch that is created now.
    pub(crate) fn take_pending(&mut self) -> Vec<usize> {
        std::mem::take(&mut self.pending)
    }

    /// Appends the end of the sentence to the messages of these notes.
    pub(crate) fn complete(&mut self, notes: &[usize], end: &str) {
        for index in notes {
            if let Some(note) = self.list.get_mut(*index) {
                note.message.push_str(end);
            }
        }
    }

    pub(crate) fn add_note(
        &mut self,
        at: &str,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.push(at, message.into(), help.into(), Severity::Note);
    }

    fn push(&mut self, at: &str, message: String, help: String, severity: Severity) {
        if self.list.len() >= MOST_NOTES {
            self.omitted = self.omitted.saturating_add(1);
            return;
        }
        self.list.push(Note {
            pointer: at.to_owned(),
            message,
            help,
            severity,
        });
    }

    pub(crate) fn finish(self) -> (Vec<Note>, usize, bool) {
        (self.list, self.omitted, self.is_lossy)
    }
}
