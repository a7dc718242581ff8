//! What was read of a log: the counts of its lines, and the time that it covers.

use serde::Serialize;
use turnout_core::Time;

use crate::bad_lines::BadLines;
use crate::log_time::LogTime;
use crate::not_requests::NotRequests;
use crate::saturating::increase;

/// The counts of a log's lines, and the time that they cover.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LogSummary {
    /// All lines, unwrapped: a line that a container runtime split counts once, and each line of a collector's
    /// batch counts.
    pub lines: u64,
    /// Lines of requests.
    pub requests: u64,
    /// Blank lines.
    pub blank: u64,
    /// Readable lines that are not requests.
    pub not_requests: NotRequests,
    /// Lines that cannot be read.
    pub unreadable: BadLines,
    /// The start times of the first and the last request.
    pub span: Option<Span>,
    #[serde(skip)]
    stamps: Stamps,
}

/// The time from the first request to the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Span {
    /// When the first request started.
    #[serde(serialize_with = "serialize_time")]
    pub first: Time,
    /// When the last request started.
    #[serde(serialize_with = "serialize_time")]
    pub last: Time,
}

pub(crate) fn serialize_time<S: serde::Serializer>(
    time: &Time,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_str(time)
}

impl Span {
    /// The length in seconds.
    #[must_use]
    pub fn seconds(&self) -> u64 {
        let seconds = self.last.seconds().saturating_sub(self.first.seconds());
        u64::try_from(seconds).unwrap_or_default()
    }

    /// Converts a count to a count per day; `None` if the log covers less than a minute.
    #[must_use]
    pub fn per_day(&self, count: u64) -> Option<u64> {
        let a_day = u128::from(count).saturating_mul(86_400);
        let seconds = self.seconds();
        let rate = a_day.checked_div(u128::from(seconds));
        rate.filter(|_| seconds >= 60)
            .and_then(|rate| u64::try_from(rate).ok())
    }
}

impl LogSummary {
    /// Extends the time that the log covers.
    pub(crate) fn add_time(&mut self, time: &[u8]) {
        self.stamps.add(time);
    }

    /// Sets the time that the log covers, after the last line.
    pub(crate) fn finish(&mut self) {
        self.span = self.stamps.span();
    }

    /// Counts a line that cannot be read.
    pub(crate) fn add_unreadable(&mut self, line: u64, why: impl FnOnce() -> String) {
        increase(&mut self.lines);
        self.unreadable.add(line, why);
    }

    pub(crate) fn merge(&mut self, other: Self) {
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

/// The first and the last time as text. A log uses one format, so the order of texts is that of times.
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

    fn time(&self) -> Option<Time> {
        LogTime::parse(self.as_slice()).map(|time| time.second)
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
