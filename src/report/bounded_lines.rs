//! Reads lines of a text of any size in bounded memory.

use std::io::{self, BufRead};

/// The longest line that is kept. No record is longer, and Envoy's own lines are far shorter.
const MOST_BYTES: usize = 1 << 20;

/// Reads a text line by line, without line breaks.
pub(crate) struct BoundedLines<R> {
    input: R,
    line: Vec<u8>,
}

pub(crate) enum Line<'a> {
    Bytes(&'a [u8]),
    /// The line is longer than any record; its bytes are dropped.
    TooLong,
}

impl<R: BufRead> BoundedLines<R> {
    pub(crate) const fn new(input: R) -> Self {
        let line = Vec::new();
        Self { input, line }
    }

    pub(crate) fn next(&mut self) -> io::Result<Option<Line<'_>>> {
        self.line.clear();
        let mut any = false;
        let mut too_long = false;
        loop {
            let part = match self.input.fill_buf() {
                Ok(part) => part,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if part.is_empty() {
                break;
            }
            any = true;
            let (text, used, ended) = match part.iter().position(|byte| *byte == b'\n') {
                Some(end) => (part.get(..end), end.saturating_add(1), true),
                None => (Some(part), part.len(), false),
            };
            let text = text.unwrap_or_default();
            too_long |= self.line.len().saturating_add(text.len()) > MOST_BYTES;
            if !too_long {
                self.line.extend_from_slice(text);
            }
            self.input.consume(used);
            if ended {
                break;
            }
        }
        Ok(match (any, too_long) {
            (false, _) => None,
            (true, true) => Some(Line::TooLong),
            (true, false) => Some(Line::Bytes(&self.line)),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    #[test]
    fn lines_are_read_and_long_ones_are_dropped() {
        let long = "x".repeat(MOST_BYTES + 1);
        let text = format!("one\n\n{long}\nlast");
        let mut lines = BoundedLines::new(BufReader::with_capacity(7, text.as_bytes()));
        let mut seen = Vec::new();
        while let Some(line) = lines.next().unwrap() {
            seen.push(match line {
                Line::Bytes(bytes) => String::from_utf8(bytes.to_vec()).unwrap(),
                Line::TooLong => String::from("too long"),
            });
        }
        assert_eq!(seen, ["one", "", "too long", "last"]);
        assert!(lines.line.capacity() <= 2 * MOST_BYTES);
    }
}
