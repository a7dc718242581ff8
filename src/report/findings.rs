//! What differed, how often, and where.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::record::{Answer, Difference, Finding, Value};
use crate::words::excerpt;

/// Findings that are kept of one rollout.
const MOST_FINDINGS: usize = 10_000;
/// Places that are kept of one finding.
const MOST_PLACES: usize = 1_000;

/// A segment and a route.
pub(crate) type Place = (String, String);

/// What kind of difference it is, without its values.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct What {
    pub(crate) part: String,
    pub(crate) pointer: String,
    pub(crate) kind: String,
    pub(crate) severity: String,
}

impl What {
    pub(crate) fn new(part: &str, pointer: &str, kind: &str, severity: &str) -> Self {
        Self {
            part: excerpt(part),
            pointer: excerpt(pointer),
            kind: excerpt(kind),
            severity: excerpt(severity),
        }
    }
}

/// All findings of a rollout.
#[derive(Default)]
pub(crate) struct Findings {
    pub(crate) known: BTreeMap<What, Seen>,
    /// Findings that there was no room for.
    pub(crate) beyond: u64,
}

/// One finding.
#[derive(Default)]
pub(crate) struct Seen {
    /// Requests by summaries.
    summed: u64,
    /// Requests by records of differences.
    recorded: u64,
    pub(crate) places: BTreeMap<Place, u64>,
    pub(crate) example: Option<Example>,
}

impl Seen {
    /// Each source may have missed some, and neither counts one twice.
    pub(crate) fn requests(&self) -> u64 {
        self.summed.max(self.recorded)
    }
}

/// One request that had the finding.
#[derive(Clone, Serialize)]
pub(crate) struct Example {
    pub(crate) time_ms: u64,
    pub(crate) method: String,
    pub(crate) segment: String,
    pub(crate) route: String,
    pub(crate) account: Option<String>,
    pub(crate) request_id: Option<String>,
    pub(crate) rechecked: bool,
    pub(crate) v1: Side,
    pub(crate) v2: Side,
}

/// One version's side of an example.
#[derive(Clone, Serialize)]
pub(crate) struct Side {
    pub(crate) answer: Option<Answer>,
    /// `None` where this version has nothing there.
    pub(crate) value: Option<Value>,
}

impl Findings {
    pub(crate) fn add_summed(&mut self, place: &Place, what: What, requests: u64) {
        let Some(seen) = self.entry(what) else { return };
        seen.summed = seen.summed.saturating_add(requests);
        if seen.places.len() < MOST_PLACES || seen.places.contains_key(place) {
            let at = seen.places.entry(place.clone()).or_default();
            *at = at.saturating_add(requests);
        }
    }

    pub(crate) fn add_difference(&mut self, difference: &Difference) {
        let requests = difference.repeats.saturating_add(1);
        for finding in &difference.findings {
            let Finding {
                part,
                pointer,
                kind,
                severity,
                ..
            } = finding;
            let Some(seen) = self.entry(What::new(part, pointer, kind, severity)) else {
                continue;
            };
            seen.recorded = seen.recorded.saturating_add(requests);
            let known = seen.example.as_ref().map(|example| example.time_ms);
            // The newest one is the likeliest to be still in other logs.
            if known.is_none_or(|time_ms| time_ms < difference.time_ms) {
                seen.example = Some(Example::of(difference, finding));
            }
        }
    }

    fn entry(&mut self, what: What) -> Option<&mut Seen> {
        if self.known.len() >= MOST_FINDINGS && !self.known.contains_key(&what) {
            self.beyond = self.beyond.saturating_add(1);
            return None;
        }
        Some(self.known.entry(what).or_default())
    }
}

impl Example {
    fn of(difference: &Difference, finding: &Finding) -> Self {
        let side = |answer: &Option<Answer>, value: &Option<Value>| Side {
            answer: answer.clone(),
            value: value.as_ref().map(Value::excerpt),
        };
        Self {
            time_ms: difference.time_ms,
            method: excerpt(&difference.method),
            segment: excerpt(&difference.segment),
            route: excerpt(&difference.route),
            account: difference.account.as_deref().map(excerpt),
            request_id: difference.request_id.as_deref().map(excerpt),
            rechecked: difference.rechecked,
            v1: side(&difference.v1, &finding.v1),
            v2: side(&difference.v2, &finding.v2),
        }
    }
}

impl Value {
    fn excerpt(&self) -> Self {
        Self {
            of: excerpt(&self.of),
            hash: self.hash.as_deref().map(excerpt),
            value: self.value.as_deref().map(excerpt),
        }
    }
}
