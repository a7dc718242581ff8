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

/// `12000` as `12,000`.
#[must_use]
pub fn thousands(number: impl ToString) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
