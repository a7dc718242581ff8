//! JSON on one line, written field by field.

use turnout_text::{is_visible, push_json_escape};

/// An object that is being written.
pub(super) struct Object {
    text: String,
}

impl Object {
    pub(super) fn new() -> Self {
        Self {
            text: String::from("{"),
        }
    }

    /// A field whose value is a string; what is not UTF-8 in it is replaced.
    pub(super) fn text(mut self, name: &str, value: &[u8]) -> Self {
        self.name(name);
        quote(&mut self.text, &String::from_utf8_lossy(value));
        self
    }

    /// A field whose value is a string, or null.
    pub(super) fn text_or_null(self, name: &str, value: Option<&[u8]>) -> Self {
        match value {
            Some(value) => self.text(name, value),
            None => self.json(name, "null"),
        }
    }

    pub(super) fn number(self, name: &str, value: u64) -> Self {
        self.json(name, &value.to_string())
    }

    /// A field whose value is JSON already.
    pub(super) fn json(mut self, name: &str, value: &str) -> Self {
        self.name(name);
        self.text.push_str(value);
        self
    }

    pub(super) fn end(mut self) -> String {
        self.text.push('}');
        self.text
    }

    fn name(&mut self, name: &str) {
        if self.text.len() > 1 {
            self.text.push(',');
        }
        quote(&mut self.text, name);
        self.text.push(':');
    }
}

/// A list of what is JSON already.
pub(super) fn list(items: impl IntoIterator<Item = String>) -> String {
    let mut text = String::from("[");
    for item in items {
        if text.len() > 1 {
            text.push(',');
        }
        text.push_str(&item);
    }
    text.push(']');
    text
}

pub(super) fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len().saturating_add(2));
    quote(&mut quoted, text);
    quoted
}

/// Sixteen hex digits: JSON's numbers are not wide enough everywhere.
pub(super) fn hex(value: u64) -> String {
    format!("{value:016x}")
}

fn quote(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            // Line breaks among them: a record is one line.
            c if !is_visible(c) => push_json_escape(out, c),
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_character_comes_back_from_one_line() {
        let text: String = ('\0'..'\u{3000}').chain(['😀']).collect();
        let line = Object::new().text("t", text.as_bytes()).end();
        assert_eq!(line.lines().count(), 1);
        let read: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(read["t"], text);
    }
}
