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
use turnout_logs::{Unwrapped, Unwrapper, Wrapper};

use crate::chunks::{Chunk, Chunks, LONGEST_LINE};
use crate::counts::increase;
use crate::fields::{Entry, Fields, Layout, Part};
use crate::not_requests::{NotRequest, NotRequests};
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
    /// All lines, without what a container runtime or a collector puts around them: a line that one has
    /// split is one, and of a batch each line counts.
    pub lines: u64,
    /// Those that say of a request.
    pub requests: u64,
    /// Lines with nothing in them.
    pub blank: u64,
    /// Lines that say of something else.
    pub not_requests: NotRequests,
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
            let mut state = State::default();
            while chunks.next(&mut chunk)? {
                self.chunk(&chunk, &mut state, &mut tally, &mut read);
            }
            state.finish(&mut read);
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
                        let mut state = State::default();
                        loop {
                            let next = work.lock().map(|work| work.recv());
                            let Ok(Ok(chunk)) = next else {
                                return (tally, read);
                            };
                            self.chunk(&chunk, &mut state, &mut tally, &mut read);
                            // The next piece of this thread is not the next one of the log.
                            state.finish(&mut read);
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

    fn chunk(&self, chunk: &Chunk, state: &mut State, tally: &mut impl Tally, read: &mut LogRead) {
        if let Some(line) = chunk.skipped {
            read.unreadable(line, too_long);
        }
        for (number, line) in chunk.lines() {
            state.last = number;
            if line.len() > LONGEST_LINE {
                read.unreadable(number, too_long);
            } else if line.trim_ascii().is_empty() {
                increase(&mut read.lines);
                increase(&mut read.blank);
            } else if state.unwrapper.has_open_lines()
                || !self.is_taken(line, &mut state.layout, tally, read)
            {
                let State {
                    unwrapper, layout, ..
                } = state;
                unwrapper.line(line, &mut |unwrapped| {
                    self.unwrapped(number, unwrapped, layout, tally, read);
                });
            }
        }
    }

    /// Takes a line that nothing is put around, as most are. `false` for any other, and for what is not a
    /// request.
    fn is_taken(
        &self,
        line: &[u8],
        layout: &mut Layout,
        tally: &mut impl Tally,
        read: &mut LogRead,
    ) -> bool {
        self.entry(line, layout, |entry| match entry {
            Ok(entry) if NotRequest::of(entry).is_none() => {
                self.request(entry, tally, read);
                true
            }
            Ok(_) | Err(_) => false,
        })
    }

    fn unwrapped(
        &self,
        number: u64,
        line: &Unwrapped<'_>,
        layout: &mut Layout,
        tally: &mut impl Tally,
        read: &mut LogRead,
    ) {
        if line.logger.is_some() {
            increase(&mut read.lines);
            return read.not_requests.add(NotRequest::LogMessage);
        }
        let text = &line.text;
        if text.trim_ascii().is_empty() {
            increase(&mut read.lines);
            return increase(&mut read.blank);
        }
        self.entry(text, layout, |entry| match entry {
            // The message of an application, which its logger or a collector has put into a field.
            Err(Why::Unknown) if line.wrappers.contains(Wrapper::Collector) => {
                increase(&mut read.lines);
                read.not_requests.add(NotRequest::LogMessage);
            }
            Err(why) => read.unreadable(number, || why.sentence(text)),
            Ok(entry) => match NotRequest::of(entry) {
                None => self.request(entry, tally, read),
                Some(kind) => {
                    increase(&mut read.lines);
                    read.not_requests.add(kind);
                }
            },
        });
    }

    fn request(&self, entry: &Entry<'_>, tally: &mut impl Tally, read: &mut LogRead) {
        increase(&mut read.lines);
        increase(&mut read.requests);
        if let Some(time) = entry.get(Part::Time) {
            read.stamps.add(time);
        }
        tally.request(entry, &self.fields);
    }

    /// Reads what a line says.
    fn entry<T>(
        &self,
        line: &[u8],
        layout: &mut Layout,
        take: impl FnOnce(Result<&Entry<'_>, Why>) -> T,
    ) -> T {
        let first = line.iter().find(|byte| !byte.is_ascii_whitespace());
        let format = match (first, self.format) {
            (_, Some(format)) => format,
            (Some(b'{'), None) => LogFormat::Json,
            (Some(b'['), None) => LogFormat::Text,
            (_, None) => return take(Err(Why::Unknown)),
        };
        match format {
            LogFormat::Json => match json::scan(line, &self.fields, layout) {
                Some(entry) => take(Ok(&entry)),
                None => match json::parse(line, &self.fields) {
                    Ok(parsed) => take(Ok(&parsed.entry())),
                    Err(why) => take(Err(Why::Json(why))),
                },
            },
            LogFormat::Text => match plain::read(line) {
                Some(entry) => take(Ok(&entry)),
                None => take(Err(Why::Text)),
            },
        }
    }
}

/// What one thread remembers of the lines before.
#[derive(Default)]
struct State {
    layout: Layout,
    unwrapper: Unwrapper,
    /// The number of the last line.
    last: u64,
}

impl State {
    /// Counts the lines whose end is missing.
    fn finish(&mut self, read: &mut LogRead) {
        for _ in 0..self.unwrapper.dropped() {
            read.unreadable(self.last, || {
                String::from("a line that the container runtime has split, without its end")
            });
        }
        self.unwrapper = Unwrapper::default();
    }
}

/// Why a line could not be read.
enum Why {
    Unknown,
    Json(String),
    Text,
}

impl Why {
    fn sentence(&self, line: &[u8]) -> String {
        match self {
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
    fn unreadable(&mut self, line: u64, why: impl FnOnce() -> String) {
        increase(&mut self.lines);
        self.unreadable.add(line, why);
    }

    fn merge(&mut self, other: Self) {
        self.lines = self.lines.saturating_add(other.lines);
        self.not_requests.merge(other.not_requests);
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
