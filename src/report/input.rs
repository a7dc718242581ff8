//! Finds out what a line is.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{self, BufRead};

use serde::Serialize;
use turnout_admin::is_metric_line;
use turnout_logs::{Unwrapped, Unwrapper, Wrappers, plugin_message};

use crate::beginning::is_harmless;
use crate::counters::Sample;
use crate::line::{Line, Lines};
use crate::lookalike::{Lookalikes, looks_like_record};
use crate::loose;
use crate::record::{BEGINNING, Record};

/// What the filter writes before each record.
pub(crate) const SPEAKER: &str = "turnout: ";

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
    /// Lines that are not counted, because others than the filter can have written them.
    pub lookalikes: Lookalikes,
    /// Whether lines of something else are among them, such as an access log.
    pub mixed: bool,
    /// Why the records that were taken may be those of a client after all.
    #[serde(skip)]
    pub(crate) doubt: Option<Doubt>,
    /// The same for inputs with the same records, in any order.
    #[serde(skip)]
    pub(crate) records_hash: u64,
    /// The same for inputs with the same counters, in any order.
    #[serde(skip)]
    pub(crate) counters_hash: u64,
}

/// What later lines of an input say against the records that were taken before them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Doubt {
    /// They were bare, and the input has other lines.
    Bare,
    /// They were in wrappers that other lines do not have.
    Wrapped,
    /// Such a line begins with text that a client may have chosen.
    Beginning(u64),
}

/// Who can have written the lines of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Writer {
    /// Anyone: an access log with text of clients may be among them.
    Anyone,
    /// Only Envoy's own logger, or whoever extracted records.
    Envoy,
}

impl Input {
    /// Reads to the end and hands over all that counts. The samples come last.
    pub(crate) fn read(
        name: &str,
        writer: Writer,
        input: impl BufRead,
        mut take: impl FnMut(Record),
    ) -> io::Result<(Self, Vec<Sample>)> {
        let found = Self {
            name: name.to_owned(),
            ..Self::default()
        };
        let mut reading = Reading {
            found,
            writer,
            samples: Vec::new(),
            seen: BTreeSet::new(),
            taken_in: BTreeSet::new(),
            has_bare: false,
            has_framed: false,
            beginning: None,
        };
        let mut lines = Lines::new(input);
        let mut unwrapper = Unwrapper::default();
        while let Some(line) = lines.next()? {
            let found = &mut reading.found;
            found.lines = found.lines.saturating_add(1);
            match line {
                Line::Bytes(bytes) => reading.line(bytes, &mut unwrapper, &mut take),
                Line::TooLong => increase(&mut found.unreadable),
            }
        }
        let found = &mut reading.found;
        found.unreadable = found.unreadable.saturating_add(unwrapper.dropped());
        let beginning = reading.beginning.filter(|_| reading.has_framed);
        found.doubt = found.doubt.or(beginning.map(Doubt::Beginning));
        Ok((reading.found, reading.samples))
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
}

/// One input while it is read.
struct Reading {
    found: Input,
    writer: Writer,
    /// Counters that were found: in a log they do not count.
    samples: Vec<Sample>,
    /// The wrappers of all lines.
    seen: BTreeSet<Wrappers>,
    /// The wrappers of the records that were taken.
    taken_in: BTreeSet<Wrappers>,
    has_bare: bool,
    /// Whether a record was taken because its line begins as one of Envoy's own.
    has_framed: bool,
    /// The first line that begins with text that a client may have chosen.
    beginning: Option<u64>,
}

impl Reading {
    fn line(&mut self, line: &[u8], unwrapper: &mut Unwrapper, take: &mut impl FnMut(Record)) {
        let is_open = unwrapper.has_open_lines();
        if !is_open && !self.may_matter(line) {
            return;
        }
        if !is_open && self.sample(line) {
            return;
        }
        let before = self.accounted();
        unwrapper.line(line, &mut |line| match self.writer {
            Writer::Anyone => self.unwrapped(line, take),
            Writer::Envoy => self.loose(line, take),
        });
        if !is_open && self.accounted() == before && looks_like_record(line) {
            increase(&mut self.found.lookalikes.in_a_line);
        }
    }

    /// Whether a line is more than one more line of a log that has had others.
    fn may_matter(&self, line: &[u8]) -> bool {
        let is_known = match self.writer {
            Writer::Anyone => {
                self.found.mixed
                    && self.seen.contains(&Wrappers::default())
                    && (self.beginning.is_some() || is_harmless(line))
            }
            Writer::Envoy => true,
        };
        let mut has = [&b"turnout"[..], b"\"MESSAGE\""].into_iter();
        !is_known || has.any(|part| memchr::memmem::find(line, part).is_some())
    }

    /// Takes a line that is of a dump of counters.
    fn sample(&mut self, line: &[u8]) -> bool {
        let text = String::from_utf8_lossy(line);
        if looks_like_record(line) {
            return false;
        }
        let Some(sample) = Sample::read(&text) else {
            return false;
        };
        if self.found.mixed && self.writer == Writer::Anyone {
            increase(&mut self.found.lookalikes.counters);
            return true;
        }
        increase(match sample {
            Sample::Unreadable => &mut self.found.unreadable,
            Sample::Unlabelled(_) => &mut self.found.unlabelled,
            _ => &mut self.found.counters,
        });
        add_hash(&mut self.found.counters_hash, text.trim());
        self.samples.push(sample);
        true
    }

    /// Lines that something was made of.
    fn accounted(&self) -> u64 {
        let found = &self.found;
        [found.records, found.unreadable, found.lookalikes.total()]
            .iter()
            .fold(0, |sum, count| sum.saturating_add(*count))
    }

    fn unwrapped(&mut self, line: &Unwrapped<'_>, take: &mut impl FnMut(Record)) {
        let text = line.text.trim_ascii();
        let is_separator = line.wrappers.is_empty() && text.starts_with(b"-- ");
        if text.is_empty() || is_separator {
            return;
        }
        self.saw(line.wrappers);
        let Some((record, is_bare)) = record_of(line) else {
            let is_of_log = line.logger.is_some() || is_metric_line(text);
            if !is_of_log {
                self.saw_other();
                if !line.is_stdout && !is_harmless(text) {
                    self.beginning.get_or_insert(self.found.lines);
                }
            }
            if looks_like_record(text) {
                increase(&mut self.found.lookalikes.in_a_line);
            }
            return;
        };
        let is_elsewhere = |seen: &Wrappers| !seen.starts_with(line.wrappers);
        let lookalikes = &mut self.found.lookalikes;
        if line.is_stdout && !line.is_exported {
            increase(&mut lookalikes.stdout);
        } else if self.seen.iter().any(is_elsewhere) {
            increase(&mut lookalikes.wrapped);
        } else if is_bare && self.found.mixed {
            increase(&mut lookalikes.bare);
        } else if self.record(&record, take) {
            self.taken_in.insert(line.wrappers);
            self.has_bare |= is_bare;
            self.has_framed |= !is_bare && !line.is_exported;
        }
    }

    /// Takes a line of a log that no client writes to.
    fn loose(&mut self, line: &Unwrapped<'_>, take: &mut impl FnMut(Record)) {
        match loose::record_text(line) {
            Some(record) => {
                self.record(&record, take);
            }
            None if memchr::memmem::find(&line.text, BEGINNING.as_bytes()).is_some() => {
                increase(&mut self.found.unreadable);
            }
            None => {}
        }
    }

    /// Whether it was one.
    fn record(&mut self, text: &str, take: &mut impl FnMut(Record)) -> bool {
        let Some(record) = Record::read(text) else {
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

    fn saw(&mut self, wrappers: Wrappers) {
        if self.seen.insert(wrappers) {
            let mut taken = self.taken_in.iter();
            if taken.any(|taken| !wrappers.starts_with(*taken)) {
                self.found.doubt.get_or_insert(Doubt::Wrapped);
            }
        }
    }

    /// What is not of Envoy's own log, and no counter: then counters and bare records do not count.
    fn saw_other(&mut self) {
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
        let lookalikes = &mut found.lookalikes;
        lookalikes.counters = lookalikes.counters.saturating_add(count);
        for sample in samples {
            let counter = match sample {
                Sample::Unreadable => &mut found.unreadable,
                Sample::Unlabelled(_) => &mut found.unlabelled,
                _ => &mut found.counters,
            };
            *counter = counter.saturating_sub(1);
        }
        found.counters_hash = 0;
    }
}

/// The record of a line where the filter writes one: the whole of what a plugin logged, of what the filter
/// exported, or of the line. And whether nothing says that it is the filter's.
fn record_of(line: &Unwrapped<'_>) -> Option<(String, bool)> {
    let (text, is_bare) = match plugin_message(line) {
        Some(message) => (message.strip_prefix(SPEAKER.as_bytes())?, false),
        None if line.logger.is_some() => return None,
        None => {
            let text = line.text.trim_ascii_start();
            let bare = text.strip_prefix(SPEAKER.as_bytes()).unwrap_or(text);
            (bare, !line.is_exported)
        }
    };
    // An access log may have a field of that name too; it has no kind of record in it.
    let is_record = text.starts_with(BEGINNING.as_bytes()) && (!is_bare || looks_like_record(text));
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
