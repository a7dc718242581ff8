//! Reports a panic as a bug of the program. The message is escaped, because it may quote any input.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic::PanicHookInfo;

use crate::support::safe_output::print_error_line;
use crate::support::safe_output::{self, SafeText};

/// Prints the message and the place of a panic.
pub(crate) fn report(panic: &PanicHookInfo<'_>) {
    let payload = panic.payload();
    let message = payload.downcast_ref::<&str>().copied();
    let message = message.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    let place = panic
        .location()
        .map(ToString::to_string)
        .unwrap_or_default();
    print_error_line(&format!(
        "turnout: this is a bug in turnout, at {place}: {}",
        message.unwrap_or_default()
    ));
    let trace = Backtrace::capture();
    if trace.status() == BacktraceStatus::Captured {
        safe_output::print_error(&SafeText::lines(&format!("{trace}\n")));
    }
}
