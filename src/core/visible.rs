//! Text of others, for a terminal: what would command it, or hide or turn the text around it, is
//! escaped.

/// On one line and harmless, whole.
#[must_use]
pub fn visible(text: &str) -> String {
    let mut visible = String::with_capacity(text.len());
    for c in text.chars() {
        push_visible(&mut visible, c);
    }
    visible
}

pub(crate) fn push_visible(text: &mut String, c: char) {
    match is_visible(c) {
        true => text.push(c),
        false => text.extend(c.escape_default()),
    }
}

/// Whether a character may be shown as it is. What may not has at most 16 bits.
#[must_use]
pub fn is_visible(c: char) -> bool {
    let hides_or_turns = matches!(c,
        '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    !c.is_control() && !hides_or_turns
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_escaped() {
        assert_eq!(
            visible("\u{1b}[2J\u{9b}a\u{202e}b\u{200b}\n\u{7f}é"),
            "\\u{1b}[2J\\u{9b}a\\u{202e}b\\u{200b}\\n\\u{7f}é"
        );
        let hidden = ('\0'..=char::MAX).filter(|c| !is_visible(*c));
        assert!(hidden.max() < Some('\u{10000}'));
    }
}
