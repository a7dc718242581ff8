//! Splits a text of any size into chunks of whole lines, in bounded memory.

use std::io::{self, Read};

use memchr::{memchr, memchr_iter, memrchr};

/// The maximum length of a line, in bytes; a longer line is counted and skipped.
pub(crate) const LONGEST_LINE: usize = 1 << 20;
/// The size of a chunk, in bytes. It has room for the beginning of a line that the previous chunk cut off.
const PIECE: usize = 2 * LONGEST_LINE;
/// A chunk with this many bytes is returned before it is full, so that nobody waits for a slow pipe.
const ENOUGH: usize = PIECE / 8;

/// The byte order mark that some editors write before UTF-8 text. It is not part of the first line.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Reads chunks.
pub(crate) struct Chunks<R> {
    input: R,
    /// The beginning of the line that the last chunk cut off.
    rest: Vec<u8>,
    /// The number of lines before the next chunk.
    lines: u64,
    /// Whether the reader is inside a line that is too long.
    skips: bool,
    ended: bool,
}

/// A chunk of whole lines.
#[derive(Default)]
pub(crate) struct Chunk {
    /// A buffer of the size of a chunk; the lines are in `start..end`.
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// The number of lines before this chunk.
    pub(crate) before: u64,
    /// The number of the line that was too long and ended right before this chunk.
    pub(crate) skipped: Option<u64>,
}

impl Chunk {
    fn bytes(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    /// The lines with their numbers from 1, without line ends and byte order mark.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (u64, &[u8])> {
        let mut rest = self.bytes();
        let mut number = self.before;
        std::iter::from_fn(move || {
            if rest.is_empty() {
                return None;
            }
            let end = memchr(b'\n', rest).unwrap_or(rest.len());
            let (line, after) = rest.split_at_checked(end)?;
            rest = after.get(1..).unwrap_or_default();
            let line = match number {
                0 => line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line),
                _ => line,
            };
            number = number.saturating_add(1);
            Some((number, line.strip_suffix(b"\r").unwrap_or(line)))
        })
    }
}

impl<R: Read> Chunks<R> {
    pub(crate) const fn new(input: R) -> Self {
        Self {
            input,
            rest: Vec::new(),
            lines: 0,
            skips: false,
            ended: false,
        }
    }

    /// Reads the next chunk into `chunk`, and reuses its memory; `false` at the end.
    pub(crate) fn next(&mut self, chunk: &mut Chunk) -> io::Result<bool> {
        chunk.skipped = None;
        loop {
            if chunk.buffer.is_empty() {
                chunk.buffer = vec![0; PIECE];
            }
            let mut filled = self.rest.len();
            if let Some(start) = chunk.buffer.get_mut(..filled) {
                start.copy_from_slice(&self.rest);
            }
            self.rest.clear();
            while !self.ended && filled < PIECE {
                let Some(room) = chunk.buffer.get_mut(filled..) else {
                    break;
                };
                match self.input.read(room) {
                    Ok(0) => self.ended = true,
                    Ok(count) => filled = filled.saturating_add(count),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
                if filled >= ENOUGH {
                    break;
                }
            }
            (chunk.start, chunk.end) = (0, filled);
            if self.skips {
                self.skip(chunk);
            }
            self.cut(chunk);
            chunk.before = self.lines;
            let ends = memchr_iter(b'\n', chunk.bytes()).count();
            let unended = chunk.bytes().last().is_some_and(|last| *last != b'\n');
            let count = ends.saturating_add(usize::from(unended));
            self.lines = self.lines.saturating_add(as_u64(count));
            if !chunk.bytes().is_empty() || chunk.skipped.is_some() {
                return Ok(true);
            }
            if self.ended && self.rest.is_empty() {
                return Ok(false);
            }
        }
    }

    /// Skips the rest of a line that is too long, as far as it has been read.
    fn skip(&mut self, chunk: &mut Chunk) {
        let end = memchr(b'\n', chunk.bytes());
        chunk.start = end.map_or(chunk.end, |end| end.saturating_add(1));
        if end.is_some() || self.ended {
            self.skips = false;
            self.lines = self.lines.saturating_add(1);
            chunk.skipped = Some(self.lines);
        }
    }

    /// Keeps an incomplete line for the next chunk.
    fn cut(&mut self, chunk: &mut Chunk) {
        if self.ended {
            return;
        }
        let whole = memrchr(b'\n', chunk.bytes()).map_or(0, |end| end.saturating_add(1));
        let rest = chunk.bytes().get(whole..).unwrap_or_default();
        if rest.len() > LONGEST_LINE {
            self.skips = true;
        } else {
            self.rest.extend_from_slice(rest);
        }
        chunk.end = chunk.start.saturating_add(whole);
    }
}

pub(crate) fn as_u64(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns few bytes at once, as a pipe may.
    struct Slow<'a>(&'a [u8], usize);

    impl Read for Slow<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let count = self.1.min(self.0.len()).min(buffer.len());
            let (now, later) = self.0.split_at(count);
            buffer[..count].copy_from_slice(now);
            self.0 = later;
            Ok(count)
        }
    }

    fn lines(text: &str, at_once: usize) -> Vec<(u64, String)> {
        let mut chunks = Chunks::new(Slow(text.as_bytes(), at_once));
        let mut chunk = Chunk::default();
        let mut seen = Vec::new();
        while chunks.next(&mut chunk).unwrap() {
            seen.extend(chunk.skipped.map(|line| (line, String::from("skipped"))));
            for (number, line) in chunk.lines() {
                seen.push((number, String::from_utf8(line.to_vec()).unwrap()));
            }
            assert!(chunk.buffer.capacity() <= PIECE && chunks.rest.capacity() <= PIECE);
        }
        seen
    }

    #[test]
    fn lines_are_whole_and_numbered_however_they_come() {
        let long = "x".repeat(900_000);
        let text = format!("one\r\n\n{long}\n{long}\n{long}\nlast");
        for at_once in [1 << 14, 300_007, 1 << 22] {
            let seen = lines(&text, at_once);
            let numbers: Vec<u64> = seen.iter().map(|(number, _)| *number).collect();
            assert_eq!(numbers, [1, 2, 3, 4, 5, 6]);
            assert_eq!(seen[0].1, "one");
            assert_eq!(seen[1].1, "");
            assert!(seen[2..5].iter().all(|(_, line)| *line == long));
            assert_eq!(seen[5].1, "last");
        }
    }

    #[test]
    fn a_line_without_end_takes_no_memory() {
        let long = "x".repeat(9 * LONGEST_LINE);
        for (text, expected) in [
            (format!("a\n{long}\nb\n"), ["a", "skipped", "b"]),
            (format!("a\nb\n{long}"), ["a", "b", "skipped"]),
        ] {
            for at_once in [1 << 15, 1 << 22] {
                let seen = lines(&text, at_once);
                let numbers: Vec<u64> = seen.iter().map(|(number, _)| *number).collect();
                let texts: Vec<&str> = seen.iter().map(|(_, line)| line.as_str()).collect();
                assert_eq!((numbers, texts), (vec![1, 2, 3], expected.to_vec()));
            }
        }
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_first_line() {
        let seen = lines("\u{feff}a\n\u{feff}b\n", 1);
        assert_eq!(seen, [(1, "a".into()), (2, "\u{feff}b".into())]);
    }

    #[test]
    fn no_text_has_no_lines() {
        assert!(lines("", 1).is_empty());
        assert_eq!(lines("\n", 1), [(1, String::new())]);
    }
}
