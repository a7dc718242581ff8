//! Counts outcomes by segment and route. They are written as summaries, because counters for them
//! would be too many series.

use turnout_diff::{OptionUsage, Part, Severity};
use turnout_text::json_string;

use crate::plan::{Plan, Rollout};
use crate::vec_map::VecMap;

use super::json_writer::{Object, list};
use super::{Difference, Latency, Outcome, RecordedKind, Sample};

/// The name of a missing segment or route.
pub(super) const NONE: &str = "-";
/// The largest number of distinct findings counted for one segment and route. Others are only in the
/// records.
const MOST_FINDINGS: usize = 256;

/// The number of held bytes above which summaries are written early.
const MOST_BYTES: usize = 512 * 1024;
/// The bytes of a finding without its pointer: an entry, spare room, and an allocation.
const FINDING_BYTES: usize = 128;

/// The counts since the last summary.
#[derive(Debug, Default)]
pub struct SummaryCounts {
    /// By the indices of rollout, segment and route.
    rows: VecMap<Key, Row>,
    /// The bytes that findings hold.
    findings_bytes: usize,
}

type Key = (usize, Option<usize>, Option<usize>);

#[derive(Debug, Default)]
struct Row {
    /// By the index of the outcome in [`Outcome::ALL`].
    outcomes: [u64; Outcome::ALL.len()],
    /// Differences at places where v1 may still turn out to vary.
    unproven: u64,
    findings: VecMap<(Part, String, RecordedKind, Severity), u64>,
    v1: Latency,
    v2: Latency,
}

impl SummaryCounts {
    /// The number of bytes it holds.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.rows.held_bytes().saturating_add(self.findings_bytes)
    }

    /// Whether it holds so many bytes that summaries should be written early.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.held_bytes() > MOST_BYTES
    }

    /// Counts the outcome of a sampled request.
    pub fn count(&mut self, sample: &Sample, outcome: Outcome, difference: Option<&Difference>) {
        let mut bytes = 0_usize;
        let Some(row) = self.row(sample) else {
            return;
        };
        if let Some(count) = row.outcomes.get_mut(outcome as usize) {
            add_one(count);
        }
        if difference.is_some_and(|difference| !difference.is_proven) {
            add_one(&mut row.unproven);
        }
        for finding in difference.map_or(&[][..], |difference| &difference.findings) {
            let key = (
                finding.part,
                finding.pointer.clone(),
                finding.kind,
                finding.severity,
            );
            if let Some(count) = row.findings.get_mut(&key) {
                add_one(count);
            } else if row.findings.len() < MOST_FINDINGS {
                bytes = bytes
                    .saturating_add(finding.pointer.len())
                    .saturating_add(FINDING_BYTES);
                row.findings.insert(key, 1);
            }
        }
        self.findings_bytes = self.findings_bytes.saturating_add(bytes);
    }

    /// Records the durations of both responses, in microseconds.
    pub fn record(&mut self, sample: &Sample, v1_us: u64, v2_us: u64) {
        if let Some(row) = self.row(sample) {
            row.v1.record(v1_us);
            row.v2.record(v2_us);
        }
    }

    fn row(&mut self, sample: &Sample) -> Option<&mut Row> {
        let key = (sample.rollout, sample.segment, sample.route);
        if self.rows.get(&key).is_none() {
            self.rows.insert(key, Row::default());
        }
        self.rows.get_mut(&key)
    }

    /// Returns the summaries of a rollout as JSON lines, one for each segment and route, followed by
    /// the use of its options if there are any. Resets these counts.
    pub fn drain(
        &mut self,
        plan: &Plan,
        rollout: &Rollout,
        usage: &mut OptionUsage,
        time_ms: u64,
    ) -> Vec<String> {
        let is_its = |(index, _, _): &Key| *index == rollout.index;
        let rows = self.rows.iter().filter(|(key, _)| is_its(key));
        let mut lines: Vec<String> = rows
            .map(|((_, segment, route), row)| row.to_json(plan, rollout, *segment, *route, time_ms))
            .collect();
        let its = self.rows.iter().filter(|(key, _)| is_its(key));
        let freed = its.map(|(_, row)| row.findings_bytes());
        let freed = freed.fold(0, usize::saturating_add);
        self.findings_bytes = self.findings_bytes.saturating_sub(freed);
        self.rows.retain(|key, _| !is_its(key));
        self.rows.shrink();
        if !lines.is_empty() {
            lines.extend(options(rollout, usage, time_ms));
        }
        lines
    }
}

impl Row {
    fn findings_bytes(&self) -> usize {
        let pointers = self
            .findings
            .iter()
            .map(|((_, pointer, ..), _)| pointer.len());
        pointers.fold(0, |sum, pointer| {
            sum.saturating_add(pointer).saturating_add(FINDING_BYTES)
        })
    }

    fn to_json(
        &self,
        plan: &Plan,
        rollout: &Rollout,
        segment: Option<usize>,
        route: Option<usize>,
        time_ms: u64,
    ) -> String {
        let outcomes = Outcome::ALL.iter().zip(self.outcomes);
        let outcomes = outcomes.filter(|(_, count)| *count > 0);
        let outcomes = outcomes.fold(Object::new(), |object, (outcome, count)| {
            object.number(outcome.as_str(), count)
        });
        let findings = self.findings.iter();
        let findings = findings.map(|((part, pointer, kind, severity), count)| {
            list([
                json_string(part.as_str()),
                json_string(pointer),
                json_string(kind.as_str()),
                json_string(severity.as_str()),
                count.to_string(),
            ])
        });
        head("summary", rollout, time_ms)
            .text("segment", segment_name(plan, segment).as_bytes())
            .text("route", route_name(rollout, route).as_bytes())
            .json("outcomes", &outcomes.end())
            .number("unproven", self.unproven)
            .json("findings", &list(findings))
            .json("v1_us", &buckets(&self.v1))
            .json("v2_us", &buckets(&self.v2))
            .end()
    }
}

/// Returns the name of a segment, or `-`.
#[must_use]
pub fn segment_name(plan: &Plan, segment: Option<usize>) -> &str {
    segment
        .and_then(|segment| plan.segment_names().get(segment))
        .map_or(NONE, String::as_str)
}

/// Returns the name of a rollout's route, or `-`.
#[must_use]
pub fn route_name(rollout: &Rollout, route: Option<usize>) -> &str {
    let shadow = rollout.shadow.as_ref();
    shadow
        .zip(route)
        .and_then(|(shadow, route)| shadow.routes().nth(route))
        .unwrap_or(NONE)
}

fn options(rollout: &Rollout, usage: &mut OptionUsage, time_ms: u64) -> Option<String> {
    let shadow = rollout.shadow.as_ref()?;
    let routes = shadow.routes().map(json_string);
    let options = usage.iter().map(|(what, path, count)| {
        list([
            json_string(what),
            json_string(path.as_str()),
            count.to_string(),
        ])
    });
    let line = head("options", rollout, time_ms)
        .json("routes", &list(routes))
        .json("options", &list(options));
    usage.clear();
    Some(line.end())
}

fn head(kind: &str, rollout: &Rollout, time_ms: u64) -> Object {
    Object::new()
        .text("turnout", kind.as_bytes())
        .number("time_ms", time_ms)
        .text("rollout", rollout.name.as_bytes())
}

fn buckets(latency: &Latency) -> String {
    list(latency.buckets().map(|(bound, count)| {
        let bound = bound.map_or_else(|| String::from("null"), |bound| bound.to_string());
        list([bound, count.to_string()])
    }))
}

fn add_one(count: &mut u64) {
    *count = count.saturating_add(1);
}
