//! Finds out what a line is.

use std::io::{self, BufRead};

use memchr::memmem;
use serde::Serialize;
use serde_json::value::RawValue;
use turnout_logs::{Unwrapped, Unwrapper, wasm_message};

use crate::counters::Sample;
use crate::line::{Line, Lines};
use crate::record::{BEGINNING, Record};

/// What the filter writes before each record.
const SPEAKER: &str = "turnout: ";

/// What was found in one input.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Input {
    /// How the caller calls it.
    pub name: String,
    /// All its lines.
    pub lines: u64,
    /// Records of Turnout.
    pub records: u64,
    /// Samples of Turnout's metrics.
    pub counters: u64,
    /// Counters of shadows that do not say of which rollout.
    pub unlabelled: u64,
    /// Lines that begin as a record or a sample, and are none.
    pub unreadable: u64,
}

/// Something that counts.
pub(crate) enum Item {
    Record(Box<Record>),
    Sample(Sample),
}

impl Input {
    /// Reads to the end and hands over all that counts.
    pub(crate) fn read(
        name: &str,
        input: impl BufRead,
        mut take: impl FnMut(Item),
    ) -> io::Result<Self> {
        let mut found = Self {
            name: name.to_owned(),
            ..Self::default()
        };
        let mut lines = Lines::new(input);
        let mut unwrapper = Unwrapper::default();
        while let Some(line) = lines.next()? {
            found.lines = found.lines.saturating_add(1);
            match line {
                Line::Bytes(bytes) => found.line(bytes, &mut unwrapper, &mut take),
                Line::TooLong => found.unreadable = found.unreadable.saturating_add(1),
            }
        }
        found.unreadable = found.unreadable.saturating_add(unwrapper.dropped());
        Ok(found)
    }

    /// What kind of text it was.
    pub(crate) const fn kind(&self) -> &'static str {
        match (self.records > 0, self.counters > 0) {
            (true, true) => "records and counters",
            (true, false) => "records",
            (false, true) => "counters",
            (false, false) => "nothing of Turnout",
        }
    }

    fn line(&mut self, line: &[u8], unwrapper: &mut Unwrapper, take: &mut impl FnMut(Item)) {
        if unwrapper.has_open_lines() || may_have_record(line) {
            unwrapper.line(line, &mut |line| self.unwrapped(line, take));
            return;
        }
        let Some(sample) = Sample::read(&String::from_utf8_lossy(line)) else {
            return;
        };
        let counter = match sample {
            Sample::Unreadable => &mut self.unreadable,
            Sample::Unlabelled(_) => &mut self.unlabelled,
            _ => &mut self.counters,
        };
        *counter = counter.saturating_add(1);
        take(Item::Sample(sample));
    }

    fn unwrapped(&mut self, line: &Unwrapped<'_>, take: &mut impl FnMut(Item)) {
        let Some(text) = record_text(line) else {
            // Text that has a record in a frame that is not known, such as a quoted one.
            if memmem::find(&line.text, BEGINNING.as_bytes()).is_some() {
                self.unreadable = self.unreadable.saturating_add(1);
            }
            return;
        };
        match Record::read(&text) {
            Some(record) => {
                self.records = self.records.saturating_add(1);
                take(Item::Record(Box::new(record)));
            }
            None => self.unreadable = self.unreadable.saturating_add(1),
        }
    }
}

/// Whether it is worth to unwrap a line: the name of a record's first field is in it, or bytes that are
/// written as numbers.
fn may_have_record(line: &[u8]) -> bool {
    let mut found = memmem::find_iter(line, b"\"turnout");
    found.any(|at| {
        let rest = line.get(at.saturating_add(8)..).unwrap_or_default();
        rest.starts_with(b"\"") || rest.starts_with(b"\\")
    }) || memmem::find(line, b"\"MESSAGE\"").is_some()
}

/// The record of a line, if the line has one and is of a form that the filter's records have.
fn record_text(line: &Unwrapped<'_>) -> Option<String> {
    let Some(message) = wasm_message(line) else {
        let bare = String::from_utf8_lossy(&line.text);
        let bare = bare.strip_prefix(SPEAKER).unwrap_or(&bare);
        return bare.starts_with(BEGINNING).then(|| bare.to_owned());
    };
    let message = String::from_utf8_lossy(message);
    let message = message.strip_prefix(SPEAKER).unwrap_or(&message);
    if !message.starts_with(BEGINNING) {
        return None;
    }
    // A custom log format may write behind a message, but whoever quotes a record closes the quote. In
    // JSON that is none, since its message was not escaped, the quote is the field's.
    let is_loose = line.logger.is_none();
    let mut values = serde_json::Deserializer::from_str(message).into_iter::<&RawValue>();
    let record = match values.next() {
        Some(Ok(record)) if is_loose => record.get(),
        _ => return Some(message.to_owned()),
    };
    let behind = message.get(values.byte_offset()..).unwrap_or_default();
    let is_foreign = behind.contains('"') && !line.text.starts_with(b"{");
    (!is_foreign).then(|| record.to_owned())
}
