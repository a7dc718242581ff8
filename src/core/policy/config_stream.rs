//! A configuration text that arrives in pieces, with its packed accounts removed.
//!
//! A million packed accounts are 21 MB of a text whose rest is a few kilobytes, and JSON is read in more than one
//! pass. So the accounts are unpacked as they arrive, and only the remaining text is read as JSON, with an empty
//! string in place of the accounts. [`ElidedSpans`] records what was removed and converts offsets in the remaining
//! text to offsets in the original text, so that diagnostics do not change.
//!
//! This module reports nothing. Text that it cannot unpack stays in its string, and the JSON reader reports it.

use crate::policy::packed_accounts::Unpacker;
use crate::proxy::max_held_bytes::MaxHeldBytes;

/// The field whose string is removed, quotes included.
const FIELD: &[u8] = b"\"accounts_packed\"";
/// The largest number of segments that a policy has.
const MAX_ELIDED_SPANS: usize = 1_000;

/// Receives a configuration text and removes its packed accounts.
pub struct ConfigStream {
    rest: Vec<u8>,
    spans: Vec<ElidedSpan>,
    state: ScanState,
    /// The offset in `rest` at which the last string began.
    string: usize,
    /// The number of bytes that are still expected.
    to_come: usize,
}

#[derive(Clone, Copy)]
enum ScanState {
    Outside,
    /// After the field's name.
    Named,
    /// After the colon that follows the field's name.
    Expected,
    InString,
    /// After a backslash in a string.
    Escaped,
    InPacked,
}

/// A removed span.
#[derive(Clone)]
struct ElidedSpan {
    /// The offset in the remaining text, after the opening quote.
    at: usize,
    /// The length in bytes. Each byte is one character, and none of them is a line break.
    length: usize,
    /// The unpacked accounts; `None` after [`ElidedSpans::take`].
    unpacker: Option<Unpacker>,
}

/// The spans that were removed from a text. They convert offsets in the remaining text to offsets in the original
/// text.
#[derive(Clone, Default)]
pub(crate) struct ElidedSpans(Vec<ElidedSpan>);

impl ConfigStream {
    /// Creates a stream for a text of approximately `length` bytes.
    #[must_use]
    pub const fn new(length: usize) -> Self {
        Self {
            rest: Vec::new(),
            spans: Vec::new(),
            state: ScanState::Outside,
            string: 0,
            to_come: length,
        }
    }

    /// Returns the number of bytes that the stream holds, spare capacity included.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        let unpackers = self.spans.iter().filter_map(|span| span.unpacker.as_ref());
        let packed =
            unpackers.map(|unpacker| unpacker.capacity().saturating_mul(size_of::<u128>()));
        packed.fold(self.rest.capacity(), usize::saturating_add)
    }

    /// Returns the number of bytes that the stream may need temporarily to grow, because growing copies the text.
    #[must_use]
    pub fn growth_bytes(&self) -> usize {
        self.rest.capacity().saturating_mul(2)
    }

    /// Returns the length of the remaining text in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rest.len()
    }

    /// Whether the remaining text is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Returns the number of commas in the remaining text. This bounds the number of values in its lists and
    /// objects.
    #[must_use]
    pub fn commas(&self) -> usize {
        self.rest.iter().filter(|byte| **byte == b',').count()
    }

    /// Whether the text may have to be read a second time to compute the revision: it has packed accounts and, in
    /// its first 4 KB, no revision.
    #[must_use]
    pub fn needs_second_read(&self) -> bool {
        const BEGINNING: usize = 4_096;
        let beginning = self.rest.get(..BEGINNING).unwrap_or(&self.rest);
        let mut words = beginning.split(|byte| *byte == b'"');
        !self.spans.is_empty() && !words.any(|word| word == b"revision")
    }

    /// Returns the limit that the remaining text sets, or the default.
    #[must_use]
    pub fn limit(&self) -> MaxHeldBytes {
        MaxHeldBytes::find(&self.rest).unwrap_or_default()
    }

    /// Adds the next piece.
    pub fn push(&mut self, piece: &[u8]) {
        let mut piece = piece;
        while let Some((byte, after)) = piece.split_first() {
            if matches!(self.state, ScanState::InPacked) {
                let taken = self.unpack(piece);
                self.to_come = self.to_come.saturating_sub(taken);
                piece = piece.get(taken..).unwrap_or_default();
                if !piece.is_empty() {
                    self.state = ScanState::InString;
                    // Each unpacker has capacity for all of the expected text. A thousand of them would need more
                    // memory than there is.
                    let unpacker = self
                        .spans
                        .last_mut()
                        .and_then(|span| span.unpacker.as_mut());
                    unpacker.into_iter().for_each(Unpacker::release_spare);
                }
                continue;
            }
            self.rest.push(*byte);
            self.to_come = self.to_come.saturating_sub(1);
            self.state = self.next(*byte);
            piece = after;
        }
    }

    fn unpack(&mut self, piece: &[u8]) -> usize {
        let Some(span) = self.spans.last_mut() else {
            return 0;
        };
        let taken = span
            .unpacker
            .as_mut()
            .map_or(0, |unpacker| unpacker.take(piece));
        span.length = span.length.saturating_add(taken);
        taken
    }

    fn next(&mut self, byte: u8) -> ScanState {
        match (self.state, byte) {
            (ScanState::InString, b'\\') => ScanState::Escaped,
            (ScanState::InString, b'"') => match self.rest.get(self.string..) {
                Some(FIELD) => ScanState::Named,
                _ => ScanState::Outside,
            },
            (ScanState::InString | ScanState::Escaped, _) => ScanState::InString,
            (ScanState::Expected, b'"') if self.spans.len() < MAX_ELIDED_SPANS => {
                self.spans.push(ElidedSpan {
                    at: self.rest.len(),
                    length: 0,
                    unpacker: Some(Unpacker::new(self.to_come)),
                });
                ScanState::InPacked
            }
            (_, b'"') => {
                self.string = self.rest.len().saturating_sub(1);
                ScanState::InString
            }
            (state @ (ScanState::Named | ScanState::Expected), b' ' | b'\t' | b'\n' | b'\r') => {
                state
            }
            (ScanState::Named, b':') => ScanState::Expected,
            _ => ScanState::Outside,
        }
    }

    /// Returns the remaining text and the removed spans.
    pub(crate) fn finish(self) -> (Vec<u8>, ElidedSpans) {
        (self.rest, ElidedSpans(self.spans))
    }
}

impl ElidedSpans {
    /// Takes the accounts that were removed at this offset of the remaining text.
    pub(crate) fn take(&mut self, at: usize) -> Option<Unpacker> {
        let span = self.0.binary_search_by_key(&at, |span| span.at).ok()?;
        self.0.get_mut(span)?.unpacker.take()
    }

    /// Takes the spans inside a part of the remaining text, which is read on its own. The offsets of the spans stay
    /// in `self`.
    pub(crate) fn take_part(&mut self, start: usize, end: usize) -> Self {
        let inside = self
            .0
            .iter_mut()
            .filter(|span| (start..end).contains(&span.at));
        let spans = inside.map(|span| ElidedSpan {
            at: span.at.saturating_sub(start),
            length: span.length,
            unpacker: span.unpacker.take(),
        });
        Self(spans.collect())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Converts an offset in the remaining text to an offset in the original text.
    pub(crate) fn original_offset(&self, at: usize) -> usize {
        at.saturating_add(self.removed_between(0, at))
    }

    /// Returns the number of bytes that were removed between two offsets of the remaining text.
    pub(crate) fn removed_between(&self, start: usize, end: usize) -> usize {
        let before = self.0.iter().take_while(|span| span.at <= end);
        let between = before.filter(|span| span.at > start);
        between.fold(0, |sum, span| sum.saturating_add(span.length))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A VM that runs out of memory traps.
    #[test]
    fn many_short_spans_in_a_long_text_take_little_memory() {
        let mut text = "{\"accounts_packed\": \"AAAA\"}".repeat(MAX_ELIDED_SPANS);
        text.push_str(&" ".repeat(1 << 20));
        let mut stream = ConfigStream::new(text.len());
        for piece in text.as_bytes().chunks(1_000) {
            stream.push(piece);
        }
        let (_, ElidedSpans(spans)) = stream.finish();
        assert_eq!(spans.len(), MAX_ELIDED_SPANS);
        let room = spans
            .iter()
            .map(|span| span.unpacker.as_ref().map_or(0, Unpacker::capacity));
        assert!(room.sum::<usize>() <= MAX_ELIDED_SPANS * 64);
    }
}
