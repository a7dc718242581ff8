//! Totals of all inputs.

use std::collections::BTreeMap;
use std::io::{self, BufRead};

use crate::counters::{AmbiguousCounter, Counters, MetricSample};
use crate::findings::{FindingKey, Findings, SegmentRoute};
use crate::input::{Input, LogOrigin};
use crate::labels::excerpt;
use crate::latency::Histogram;
use crate::outcomes::{Outcomes, outcome_by_name};
use crate::record::{DifferenceRecord, OptionsRecord, Record, SummaryRecord};
use crate::untrusted_lines::UntrustedLines;

/// The most rollouts that are kept.
pub(crate) const MOST_ROLLOUTS: usize = 1_000;
/// The most pairs of segment and route, declared routes, and options that are kept for a rollout.
const MOST_ROWS: usize = 2_000;
/// The most kinds of `turnout.records` that are kept.
const MOST_RECORD_KINDS: usize = 16;

/// The totals of all inputs.
#[derive(Default)]
pub struct Totals {
    pub(crate) inputs: Vec<Input>,
    pub(crate) rollouts: BTreeMap<String, RolloutTotals>,
    /// The counters `turnout.records`: `logged`, `lost`, and so on.
    pub(crate) record_counters: BTreeMap<String, u64>,
    /// The number of records and samples of rollouts beyond the limit.
    pub(crate) dropped: u64,
    /// The first counter that may belong to two rollouts.
    pub(crate) ambiguous_counter: Option<AmbiguousCounter>,
    /// The number of unreadable lines of counters. Any of them may count failures.
    pub(crate) unreadable_counters: u64,
    /// The number of samples that are native histograms.
    pub(crate) native_histograms: u64,
    /// Pairs of inputs with the same counters. Only the first of a pair counts.
    pub(crate) same_counters: Vec<[String; 2]>,
}

/// The totals of one rollout.
#[derive(Default)]
pub(crate) struct RolloutTotals {
    pub(crate) counters: Option<Counters>,
    /// The sum of all summaries.
    pub(crate) summed: OutcomeTotals,
    pub(crate) summaries: u64,
    pub(crate) rows: BTreeMap<SegmentRoute, OutcomeTotals>,
    /// The number of summaries of segments and routes beyond the limit.
    pub(crate) dropped_rows: u64,
    /// The number of outcomes that this version does not know.
    pub(crate) unknown: u64,
    pub(crate) findings: Findings,
    /// The number of differences, according to their own records.
    pub(crate) differences: u64,
    pub(crate) declared: DeclaredOptions,
    /// The times of the first and the last record.
    pub(crate) times: Option<(u64, u64)>,
}

/// Outcomes and response times of summaries.
#[derive(Clone)]
pub(crate) struct OutcomeTotals {
    pub(crate) outcomes: Outcomes,
    pub(crate) v1: Histogram,
    pub(crate) v2: Histogram,
}

impl Default for OutcomeTotals {
    fn default() -> Self {
        Self {
            outcomes: Outcomes::default(),
            v1: Histogram::with_summary_buckets(),
            v2: Histogram::with_summary_buckets(),
        }
    }
}

/// The routes and options that the policy declares, according to the newest record of options.
#[derive(Default)]
pub(crate) struct DeclaredOptions {
    newest_ms: Option<u64>,
    pub(crate) routes: Vec<String>,
    pub(crate) options: Vec<(String, String)>,
    /// The number of matches of each option, including those in older records.
    pub(crate) matched: BTreeMap<(String, String), u64>,
}

impl Totals {
    /// Reads an input: Envoy's log with or without an access log, extracted records, or Prometheus text.
    ///
    /// # Errors
    ///
    /// If reading fails. The records that were read before count.
    pub fn read(&mut self, name: &str, input: impl BufRead) -> io::Result<()> {
        self.add(name, LogOrigin::Mixed, input)
    }

    /// Reads an input without access log lines: Envoy's log in any format, or extracted records.
    ///
    /// # Errors
    ///
    /// If reading fails. The records that were read before count.
    pub fn read_own_log(&mut self, name: &str, input: impl BufRead) -> io::Result<()> {
        self.add(name, LogOrigin::EnvoyOnly, input)
    }

    fn add(&mut self, name: &str, origin: LogOrigin, input: impl BufRead) -> io::Result<()> {
        let (found, samples) = Input::read(name, origin, input, |record| self.record(&record))?;
        let mut inputs = self.inputs.iter();
        let same = inputs.find(|other| {
            found.counters > 0
                && (other.counters, other.counters_hash) == (found.counters, found.counters_hash)
        });
        match same {
            Some(same) => self
                .same_counters
                .push([same.name.clone(), found.name.clone()]),
            None => samples.iter().for_each(|sample| self.sample(sample)),
        }
        self.inputs.push(found);
        Ok(())
    }

    /// The inputs, in the order of reading.
    #[must_use]
    pub fn inputs(&self) -> &[Input] {
        &self.inputs
    }

    /// The lines of all inputs that look like records but do not count.
    #[must_use]
    pub fn untrusted_lines(&self) -> UntrustedLines {
        let mut all = UntrustedLines::default();
        self.inputs
            .iter()
            .for_each(|input| all.add(input.untrusted_lines));
        all
    }

    /// Whether no rollout was found.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rollouts.is_empty()
    }

    /// The names of the rollouts.
    pub fn rollouts(&self) -> impl Iterator<Item = &str> {
        self.rollouts.keys().map(String::as_str)
    }

    fn record(&mut self, record: &Record) {
        let (name, time_ms) = match record {
            Record::Difference(record) => (&record.rollout, record.time_ms),
            Record::Summary(record) => (&record.rollout, record.time_ms),
            Record::Options(record) => (&record.rollout, record.time_ms),
        };
        let Some(rollout) = self.rollout(name) else {
            return;
        };
        let (first, last) = rollout.times.unwrap_or((time_ms, time_ms));
        rollout.times = Some((first.min(time_ms), last.max(time_ms)));
        match record {
            Record::Difference(record) => rollout.difference(record),
            Record::Summary(record) => rollout.summary(record),
            Record::Options(record) => rollout.declared.add(record),
        }
    }

    fn sample(&mut self, sample: &MetricSample) {
        match sample {
            MetricSample::Rollout(name, count) => {
                if let Some(rollout) = self.rollout(name) {
                    rollout.counters.get_or_insert_default().add(count);
                }
            }
            MetricSample::Records(kind, count) => {
                let kind = excerpt(kind);
                let counters = &mut self.record_counters;
                if counters.len() < MOST_RECORD_KINDS || counters.contains_key(&kind) {
                    let total = counters.entry(kind).or_default();
                    *total = total.saturating_add(*count);
                }
            }
            MetricSample::Unlabelled(ambiguous) => {
                if self.ambiguous_counter.is_none() {
                    self.ambiguous_counter.clone_from(ambiguous);
                }
            }
            MetricSample::NativeHistogram => {
                self.native_histograms = self.native_histograms.saturating_add(1);
            }
            MetricSample::Unreadable => {
                self.unreadable_counters = self.unreadable_counters.saturating_add(1);
            }
            MetricSample::Other => {}
        }
    }

    fn rollout(&mut self, name: &str) -> Option<&mut RolloutTotals> {
        let name = excerpt(name);
        if self.rollouts.len() >= MOST_ROLLOUTS && !self.rollouts.contains_key(&name) {
            self.dropped = self.dropped.saturating_add(1);
            return None;
        }
        Some(self.rollouts.entry(name).or_default())
    }
}

impl RolloutTotals {
    fn difference(&mut self, record: &DifferenceRecord) {
        let requests = record.repeats.saturating_add(1);
        self.differences = self.differences.saturating_add(requests);
        self.findings.add_difference(record);
    }

    fn summary(&mut self, record: &SummaryRecord) {
        self.summaries = self.summaries.saturating_add(1);
        let mut row = OutcomeTotals::default();
        for (name, count) in &record.outcomes {
            match outcome_by_name(name) {
                Some(outcome) => row.outcomes.add(outcome, *count),
                None => self.unknown = self.unknown.saturating_add(*count),
            }
        }
        row.outcomes.add_unproven(record.unproven);
        for (bound, count) in &record.v1_us {
            row.v1.add(*bound, *count);
        }
        for (bound, count) in &record.v2_us {
            row.v2.add(*bound, *count);
        }
        let place = (excerpt(&record.segment), excerpt(&record.route));
        for (part, pointer, kind, severity, requests) in &record.findings {
            let key = FindingKey::new(part, pointer, kind, severity);
            self.findings.add_summed(&place, key, *requests);
        }
        self.summed.add_all(&row);
        if self.rows.len() < MOST_ROWS || self.rows.contains_key(&place) {
            self.rows.entry(place).or_default().add_all(&row);
        } else {
            self.dropped_rows = self.dropped_rows.saturating_add(1);
        }
    }
}

impl OutcomeTotals {
    pub(crate) fn add_all(&mut self, other: &Self) {
        self.outcomes.add_all(&other.outcomes);
        self.v1.add_all(&other.v1);
        self.v2.add_all(&other.v2);
    }
}

impl DeclaredOptions {
    /// Whether a record of options was read.
    pub(crate) const fn is_known(&self) -> bool {
        self.newest_ms.is_some()
    }

    fn add(&mut self, record: &OptionsRecord) {
        let options = record.options.iter().take(MOST_ROWS);
        let options: Vec<_> = options
            .map(|(what, path, matched)| ((excerpt(what), excerpt(path)), *matched))
            .collect();
        for (option, matched) in &options {
            if self.matched.len() < MOST_ROWS || self.matched.contains_key(option) {
                let total = self.matched.entry(option.clone()).or_default();
                *total = total.saturating_add(*matched);
            }
        }
        if self.newest_ms.is_none_or(|newest| newest <= record.time_ms) {
            self.newest_ms = Some(record.time_ms);
            let routes = record.routes.iter().take(MOST_ROWS);
            self.routes = routes.map(|route| excerpt(route)).collect();
            self.options = options.into_iter().map(|(option, _)| option).collect();
        }
    }
}
