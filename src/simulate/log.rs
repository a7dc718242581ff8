//! Replays an access log: each line becomes what is known of its request.
//!
//! One thread reads pieces of whole lines, the others read what they say and hand it to a tally of
//! their own; the tallies are added up at the end. Memory does not grow with the log.

use std::io::{self, Read};
use std::num::NonZeroUsize;
use std::sync::{Mutex, mpsc};
use std::thread;

use serde::Serialize;
use turnout_core::Time;

use crate::chunks::{Chunk, Chunks, LONGEST_LINE};
use crate::fields::{Entry, Fields, Layout, Part};
use crate::unreadable::Unreadable;
use crate::words::excerpt;
use crate::{json, plain};

/// In which form the lines are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// JSON objects.
    Json,
    /// Envoy's default text format.
    Text,
}

/// How a log is read.
#[derive(Clone, Debug)]
pub struct Replay {
    /// Which field says what.
    pub fields: Fields,
    /// Each line by its own looks unless given.
    pub format: Option<LogFormat>,
    /// How many threads read what lines say; one does it all where there is one.
    pub threads: NonZeroUsize,
}

/// Something that counts requests, in several threads.
pub(crate) trait Tally: Send {
    fn request(&mut self, entry: &Entry<'_>, fields: &Fields);
    fn merge(&mut self, other: Self);
}

/// What was read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LogRead {
    /// All lines.
    pub lines: u64,
    /// Those that say of a request.
    pub requests: u64,
    /// Lines with nothing in them.
    pub blank: u64,
    /// Lines that could not be read.
    pub unreadable: Unreadable,
    /// When the first request began, and the last.
    pub span: Option<Span>,
    #[serde(skip)]
    stamps: Stamps,
}

/// From the first request to the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Span {
    /// Of the first one.
    #[serde(serialize_with = "as_text")]
    pub first: Time,
    /// Of the last one.
    #[serde(serialize_with = "as_text")]
    pub last: Time,
}

pub(crate) fn as_text<S: serde::Serializer>(time: &Time, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(time)
}

impl Span {
    /// How long it is, in seconds.
    #[must_use]
    pub fn seconds(&self) -> u64 {
        let seconds = self.last.seconds().saturating_sub(self.first.seconds());
        u64::try_from(seconds).unwrap_or_default()
    }

    /// How many that is in a day; `None` for a log that is too short to say.
    #[must_use]
    pub fn per_day(&self, count: u64) -> Option<u64> {
        let a_day = u128::from(count).saturating_mul(86_400);
        let seconds = self.seconds();
        let rate = a_day.checked_div(u128::from(seconds));
        rate.filter(|_| seconds >= 60)
            .and_then(|rate| u64::try_from(rate).ok())
    }
}

impl Replay {
    pub(crate) fn run<T: Tally>(
        &self,
        input: impl Read,
        new: impl Fn() -> T + Sync,
    ) -> io::Result<(T, LogRead)> {
        let mut chunks = Chunks::new(input);
        let mut read = LogRead::default();
        let mut tally = new();
        if self.threads.get() == 1 {
            let mut chunk = Chunk::default();
            let mut layout = Layout::default();
            while chunks.next(&mut chunk)? {
                self.chunk(&chunk, &mut layout, &mut tally, &mut read);
            }
        } else {
            self.run_threads(&mut chunks, &new, &mut tally, &mut read)?;
        }
        read.span = read.stamps.span();
        Ok((tally, read))
    }

    fn run_threads<T: Tally>(
        &self,
        chunks: &mut Chunks<impl Read>,
        new: &(impl Fn() -> T + Sync),
        tally: &mut T,
        read: &mut LogRead,
    ) -> io::Result<()> {
        let threads = self.threads.get();
        let (full, work) = mpsc::sync_channel::<Chunk>(threads);
        let (done, empty) = mpsc::channel::<Chunk>();
        let work = &Mutex::new(work);
        thread::scope(|scope| {
            let workers: Vec<_> = (0..threads)
                .map(|_| {
                    let done = done.clone();
                    scope.spawn(move || {
                        let (mut tally, mut read) = (new(), LogRead::default());
                        let mut layout = Layout::default();
                        loop {
                            let next = work.lock().map(|work| work.recv());
                            let Ok(Ok(chunk)) = next else {
                                return (tally, read);
                            };
                            self.chunk(&chunk, &mut layout, &mut tally, &mut read);
                            // Nobody waits for it at the end.
                            let _ = done.send(chunk);
                        }
                    })
                })
                .collect();
            let mut made = 0_usize;
            let result = loop {
                // So many that nobody waits, and no more.
                let mut chunk = if made < threads.saturating_mul(2) {
                    made = made.saturating_add(1);
                    Chunk::default()
                } else {
                    empty.recv().unwrap_or_default()
                };
                match chunks.next(&mut chunk) {
                    Ok(true) if full.send(chunk).is_ok() => {}
                    Ok(_) => break Ok(()),
                    Err(error) => break Err(error),
                }
            };
            drop(full);
            for worker in workers {
                let Ok((other, part)) = worker.join() else {
                    return Err(io::Error::other("a thread has ended before its work"));
                };
                tally.merge(other);
                read.merge(part);
            }
            result
        })
    }

    fn chunk(
        &self,
        chunk: &Chunk,
        layout: &mut Layout,
        tally: &mut impl Tally,
        read: &mut LogRead,
    ) {
        if let Some(line) = chunk.skipped {
            read.lines = read.lines.saturating_add(1);
            read.unreadable.add(line, too_long);
        }
        for (number, line) in chunk.lines() {
            read.lines = read.lines.saturating_add(1);
            if let Err(why) = self.line(line, layout, tally, read) {
                read.unreadable.add(number, || why.sentence(line));
            }
        }
    }

    fn line(
        &self,
        line: &[u8],
        layout: &mut Layout,
        tally: &mut impl Tally,
        read: &mut LogRead,
    ) -> Result<(), Why> {
        if line.len() > LONGEST_LINE {
            return Err(Why::TooLong);
        }
        let first = line.iter().find(|byte| !byte.is_ascii_whitespace());
        let format = match (first, self.format) {
            (None, _) => {
                read.blank = read.blank.saturating_add(1);
                return Ok(());
            }
            (_, Some(format)) => format,
            (Some(b'{'), None) => LogFormat::Json,
            (Some(b'['), None) => LogFormat::Text,
            (Some(_), None) => return Err(Why::Unknown),
        };
        let mut take = |entry: &Entry<'_>| {
            read.requests = read.requests.saturating_add(1);
            if let Some(time) = entry.get(Part::Time) {
                read.stamps.add(time);
            }
            tally.request(entry, &self.fields);
        };
        match format {
            LogFormat::Json => match json::scan(line, &self.fields, layout) {
                Some(entry) => take(&entry),
                None => take(&json::parse(line, &self.fields).map_err(Why::Json)?.entry()),
            },
            LogFormat::Text => take(&plain::read(line).ok_or(Why::Text)?),
        }
        Ok(())
    }
}

/// Why a line could not be read.
enum Why {
    TooLong,
    Unknown,
    Json(String),
    Text,
}

impl Why {
    fn sentence(&self, line: &[u8]) -> String {
        match self {
            Self::TooLong => too_long(),
            Self::Unknown => format!(
                "neither a JSON object nor Envoy's default text format: {}",
                excerpt(line)
            ),
            Self::Json(why) => format!("not a JSON object: {why}"),
            Self::Text => format!("not Envoy's default text format: {}", excerpt(line)),
        }
    }
}

fn too_long() -> String {
    String::from("longer than 1 MiB")
}

impl LogRead {
    fn merge(&mut self, other: Self) {
        self.lines = self.lines.saturating_add(other.lines);
        self.requests = self.requests.saturating_add(other.requests);
        self.blank = self.blank.saturating_add(other.blank);
        self.unreadable.merge(other.unreadable);
        for stamp in [other.stamps.first, other.stamps.last]
            .into_iter()
            .flatten()
        {
            self.stamps.add(stamp.as_slice());
        }
    }
}

/// Times as the log has them. They are of one form, so the first text is the first moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Stamps {
    first: Option<Stamp>,
    last: Option<Stamp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    bytes: [u8; Self::MOST],
    length: usize,
}

impl Stamp {
    const MOST: usize = 40;

    fn new(text: &[u8]) -> Option<Self> {
        let mut bytes = [0; Self::MOST];
        bytes.get_mut(..text.len())?.copy_from_slice(text);
        let length = text.len();
        Some(Self { bytes, length })
    }

    fn as_slice(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    /// RFC 3339, with parts of a second or without, or seconds since 1970.
    fn time(&self) -> Option<Time> {
        let text = std::str::from_utf8(self.as_slice()).ok()?;
        let Some((whole, parts)) = text.split_once('.') else {
            let seconds = text.parse().ok().map(Time::from_seconds);
            return seconds.or_else(|| Time::parse(text).ok());
        };
        if let Ok(seconds) = whole.parse() {
            return Some(Time::from_seconds(seconds));
        }
        let zone = parts.trim_start_matches(|c: char| c.is_ascii_digit());
        Time::parse(&[whole, zone].concat()).ok()
    }
}

impl Stamps {
    fn add(&mut self, text: &[u8]) {
        if self.first.is_none_or(|first| text < first.as_slice()) {
            self.first = Stamp::new(text).or(self.first);
        }
        if self.last.is_none_or(|last| text > last.as_slice()) {
            self.last = Stamp::new(text).or(self.last);
        }
    }

    fn span(&self) -> Option<Span> {
        let [first, last] = [self.first, self.last].map(|stamp| stamp.and_then(|s| s.time()));
        let (first, last) = first.zip(last)?;
        (first <= last).then_some(Span { first, last })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_read_from_the_forms_of_envoy() {
        for (first, last, seconds) in [
            (
                "2026-11-21T03:00:00.123Z",
                "2026-11-21T04:00:00.001Z",
                Some(3600),
            ),
            ("2026-11-21T03:00:00Z", "2026-11-21T03:00:10Z", Some(10)),
            ("1795232300", "1795232400", Some(100)),
            ("1795232300.123", "1795232301.5", Some(1)),
            ("yesterday", "zoday", None),
        ] {
            let mut stamps = Stamps::default();
            for text in [last, first, last] {
                stamps.add(text.as_bytes());
            }
            assert_eq!(stamps.span().map(|span| span.seconds()), seconds, "{first}");
        }
        let span = Span {
            first: Time::from_seconds(0),
            last: Time::from_seconds(3_600),
        };
        assert_eq!(span.per_day(10), Some(240));
        let span = Span {
            last: Time::from_seconds(59),
            ..span
        };
        assert_eq!(span.per_day(10), None);
    }
}
