//! Requests of an access log, at their own times.

use std::io::{self, Read};

use serde::Serialize;
use turnout_core::Reason;

use super::trial::Trial;
use super::{Injection, InjectionError, InjectionReport};
use crate::contradictions::{Contradiction, Contradictions};
use crate::log_entry::LogEntry;
use crate::log_fields::{LogFields, RequestPart};
use crate::log_summary::LogSummary;
use crate::log_time::LogTime;
use crate::missing_fields::{MissingField, MissingFieldCounts};
use crate::replay::{Replay, RequestVisitor};
use crate::saturating::increase;
use crate::traffic_report::with_request;

/// How far a log is from the order of its times.
///
/// A proxy logs a request when it ends, so start times go back a little. Such a request is simulated at the latest time
/// before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LogOrder {
    /// Requests that start before an earlier one.
    pub requests: u64,
    /// How long before it at most, in milliseconds.
    pub most_ms: u64,
    /// Requests without a readable time.
    pub without_time: u64,
}

impl LogOrder {
    /// A proxy that ends every request within this time logs no request later.
    const USUAL_MS: u64 = 60_000;

    /// Warns of a log that is not in the order of its times, such as the logs of two proxies in one file.
    #[must_use]
    pub fn warning(&self) -> Option<String> {
        (self.most_ms > Self::USUAL_MS).then(|| {
            format!(
                "the times of the log go back by up to {} s, and the guard depends on them; use the log of one proxy, \
                 or sort it by time",
                self.most_ms / 1_000
            )
        })
    }
}

/// What was read of a log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct InjectedLog {
    /// The lines and the times.
    #[serde(flatten)]
    pub log: LogSummary,
    /// Whether the times are in order.
    pub out_of_order: LogOrder,
    /// Fields that the policy needs and the log omits.
    pub missing_fields: Vec<MissingField>,
    /// Requests whose recorded decision contradicts the replay.
    pub contradictions: Vec<Contradiction>,
}

/// Turns the times of a log into milliseconds since it began.
#[derive(Default)]
struct LogClock {
    /// The second of the first request, in milliseconds since 1970.
    start: Option<i64>,
    now: u64,
    order: LogOrder,
}

impl LogClock {
    fn at(&mut self, time: Option<&[u8]>) -> u64 {
        let Some(time) = time.and_then(LogTime::parse) else {
            increase(&mut self.order.without_time);
            return self.now;
        };
        let start = LogTime {
            millisecond: 0,
            ..time
        };
        let start = *self.start.get_or_insert(start.milliseconds());
        let since = i128::from(time.milliseconds()).saturating_sub(start.into());
        let back = i128::from(self.now).saturating_sub(since);
        if back > 0 {
            increase(&mut self.order.requests);
            let back = u64::try_from(back).unwrap_or(u64::MAX);
            self.order.most_ms = self.order.most_ms.max(back);
        } else {
            self.now = u64::try_from(since).unwrap_or(self.now);
        }
        self.now
    }
}

struct LogRequests<'i, 'p> {
    injection: &'i Injection<'p>,
    trials: Vec<Trial<'p>>,
    clock: LogClock,
    /// Requests of the rollout.
    requests: u64,
    missing: MissingFieldCounts,
    contradictions: Contradictions,
}

impl RequestVisitor for LogRequests<'_, '_> {
    fn request(&mut self, entry: &LogEntry<'_>, fields: &LogFields) {
        let Injection {
            plan, rollout, at, ..
        } = *self.injection;
        let at_ms = self.clock.at(entry.get(RequestPart::Time));
        self.missing.add(entry);
        with_request(plan, at, entry, fields, |request, decision| {
            self.contradictions.add(plan, entry, fields, &decision);
            if decision.rollout.map(|rollout| rollout.index) != Some(rollout.index) {
                return;
            }
            increase(&mut self.requests);
            match decision.reason {
                Reason::NoAccount => increase(&mut self.missing.account),
                Reason::OutsideRequests if request.id().is_none() => {
                    increase(&mut self.missing.request_id);
                }
                _ => {}
            }
            for trial in &mut self.trials {
                trial.request(request, at_ms);
            }
        });
    }
}

impl Injection<'_> {
    /// Simulates the requests of a log. Reads it in one thread, because the order of the requests matters. Returns what
    /// was read, and the report, or why this log is not enough for one.
    ///
    /// # Errors
    /// If the input cannot be read.
    pub fn with_log(
        &self,
        replay: &Replay,
        input: impl Read,
    ) -> io::Result<(InjectedLog, Result<InjectionReport, InjectionError>)> {
        let trials = self.check().and_then(|()| {
            let trials = (0..self.trials).map(|index| self.trial(index));
            trials.collect::<Result<Vec<_>, _>>()
        });
        let (trials, refused) = match trials {
            Ok(trials) => (trials, None),
            Err(error) => (Vec::new(), Some(error)),
        };
        let mut visitor = LogRequests {
            injection: self,
            trials,
            clock: LogClock::default(),
            requests: 0,
            missing: MissingFieldCounts::default(),
            contradictions: Contradictions::default(),
        };
        let log = replay.run_in_order(input, &mut visitor)?;
        let missing = visitor.missing.report(self.plan, &replay.fields, &log);
        let trials = visitor.trials.into_iter().map(Trial::finish);
        let report = match (refused, visitor.clock.start) {
            (Some(error), _) => Err(error),
            (None, None) if log.requests > 0 => Err(InjectionError::NoTimes),
            (None, _) => self.report(trials.collect(), visitor.requests),
        };
        let read = InjectedLog {
            contradictions: visitor.contradictions.report(log.requests),
            out_of_order: visitor.clock.order,
            missing_fields: missing,
            log,
        };
        let report = report.map(|report| report.with_log(read.clone()));
        Ok((read, report))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_never_goes_back() {
        let mut clock = LogClock::default();
        for (time, expected) in [
            (Some("1970-01-01T00:01:00.400Z"), 400),
            (Some("1970-01-01T00:01:02Z"), 2_000),
            (Some("1970-01-01T00:01:01.999Z"), 2_000),
            (Some("1970-01-01T00:00:00Z"), 2_000),
            (None, 2_000),
            (Some("tomorrow"), 2_000),
            (Some("62.5"), 2_500),
            (Some("-9223372036854775808"), 2_500),
        ] {
            assert_eq!(clock.at(time.map(str::as_bytes)), expected, "{time:?}");
        }
        assert_eq!(clock.order.requests, 3);
        assert_eq!(clock.order.without_time, 2);
        assert!(clock.order.most_ms > i64::MAX.unsigned_abs());
        assert!(clock.order.warning().is_some());
    }
}
