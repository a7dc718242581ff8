//! Printing: width, bold, red, numbers.

use std::io::Write;

/// The width of a demo in columns.
pub const WIDTH: usize = 100;
/// Bold, on terminals that support it.
pub const BOLD: &str = "\x1b[1m";
/// Red, for errors.
pub const RED: &str = "\x1b[1;31m";
/// The end of bold or red.
pub const PLAIN: &str = "\x1b[0m";

/// Prints a text and a line break. Fails if standard output is closed.
pub fn show(text: &str) -> Result<(), String> {
    let mut out = anstream::stdout().lock();
    writeln!(out, "{text}")
        .and_then(|()| out.flush())
        .map_err(|error| format!("cannot print: {error}"))
}

/// Formats a number of any integer type with thousands separators: `12,000`.
#[must_use]
pub fn thousands(number: impl TryInto<u64>) -> String {
    turnout_text::thousands(number.try_into().unwrap_or(u64::MAX))
}
