//! Quotes text of the file in sentences.

use std::fmt::Write;

use turnout_text::excerpt_for_terminal;

/// Characters of a quoted text that a sentence shows.
const MOST_CHARACTERS: usize = 64;
/// Items of a list that a sentence shows.
const MOST_ITEMS: usize = 10;

/// Puts the start of a text in backticks, escaped for a terminal.
pub(crate) fn quote(text: &str) -> String {
    format!("`{}`", excerpt_for_terminal(text, MOST_CHARACTERS))
}

/// Quotes the first texts of a list: `` `a`, `b` and 3 more ``.
pub(crate) fn quote_list<'a>(texts: impl Iterator<Item = &'a str>) -> String {
    let mut out = String::new();
    let mut more: usize = 0;
    for (index, text) in texts.enumerate() {
        if index >= MOST_ITEMS {
            more = more.saturating_add(1);
            continue;
        }
        let comma = if index == 0 { "" } else { ", " };
        // Writing to a String does not fail.
        let _ = write!(out, "{comma}{}", quote(text));
    }
    if more > 0 {
        let _ = write!(out, " and {more} more");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quote_is_short_and_on_one_line() {
        assert_eq!(quote("a\u{1b}[31m\nb"), "`a\\u{1b}[31m\\nb`");
        assert_eq!(quote(&"é".repeat(65)), format!("`{}…`", "é".repeat(64)));
        let many: Vec<_> = (0..12).map(|n| n.to_string()).collect();
        assert_eq!(
            quote_list(many.iter().map(String::as_str)),
            "`0`, `1`, `2`, `3`, `4`, `5`, `6`, `7`, `8`, `9` and 2 more"
        );
    }
}
