//! Escaping for terminals: characters that command a terminal, or hide or reorder the text around them.
//!
//! There is one list of such characters. It has Unicode 16's general categories Cc (control), Cf (format,
//! including the marks that change the direction of text), Zl and Zp (line and paragraph separators) and
//! Co (private use, where the font decides what a reader sees), the property
//! Default_Ignorable_Code_Point (invisible characters, including variation selectors and tags), and the
//! noncharacters.

/// Returns a text on one line, with every character that is not [visible](is_visible) escaped: `\u{1b}`.
#[must_use]
pub fn escape_for_terminal(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        push_escaped(&mut escaped, c);
    }
    escaped
}

/// Same as [`escape_for_terminal`]. A byte that is not UTF-8 becomes `\xff`.
#[must_use]
pub fn escape_bytes_for_terminal(bytes: &[u8]) -> String {
    let mut escaped = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        chunk
            .valid()
            .chars()
            .for_each(|c| push_escaped(&mut escaped, c));
        for byte in chunk.invalid() {
            escaped.push_str(&format!("\\x{byte:02x}"));
        }
    }
    escaped
}

fn push_escaped(text: &mut String, c: char) {
    match is_visible(c) {
        true => text.push(c),
        false => text.extend(c.escape_default()),
    }
}

/// Appends a character as a JSON string escapes it: `\u001b`, or two such escapes above U+FFFF.
pub fn push_json_escape(json: &mut String, c: char) {
    for unit in c.encode_utf16(&mut [0; 2]) {
        json.push_str(&format!("\\u{unit:04x}"));
    }
}

/// Whether a terminal may receive a character unescaped.
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

/// Whether a text begins with a marker that Azure Pipelines, GitHub or TeamCity obeys anywhere in a line of
/// output: `##[`, `##vso[`, `##teamcity[`.
#[must_use]
pub fn begins_ci_command(text: &str) -> bool {
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
    fn characters_that_command_a_terminal_are_escaped() {
        assert_eq!(
            escape_for_terminal("\u{1b}[2J\u{9b}a\u{202e}b\u{200b}\n\u{7f}é\u{e0041}"),
            "\\u{1b}[2J\\u{9b}a\\u{202e}b\\u{200b}\\n\\u{7f}é\\u{e0041}"
        );
        assert_eq!(
            escape_bytes_for_terminal(b"a\xffb\x1b\xe2\x80"),
            "a\\xffb\\u{1b}\\xe2\\x80"
        );
    }

    #[test]
    fn json_escapes_are_read_back() {
        let hidden: String = ('\0'..=char::MAX).filter(|c| !is_visible(*c)).collect();
        let mut json = String::from("\"");
        hidden.chars().for_each(|c| push_json_escape(&mut json, c));
        json.push('"');
        assert!(json.is_ascii());
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), hidden);
    }

    /// Compares the list with the tables of `regex-syntax`.
    #[test]
    fn the_list_matches_unicode() {
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
