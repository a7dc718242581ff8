//! Splits lists and objects of valid JSON into their raw values.
//!
//! The syntax is already checked, so this module only looks for where each value ends. Strings are unescaped by
//! hand, because the string parser of `serde_json` would add 14 KB to the filter.

/// Returns the items of a list, or the keys and values of an object in turn; `None` for any other value.
pub(super) fn split_items(value: &str) -> Option<Vec<&str>> {
    let is_between = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | b',' | b':');
    let mut rest = value.strip_prefix(['{', '['])?;
    let mut parts = Vec::new();
    loop {
        let between = rest.bytes().take_while(is_between).count();
        rest = rest.get(between..)?;
        let part = rest.get(..end_of_value(rest.as_bytes()))?;
        if part.is_empty() {
            return Some(parts);
        }
        parts.push(part);
        rest = rest.get(part.len()..)?;
    }
}

/// Returns where the value at the beginning of a text ends; 0 if the text begins with the end of a list or an
/// object.
fn end_of_value(text: &[u8]) -> usize {
    let mut depth = 0_usize;
    let mut at = 0_usize;
    while let Some(byte) = text.get(at) {
        match byte {
            b'"' => at = end_of_string(text, at),
            b'{' | b'[' => depth = depth.saturating_add(1),
            b'}' | b']' if depth == 0 => return at,
            b'}' | b']' => depth = depth.saturating_sub(1),
            b' ' | b'\t' | b'\n' | b'\r' | b',' | b':' if depth == 0 => return at,
            _ => {
                at = at.saturating_add(1);
                continue;
            }
        }
        at = at.saturating_add(1);
        // A string, a list or an object ends with its closing quote or bracket.
        if depth == 0 {
            return at;
        }
    }
    at
}

/// Returns the position of the closing quote of the string that begins at `start`.
fn end_of_string(text: &[u8], start: usize) -> usize {
    let mut at = start.saturating_add(1);
    while let Some(byte) = text.get(at) {
        match byte {
            b'"' => break,
            b'\\' => at = at.saturating_add(2),
            _ => at = at.saturating_add(1),
        }
    }
    at
}

/// Returns the value of a string with escapes, given without its quotes, or `None` if it has a lone surrogate.
pub(super) fn unescape(inside: &str) -> Option<String> {
    let mut text = String::with_capacity(inside.len());
    let mut rest = inside;
    while let Some((plain, escaped)) = rest.split_once('\\') {
        text.push_str(plain);
        let mut after = escaped.chars();
        let c = match after.next()? {
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => unicode(&mut after)?,
            itself => itself,
        };
        text.push(c);
        rest = after.as_str();
    }
    text.push_str(rest);
    Some(text)
}

/// Decodes one character, from one escape or from a surrogate pair.
fn unicode(after: &mut std::str::Chars<'_>) -> Option<char> {
    let first = unit(after)?;
    if let Some(c) = char::from_u32(first.into()) {
        return Some(c);
    }
    *after = after.as_str().strip_prefix("\\u")?.chars();
    let pair = [first, unit(after)?];
    let mut pair = char::decode_utf16(pair);
    pair.next()?.ok()
}

fn unit(after: &mut std::str::Chars<'_>) -> Option<u16> {
    let (digits, rest) = after.as_str().split_at_checked(4)?;
    *after = rest.chars();
    u16::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_and_objects_fall_into_their_parts() {
        for (value, expected) in [
            ("[]", &[][..]),
            ("{ }", &[]),
            ("[1]", &["1"]),
            (
                "[ [1,2] ,{\"a\":[]}, \"]\\\"\\\\\",null\n,-1.5e3 ]",
                &["[1,2]", "{\"a\":[]}", "\"]\\\"\\\\\"", "null", "-1.5e3"],
            ),
            (
                "{\"a\" : {\"b\": \"}\"},\"c,:\":true}",
                &["\"a\"", "{\"b\": \"}\"}", "\"c,:\"", "true"],
            ),
        ] {
            assert_eq!(split_items(value).as_deref(), Some(expected), "{value}");
        }
        for value in ["1", "\"[]\"", "null"] {
            assert_eq!(split_items(value), None);
        }
    }

    #[test]
    fn strings_are_unescaped_as_by_serde_json() {
        for text in [
            r#""#,
            r#"a\"b\\c\/d\b\f\n\r\t"#,
            r#"\u0041\u00e9\u20ac\ud83d\ude00 é😀\u0000"#,
            r#"\ud83d"#,
            r#"\ud83d\n"#,
            r#"\ud83dabcdef"#,
            r#"\ude00"#,
            r#"\ud83d\u0041"#,
            r#"\ud83d\ud83d"#,
        ] {
            let theirs = serde_json::from_str::<String>(&format!("\"{text}\"")).ok();
            assert_eq!(unescape(text), theirs, "{text}");
        }
    }
}
