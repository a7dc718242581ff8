//! How the command ends.

use std::process::{ExitCode, Termination};

use crate::support::safe_output::print_error_line;

/// The exit code, for scripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// 0: done.
    Done,
    /// 1: done, and the answer is no: the two differ, or v2 is not ready.
    No,
    /// 2: the input is bad, and nothing was written. Bad arguments end so too.
    BadInput,
}

impl Termination for Exit {
    fn report(self) -> ExitCode {
        ExitCode::from(match self {
            Self::Done => 0,
            Self::No => 1,
            Self::BadInput => 2,
        })
    }
}

/// Says why nothing was done, each reason on a line of its own.
pub(crate) fn refuse_all(errors: &[String]) -> Exit {
    for error in errors {
        refuse(error);
    }
    Exit::BadInput
}

/// Says why nothing was done. The sentence has what is wrong, and what to write instead.
pub(crate) fn refuse(error: &str) -> Exit {
    print_error_line(&format!("turnout: {error}"));
    Exit::BadInput
}
