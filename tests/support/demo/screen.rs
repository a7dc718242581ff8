//! The parts that the screens of the demos have in common.

use std::net::SocketAddr;

use crate::terminal::{BOLD, PLAIN, RED, WIDTH, thousands};

/// How many errors are printed, and how many characters of each.
const MAX_ERRORS: usize = 5;
const MAX_ERROR_LENGTH: usize = 600;

/// The addresses of v1, v2, Envoy and its admin endpoint, a line each.
#[must_use]
pub fn addresses<const N: usize>(rows: [(&str, SocketAddr, &str); N]) -> String {
    rows.map(|(name, address, what)| format!("  {name:<11} http://{address}   {what}\n"))
        .concat()
}

/// The heading of a step: its number and title on the left, the admin endpoint on the right.
#[must_use]
pub fn heading(number: usize, steps: usize, title: &str, admin: SocketAddr) -> String {
    let left = format!("Step {number} of {steps}: {title}");
    let right = format!("admin endpoint http://{admin}");
    let gap = WIDTH.saturating_sub(left.len() + right.len());
    format!("{BOLD}{left}{:gap$}{right}{PLAIN}\n", "")
}

/// The first errors under a title, and how many more there are.
#[must_use]
pub fn errors(title: &str, all: &[String]) -> String {
    let shown = all.iter().take(MAX_ERRORS).map(|error| {
        let error: String = error.chars().take(MAX_ERROR_LENGTH).collect();
        format!("    {error}\n")
    });
    let shown: String = shown.collect();
    let more = match all.len().saturating_sub(MAX_ERRORS) {
        0 => String::new(),
        more => format!("    and {} more\n", thousands(more)),
    };
    format!("  {RED}{title}{PLAIN}\n{shown}{more}")
}

/// Breaks a sentence between words, indented.
#[must_use]
pub fn wrap(sentence: &str) -> String {
    const INDENT: &str = "    ";
    let mut text = String::new();
    let mut line = INDENT.to_owned();
    for word in sentence.split(' ') {
        if line.len() + 1 + word.len() > WIDTH && line.len() > INDENT.len() {
            text += &format!("{line}\n");
            line = format!("{INDENT}  ");
        } else if line.trim_start() != "" {
            line.push(' ');
        }
        line += word;
    }
    text + &line
}
