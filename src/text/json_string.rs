//! JSON strings that are safe to print.

use crate::escape::{is_visible, push_json_escape};

/// Returns a text as a JSON string, with its quotes.
///
/// JSON, YAML 1.1 and YAML 1.2 read it alike: every character that is not [visible](is_visible) is
/// escaped, which includes all that YAML takes for a line break or refuses. A hidden character above
/// U+FFFF becomes two escapes, which some YAML readers refuse.
#[must_use]
pub fn json_string(text: &str) -> String {
    let mut json = String::with_capacity(text.len().saturating_add(2));
    push_json_string(&mut json, text);
    json
}

/// Appends a text as [`json_string`] returns it.
pub fn push_json_string(json: &mut String, text: &str) {
    let is_plain = |byte: u8| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\';
    json.push('"');
    let mut rest = text;
    // Most of a large policy is plain, and is appended in long pieces.
    while !rest.is_empty() {
        let plain = rest.bytes().position(|byte| !is_plain(byte));
        let plain = plain.unwrap_or(rest.len());
        let (head, tail) = rest.split_at_checked(plain).unwrap_or((rest, ""));
        json.push_str(head);
        let mut tail = tail.chars();
        if let Some(c) = tail.next() {
            push_char(json, c);
        }
        rest = tail.as_str();
    }
    json.push('"');
}

fn push_char(json: &mut String, c: char) {
    match c {
        '"' => json.push_str("\\\""),
        '\\' => json.push_str("\\\\"),
        '\n' => json.push_str("\\n"),
        '\r' => json.push_str("\\r"),
        '\t' => json.push_str("\\t"),
        c if !is_visible(c) => push_json_escape(json, c),
        c => json.push(c),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_character_is_read_back() {
        let text: String = ('\0'..'\u{3000}').chain(['\u{feff}', '😀']).collect();
        let json = json_string(&text);
        assert_eq!(json.lines().count(), 1);
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
    }
}
