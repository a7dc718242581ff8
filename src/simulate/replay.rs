//! Replays an access log: parses each line and passes its request to a counter.
//!
//! One thread reads chunks of whole lines. The others parse the lines, each with a counter of its own; the
//! counters are added up at the end. Memory does not grow with the log.

use std::io::{self, Read};
use std::num::NonZeroUsize;
use std::sync::{Mutex, mpsc};
use std::thread;

use turnout_logs::{Unwrapped, Unwrapper, Wrapper};

use crate::line_chunks::{Chunk, Chunks, LONGEST_LINE};
use crate::log_entry::LogEntry;
use crate::log_fields::{FieldOrder, LogFields, RequestPart};
use crate::log_summary::LogSummary;
use crate::not_requests::NotRequest;
use crate::saturating::increase;
use crate::wording::excerpt;
use crate::{envoy_text, json_lines};

/// The format of log lines.
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
    /// The fields of JSON lines.
    pub fields: LogFields,
    /// The format of the lines; `None` detects it for each line.
    pub format: Option<LogFormat>,
    /// The number of threads that parse lines. With one, the reading thread parses them.
    pub threads: NonZeroUsize,
}

/// Takes the requests of a log.
pub(crate) trait RequestVisitor {
    fn request(&mut self, entry: &LogEntry<'_>, fields: &LogFields);
}

/// Counts requests in one of several threads.
pub(crate) trait RequestCounter: RequestVisitor + Send {
    fn merge(&mut self, other: Self);
}

impl Replay {
    pub(crate) fn run<T: RequestCounter>(
        &self,
        input: impl Read,
        new: impl Fn() -> T + Sync,
    ) -> io::Result<(T, LogSummary)> {
        let mut tally = new();
        if self.threads.get() == 1 {
            let read = self.run_in_order(input, &mut tally)?;
            return Ok((tally, read));
        }
        let mut chunks = Chunks::new(input);
        let mut read = LogSummary::default();
        self.run_threads(&mut chunks, &new, &mut tally, &mut read)?;
        read.finish();
        Ok((tally, read))
    }

    /// Passes all requests to one visitor, in the order of the lines, whatever the number of threads.
    pub(crate) fn run_in_order(
        &self,
        input: impl Read,
        visitor: &mut impl RequestVisitor,
    ) -> io::Result<LogSummary> {
        let mut chunks = Chunks::new(input);
        let mut read = LogSummary::default();
        let mut chunk = Chunk::default();
        let mut state = ThreadState::default();
        while chunks.next(&mut chunk)? {
            self.chunk(&chunk, &mut state, visitor, &mut read);
        }
        state.finish(&mut read);
        read.finish();
        Ok(read)
    }

    fn run_threads<T: RequestCounter>(
        &self,
        chunks: &mut Chunks<impl Read>,
        new: &(impl Fn() -> T + Sync),
        tally: &mut T,
        read: &mut LogSummary,
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
                        let (mut tally, mut read) = (new(), LogSummary::default());
                        let mut state = ThreadState::default();
                        loop {
                            let next = work.lock().map(|work| work.recv());
                            let Ok(Ok(chunk)) = next else {
                                return (tally, read);
                            };
                            self.chunk(&chunk, &mut state, &mut tally, &mut read);
                            // The next chunk of this thread is not the next one of the log.
                            state.finish(&mut read);
                            // At the end nobody receives it.
                            let _ = done.send(chunk);
                        }
                    })
                })
                .collect();
            let mut made = 0_usize;
            let result = loop {
                // Two chunks per thread keep every thread busy.
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
                    return Err(io::Error::other("a thread ended unexpectedly"));
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
        state: &mut ThreadState,
        visitor: &mut impl RequestVisitor,
        read: &mut LogSummary,
    ) {
        if let Some(line) = chunk.skipped {
            read.add_unreadable(line, too_long);
        }
        for (number, line) in chunk.lines() {
            state.last = number;
            if line.len() > LONGEST_LINE {
                read.add_unreadable(number, too_long);
            } else if line.trim_ascii().is_empty() {
                increase(&mut read.lines);
                increase(&mut read.blank);
            } else if state.unwrapper.has_open_lines()
                || !self.is_taken(line, &mut state.layout, visitor, read)
            {
                let ThreadState {
                    unwrapper, layout, ..
                } = state;
                unwrapper.line(line, &mut |unwrapped| {
                    self.unwrapped(number, unwrapped, layout, visitor, read);
                });
            }
        }
    }

    /// Takes a line that has no wrapper, as most lines do. `false` for wrapped lines and for lines that are not
    /// requests.
    fn is_taken(
        &self,
        line: &[u8],
        layout: &mut FieldOrder,
        visitor: &mut impl RequestVisitor,
        read: &mut LogSummary,
    ) -> bool {
        self.entry(line, layout, |entry| match entry {
            Ok(entry) if NotRequest::of(entry).is_none() => {
                self.request(entry, visitor, read);
                true
            }
            Ok(_) | Err(_) => false,
        })
    }

    fn unwrapped(
        &self,
        number: u64,
        line: &Unwrapped<'_>,
        layout: &mut FieldOrder,
        visitor: &mut impl RequestVisitor,
        read: &mut LogSummary,
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
            // An application's message, which a logger or a collector wrapped in a field.
            Err(LineError::Unknown) if line.wrappers.contains(Wrapper::Collector) => {
                increase(&mut read.lines);
                read.not_requests.add(NotRequest::LogMessage);
            }
            Err(why) => read.add_unreadable(number, || why.sentence(text)),
            Ok(entry) => match NotRequest::of(entry) {
                None => self.request(entry, visitor, read),
                Some(kind) => {
                    increase(&mut read.lines);
                    read.not_requests.add(kind);
                }
            },
        });
    }

    fn request(
        &self,
        entry: &LogEntry<'_>,
        visitor: &mut impl RequestVisitor,
        read: &mut LogSummary,
    ) {
        increase(&mut read.lines);
        increase(&mut read.requests);
        if let Some(time) = entry.get(RequestPart::Time) {
            read.add_time(time);
        }
        visitor.request(entry, &self.fields);
    }

    /// Parses a line.
    fn entry<T>(
        &self,
        line: &[u8],
        layout: &mut FieldOrder,
        take: impl FnOnce(Result<&LogEntry<'_>, LineError>) -> T,
    ) -> T {
        let first = line.iter().find(|byte| !byte.is_ascii_whitespace());
        let format = match (first, self.format) {
            (_, Some(format)) => format,
            (Some(b'{'), None) => LogFormat::Json,
            (Some(b'['), None) => LogFormat::Text,
            (_, None) => return take(Err(LineError::Unknown)),
        };
        match format {
            LogFormat::Json => match json_lines::scan(line, &self.fields, layout) {
                Some(entry) => take(Ok(&entry)),
                None => match json_lines::parse(line, &self.fields) {
                    Ok(parsed) => take(Ok(&parsed.entry())),
                    Err(why) => take(Err(LineError::Json(why))),
                },
            },
            LogFormat::Text => match envoy_text::parse(line) {
                Some(entry) => take(Ok(&entry)),
                None => take(Err(LineError::Text)),
            },
        }
    }
}

/// What one thread keeps from line to line.
#[derive(Default)]
struct ThreadState {
    layout: FieldOrder,
    unwrapper: Unwrapper,
    /// The number of the last line.
    last: u64,
}

impl ThreadState {
    /// Counts the split lines whose end is missing.
    fn finish(&mut self, read: &mut LogSummary) {
        for _ in 0..self.unwrapper.dropped() {
            read.add_unreadable(self.last, || {
                String::from("the end of a line that the container runtime split is missing")
            });
        }
        self.unwrapper = Unwrapper::default();
    }
}

/// Why a line cannot be read.
enum LineError {
    Unknown,
    Json(String),
    Text,
}

impl LineError {
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
