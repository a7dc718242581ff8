//! Writes records and summaries of shadow requests to the log and to a collector.

use std::collections::VecDeque;

use proxy_wasm::hostcalls::define_metric;
use proxy_wasm::types::{LogLevel, MetricType};
use turnout_core::shadow::{
    Difference, Outcome, Record, RecordLimiter, Sample, SummaryCounts, export, route_name,
    segment_name,
};
use turnout_core::{Account, ByteBudget, Charge, Configuration, RecordLevel, Rollout, VecMap};
use turnout_diff::{OptionUsage, Severity};

use super::job::Job;
use crate::host;

/// The largest number of lines that wait for the collector. Further lines are only in the log.
const MOST_WAITING: usize = 512;
/// The largest number of lines in one request to the collector.
const BATCH: usize = 64;
/// The largest number of bytes in one request, unless a single line is longer. Building a request
/// copies them twice.
const BATCH_BYTES: usize = 128 * 1024;
/// The bytes of a line without its text.
const LINE_BYTES: usize = size_of::<Line>() * 2 + 32;
/// The largest number of requests to the collector in flight.
const MOST_EXPORTS: usize = 4;
const EXPORT_TIMEOUT_MS: u32 = 5_000;

pub(super) struct Telemetry {
    tally: SummaryCounts,
    records: RecordLimiter,
    /// By the index of the rollout: when it last wrote summaries, in milliseconds since 1970.
    summarised_at: VecMap<usize, u64>,
    waiting: VecDeque<Line>,
    /// The number of lines in each request in flight, by token.
    exports: VecMap<u32, usize>,
    counters: Counters,
    /// The charge for counts and for the record limiter.
    counted: Charge,
    /// The charge for waiting lines.
    lines: Charge,
    limit: usize,
}

struct Line {
    time_ms: u64,
    severity: Option<Severity>,
    text: String,
}

impl Line {
    fn held_bytes(&self) -> usize {
        self.text.capacity().saturating_add(LINE_BYTES)
    }
}

impl Telemetry {
    pub(super) fn new(budget: &ByteBudget, limit: usize) -> Self {
        Self {
            tally: SummaryCounts::default(),
            records: RecordLimiter::default(),
            summarised_at: VecMap::default(),
            waiting: VecDeque::new(),
            exports: VecMap::default(),
            counters: Counters::default(),
            counted: budget.charge(),
            lines: budget.charge(),
            limit,
        }
    }

    pub(super) fn count(&mut self, sample: &Sample, outcome: Outcome, found: Option<&Difference>) {
        self.tally.count(sample, outcome, found);
        self.weigh();
    }

    fn weigh(&mut self) {
        let tally = self.tally.held_bytes();
        self.counted
            .set(tally.saturating_add(self.records.held_bytes()));
    }

    /// Whether summaries should be written early.
    pub(super) fn is_full(&self) -> bool {
        self.tally.is_full()
    }

    pub(super) fn latencies(&mut self, sample: &Sample, v1_us: u64, v2_us: u64) {
        self.tally.record(sample, v1_us, v2_us);
    }

    /// Writes a record, unless the limiter suppresses it.
    pub(super) fn difference(
        &mut self,
        configuration: &Configuration,
        job: &Job,
        difference: &Difference,
        time_ms: u64,
    ) {
        let plan = &configuration.plan;
        let Some(rollout) = plan.rollouts().get(job.sample.rollout) else {
            return;
        };
        let text = job.with_request(configuration, |request, _| {
            let record = Record {
                time_ms,
                rollout: &rollout.name,
                segment: segment_name(plan, job.sample.segment),
                account: match &request.account {
                    Account::Known(account) => Some(account.as_slice()),
                    Account::Absent | Account::Malformed => None,
                },
                request_id: request.id(),
                method: request.method(),
                route: route_name(rollout, job.sample.route),
                answers: job.answers(),
                difference,
            };
            let repeats = self.records.admit(record.fingerprint(), time_ms)?;
            Some(record.to_json(repeats))
        });
        match text {
            Some(text) => self.write(
                configuration,
                Line {
                    time_ms,
                    severity: Some(difference.severity),
                    text,
                },
            ),
            None => self.counters.suppressed(),
        }
    }

    /// Writes the summaries of a rollout if they are due.
    pub(super) fn summarise(
        &mut self,
        configuration: &Configuration,
        rollout: &Rollout,
        usage: &mut OptionUsage,
        time_ms: u64,
        at_once: bool,
    ) {
        let Some(shadow) = &rollout.shadow else {
            return;
        };
        let period = u64::from(shadow.summary_seconds).saturating_mul(1_000);
        let last = self.summarised_at.get(&rollout.index).copied();
        let is_due = last.is_some_and(|last| time_ms.saturating_sub(last) >= period);
        if is_due || last.is_none() {
            self.summarised_at.insert(rollout.index, time_ms);
        }
        if !is_due && !at_once {
            return;
        }
        let plan = &configuration.plan;
        let lines = self.tally.drain(plan, rollout, usage, time_ms);
        self.weigh();
        for text in lines {
            self.write(
                configuration,
                Line {
                    time_ms,
                    severity: None,
                    text,
                },
            );
        }
    }

    fn write(&mut self, configuration: &Configuration, line: Line) {
        let level = log_level(configuration.record_level);
        host::log(level, &["turnout: ", &line.text].concat());
        self.counters.logged();
        if configuration.plan.collector.is_none() {
            return;
        }
        let has_room = self.waiting.len() < MOST_WAITING;
        // A collector that accepts nothing must not take memory from requests.
        let is_within = self.lines.bytes().saturating_add(line.held_bytes()) <= self.limit >> 2;
        if has_room && is_within && self.lines.grow(line.held_bytes(), self.limit) {
            self.waiting.push_back(line);
        } else {
            self.counters.lost(1);
        }
    }

    /// Sends the waiting lines to the collector.
    pub(super) fn export(&mut self, configuration: &Configuration) {
        let Some(collector) = &configuration.plan.collector else {
            return;
        };
        while !self.waiting.is_empty() && self.exports.len() < MOST_EXPORTS {
            let batch = self.next_batch();
            let lines = batch.iter();
            let body = export(lines.map(|line| (line.time_ms, line.severity, line.text.as_str())));
            let headers: [(&[u8], &[u8]); 4] = [
                (b":method", b"POST"),
                (b":path", b"/v1/logs"),
                (b":authority", collector.as_bytes()),
                (b"content-type", b"application/json"),
            ];
            match host::call(collector, &headers, body.as_bytes(), EXPORT_TIMEOUT_MS) {
                Some(token) => self.exports.insert(token, batch.len()),
                None => self.counters.lost(batch.len()),
            }
        }
    }

    fn next_batch(&mut self) -> Vec<Line> {
        let mut bytes = 0_usize;
        let waiting = self.waiting.iter().take(BATCH);
        let fits = waiting.take_while(|line| {
            let is_first = bytes == 0;
            bytes = bytes.saturating_add(line.text.len());
            is_first || bytes <= BATCH_BYTES
        });
        let count = fits.count();
        let batch: Vec<Line> = self.waiting.drain(..count).collect();
        let held = batch.iter().map(Line::held_bytes);
        let held = held.fold(0, usize::saturating_add);
        self.lines.set(self.lines.bytes().saturating_sub(held));
        batch
    }

    /// Handles the end of a request to the collector.
    pub(super) fn export_finished(&mut self, token: u32, is_answered: bool) {
        let Some(lines) = self.exports.remove(&token) else {
            return;
        };
        if is_answered && host::call_succeeded() {
            self.counters.exported(lines);
        } else {
            self.counters.lost(lines);
        }
    }

    /// Counts everything that has not reached the collector as lost, when the plugin ends.
    pub(super) fn end(&mut self) {
        let on_their_way: usize = self.exports.iter().map(|(_, lines)| lines).sum();
        self.counters
            .lost(on_their_way.saturating_add(self.waiting.len()));
        self.exports = VecMap::default();
        self.waiting.clear();
        self.lines.set(0);
    }
}

const fn log_level(level: RecordLevel) -> LogLevel {
    match level {
        RecordLevel::Trace => LogLevel::Trace,
        RecordLevel::Debug => LogLevel::Debug,
        RecordLevel::Info => LogLevel::Info,
        RecordLevel::Warn => LogLevel::Warn,
        RecordLevel::Error => LogLevel::Error,
        RecordLevel::Critical => LogLevel::Critical,
    }
}

/// The counters `turnout.records.<what>`, in lines.
struct Counters {
    logged: Option<u32>,
    suppressed: Option<u32>,
    exported: Option<u32>,
    lost: Option<u32>,
}

impl Default for Counters {
    fn default() -> Self {
        let define = |what: &str| {
            define_metric(MetricType::Counter, &format!("turnout.records.{what}")).ok()
        };
        Self {
            logged: define("logged"),
            suppressed: define("suppressed"),
            exported: define("exported"),
            lost: define("lost"),
        }
    }
}

impl Counters {
    fn logged(&self) {
        add(self.logged, 1);
    }

    fn suppressed(&self) {
        add(self.suppressed, 1);
    }

    fn exported(&self, lines: usize) {
        add(self.exported, lines);
    }

    fn lost(&self, lines: usize) {
        add(self.lost, lines);
    }
}

fn add(metric: Option<u32>, count: usize) {
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    if let Some(metric) = metric
        && count > 0
    {
        host::add(metric, count);
    }
}
