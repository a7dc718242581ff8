//! What is wrong with a file of counts or metrics, with its line.

use std::fmt;

/// The largest number of errors of one file that are reported.
const MOST_ERRORS: usize = 10;

/// What is wrong with a line of a file, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputError {
    /// The number of the line, from 1; `None` if the file as a whole is wrong.
    pub line: Option<usize>,
    /// A sentence.
    pub what: String,
}

impl fmt::Display for InputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "line {line}: {}", self.what),
            None => f.write_str(&self.what),
        }
    }
}

/// The errors of one file, at most [`MOST_ERRORS`].
#[derive(Debug, Default)]
pub(crate) struct InputErrors(Vec<InputError>);

impl InputErrors {
    pub(crate) fn push(&mut self, line: usize, what: String) {
        self.0.push(InputError {
            line: Some(line),
            what,
        });
    }

    /// Whether reading should end.
    pub(crate) fn are_enough(&self) -> bool {
        self.0.len() >= MOST_ERRORS
    }

    /// Returns the value if there are no errors.
    pub(crate) fn or<T>(self, value: T) -> Result<T, Vec<InputError>> {
        match self.0.is_empty() {
            true => Ok(value),
            false => Err(self.0),
        }
    }
}

/// An error of a whole file.
pub(crate) fn of_file(what: &str) -> Vec<InputError> {
    vec![InputError {
        line: None,
        what: what.to_owned(),
    }]
}
