//! Parses JSON onto a [`Tape`] in one pass, without recursion or copies.
//!
//! It is as strict as RFC 8259: a text that clients may read in two ways is not JSON here. It is
//! written by hand because the tape has to keep each value's bytes, has to find repeated keys, and must
//! stop at the limits; `serde_json` would build a tree, and drop a repeated key.

use crate::entry::{self, Entry};
use crate::finding::NotComparable;
use crate::limits::Limits;
use crate::tape::{Node, NodeKind, Tape};

/// Why a text was not parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ParseFailure {
    NotJson,
    NotComparable(NotComparable),
}

/// The largest nesting depth: the comparison recurses this deeply.
const DEEPEST: usize = 128;
/// The largest number of values.
const MOST_VALUES: usize = 1 << 24;
/// Up to this many keys are compared pairwise. More keys are sorted first.
const FEW_KEYS: usize = 16;

/// Parses a JSON text.
pub(crate) fn parse(text: &[u8], limits: Limits) -> Result<Tape<'_>, ParseFailure> {
    // Validating all of it at once is faster than each string by itself.
    if std::str::from_utf8(text).is_err() {
        return Err(ParseFailure::NotJson);
    }
    let mut parser = Parser::new(text, limits);
    parser.document()?;
    Ok(parser.tape)
}

/// Whether a text is exactly one number literal.
pub(crate) fn is_number(text: &str) -> bool {
    let mut parser = Parser::new(text.as_bytes(), Limits::default());
    parser.number().is_ok() && parser.at == text.len()
}

struct Parser<'a> {
    tape: Tape<'a>,
    at: usize,
    /// The lists and objects that have not ended.
    open: Vec<usize>,
    /// The largest number of lists and objects that may be open.
    depth: usize,
    /// The number of values that may still follow.
    values: usize,
    /// A buffer for finding repeated keys.
    keys: Vec<Entry>,
}

impl<'a> Parser<'a> {
    fn new(text: &'a [u8], limits: Limits) -> Self {
        Self {
            tape: Tape {
                text,
                nodes: Vec::with_capacity(text.len() >> 4),
            },
            at: 0,
            open: Vec::new(),
            depth: limits.depth.min(DEEPEST),
            values: limits.values.min(MOST_VALUES),
            keys: Vec::new(),
        }
    }

    fn document(&mut self) -> Result<(), ParseFailure> {
        loop {
            if !self.value()? {
                continue;
            }
            // A value has ended. Close every list and object that ends with it.
            loop {
                let Some(open) = self.open.last().copied() else {
                    return match self.skip_space() {
                        None => Ok(()),
                        Some(_) => Err(ParseFailure::NotJson),
                    };
                };
                let is_object = self.count_child(open);
                match self.skip_space() {
                    Some(b',') => {
                        self.step();
                        if is_object {
                            self.key()?;
                        }
                        break;
                    }
                    Some(b']') if !is_object => self.close(open)?,
                    Some(b'}') if is_object => self.close(open)?,
                    _ => return Err(ParseFailure::NotJson),
                }
            }
        }
    }

    /// Reads a value. Returns `false` if it is a list or an object that has only begun.
    fn value(&mut self) -> Result<bool, ParseFailure> {
        let first = self.skip_space().ok_or(ParseFailure::NotJson)?;
        self.values = self
            .values
            .checked_sub(1)
            .ok_or(ParseFailure::NotComparable(NotComparable::TooManyValues))?;
        match first {
            b'"' => self.string()?,
            b'{' | b'[' => return self.open(first),
            b'-' | b'0'..=b'9' => self.number()?,
            b't' => self.word(b"true", NodeKind::True)?,
            b'f' => self.word(b"false", NodeKind::False)?,
            b'n' => self.word(b"null", NodeKind::Null)?,
            _ => return Err(ParseFailure::NotJson),
        }
        Ok(true)
    }

    fn open(&mut self, first: u8) -> Result<bool, ParseFailure> {
        if self.open.len() >= self.depth {
            return Err(ParseFailure::NotComparable(NotComparable::TooDeep));
        }
        let (kind, last) = match first {
            b'{' => (NodeKind::Object, b'}'),
            _ => (NodeKind::Array, b']'),
        };
        let node = self.tape.nodes.len();
        self.push(kind, self.at, false);
        self.step();
        self.open.push(node);
        if self.skip_space() == Some(last) {
            self.close(node)?;
            return Ok(true);
        }
        if kind == NodeKind::Object {
            self.key()?;
        }
        Ok(false)
    }

    /// Closes the innermost list or object at its bracket.
    fn close(&mut self, node: usize) -> Result<(), ParseFailure> {
        self.step();
        self.open.pop();
        let (end, next) = (self.at, self.tape.nodes.len());
        if let Some(node) = self.tape.nodes.get_mut(node) {
            node.end = end;
            node.next = next;
        }
        if self.has_repeated_key(node) {
            return Err(ParseFailure::NotComparable(NotComparable::RepeatedKey));
        }
        Ok(())
    }

    /// Counts an element or member. Returns whether the parent is an object.
    fn count_child(&mut self, parent: usize) -> bool {
        let Some(parent) = self.tape.nodes.get_mut(parent) else {
            return false;
        };
        parent.extra = parent.extra.wrapping_add(1);
        parent.kind == NodeKind::Object
    }

    fn has_repeated_key(&mut self, object: usize) -> bool {
        let Node { kind, extra, .. } = self.tape.node(object);
        if kind != NodeKind::Object || extra < 2 {
            return false;
        }
        let tape = &self.tape;
        let keys = &mut self.keys;
        keys.clear();
        let mut all = tape.keys(object);
        entry::push_keys(tape, all.next(), all, keys);
        let same = |a: &Entry, b: &Entry| {
            a.hash == b.hash && entry::key(tape, a).same(entry::key(tape, b))
        };
        if keys.len() <= FEW_KEYS {
            let mut rest = keys.as_slice();
            while let [key, others @ ..] = rest {
                if others.iter().any(|other| same(key, other)) {
                    return true;
                }
                rest = others;
            }
            return false;
        }
        entry::sort_keys(tape, keys);
        keys.windows(2)
            .any(|pair| matches!(pair, [a, b] if same(a, b)))
    }

    /// Reads a key and its colon.
    fn key(&mut self) -> Result<(), ParseFailure> {
        if self.skip_space() != Some(b'"') {
            return Err(ParseFailure::NotJson);
        }
        self.string()?;
        let key = self.tape.nodes.len().wrapping_sub(1);
        let hash = self.tape.string(self.tape.node(key)).hash();
        if let Some(key) = self.tape.nodes.get_mut(key) {
            key.extra = u32::try_from(hash >> 32).unwrap_or_default();
        }
        if self.skip_space() != Some(b':') {
            return Err(ParseFailure::NotJson);
        }
        self.step();
        Ok(())
    }

    fn string(&mut self) -> Result<(), ParseFailure> {
        let start = self.at;
        let mut escaped = false;
        self.step();
        loop {
            self.at = self.at.wrapping_add(plain(self.rest()));
            match self.rest() {
                [b'"', ..] => break self.step(),
                [b'\\', b'u', a, b, c, d, ..]
                    if [a, b, c, d].iter().all(|x| x.is_ascii_hexdigit()) =>
                {
                    self.at = self.at.wrapping_add(6);
                }
                [
                    b'\\',
                    b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't',
                    ..,
                ] => {
                    self.at = self.at.wrapping_add(2);
                }
                _ => return Err(ParseFailure::NotJson),
            }
            escaped = true;
        }
        self.push(NodeKind::String, start, escaped);
        Ok(())
    }

    fn number(&mut self) -> Result<(), ParseFailure> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.step();
        }
        let leading_zero = self.peek() == Some(b'0');
        let whole = self.digits()?;
        if leading_zero && whole > 1 {
            return Err(ParseFailure::NotJson);
        }
        if self.peek() == Some(b'.') {
            self.step();
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.step();
            if let Some(b'+' | b'-') = self.peek() {
                self.step();
            }
            self.digits()?;
        }
        self.push(NodeKind::Number, start, false);
        Ok(())
    }

    /// Skips at least one digit. Returns the number of digits.
    fn digits(&mut self) -> Result<usize, ParseFailure> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.step();
        }
        match self.at.wrapping_sub(start) {
            0 => Err(ParseFailure::NotJson),
            digits => Ok(digits),
        }
    }

    fn word(&mut self, word: &[u8], kind: NodeKind) -> Result<(), ParseFailure> {
        if !self.rest().starts_with(word) {
            return Err(ParseFailure::NotJson);
        }
        let start = self.at;
        self.at = self.at.wrapping_add(word.len());
        self.push(kind, start, false);
        Ok(())
    }

    /// Adds a node from `start` to the current position.
    fn push(&mut self, kind: NodeKind, start: usize, escaped: bool) {
        self.tape.nodes.push(Node {
            start,
            end: self.at,
            next: self.tape.nodes.len().wrapping_add(1),
            extra: 0,
            kind,
            escaped,
        });
    }

    /// Skips white space. Returns the next byte without consuming it.
    fn skip_space(&mut self) -> Option<u8> {
        loop {
            match self.peek() {
                Some(b' ' | b'\n' | b'\r' | b'\t') => self.step(),
                other => return other,
            }
        }
    }

    fn peek(&self) -> Option<u8> {
        self.tape.text.get(self.at).copied()
    }

    fn rest(&self) -> &[u8] {
        self.tape.text.get(self.at..).unwrap_or_default()
    }

    fn step(&mut self) {
        self.at = self.at.wrapping_add(1);
    }
}

/// Returns the number of bytes before the first quote, backslash or control character, eight bytes at a
/// time.
fn plain(text: &[u8]) -> usize {
    const ONES: u64 = u64::MAX / 255;
    let (words, tail) = text.as_chunks::<8>();
    let mut length = 0_usize;
    for word in words {
        let word = u64::from_le_bytes(*word);
        // Each test sets the high bit of a byte: the byte is below a space, or zero after subtracting a
        // quote, and so on. A borrow can only affect later bytes.
        let control = word.wrapping_sub(ONES.wrapping_mul(0x20));
        let quote = (word ^ ONES.wrapping_mul(0x22)).wrapping_sub(ONES);
        let backslash = (word ^ ONES.wrapping_mul(0x5c)).wrapping_sub(ONES);
        let found = (control | quote | backslash) & !word & ONES.wrapping_mul(0x80);
        if found != 0 {
            let bytes = usize::try_from(found.trailing_zeros() >> 3).unwrap_or_default();
            return length.wrapping_add(bytes);
        }
        length = length.wrapping_add(8);
    }
    let end = tail
        .iter()
        .position(|byte| matches!(byte, 0..0x20 | b'"' | b'\\'));
    length.wrapping_add(end.unwrap_or(tail.len()))
}
