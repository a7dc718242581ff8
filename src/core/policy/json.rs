//! Reads JSON and keeps the place of each value.
//!
//! `serde_json` checks the syntax. The values are found by hand, because `serde_json` keeps no places and
//! stops at the first problem, while a report has to contain all problems of a policy with their lines.
//!
//! A value is a slice of the source text until its inside is needed. The place of the slice is the place
//! of the value, and a long list needs no tree.

mod not_json;
mod raw_values;
#[cfg(test)]
mod tests;

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

/// A value and where it stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Located<T> {
    pub(crate) value: T,
    pub(crate) span: Span,
}

/// A string.
pub(crate) type LocatedText<'a> = Located<Cow<'a, str>>;

/// The literal of a number, exactly as written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Number<'a> {
    pub(crate) value: &'a str,
    pub(crate) span: Span,
}

/// A list of which some items may be unreadable (and reported).
#[derive(Clone, Debug)]
pub(crate) struct List<T> {
    pub(crate) value: Vec<Option<T>>,
    pub(crate) span: Span,
}

/// An object whose keys are the author's; some values may be unreadable (and reported).
#[derive(Clone, Debug)]
pub(crate) struct Map<'a, T>(pub(crate) Vec<(LocatedText<'a>, Option<T>)>);

/// What an object says of one of its fields.
#[derive(Clone, Debug)]
pub(crate) enum Field<T> {
    /// Not there.
    Absent,
    /// There, but not readable; that has been reported.
    Bad,
    /// There.
    Given(T),
}

impl<T> Field<T> {
    /// The value, if there is a readable one.
    pub(crate) fn value(&self) -> Option<&T> {
        match self {
            Self::Given(value) => Some(value),
            Self::Absent | Self::Bad => None,
        }
    }

    /// As [`Field::value`], owned.
    pub(crate) fn into_value(self) -> Option<T> {
        match self {
            Self::Given(value) => Some(value),
            Self::Absent | Self::Bad => None,
        }
    }
}

/// A value that has not been looked into yet.
#[derive(Clone, Copy)]
pub(crate) struct Node<'a, 'p> {
    raw: &'a str,
    pub(crate) span: Span,
    pub(crate) path: &'p JsonPointer<'p>,
}

impl<'a> Node<'a, '_> {
    /// The value as it stands in the text.
    pub(crate) fn raw(&self) -> &'a str {
        self.raw
    }
}

/// Reads a value. Not a type of its own for each field, so that what calls it is compiled once for
/// each kind of value.
type Read<'r, 'a, T> = &'r dyn Fn(&mut Reader<'a>, Node<'a, '_>) -> Option<T>;

/// Reads one text and gathers its problems.
#[derive(Clone)]
pub(crate) struct Reader<'a> {
    text: &'a str,
    /// What was taken out of the text before.
    cuts: ElidedSpans,
    document: Document,
    problems: Problems,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(document: Document, text: &'a str) -> Self {
        Self::with_elided_spans(document, text, ElidedSpans::default())
    }

    pub(crate) fn with_elided_spans(document: Document, text: &'a str, cuts: ElidedSpans) -> Self {
        Self {
            text,
            cuts,
            document,
            problems: Problems::default(),
        }
    }

    /// The whole document, if it is JSON at all.
    pub(crate) fn root(&mut self, expected: Expected) -> Option<Node<'a, 'static>> {
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
                    true => Problem::marked(),
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

    /// The place of the whole document.
    pub(crate) fn whole_span(&self) -> Span {
        let start = self.text.len().saturating_sub(self.text.trim_start().len());
        Span {
            start,
            end: self.text.trim_end().len(),
        }
    }

    /// The text of the whole document.
    pub(crate) fn document(&self) -> &'a str {
        self.text
    }

    /// The value's text with the white space before it, so that its lines stay where they were in
    /// a file that began with some; and where it begins.
    pub(crate) fn with_indent(&self, node: Node<'a, '_>) -> (usize, &'a str) {
        let before = self.text.get(..node.span.start).unwrap_or_default();
        let start = before.trim_end().len();
        let text = self.text.get(start..node.span.end);
        text.map_or((node.span.start, node.raw), |text| (start, text))
    }

    /// The bytes that a part of the text has when nothing was taken out.
    pub(crate) fn range_of(&self, start: usize, part: &str) -> Range<usize> {
        let end = start.saturating_add(part.len());
        self.cuts.place(start)..self.cuts.place(end)
    }

    /// What was taken out of a part of the text.
    pub(crate) fn elided_spans_of(&mut self, start: usize, part: &str) -> ElidedSpans {
        self.cuts.part(start, start.saturating_add(part.len()))
    }

    #[cold]
    #[inline(never)]
    pub(crate) fn report(&mut self, span: Span, path: &JsonPointer<'_>, problem: Problem) {
        self.problems.push(span, path, problem);
    }

    /// Everything found so far, with lines and columns.
    pub(crate) fn finish(self) -> Diagnostics {
        self.problems.locate(self.document, self.text, &self.cuts)
    }

    /// The value as a string.
    pub(crate) fn text(
        &mut self,
        node: Node<'a, '_>,
        expected: Expected,
    ) -> Option<LocatedText<'a>> {
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
                    self.report(node.span, node.path, Problem::half_escape());
                    return None;
                }
            },
        };
        Some(Located {
            value,
            span: node.span,
        })
    }

    /// The value as packed accounts: numbers in ascending order, each once.
    pub(crate) fn packed(
        &mut self,
        node: Node<'a, '_>,
        expected: Expected,
    ) -> Option<Located<Vec<u128>>> {
        let rest = self.text(node, expected)?;
        let taken = self.cuts.take(node.span.start.saturating_add(1));
        let unpacker = taken.unwrap_or_else(|| Unpacker::new(rest.value.len()));
        match unpacker.finish(&rest.value) {
            Ok(value) => Some(Located {
                value,
                span: node.span,
            }),
            Err(fault) => {
                self.report(node.span, node.path, Problem::bad_packed(&fault));
                None
            }
        }
    }

    /// The meaning of a string that is one of a few words.
    pub(crate) fn one_of_words<T, const N: usize>(
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

    /// The value as the literal of a number, exactly as written.
    pub(crate) fn number(&mut self, node: Node<'a, '_>, expected: Expected) -> Option<Number<'a>> {
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

    /// The value as a truth value.
    pub(crate) fn boolean(&mut self, node: Node<'a, '_>, expected: Expected) -> Option<bool> {
        match node.raw {
            "true" => Some(true),
            "false" => Some(false),
            _ => self.wrong_type(node, expected),
        }
    }

    /// The value as a list. An item that cannot be read is reported and leaves a `None`.
    pub(crate) fn list<T>(
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

    /// The value as an object whose keys are the author's own words.
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

    /// The value as an object with known fields; see [`Object`].
    pub(crate) fn object<'p>(
        &mut self,
        node: Node<'a, 'p>,
        expected: Expected,
    ) -> Option<Object<'a, 'p>> {
        Some(Object {
            path: node.path,
            entries: self.entries(node, expected)?,
            known: Vec::new(),
        })
    }

    /// The fields of an object; a field given twice is reported, and its first value stands.
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

    /// What is read is many times as large as its text, so there is a bound on what is read.
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

    /// Apart, since [`Reader::wrong_type`] is compiled for each kind of value.
    #[cold]
    #[inline(never)]
    fn report_type(&mut self, node: Node<'a, '_>, expected: Expected) {
        let problem = Problem::wrong_type(expected, node.raw);
        self.report(node.span, node.path, problem);
    }
}

/// An object whose fields are taken one by one; what nobody took is unknown.
pub(crate) struct Object<'a, 'p> {
    path: &'p JsonPointer<'p>,
    entries: Vec<(LocatedText<'a>, &'a str)>,
    known: Vec<&'static str>,
}

impl<'a> Object<'a, '_> {
    pub(crate) fn field<T>(
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

    /// A field of the policy's language that this version does not carry out.
    pub(crate) fn reserved(&mut self, reader: &mut Reader<'a>, name: &'static str) {
        if let Some((key, _)) = self.take(name) {
            let path = self.path.field(name);
            reader.report(key.span, &path, Problem::not_supported(name));
        }
    }

    /// Reports the fields that nobody took.
    pub(crate) fn finish(self, reader: &mut Reader<'a>) {
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

/// The byte offset of serde_json's line (from 1) and column (bytes of the line, from 1, or 0 for
/// the end of the line before).
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
