//! A text as it comes in, piece by piece, with its packed accounts taken out.
//!
//! A million packed accounts are 21 MB in a text that is some kilobytes without them, and JSON is
//! read in more than one pass. So they are unpacked on the way in, and what is read as JSON is the
//! rest, in which their string is left empty. What was taken out is known by its place, and places
//! in the rest are told as places in the text ([`ElidedSpans`]); nobody outside sees a difference.
//!
//! Nothing is judged here. Whatever cannot be taken out stays in its string, and is found there.

use crate::policy::packed_accounts::Unpacker;
use crate::proxy::max_held_bytes::MaxHeldBytes;

/// The field whose string is taken out, quotes included.
const FIELD: &[u8] = b"\"accounts_packed\"";
/// No policy has more segments.
const MAX_ELIDED_SPANS: usize = 1_000;

/// Takes a text in.
pub struct ConfigStream {
    rest: Vec<u8>,
    cuts: Vec<ElidedSpan>,
    state: ScanState,
    /// Where the last string began in `rest`.
    string: usize,
    /// How long the text is expected to be still.
    to_come: usize,
}

#[derive(Clone, Copy)]
enum ScanState {
    Outside,
    /// Behind the field's name.
    Named,
    /// Behind its colon.
    Expected,
    InString,
    /// Behind a backslash in a string.
    Escaped,
    InPacked,
}

/// Something that was taken out.
#[derive(Clone)]
struct ElidedSpan {
    /// Where, in the rest: behind the quote.
    at: usize,
    /// How many bytes; they are characters, and none of them ends a line.
    length: usize,
    /// Until somebody asks for it.
    unpacker: Option<Unpacker>,
}

/// What was taken out of a text, and so where the places of the rest are in it.
#[derive(Clone, Default)]
pub(crate) struct ElidedSpans(Vec<ElidedSpan>);

impl ConfigStream {
    /// For a text of about so many bytes.
    #[must_use]
    pub const fn new(length: usize) -> Self {
        Self {
            rest: Vec::new(),
            cuts: Vec::new(),
            state: ScanState::Outside,
            string: 0,
            to_come: length,
        }
    }

    /// The bytes that it holds, spare room included.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        let unpackers = self.cuts.iter().filter_map(|cut| cut.unpacker.as_ref());
        let packed = unpackers.map(|unpacker| unpacker.room().saturating_mul(size_of::<u128>()));
        packed.fold(self.rest.capacity(), usize::saturating_add)
    }

    /// The bytes that it may need for a moment to take in more: what is kept moves as it grows.
    #[must_use]
    pub fn growth_bytes(&self) -> usize {
        self.rest.capacity().saturating_mul(2)
    }

    /// How many bytes there are, without what was taken out.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rest.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// How many commas there are, without what was taken out: no more values are in lists and objects.
    #[must_use]
    pub fn commas(&self) -> usize {
        self.rest.iter().filter(|byte| **byte == b',').count()
    }

    /// Whether the policy may be asked for once more: it has packed accounts and, as far as its beginning
    /// shows, no revision.
    #[must_use]
    pub fn needs_second_read(&self) -> bool {
        const BEGINNING: usize = 4_096;
        let beginning = self.rest.get(..BEGINNING).unwrap_or(&self.rest);
        let mut words = beginning.split(|byte| *byte == b'"');
        !self.cuts.is_empty() && !words.any(|word| word == b"revision")
    }

    /// The limit in the text that is kept.
    #[must_use]
    pub fn limit(&self) -> MaxHeldBytes {
        MaxHeldBytes::find(&self.rest).unwrap_or_default()
    }

    /// The next piece.
    pub fn push(&mut self, piece: &[u8]) {
        let mut piece = piece;
        while let Some((byte, after)) = piece.split_first() {
            if matches!(self.state, ScanState::InPacked) {
                let taken = self.unpack(piece);
                self.to_come = self.to_come.saturating_sub(taken);
                piece = piece.get(taken..).unwrap_or_default();
                if !piece.is_empty() {
                    self.state = ScanState::InString;
                    // Each has room for all that was to come: a thousand of them had more than there is.
                    let unpacker = self.cuts.last_mut().and_then(|cut| cut.unpacker.as_mut());
                    unpacker.into_iter().for_each(Unpacker::pause);
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
        let Some(cut) = self.cuts.last_mut() else {
            return 0;
        };
        let taken = cut
            .unpacker
            .as_mut()
            .map_or(0, |unpacker| unpacker.take(piece));
        cut.length = cut.length.saturating_add(taken);
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
            (ScanState::Expected, b'"') if self.cuts.len() < MAX_ELIDED_SPANS => {
                self.cuts.push(ElidedSpan {
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

    /// The rest, and what was taken out of it.
    pub(crate) fn finish(self) -> (Vec<u8>, ElidedSpans) {
        (self.rest, ElidedSpans(self.cuts))
    }
}

impl ElidedSpans {
    /// What was taken out behind this place of the rest.
    pub(crate) fn take(&mut self, at: usize) -> Option<Unpacker> {
        let cut = self.0.binary_search_by_key(&at, |cut| cut.at).ok()?;
        self.0.get_mut(cut)?.unpacker.take()
    }

    /// Those of a part of the rest, which is read by itself: here they stay as places.
    pub(crate) fn part(&mut self, start: usize, end: usize) -> Self {
        let inside = self
            .0
            .iter_mut()
            .filter(|cut| (start..end).contains(&cut.at));
        let cuts = inside.map(|cut| ElidedSpan {
            at: cut.at.saturating_sub(start),
            length: cut.length,
            unpacker: cut.unpacker.take(),
        });
        Self(cuts.collect())
    }

    pub(crate) fn are_none(&self) -> bool {
        self.0.is_empty()
    }

    /// Where a place of the rest is in the text.
    pub(crate) fn place(&self, at: usize) -> usize {
        at.saturating_add(self.between(0, at))
    }

    /// How much was taken out between two places of the rest.
    pub(crate) fn between(&self, start: usize, end: usize) -> usize {
        let before = self.0.iter().take_while(|cut| cut.at <= end);
        let between = before.filter(|cut| cut.at > start);
        between.fold(0, |sum, cut| sum.saturating_add(cut.length))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A VM that has no memory left traps.
    #[test]
    fn many_short_ones_in_a_long_text_take_little_room() {
        let mut text = "{\"accounts_packed\": \"AAAA\"}".repeat(MAX_ELIDED_SPANS);
        text.push_str(&" ".repeat(1 << 20));
        let mut intake = ConfigStream::new(text.len());
        for piece in text.as_bytes().chunks(1_000) {
            intake.push(piece);
        }
        let (_, ElidedSpans(cuts)) = intake.finish();
        assert_eq!(cuts.len(), MAX_ELIDED_SPANS);
        let room = cuts
            .iter()
            .map(|cut| cut.unpacker.as_ref().map_or(0, Unpacker::room));
        assert!(room.sum::<usize>() <= MAX_ELIDED_SPANS * 64);
    }
}
