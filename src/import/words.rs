//! Words for sentences, and names for policies.

use std::fmt::Write;

use turnout_text::{DNS_LABEL_MAX_LEN, excerpt_for_terminal};

/// How much of a text of the file a sentence shows, in characters.
const SHOWN: usize = 64;
/// How many of a list.
const LISTED: usize = 10;

/// Returns the beginning of a text from the file in backticks, escaped for a terminal.
pub(crate) fn quoted(text: &str) -> String {
    format!("`{}`", excerpt_for_terminal(text, SHOWN))
}

/// ``` `a`, `b` and 3 more ```
pub(crate) fn list<'a>(texts: impl Iterator<Item = &'a str>) -> String {
    let mut out = String::new();
    let mut more: usize = 0;
    for (index, text) in texts.enumerate() {
        if index >= LISTED {
            more = more.saturating_add(1);
            continue;
        }
        let comma = if index == 0 { "" } else { ", " };
        // Writing to a String does not fail.
        let _ = write!(out, "{comma}{}", quoted(text));
    }
    if more > 0 {
        let _ = write!(out, " and {more} more");
    }
    out
}

/// A name for a rollout or a segment that is as near to a text as names allow.
pub(crate) fn name(text: &str) -> String {
    let mut name = String::new();
    for c in text.chars() {
        let c = c.to_ascii_lowercase();
        match c {
            'a'..='z' | '0'..='9' => name.push(c),
            _ if name.is_empty() || name.ends_with('-') => {}
            _ => name.push('-'),
        }
        if name.len() >= DNS_LABEL_MAX_LEN {
            break;
        }
    }
    let name = name.trim_end_matches('-');
    String::from(if name.is_empty() { "imported" } else { name })
}

/// A name that none of these are, made of a name.
pub(crate) fn free(name: &str, is_taken: impl Fn(&str) -> bool) -> String {
    if !is_taken(name) {
        return name.to_owned();
    }
    let numbered = (2_usize..).map(|number| {
        let end = format!("-{number}");
        let room = DNS_LABEL_MAX_LEN.saturating_sub(end.len());
        let start: String = name.chars().take(room).collect();
        [start.trim_end_matches('-'), &end].concat()
    });
    let mut free = numbered.filter(|name| !is_taken(name));
    free.next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_as_near_as_names_allow() {
        for (text, expected) in [
            ("chat", "chat"),
            ("Chat.Users_DynamoDB", "chat-users-dynamodb"),
            ("--a--", "a"),
            ("", "imported"),
            ("éé", "imported"),
            (&"a".repeat(100), &"a".repeat(63)),
            (&format!("{}-b", "a".repeat(62)), &"a".repeat(62)),
        ] {
            assert_eq!(name(text), expected, "{text}");
        }
        let long = "a".repeat(63);
        assert_eq!(free(&long, |name| name == long).len(), 63);
        assert_eq!(free("a", |name| name == "a" || name == "a-2"), "a-3");
    }

    #[test]
    fn a_text_of_the_file_is_one_short_line() {
        assert_eq!(quoted("a\u{1b}[31m\nb"), "`a\\u{1b}[31m\\nb`");
        assert_eq!(quoted(&"é".repeat(65)), format!("`{}…`", "é".repeat(64)));
        let many: Vec<_> = (0..12).map(|n| n.to_string()).collect();
        assert_eq!(
            list(many.iter().map(String::as_str)),
            "`0`, `1`, `2`, `3`, `4`, `5`, `6`, `7`, `8`, `9` and 2 more"
        );
    }
}
