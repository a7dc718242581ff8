//! Reads JSON and keeps the location of each value.
//!
//! `serde_json` checks the syntax. This module finds the values, because `serde_json` keeps no locations and stops
//! at the first problem, while a report contains every problem of a policy with its line.
//!
//! A value is a slice of the source text until its contents are needed. The location of the slice is the location
//! of the value, and a long list needs no tree.

mod not_json;
mod raw_values;
#[cfg(test)]
mod tests;
mod value_hash;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::Range;

use serde::de::IgnoredAny;

use crate::diagnostics::error_code::ErrorCode;
use crate::diagnostics::location::{JsonPointer, Span};
use crate::diagnostics::problem::{Expected, Problem};
use crate::diagnostics::{Diagnostics, Document, Problems};
use crate::policy::config_stream::ElidedSpans;
use crate::policy::packed_accounts::Unpacker;

/// A value and its location.
#[derive(Clone, Copy, Debug)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// Its location.
    pub span: Span,
}

/// A string.
pub type LocatedText<'a> = Located<Cow<'a, str>>;

/// The literal of a number, exactly as written.
#[derive(Clone, Copy, Debug)]
pub struct Number<'a> {
    /// The literal.
    pub value: &'a str,
    /// Its location.
    pub span: Span,
}

/// A list. An item that could not be read is `None`, and its problem has been reported.
#[derive(Clone, Debug)]
pub struct List<T> {
    /// The items.
    pub value: Vec<Option<T>>,
    /// The location of the list.
    pub span: Span,
}

/// An object whose keys the author chooses. A value that could not be read is `None`, and its problem has been
/// reported.
#[derive(Clone, Debug)]
pub(crate) struct Map<'a, T>(pub(crate) Vec<(LocatedText<'a>, Option<T>)>);

/// A field of an object.
#[derive(Clone, Debug)]
pub enum Field<T> {
    /// The object does not have the field.
    Absent,
    /// The field could not be read, and its problem has been reported.
    Bad,
    /// The field has this value.
    Given(T),
}

impl<T> Field<T> {
    /// Returns the value, if the field has a readable one.
    #[must_use]
    pub fn value(&self) -> Option<&T> {
        match self {
            Self::Given(value) => Some(value),
            Self::Absent | Self::Bad => None,
        }
    }

    /// Borrows the value.
    #[must_use]
    pub fn as_ref(&self) -> Field<&T> {
        match self {
            Self::Given(value) => Field::Given(value),
            Self::Absent => Field::Absent,
            Self::Bad => Field::Bad,
        }
    }

    /// Returns the value as [`Field::value`] does, but owned.
    #[must_use]
    pub fn into_value(self) -> Option<T> {
        match self {
            Self::Given(value) => Some(value),
            Self::Absent | Self::Bad => None,
        }
    }
}

/// A value that has not been parsed yet.
#[derive(Clone, Copy)]
pub struct Node<'a, 'p> {
    raw: &'a str,
    /// Its location.
    pub span: Span,
    /// Its path in the document.
    pub path: &'p JsonPointer<'p>,
}

impl<'a> Node<'a, '_> {
    /// Returns the text of the value.
    #[must_use]
    pub fn raw(&self) -> &'a str {
        self.raw
    }
}

/// A function that reads a value. It is a trait object, so that its callers are compiled once per type of value and
/// not once per field.
type Read<'r, 'a, T> = &'r dyn Fn(&mut Reader<'a>, Node<'a, '_>) -> Option<T>;

/// Reads one text and collects its problems.
#[derive(Clone)]
pub struct Reader<'a> {
    text: &'a str,
    /// The spans that were removed from the text before it was read.
    elided_spans: ElidedSpans,
    document: Document,
    problems: Problems,
}

impl<'a> Reader<'a> {
    /// Creates a reader of a text. Its problems name the document.
    #[must_use]
    pub fn new(document: Document, text: &'a str) -> Self {
        Self::with_elided_spans(document, text, ElidedSpans::default())
    }

    pub(crate) fn with_elided_spans(
        document: Document,
        text: &'a str,
        elided_spans: ElidedSpans,
    ) -> Self {
        Self {
            text,
            elided_spans,
            document,
            problems: Problems::default(),
        }
    }

    /// Returns the whole document, or reports why it is not JSON.
    pub fn root(&mut self, expected: Expected) -> Option<Node<'a, 'static>> {
        if self.text.trim().is_empty() {
            self.report(
                Span::default(),
                &JsonPointer::Root,
                Problem::empty(expected),
            );
            return None;
        }
        match serde_json::from_str::<IgnoredAny>(self.text) {
            Ok(IgnoredAny) => Some(self.node(self.text.trim_ascii(), &JsonPointer::Root)),
            Err(error) => {
                let start = offset_of(self.text, error.line(), error.column());
                let rest = self.text.get(start..).unwrap_or_default();
                let length = rest.chars().next().map_or(0, char::len_utf8);
                let span = Span {
                    start,
                    end: start.saturating_add(length),
                };
                let problem = match self.text.starts_with('\u{feff}') {
                    true => Problem::byte_order_mark(),
                    false => match not_json::recognise(self.text, start) {
                        Some((what, instead)) => {
                            Problem::invalid(what, instead).with_code(ErrorCode::Syntax)
                        }
                        None => Problem::syntax(&error),
                    },
                };
                self.report(span, &JsonPointer::Root, problem);
                None
            }
        }
    }

    /// Returns the span of the whole document.
    #[must_use]
    pub fn whole_span(&self) -> Span {
        let start = self.text.len().saturating_sub(self.text.trim_start().len());
        Span {
            start,
            end: self.text.trim_end().len(),
        }
    }

    /// Returns the text of the whole document.
    pub(crate) fn document(&self) -> &'a str {
        self.text
    }

    /// Returns the text of a value with the white space before it, and where that text begins. The white space
    /// keeps the lines of a file that begins with some.
    pub(crate) fn with_indent(&self, node: Node<'a, '_>) -> (usize, &'a str) {
        let before = self.text.get(..node.span.start).unwrap_or_default();
        let start = before.trim_end().len();
        let text = self.text.get(start..node.span.end);
        text.map_or((node.span.start, node.raw), |text| (start, text))
    }

    /// Hashes the value of an object without one of its fields, see [`value_hash`].
    pub(crate) fn hash_of_object(&self, span: Span, without: &str) -> u64 {
        let raw = self.text.get(span.start..span.end).unwrap_or_default();
        value_hash::hash_object(raw, Some(without))
    }

    /// Returns the byte range of a part of the text in the original text, before spans were removed.
    pub(crate) fn range_of(&self, start: usize, part: &str) -> Range<usize> {
        let end = start.saturating_add(part.len());
        self.elided_spans.original_offset(start)..self.elided_spans.original_offset(end)
    }

    /// Takes the spans that were removed from a part of the text.
    pub(crate) fn elided_spans_of(&mut self, start: usize, part: &str) -> ElidedSpans {
        self.elided_spans
            .take_part(start, start.saturating_add(part.len()))
    }

    /// Adds a problem.
    #[cold]
    #[inline(never)]
    pub fn report(&mut self, span: Span, path: &JsonPointer<'_>, problem: Problem) {
        self.problems.push(span, path.to_string(), problem);
    }

    /// Adds a problem at a JSON Pointer.
    pub fn report_at(&mut self, span: Span, pointer: String, problem: Problem) {
        self.problems.push(span, pointer, problem);
    }

    /// Returns the problems found so far, with lines and columns.
    #[must_use]
    pub fn finish(self) -> Diagnostics {
        self.problems
            .locate(self.document, self.text, &self.elided_spans)
    }

    /// Reads the value as a string.
    pub fn text(&mut self, node: Node<'a, '_>, expected: Expected) -> Option<LocatedText<'a>> {
        if !node.raw.starts_with('"') {
            return self.wrong_type(node, expected);
        }
        let last = node.raw.len().saturating_sub(1);
        let inside = node.raw.get(1..last).unwrap_or_default();
        let value = match inside.contains('\\') {
            false => Cow::Borrowed(inside),
            true => match raw_values::unescape(inside) {
                Some(unescaped) => Cow::Owned(unescaped),
                None => {
                    self.report(node.span, node.path, Problem::lone_surrogate());
                    return None;
                }
            },
        };
        Some(Located {
            value,
            span: node.span,
        })
    }

    /// Reads the value as packed accounts: SIDs in ascending order without duplicates.
    pub(crate) fn packed(
        &mut self,
        node: Node<'a, '_>,
        expected: Expected,
    ) -> Option<Located<Vec<u128>>> {
        let rest = self.text(node, expected)?;
        let taken = self.elided_spans.take(node.span.start.saturating_add(1));
        let unpacker = taken.unwrap_or_else(|| Unpacker::new(rest.value.len()));
        match unpacker.finish(&rest.value) {
            Ok(value) => Some(Located {
                value,
                span: node.span,
            }),
            Err(fault) => {
                self.report(node.span, node.path, Problem::malformed_packed(&fault));
                None
            }
        }
    }

    /// Maps a string to the value of the known word that it equals, or reports it.
    pub fn one_of_words<T, const N: usize>(
        &mut self,
        path: &JsonPointer<'_>,
        what: &'static str,
        words: [(&'static str, T); N],
        word: &LocatedText<'_>,
    ) -> Option<T> {
        let known = words.each_ref().map(|(known, _)| *known);
        let meaning = words.into_iter().find(|(known, _)| *known == word.value);
        if meaning.is_none() {
            let problem = Problem::unknown_word(what, &word.value, &known);
            self.report(word.span, path, problem);
        }
        meaning.map(|(_, meaning)| meaning)
    }

    /// Reads the value as the literal of a number, exactly as written.
    pub fn number(&mut self, node: Node<'a, '_>, expected: Expected) -> Option<Number<'a>> {
        if !node
            .raw
            .starts_with(|c: char| c == '-' || c.is_ascii_digit())
        {
            return self.wrong_type(node, expected);
        }
        Some(Number {
            value: node.raw,
            span: node.span,
        })
    }

    /// Reads the value as a boolean.
    pub(crate) fn boolean(&mut self, node: Node<'a, '_>, expected: Expected) -> Option<bool> {
        match node.raw {
            "true" => Some(true),
            "false" => Some(false),
            _ => self.wrong_type(node, expected),
        }
    }

    /// Reads the value as a list. An item that cannot be read is reported and becomes `None`.
    pub fn list<T>(
        &mut self,
        node: Node<'a, '_>,
        expected: Expected,
        read: Read<'_, 'a, T>,
    ) -> Option<List<T>> {
        let items = Some(node.raw).filter(|raw| raw.starts_with('['));
        let Some(items) = items.and_then(raw_values::split_items) else {
            return self.wrong_type(node, expected);
        };
        self.bounded(node, expected, items.len())?;
        let value = items
            .into_iter()
            .enumerate()
            .map(|(index, raw)| {
                let path = node.path.index(index);
                let item = self.node(raw, &path);
                read(self, item)
            })
            .collect();
        Some(List {
            value,
            span: node.span,
        })
    }

    /// Reads the value as an object whose keys the author chooses.
    pub(crate) fn map<T>(
        &mut self,
        node: Node<'a, '_>,
        expected: Expected,
        read: Read<'_, 'a, T>,
    ) -> Option<Map<'a, T>> {
        let entries = self.entries(node, expected)?;
        self.bounded(node, expected, entries.len())?;
        let mut read_entries = Vec::with_capacity(entries.len());
        for (key, raw) in entries {
            let path = node.path.field(&key.value);
            let item = self.node(raw, &path);
            let value = read(self, item);
            read_entries.push((key, value));
        }
        Some(Map(read_entries))
    }

    /// Reads the value as an object with known fields; see [`Object`].
    pub fn object<'p>(&mut self, node: Node<'a, 'p>, expected: Expected) -> Option<Object<'a, 'p>> {
        Some(Object {
            path: node.path,
            entries: self.entries(node, expected)?,
            known: Vec::new(),
        })
    }

    /// Returns the fields of an object. A repeated field is reported, and its first value counts.
    fn entries(
        &mut self,
        node: Node<'a, '_>,
        expected: Expected,
    ) -> Option<Vec<(LocatedText<'a>, &'a str)>> {
        let parts = Some(node.raw).filter(|raw| raw.starts_with('{'));
        let Some(parts) = parts.and_then(raw_values::split_items) else {
            return self.wrong_type(node, expected);
        };
        let (raw_entries, _) = parts.as_chunks();
        let mut entries: Vec<(LocatedText<'a>, &'a str)> = Vec::with_capacity(raw_entries.len());
        let mut seen = BTreeSet::new();
        for [raw_key, raw] in raw_entries {
            let key_node = self.node(raw_key, node.path);
            let Some(key) = self.text(key_node, Expected::FIELD_NAME) else {
                continue;
            };
            if seen.insert(key.value.clone()) {
                entries.push((key, raw));
            } else {
                let path = node.path.field(&key.value);
                self.report(key.span, &path, Problem::repeated_field(&key.value));
            }
        }
        Some(entries)
    }

    fn node<'p>(&self, raw: &'a str, path: &'p JsonPointer<'p>) -> Node<'a, 'p> {
        // Each value is a slice of the text, so the distance between the two is its offset.
        let start = raw
            .as_ptr()
            .addr()
            .saturating_sub(self.text.as_ptr().addr());
        let end = start.saturating_add(raw.len());
        Node {
            raw,
            span: Span { start, end },
            path,
        }
    }

    /// Reports a list or an object with too many items. What is read takes many times the memory of its text.
    fn bounded(&mut self, node: Node<'a, '_>, expected: Expected, found: usize) -> Option<()> {
        if found <= expected.most {
            return Some(());
        }
        let problem = Problem::too_many(expected, found);
        self.report(node.span.head(), node.path, problem);
        None
    }

    fn wrong_type<T>(&mut self, node: Node<'a, '_>, expected: Expected) -> Option<T> {
        self.report_type(node, expected);
        None
    }

    /// A separate function, because [`Reader::wrong_type`] is compiled for each type of value.
    #[cold]
    #[inline(never)]
    fn report_type(&mut self, node: Node<'a, '_>, expected: Expected) {
        let problem = Problem::wrong_type(expected, node.raw);
        self.report(node.span, node.path, problem);
    }
}

/// An object whose fields are taken one by one. A field that nothing takes is unknown.
pub struct Object<'a, 'p> {
    path: &'p JsonPointer<'p>,
    entries: Vec<(LocatedText<'a>, &'a str)>,
    known: Vec<&'static str>,
}

impl<'a> Object<'a, '_> {
    /// Takes a field and reads its value.
    pub fn field<T>(
        &mut self,
        reader: &mut Reader<'a>,
        name: &'static str,
        read: Read<'_, 'a, T>,
    ) -> Field<T> {
        self.known.push(name);
        let Some(raw) = self.take(name).map(|(_, raw)| raw) else {
            return Field::Absent;
        };
        let path = self.path.field(name);
        let node = reader.node(raw, &path);
        read(reader, node).map_or(Field::Bad, Field::Given)
    }

    /// Reports the fields that nothing took as unknown.
    pub fn finish(self, reader: &mut Reader<'a>) {
        for (key, _) in &self.entries {
            let path = self.path.field(&key.value);
            let problem = Problem::unknown_field(&key.value, &self.known);
            reader.report(key.span, &path, problem);
        }
    }

    fn take(&mut self, name: &str) -> Option<(LocatedText<'a>, &'a str)> {
        let index = self.entries.iter().position(|(key, _)| key.value == name)?;
        Some(self.entries.remove(index))
    }
}

/// Converts the line and column of a `serde_json` error to a byte offset. The line counts from 1. The column counts
/// bytes from 1; 0 is the end of the line before.
fn offset_of(text: &str, line: usize, column: usize) -> usize {
    let line_start: usize = text
        .split_inclusive('\n')
        .take(line.saturating_sub(1))
        .map(str::len)
        .sum();
    let mut offset = line_start
        .saturating_add(column.saturating_sub(1))
        .min(text.len());
    while !text.is_char_boundary(offset) {
        offset = offset.saturating_sub(1);
    }
    offset
}
