//! Reads one input: recognizes each line as a record, a counter, or something else.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{self, BufRead};

use serde::Serialize;
use turnout_admin::is_metric_line;
use turnout_logs::{Unwrapped, Unwrapper, Wrappers, plugin_message};

use crate::bounded_lines::{BoundedLines, Line};
use crate::client_text::has_safe_start;
use crate::counters::MetricSample;
use crate::own_log;
use crate::record::{RECORD_START, Record};
use crate::untrusted_lines::{UntrustedLines, looks_like_record};

/// The text that the filter writes before each record.
pub(crate) const MESSAGE_PREFIX: &str = "turnout: ";

/// One input with the numbers of its lines.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Input {
    /// The name that the caller gave.
    pub name: String,
    /// The number of all lines.
    pub lines: u64,
    /// The number of records that count.
    pub records: u64,
    /// The number of counters that count.
    pub counters: u64,
    /// The number of shadowing counters without the name of a rollout.
    pub unlabelled: u64,
    /// The number of lines that start like a record or a counter but are malformed.
    pub unreadable: u64,
    /// The numbers of lines that do not count because a client may have written them.
    pub untrusted_lines: UntrustedLines,
    /// Whether the input also has other lines, such as those of an access log.
    pub mixed: bool,
    /// Why a client may have written the records nevertheless.
    #[serde(skip)]
    pub(crate) doubt: Option<Doubt>,
    /// A hash that is equal for inputs with the same records in any order.
    #[serde(skip)]
    pub(crate) records_hash: u64,
    /// A hash that is equal for inputs with the same counters in any order.
    #[serde(skip)]
    pub(crate) counters_hash: u64,
}

/// Why a later line casts doubt on the records before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Doubt {
    /// The records had no log prefix, and the input has other lines.
    Bare,
    /// The records had wrappers that other lines do not have.
    Wrapped,
    /// The line with this number starts with text that a client may have chosen.
    ClientText(u64),
}

/// Who may have written the lines of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogOrigin {
    /// Envoy and clients: there may be lines of an access log.
    Mixed,
    /// Only Envoy's own logger.
    EnvoyOnly,
}

impl Input {
    /// Reads an input to its end. Passes records to `take` and returns the counters.
    pub(crate) fn read(
        name: &str,
        origin: LogOrigin,
        input: impl BufRead,
        mut take: impl FnMut(Record),
    ) -> io::Result<(Self, Vec<MetricSample>)> {
        let found = Self {
            name: name.to_owned(),
            ..Self::default()
        };
        let mut reader = InputReader {
            found,
            origin,
            samples: Vec::new(),
            wrappers: BTreeSet::new(),
            record_wrappers: BTreeSet::new(),
            has_bare: false,
            has_prefixed: false,
            client_text: None,
        };
        let mut lines = BoundedLines::new(input);
        let mut unwrapper = Unwrapper::default();
        while let Some(line) = lines.next()? {
            let found = &mut reader.found;
            found.lines = found.lines.saturating_add(1);
            match line {
                Line::Bytes(bytes) => reader.line(bytes, &mut unwrapper, &mut take),
                Line::TooLong => increase(&mut found.unreadable),
            }
        }
        let found = &mut reader.found;
        found.unreadable = found.unreadable.saturating_add(unwrapper.dropped());
        let client_text = reader.client_text.filter(|_| reader.has_prefixed);
        found.doubt = found.doubt.or(client_text.map(Doubt::ClientText));
        Ok((reader.found, reader.samples))
    }

    /// Describes what the input contains.
    pub(crate) const fn kind(&self) -> &'static str {
        match (self.records > 0, self.counters > 0) {
            (true, true) => "records and counters",
            (true, false) => "records",
            (false, true) => "counters",
            (false, false) => "nothing from Turnout",
        }
    }
}

/// Reads one input.
struct InputReader {
    found: Input,
    origin: LogOrigin,
    /// The counters. They do not count if the input turns out to be a log.
    samples: Vec<MetricSample>,
    /// The wrappers of all lines.
    wrappers: BTreeSet<Wrappers>,
    /// The wrappers of the records that count.
    record_wrappers: BTreeSet<Wrappers>,
    has_bare: bool,
    /// Whether a record counts because its line starts like a line of Envoy's own log.
    has_prefixed: bool,
    /// The number of the first line that starts with text that a client may have chosen.
    client_text: Option<u64>,
}

impl InputReader {
    fn line(&mut self, line: &[u8], unwrapper: &mut Unwrapper, take: &mut impl FnMut(Record)) {
        let is_open = unwrapper.has_open_lines();
        if !is_open && !self.may_matter(line) {
            return;
        }
        if !is_open && self.sample(line) {
            return;
        }
        let before = self.classified();
        unwrapper.line(line, &mut |line| match self.origin {
            LogOrigin::Mixed => self.line_of_mixed_log(line, take),
            LogOrigin::EnvoyOnly => self.line_of_own_log(line, take),
        });
        if !is_open && self.classified() == before && looks_like_record(line) {
            increase(&mut self.found.untrusted_lines.embedded);
        }
    }

    /// Whether a line needs a closer look. It does not if the input is known to be a log and the line has nothing
    /// of Turnout.
    fn may_matter(&self, line: &[u8]) -> bool {
        let is_known_log = match self.origin {
            LogOrigin::Mixed => {
                self.found.mixed
                    && self.wrappers.contains(&Wrappers::default())
                    && (self.client_text.is_some() || has_safe_start(line))
            }
            LogOrigin::EnvoyOnly => true,
        };
        let mut has = [&b"turnout"[..], b"\"MESSAGE\""].into_iter();
        !is_known_log || has.any(|part| memchr::memmem::find(line, part).is_some())
    }

    /// Handles a line of metrics; false if it is not one.
    fn sample(&mut self, line: &[u8]) -> bool {
        let text = String::from_utf8_lossy(line);
        if looks_like_record(line) {
            return false;
        }
        let Some(sample) = MetricSample::parse(&text) else {
            return false;
        };
        if self.found.mixed && self.origin == LogOrigin::Mixed {
            increase(&mut self.found.untrusted_lines.counters);
            return true;
        }
        increase(match sample {
            MetricSample::Unreadable => &mut self.found.unreadable,
            MetricSample::Unlabelled(_) => &mut self.found.unlabelled,
            _ => &mut self.found.counters,
        });
        add_hash(&mut self.found.counters_hash, text.trim());
        self.samples.push(sample);
        true
    }

    /// The number of lines that were recognized.
    fn classified(&self) -> u64 {
        let found = &self.found;
        [
            found.records,
            found.unreadable,
            found.untrusted_lines.total(),
        ]
        .iter()
        .fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// Handles a line of a log that may have text of clients.
    fn line_of_mixed_log(&mut self, line: &Unwrapped<'_>, take: &mut impl FnMut(Record)) {
        let text = line.text.trim_ascii();
        let is_separator = line.wrappers.is_empty() && text.starts_with(b"-- ");
        if text.is_empty() || is_separator {
            return;
        }
        self.add_wrappers(line.wrappers);
        let Some((record, is_bare)) = record_of(line) else {
            let is_known = line.logger.is_some() || is_metric_line(text);
            if !is_known {
                self.mark_mixed();
                if !line.is_stdout && !has_safe_start(text) {
                    self.client_text.get_or_insert(self.found.lines);
                }
            }
            if looks_like_record(text) {
                increase(&mut self.found.untrusted_lines.embedded);
            }
            return;
        };
        let is_elsewhere = |other: &Wrappers| !other.starts_with(line.wrappers);
        let untrusted_lines = &mut self.found.untrusted_lines;
        if line.is_stdout && !line.is_exported {
            increase(&mut untrusted_lines.stdout);
        } else if self.wrappers.iter().any(is_elsewhere) {
            increase(&mut untrusted_lines.wrapped);
        } else if is_bare && self.found.mixed {
            increase(&mut untrusted_lines.bare);
        } else if self.record(&record, take) {
            self.record_wrappers.insert(line.wrappers);
            self.has_bare |= is_bare;
            self.has_prefixed |= !is_bare && !line.is_exported;
        }
    }

    /// Handles a line of a log without text of clients.
    fn line_of_own_log(&mut self, line: &Unwrapped<'_>, take: &mut impl FnMut(Record)) {
        match own_log::extract_record(line) {
            Some(record) => {
                self.record(&record, take);
            }
            None if memchr::memmem::find(&line.text, RECORD_START.as_bytes()).is_some() => {
                increase(&mut self.found.unreadable);
            }
            None => {}
        }
    }

    /// Parses a record and passes it to `take`; false if it is malformed.
    fn record(&mut self, text: &str, take: &mut impl FnMut(Record)) -> bool {
        let Some(record) = Record::parse(text) else {
            increase(&mut self.found.unreadable);
            return false;
        };
        increase(&mut self.found.records);
        if !matches!(record, Record::Options(_)) {
            add_hash(&mut self.found.records_hash, text);
        }
        take(record);
        true
    }

    fn add_wrappers(&mut self, wrappers: Wrappers) {
        if self.wrappers.insert(wrappers) {
            let mut others = self.record_wrappers.iter();
            if others.any(|other| !wrappers.starts_with(*other)) {
                self.found.doubt.get_or_insert(Doubt::Wrapped);
            }
        }
    }

    /// Marks the input as mixed because of a line that is neither from Envoy's own log nor a metric. Its counters
    /// and bare records do not count.
    fn mark_mixed(&mut self) {
        if self.found.mixed {
            return;
        }
        let found = &mut self.found;
        found.mixed = true;
        if self.has_bare {
            found.doubt.get_or_insert(Doubt::Bare);
        }
        let samples = std::mem::take(&mut self.samples);
        let count = u64::try_from(samples.len()).unwrap_or(u64::MAX);
        let untrusted_lines = &mut found.untrusted_lines;
        untrusted_lines.counters = untrusted_lines.counters.saturating_add(count);
        for sample in samples {
            let counter = match sample {
                MetricSample::Unreadable => &mut found.unreadable,
                MetricSample::Unlabelled(_) => &mut found.unlabelled,
                _ => &mut found.counters,
            };
            *counter = counter.saturating_sub(1);
        }
        found.counters_hash = 0;
    }
}

/// The record of a line, and whether it is bare.
///
/// The record is the whole message of a plugin's log line, a whole exported log record, or, if it is bare, the
/// whole line.
fn record_of(line: &Unwrapped<'_>) -> Option<(String, bool)> {
    let (text, is_bare) = match plugin_message(line) {
        Some(message) => (message.strip_prefix(MESSAGE_PREFIX.as_bytes())?, false),
        None if line.logger.is_some() => return None,
        None => {
            let text = line.text.trim_ascii_start();
            let bare = text.strip_prefix(MESSAGE_PREFIX.as_bytes()).unwrap_or(text);
            (bare, !line.is_exported)
        }
    };
    // An access log may have a field `turnout` too, but not with the kind of a record.
    let is_record =
        text.starts_with(RECORD_START.as_bytes()) && (!is_bare || looks_like_record(text));
    is_record.then(|| (String::from_utf8_lossy(text).into_owned(), is_bare))
}

fn increase(count: &mut u64) {
    *count = count.saturating_add(1);
}

fn add_hash(sum: &mut u64, text: &str) {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    *sum = sum.wrapping_add(hasher.finish());
}
