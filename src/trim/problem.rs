//! A problem of a list, or of a module that does not fit its list.

use std::fmt;

/// One problem. `Display` says where it is, what is wrong and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The line of the list, counted from 1. `None` if no line of the list is about it.
    pub line: Option<usize>,
    /// What is wrong and what to do, on one line that is safe to print.
    pub message: String,
}

impl Problem {
    pub(crate) fn on_line(line: usize, message: String) -> Self {
        Self {
            line: Some(line),
            message,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        f.write_str(&self.message)
    }
}

/// Writes each problem on a line of its own.
pub(crate) fn write_lines(problems: &[Problem], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for (index, problem) in problems.iter().enumerate() {
        if index > 0 {
            f.write_str("\n")?;
        }
        write!(f, "{problem}")?;
    }
    Ok(())
}
