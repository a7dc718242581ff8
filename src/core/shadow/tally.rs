//! Counts by segment and route, written as summaries: what counters would need too many series for.

use turnout_diff::{OptionUsage, Part, Severity};
use turnout_text::json_string;

use crate::plan::{Plan, Rollout};
use crate::vec_map::VecMap;

use super::json_writer::{Object, list};
use super::{Difference, Latency, NotedKind, Outcome, Sample};

/// What stands for the segment or the route where there is none.
pub(super) const NONE: &str = "-";
/// Places that are counted of one segment and route; findings elsewhere are in the records only.
const MOST_FINDINGS: usize = 256;

/// More than this many bytes are not waited with.
const MOST_BYTES: usize = 512 * 1024;
/// What a finding takes without its pointer: an entry, room for the next ones, and an allocation.
const FINDING_BYTES: usize = 128;

/// Counts since the last summary.
#[derive(Debug, Default)]
pub struct Tally {
    /// By rollout, segment and route, each by its place in the policy.
    rows: VecMap<Key, Row>,
    /// The bytes that findings hold.
    findings_bytes: usize,
}

type Key = (usize, Option<usize>, Option<usize>);

#[derive(Debug, Default)]
struct Row {
    /// By the outcome's place in [`Outcome::ALL`].
    outcomes: [u64; Outcome::ALL.len()],
    /// Of those that are different: at places where v1 may yet turn out to vary.
    unproven: u64,
    findings: VecMap<(Part, String, NotedKind, Severity), u64>,
    v1: Latency,
    v2: Latency,
}

impl Tally {
    /// The bytes that it holds.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.rows.held_bytes().saturating_add(self.findings_bytes)
    }

    /// Whether it holds so much that its summaries are to be written before they are due.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.held_bytes() > MOST_BYTES
    }

    /// How a sampled request ended.
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

    /// How long both took, in microseconds.
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

    /// The summaries of a rollout, one a segment and route, as lines of JSON; and, where there are
    /// any, how often the options of its comparison applied. Counting begins anew.
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

/// The name of a segment by its place in the policy; `-` for none.
#[must_use]
pub fn segment_name(plan: &Plan, segment: Option<usize>) -> &str {
    segment
        .and_then(|segment| plan.segment_names().get(segment))
        .map_or(NONE, String::as_str)
}

/// The name of a rollout's route by its place in the policy; `-` for none.
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
