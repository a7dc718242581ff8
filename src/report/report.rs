//! The report. Its JSON output has exactly these structures.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;
use turnout_core::shadow::Outcome;
use turnout_text::{join_first, thousands};

use crate::findings::{Example, FindingKey};
use crate::input::Input;
use crate::labels::{NO_ROUTE, label};
use crate::latency::{Histogram, Latency};
use crate::outcomes::Outcomes;
use crate::verdict::{Judgement, Verdict};

/// A report with the verdict on each rollout.
#[derive(Serialize)]
pub struct Report {
    /// The version of this format.
    pub(crate) version: u8,
    /// Whether every rollout is ready.
    pub(crate) ready: bool,
    pub(crate) allow_percent: f64,
    pub(crate) confidence_percent: u8,
    pub(crate) rollouts: Vec<RolloutReport>,
    pub(crate) inputs: Vec<Input>,
    /// The counters `turnout.records`: `logged`, `lost`, and so on.
    pub(crate) records: BTreeMap<String, u64>,
    pub(crate) notes: Vec<String>,
}

#[derive(Serialize)]
pub(crate) struct RolloutReport {
    pub(crate) name: String,
    /// Why the rollout has this verdict.
    pub(crate) explanation: String,
    /// What the verdict leaves out.
    pub(crate) coverage: String,
    /// `counters` or `records`.
    pub(crate) counted_by: &'static str,
    /// The times of the first and the last record.
    pub(crate) first_ms: Option<u64>,
    pub(crate) last_ms: Option<u64>,
    #[serde(flatten)]
    pub(crate) numbers: VerdictNumbers,
    pub(crate) sampled: u64,
    /// All outcomes by name, including counts of 0.
    pub(crate) outcomes: BTreeMap<&'static str, u64>,
    pub(crate) latency: Option<LatencyComparison>,
    pub(crate) segments: Vec<Row>,
    pub(crate) routes: Vec<Row>,
    /// Rows for each pair of segment and route.
    pub(crate) segments_of_routes: Vec<SegmentRouteRow>,
    pub(crate) routes_never_seen: Vec<String>,
    /// Routes that were seen, but none of whose requests could be compared.
    pub(crate) routes_never_compared: Vec<String>,
    pub(crate) findings: Vec<FindingReport>,
    pub(crate) options: Vec<OptionUse>,
    pub(crate) notes: Vec<String>,
}

/// The numbers of a verdict.
#[derive(Clone, Serialize)]
pub(crate) struct VerdictNumbers {
    pub(crate) verdict: Verdict,
    pub(crate) compared: u64,
    pub(crate) equal: u64,
    pub(crate) different: u64,
    pub(crate) noise: u64,
    pub(crate) unrepeatable: u64,
    pub(crate) unconfirmed: u64,
    pub(crate) timeout: u64,
    pub(crate) v2_error: u64,
    pub(crate) left_out: u64,
    /// Requests that are different, timed out, or failed in v2.
    pub(crate) failed: u64,
    /// The failed requests that are different at places where v1 may yet turn out to vary.
    pub(crate) unproven: u64,
    /// Requests that are noise, unrepeatable or unconfirmed: v2 may fail in any of them.
    pub(crate) uncertain: u64,
    pub(crate) judged: u64,
    pub(crate) lower_percent: f64,
    pub(crate) upper_percent: f64,
    pub(crate) more_needed: Option<u64>,
    #[serde(skip)]
    pub(crate) judgement: Judgement,
}

/// The numbers of one segment or one route.
#[derive(Serialize)]
pub(crate) struct Row {
    pub(crate) name: String,
    #[serde(flatten)]
    pub(crate) numbers: VerdictNumbers,
    pub(crate) latency: Option<LatencyComparison>,
    /// The most frequent findings.
    pub(crate) findings: Vec<FindingCount>,
}

#[derive(Serialize)]
pub(crate) struct SegmentRouteRow {
    pub(crate) segment: String,
    pub(crate) route: String,
    #[serde(flatten)]
    pub(crate) numbers: VerdictNumbers,
}

#[derive(Clone, Serialize)]
pub(crate) struct FindingCount {
    #[serde(flatten)]
    pub(crate) key: FindingKey,
    pub(crate) requests: u64,
}

#[derive(Serialize)]
pub(crate) struct FindingReport {
    #[serde(flatten)]
    pub(crate) key: FindingKey,
    pub(crate) requests: u64,
    /// Where the finding is most frequent.
    pub(crate) places: Vec<PlaceCount>,
    pub(crate) example: Option<Example>,
}

#[derive(Serialize)]
pub(crate) struct PlaceCount {
    pub(crate) segment: String,
    pub(crate) route: String,
    pub(crate) requests: u64,
}

/// An option of `compare` with the number of its matches.
#[derive(Serialize)]
pub(crate) struct OptionUse {
    pub(crate) option: String,
    pub(crate) path: String,
    pub(crate) matched: u64,
}

/// The response times of v1 and v2.
#[derive(Serialize)]
pub(crate) struct LatencyComparison {
    pub(crate) v1: LatencySummary,
    pub(crate) v2: LatencySummary,
}

/// The response times of v1 or v2. A percentile above the last bound is `null`.
#[derive(Serialize)]
pub(crate) struct LatencySummary {
    pub(crate) responses: u64,
    pub(crate) p50_us: Option<u64>,
    pub(crate) p90_us: Option<u64>,
    pub(crate) p99_us: Option<u64>,
    /// Upper bound in microseconds, and number of responses.
    pub(crate) buckets: Vec<(Option<u64>, u64)>,
    #[serde(skip)]
    pub(crate) histogram: Histogram,
}

/// There is no rollout with this name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownRollout {
    pub(crate) name: String,
    pub(crate) known: Vec<String>,
}

impl Report {
    /// Whether every rollout is ready.
    #[must_use]
    pub const fn is_ready(&self) -> bool {
        self.ready
    }

    /// The names of the rollouts with their verdicts.
    pub fn verdicts(&self) -> impl Iterator<Item = (&str, Verdict)> {
        let rollouts = self.rollouts.iter();
        rollouts.map(|rollout| (rollout.name.as_str(), rollout.numbers.verdict))
    }

    /// Formats the report as JSON, with a line break at the end.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Serializing strings, numbers and lists of them does not fail.
        let mut json = serde_json::to_string_pretty(self).unwrap_or_default();
        json.push('\n');
        json
    }
}

impl VerdictNumbers {
    pub(crate) fn new(outcomes: &Outcomes, judgement: Judgement) -> Self {
        Self {
            verdict: judgement.verdict,
            compared: outcomes.compared(),
            equal: outcomes.get(Outcome::Equal),
            different: outcomes.get(Outcome::Different),
            noise: outcomes.get(Outcome::Noise),
            unrepeatable: outcomes.get(Outcome::Unrepeatable),
            unconfirmed: outcomes.get(Outcome::Unconfirmed),
            timeout: outcomes.get(Outcome::Timeout),
            v2_error: outcomes.get(Outcome::V2Error),
            left_out: outcomes.left_out(),
            failed: judgement.failed,
            unproven: judgement.unproven,
            uncertain: judgement.uncertain,
            judged: judgement.judged,
            lower_percent: judgement.lower.percent(),
            upper_percent: judgement.upper.percent(),
            more_needed: judgement.more_needed,
            judgement,
        }
    }

    /// Shadow requests without a response of v2.
    pub(crate) const fn unanswered(&self) -> u64 {
        self.timeout.saturating_add(self.v2_error)
    }
}

impl fmt::Display for PlaceCount {
    /// Formats as `/v1/Channels in hvc (12)`, or without a segment as `/v1/Channels (12)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(label(&self.route, NO_ROUTE))?;
        if self.segment != "-" {
            write!(f, " in {}", self.segment)?;
        }
        write!(f, " ({})", thousands(self.requests))
    }
}

impl LatencyComparison {
    /// `None` if there were no responses.
    pub(crate) fn of(v1: &Histogram, v2: &Histogram) -> Option<Self> {
        (v1.count() > 0 || v2.count() > 0).then(|| Self {
            v1: LatencySummary::of(v1),
            v2: LatencySummary::of(v2),
        })
    }
}

impl LatencySummary {
    fn of(histogram: &Histogram) -> Self {
        let percentile = |percent| match histogram.quantile(percent) {
            Some(Latency::Estimate(us)) => Some(us),
            Some(Latency::Above(_)) | None => None,
        };
        Self {
            responses: histogram.count(),
            p50_us: percentile(50),
            p90_us: percentile(90),
            p99_us: percentile(99),
            buckets: histogram
                .buckets()
                .filter(|(_, _, count)| *count > 0)
                .map(|(_, bound, count)| (bound, count))
                .collect(),
            histogram: histogram.clone(),
        }
    }

    /// Formats a percentile: `1.83 ms`, `> 16.3 s`, or `-`.
    pub(crate) fn percentile(&self, percent: u8) -> String {
        let quantile = self.histogram.quantile(percent);
        quantile.map_or_else(|| String::from("-"), |latency| latency.to_string())
    }
}

impl fmt::Display for UnknownRollout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known: Vec<_> = self.known.iter().map(|name| format!("`{name}`")).collect();
        write!(
            f,
            "the inputs have no rollout `{}`; expected {}",
            self.name,
            join_first(&known, 20)
        )
    }
}

impl std::error::Error for UnknownRollout {}
