//! Notes: what is to be known about an import, each with its place in the file.

use std::fmt;

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
            write!(f, " at {}", self.pointer)?;
        }
        write!(f, ": {}; {}", self.what, self.help)
    }
}

/// Notes while they are being found.
#[derive(Default)]
pub(crate) struct Notes {
    list: Vec<Note>,
    omitted: usize,
    is_lossy: bool,
}

impl Notes {
    pub(crate) fn lost(&mut self, at: &str, what: impl Into<String>, help: impl Into<String>) {
        self.is_lossy = true;
        self.push(at, what.into(), help.into(), Severity::Lost);
    }

    pub(crate) fn note(&mut self, at: &str, what: impl Into<String>, help: impl Into<String>) {
        self.push(at, what.into(), help.into(), Severity::Note);
    }

    fn push(&mut self, at: &str, what: String, help: String, severity: Severity) {
        if self.list.len() >= KEPT {
            self.omitted = self.omitted.saturating_add(1);
            return;
        }
        // A key of the file may hold anything, and a note is one line of a terminal.
        let pointer = crate::words::printable(at);
        self.list.push(Note {
            pointer,
            what,
            help,
            severity,
        });
    }

    pub(crate) fn finish(self) -> (Vec<Note>, usize, bool) {
        (self.list, self.omitted, self.is_lossy)
    }
}
