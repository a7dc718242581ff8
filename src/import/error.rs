//! The error of an import.

use std::fmt;

use turnout_text::escape_for_terminal;

/// Why nothing was imported. Its `Display` is one sentence, on one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportError {
    /// A JSON Pointer, a line and column, or an option; empty for the whole file.
    pub place: String,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: String,
}

impl ImportError {
    pub(crate) fn new(at: &str, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            place: escape_for_terminal(at),
            message: message.into(),
            help: help.into(),
        }
    }

    pub(crate) fn option(name: &str, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self::new(name, message, help)
    }

    pub(crate) fn json(error: &serde_json::Error) -> Self {
        let sentence = error.to_string();
        let message = sentence.split(" at line ").next().unwrap_or_default();
        let place = format!("line {}, column {}", error.line(), error.column());
        let help = "pass the JSON file as the tool exports it";
        Self::new(&place, format!("invalid JSON: {message}"), help)
    }
}

impl fmt::Display for ImportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            place,
            message,
            help,
        } = self;
        match place.as_str() {
            "" => write!(f, "{message}; {help}"),
            place => write!(f, "{place}: {message}; {help}"),
        }
    }
}

impl std::error::Error for ImportError {}

pub(crate) type ImportResult<T> = Result<T, ImportError>;
