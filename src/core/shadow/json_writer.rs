//! Writes JSON on one line, field by field.
//!
//! `serde_json` would write characters that hide or reorder text as they are, and these lines end up in
//! a terminal. So each string goes through [`push_json_string`], and little is left for a library.

use turnout_text::push_json_string;

/// An object under construction.
pub(super) struct Object {
    text: String,
}

impl Object {
    pub(super) fn new() -> Self {
        Self {
            text: String::from("{"),
        }
    }

    /// Adds a string. Bytes that are not UTF-8 become U+FFFD.
    pub(super) fn text(mut self, name: &str, value: &[u8]) -> Self {
        self.name(name);
        push_json_string(&mut self.text, &String::from_utf8_lossy(value));
        self
    }

    /// Adds a string or null.
    pub(super) fn text_or_null(self, name: &str, value: Option<&[u8]>) -> Self {
        match value {
            Some(value) => self.text(name, value),
            None => self.json(name, "null"),
        }
    }

    /// Adds a number.
    pub(super) fn number(self, name: &str, value: u64) -> Self {
        self.json(name, &value.to_string())
    }

    /// Adds a value that is already JSON.
    pub(super) fn json(mut self, name: &str, value: &str) -> Self {
        self.name(name);
        self.text.push_str(value);
        self
    }

    /// Closes the object and returns its text.
    pub(super) fn end(mut self) -> String {
        self.text.push('}');
        self.text
    }

    fn name(&mut self, name: &str) {
        if self.text.len() > 1 {
            self.text.push(',');
        }
        push_json_string(&mut self.text, name);
        self.text.push(':');
    }
}

/// Returns a list of items that are already JSON.
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

/// Returns sixteen hex digits. Many JSON readers keep only 53 bits of a number.
pub(super) fn hex(value: u64) -> String {
    format!("{value:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_one_line_and_is_read_back() {
        let text: String = ('\0'..'\u{3000}').chain(['😀']).collect();
        let line = Object::new().text("t", text.as_bytes()).end();
        assert_eq!(line.lines().count(), 1);
        let read: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(read["t"], text);
    }
}
