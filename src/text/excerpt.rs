//! Excerpts: the beginning of a text from outside, short enough for one line.

use std::borrow::Cow;

use crate::escape::escape_for_terminal;

/// The longest UTF-8 encoding of a character, in bytes.
const CHAR_MAX_LEN: usize = 4;

/// Returns at most `max_chars` characters of a text, and `…` where more follow. Nothing is escaped.
#[must_use]
pub fn excerpt(text: &str, max_chars: usize) -> Cow<'_, str> {
    let cut = text.char_indices().nth(max_chars).map(|(end, _)| end);
    match cut.and_then(|end| text.get(..end)) {
        Some(beginning) => Cow::Owned([beginning, "…"].concat()),
        None => Cow::Borrowed(text),
    }
}

/// Returns an [`excerpt`] on one line, escaped for a terminal. Escapes do not count as characters.
#[must_use]
pub fn excerpt_for_terminal(text: &str, max_chars: usize) -> String {
    escape_for_terminal(&excerpt(text, max_chars))
}

/// Same as [`excerpt_for_terminal`]. Bytes that are not UTF-8 become U+FFFD.
#[must_use]
pub fn excerpt_bytes_for_terminal(bytes: &[u8], max_chars: usize) -> String {
    // One character more than is shown, so that the cut is known without reading everything.
    let enough = max_chars.saturating_add(1).saturating_mul(CHAR_MAX_LEN);
    let beginning = bytes.get(..enough).unwrap_or(bytes);
    excerpt_for_terminal(&String::from_utf8_lossy(beginning), max_chars)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_after_whole_characters() {
        assert_eq!(excerpt("éé", 2), "éé");
        assert_eq!(excerpt("ééé", 2), "éé…");
        assert_eq!(excerpt("a\u{1b}[2J\n", 9), "a\u{1b}[2J\n");
    }

    #[test]
    fn excerpts_are_escaped_after_they_are_cut() {
        assert_eq!(excerpt_for_terminal("a\u{1b}[2J", 2), "a\\u{1b}…");
        assert_eq!(excerpt_bytes_for_terminal(b"a\x1b[2J", 9), "a\\u{1b}[2J");
        assert_eq!(excerpt_bytes_for_terminal(&[0xff], 9), "\u{fffd}");
        let wide = "😀".repeat(3);
        assert_eq!(excerpt_bytes_for_terminal(wide.as_bytes(), 2), "😀😀…");
    }
}
