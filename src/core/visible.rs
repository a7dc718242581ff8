//! Text of others, for a terminal: what would command it, or hide or turn the text around it, is
//! escaped.
//!
//! There is one list of such characters. By Unicode 16 it has the general categories Cc (control), Cf
//! (format, the marks that turn the direction of text among them), Zl and Zp (line and paragraph
//! separator) and Co (private use: what a reader sees is the font's choice), the property
//! Default_Ignorable_Code_Point (invisible, variation selectors and tags among them), and the
//! noncharacters.

/// On one line and harmless, whole.
#[must_use]
pub fn visible(text: &str) -> String {
    let mut visible = String::with_capacity(text.len());
    for c in text.chars() {
        push_visible(&mut visible, c);
    }
    visible
}

/// As [`visible`]. A byte that is not UTF-8 is shown as `\xff`.
#[must_use]
pub fn visible_bytes(bytes: &[u8]) -> String {
    let mut shown = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        chunk
            .valid()
            .chars()
            .for_each(|c| push_visible(&mut shown, c));
        for byte in chunk.invalid() {
            shown.push_str(&format!("\\x{byte:02x}"));
        }
    }
    shown
}

pub(crate) fn push_visible(text: &mut String, c: char) {
    match is_visible(c) {
        true => text.push(c),
        false => text.extend(c.escape_default()),
    }
}

/// Appends the escape that a JSON string has for a character: `\u001b`, or two of them.
pub fn push_json_escape(json: &mut String, c: char) {
    for unit in c.encode_utf16(&mut [0; 2]) {
        json.push_str(&format!("\\u{unit:04x}"));
    }
}

/// Whether a character may be shown as it is.
#[must_use]
pub fn is_visible(c: char) -> bool {
    if matches!(c, ' '..='~') {
        return true;
    }
    let is_hidden = matches!(c,
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{ad}' | '\u{34f}'
        | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{890}'..='\u{891}' | '\u{8e2}'
        | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
        | '\u{e000}'..='\u{f8ff}' | '\u{fdd0}'..='\u{fdef}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
        | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
        | '\u{110bd}' | '\u{110cd}' | '\u{13430}'..='\u{1343f}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}' | '\u{f0000}'..);
    let is_last_of_its_plane = u32::from(c) & 0xfffe == 0xfffe;
    !is_hidden && !is_last_of_its_plane
}

/// Whether a text begins with what Azure Pipelines, GitHub or TeamCity takes for a command in the midst of
/// a line: `##[`, `##vso[`, `##teamcity[`.
#[must_use]
pub fn begins_command(text: &str) -> bool {
    text.strip_prefix("##").is_some_and(|name| {
        let name =
            name.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || "._-".contains(c));
        name.starts_with('[')
    })
}

#[cfg(test)]
mod tests {
    use regex_syntax::ParserBuilder;
    use regex_syntax::hir::{Class, HirKind};

    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_escaped() {
        assert_eq!(
            visible("\u{1b}[2J\u{9b}a\u{202e}b\u{200b}\n\u{7f}é\u{e0041}"),
            "\\u{1b}[2J\\u{9b}a\\u{202e}b\\u{200b}\\n\\u{7f}é\\u{e0041}"
        );
        assert_eq!(
            visible_bytes(b"a\xffb\x1b\xe2\x80"),
            "a\\xffb\\u{1b}\\xe2\\x80"
        );
    }

    #[test]
    fn a_json_string_comes_back_from_its_escapes() {
        let hidden: String = ('\0'..=char::MAX).filter(|c| !is_visible(*c)).collect();
        let mut json = String::from("\"");
        hidden.chars().for_each(|c| push_json_escape(&mut json, c));
        json.push('"');
        assert!(json.is_ascii());
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), hidden);
    }

    /// Held against the tables of `regex-syntax`.
    #[test]
    fn the_list_is_that_of_unicode() {
        let class = r"[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Default_Ignorable_Code_Point}\p{Noncharacter_Code_Point}]";
        let parsed = ParserBuilder::new().build().parse(class).unwrap();
        let HirKind::Class(Class::Unicode(class)) = parsed.kind() else {
            panic!("no class");
        };
        let is_listed = |c: char| {
            let mut ranges = class.iter();
            ranges.any(|range| (range.start()..=range.end()).contains(&c))
        };
        let differing: Vec<char> = ('\0'..=char::MAX)
            .filter(|c| is_visible(*c) == is_listed(*c))
            .collect();
        assert!(differing.is_empty(), "{differing:?}");
    }
}
