//! What the demos have in common in front of a terminal.

use std::io::Write;

/// How many columns a demo takes.
pub const WIDTH: usize = 100;
/// Shown only where that is understood, as the others.
pub const BOLD: &str = "\x1b[1m";
/// For what is wrong.
pub const RED: &str = "\x1b[1;31m";
/// The end of either.
pub const PLAIN: &str = "\x1b[0m";

/// Prints a text and a line break. Says so when nobody reads it any more.
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
