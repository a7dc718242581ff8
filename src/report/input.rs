//! Finds out what a line is.

use std::io::{self, BufRead};

use serde::Serialize;
use serde_json::Value;

use crate::counters::Sample;
use crate::line::{Line, Lines};
use crate::record::{BEGINNING, Record};

/// Wrappings around wrappings that are looked into.
const MOST_WRAPPINGS: u8 = 3;

/// Where log collectors put the line that they were given: container runtimes, Envoy's own JSON
/// log, and OTLP. Texts of other fields are not searched, because clients write some of them.
const WRAPPINGS: [&str; 5] = ["log", "message", "msg", "body", "stringValue"];

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
        while let Some(line) = lines.next()? {
            found.lines = found.lines.saturating_add(1);
            match line {
                Line::Bytes(bytes) => found.line(&String::from_utf8_lossy(bytes), 0, &mut take),
                Line::TooLong => found.unreadable = found.unreadable.saturating_add(1),
            }
        }
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

    fn line(&mut self, line: &str, depth: u8, take: &mut impl FnMut(Item)) {
        if let Some((_, rest)) = line.split_once(BEGINNING) {
            // All to the end of the line: text behind it means that somebody quotes a record.
            let text = [BEGINNING, rest.trim_end()].concat();
            match Record::read(&text) {
                Some(record) => {
                    self.records = self.records.saturating_add(1);
                    take(Item::Record(Box::new(record)));
                }
                None => self.unreadable = self.unreadable.saturating_add(1),
            }
        } else if line.contains(r#"\"turnout\"#) {
            match serde_json::from_str(line) {
                Ok(wrapping) if depth < MOST_WRAPPINGS => self.wrapped(&wrapping, depth, take),
                _ => self.unreadable = self.unreadable.saturating_add(1),
            }
        } else if let Some(sample) = Sample::read(line) {
            let counter = match sample {
                Sample::Unreadable => &mut self.unreadable,
                Sample::Unlabelled => &mut self.unlabelled,
                _ => &mut self.counters,
            };
            *counter = counter.saturating_add(1);
            take(Item::Sample(sample));
        }
    }

    fn wrapped(&mut self, value: &Value, depth: u8, take: &mut impl FnMut(Item)) {
        match value {
            Value::Array(items) => {
                for item in items {
                    self.wrapped(item, depth, take);
                }
            }
            Value::Object(fields) => {
                for (name, value) in fields {
                    match value {
                        Value::String(text) if WRAPPINGS.contains(&name.as_str()) => {
                            self.line(text, depth.saturating_add(1), take);
                        }
                        other => self.wrapped(other, depth, take),
                    }
                }
            }
            _ => {}
        }
    }
}
