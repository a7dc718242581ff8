//! The exit codes of the command.

use std::process::{ExitCode, Termination};

use crate::support::safe_output::print_error_line;

/// An exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// 0: done.
    Done,
    /// 1: done, with a negative result: two inputs differ, or v2 is not ready.
    No,
    /// 2: an input or an argument has an error, and nothing is written.
    BadInput,
    /// 3: the data is not enough for a verdict.
    NotEnoughData,
    /// 4: the data cannot be compared.
    Invalid,
}

impl Termination for Exit {
    fn report(self) -> ExitCode {
        ExitCode::from(match self {
            Self::Done => 0,
            Self::No => 1,
            Self::BadInput => 2,
            Self::NotEnoughData => 3,
            Self::Invalid => 4,
        })
    }
}

/// Prints each error on a line of its own.
pub(crate) fn refuse_all(errors: &[String]) -> Exit {
    for error in errors {
        refuse(error);
    }
    Exit::BadInput
}

/// Prints an error. The sentence says what is wrong, and what to do.
pub(crate) fn refuse(error: &str) -> Exit {
    print_error_line(&format!("turnout: {error}"));
    Exit::BadInput
}
