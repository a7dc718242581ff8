//! What a report holds. Its JSON is these structures as they are.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;
use turnout_core::shadow::Outcome;
use turnout_text::{join_first, thousands};

use crate::findings::{Example, What};
use crate::input::Input;
use crate::judge::{Judgement, Verdict};
use crate::latency::{Histogram, Latency};
use crate::outcomes::Outcomes;
use crate::words::{NO_ROUTE, shown};

/// What was found, and the verdict on each rollout.
#[derive(Serialize)]
pub struct Report {
    /// Of this shape.
    pub(crate) version: u8,
    /// Whether every rollout is.
    pub(crate) ready: bool,
    pub(crate) allow_percent: f64,
    pub(crate) confidence_percent: u8,
    pub(crate) rollouts: Vec<Rollout>,
    pub(crate) inputs: Vec<Input>,
    /// Records by what became of them, as the counters say.
    pub(crate) records: BTreeMap<String, u64>,
    pub(crate) notes: Vec<String>,
}

#[derive(Serialize)]
pub(crate) struct Rollout {
    pub(crate) name: String,
    /// Why the verdict is what it is.
    pub(crate) because: String,
    /// What the verdict does not rest on.
    pub(crate) coverage: String,
    /// `counters` or `records`.
    pub(crate) counted_by: &'static str,
    /// When the first and the last record were written.
    pub(crate) first_ms: Option<u64>,
    pub(crate) last_ms: Option<u64>,
    #[serde(flatten)]
    pub(crate) tally: Tally,
    pub(crate) sampled: u64,
    /// All outcomes by name, with those of 0.
    pub(crate) outcomes: BTreeMap<&'static str, u64>,
    pub(crate) latency: Option<Latencies>,
    pub(crate) segments: Vec<Row>,
    pub(crate) routes: Vec<Row>,
    /// Each segment of each route.
    pub(crate) segments_of_routes: Vec<Cell>,
    pub(crate) routes_never_seen: Vec<String>,
    /// Seen, but of every request something was in the way.
    pub(crate) routes_never_compared: Vec<String>,
    pub(crate) findings: Vec<Finding>,
    pub(crate) options: Vec<Choice>,
    pub(crate) notes: Vec<String>,
}

/// Numbers of a verdict.
#[derive(Clone, Serialize)]
pub(crate) struct Tally {
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
    /// Different, timed out, or failed in v2; of how many.
    pub(crate) failed: u64,
    /// Of the failed: different at places where v1 may yet turn out to vary.
    pub(crate) unproven: u64,
    /// Noise, not repeatable, or not confirmed: v2 may fail in any of these.
    pub(crate) uncertain: u64,
    pub(crate) judged: u64,
    pub(crate) lower_percent: f64,
    pub(crate) upper_percent: f64,
    pub(crate) more_needed: Option<u64>,
    #[serde(skip)]
    pub(crate) judgement: Judgement,
}

/// One segment, or one route.
#[derive(Serialize)]
pub(crate) struct Row {
    pub(crate) name: String,
    #[serde(flatten)]
    pub(crate) tally: Tally,
    pub(crate) latency: Option<Latencies>,
    /// The most frequent ones.
    pub(crate) findings: Vec<Count>,
}

#[derive(Serialize)]
pub(crate) struct Cell {
    pub(crate) segment: String,
    pub(crate) route: String,
    #[serde(flatten)]
    pub(crate) tally: Tally,
}

#[derive(Clone, Serialize)]
pub(crate) struct Count {
    #[serde(flatten)]
    pub(crate) what: What,
    pub(crate) requests: u64,
}

#[derive(Serialize)]
pub(crate) struct Finding {
    #[serde(flatten)]
    pub(crate) what: What,
    pub(crate) requests: u64,
    /// Where it was seen most.
    pub(crate) places: Vec<AtPlace>,
    pub(crate) example: Option<Example>,
}

#[derive(Serialize)]
pub(crate) struct AtPlace {
    pub(crate) segment: String,
    pub(crate) route: String,
    pub(crate) requests: u64,
}

/// An option of `compare`, and how often it was of use.
#[derive(Serialize)]
pub(crate) struct Choice {
    pub(crate) option: String,
    pub(crate) path: String,
    pub(crate) matched: u64,
}

/// Both versions side by side.
#[derive(Serialize)]
pub(crate) struct Latencies {
    pub(crate) v1: Times,
    pub(crate) v2: Times,
}

/// Times of one version's answers; one that is `null` is beyond the last bound.
#[derive(Serialize)]
pub(crate) struct Times {
    pub(crate) answers: u64,
    pub(crate) p50_us: Option<u64>,
    pub(crate) p90_us: Option<u64>,
    pub(crate) p99_us: Option<u64>,
    /// Upper bound in microseconds, and answers.
    pub(crate) buckets: Vec<(Option<u64>, u64)>,
    #[serde(skip)]
    pub(crate) histogram: Histogram,
}

/// There is no rollout of this name.
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

    /// The verdicts, by the rollouts' names.
    pub fn verdicts(&self) -> impl Iterator<Item = (&str, Verdict)> {
        let rollouts = self.rollouts.iter();
        rollouts.map(|rollout| (rollout.name.as_str(), rollout.tally.verdict))
    }

    /// As JSON, with a line break at the end.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Strings, numbers and lists of them: there is nothing that could not be written.
        let mut json = serde_json::to_string_pretty(self).unwrap_or_default();
        json.push('\n');
        json
    }
}

impl Tally {
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

    /// Copies that v2 did not answer.
    pub(crate) const fn unanswered(&self) -> u64 {
        self.timeout.saturating_add(self.v2_error)
    }
}

impl fmt::Display for AtPlace {
    /// `/v1/Channels of hvc (12)`, or without a segment `/v1/Channels (12)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(shown(&self.route, NO_ROUTE))?;
        if self.segment != "-" {
            write!(f, " of {}", self.segment)?;
        }
        write!(f, " ({})", thousands(self.requests))
    }
}

impl Latencies {
    /// `None` where nobody answered.
    pub(crate) fn of(v1: &Histogram, v2: &Histogram) -> Option<Self> {
        (v1.count() > 0 || v2.count() > 0).then(|| Self {
            v1: Times::of(v1),
            v2: Times::of(v2),
        })
    }
}

impl Times {
    fn of(histogram: &Histogram) -> Self {
        let within = |percent| match histogram.quantile(percent) {
            Some(Latency::About(us)) => Some(us),
            Some(Latency::Above(_)) | None => None,
        };
        Self {
            answers: histogram.count(),
            p50_us: within(50),
            p90_us: within(90),
            p99_us: within(99),
            buckets: histogram
                .buckets()
                .filter(|(_, _, count)| *count > 0)
                .map(|(_, bound, count)| (bound, count))
                .collect(),
            histogram: histogram.clone(),
        }
    }

    /// As it is printed: `1.83 ms`, `> 16.3 s`, or `-`.
    pub(crate) fn within(&self, percent: u8) -> String {
        let quantile = self.histogram.quantile(percent);
        quantile.map_or_else(|| String::from("-"), |latency| latency.to_string())
    }
}

impl fmt::Display for UnknownRollout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known: Vec<_> = self.known.iter().map(|name| format!("`{name}`")).collect();
        write!(
            f,
            "nothing was found of the rollout `{}`; there is {}",
            self.name,
            join_first(&known, 20)
        )
    }
}

impl std::error::Error for UnknownRollout {}
