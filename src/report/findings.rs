//! The findings of a rollout: what differs, how often, and where.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::labels::excerpt;
use crate::record::{DifferenceRecord, FindingValue, RecordedFinding, RecordedResponse};

/// The most findings that are kept for one rollout.
const MOST_FINDINGS: usize = 10_000;
/// The most segments and routes that are kept for one finding.
const MOST_PLACES: usize = 1_000;

/// A segment and a route.
pub(crate) type SegmentRoute = (String, String);

/// What differs, without the values.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct FindingKey {
    pub(crate) part: String,
    pub(crate) pointer: String,
    pub(crate) kind: String,
    pub(crate) severity: String,
}

impl FindingKey {
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
    pub(crate) kept: BTreeMap<FindingKey, FindingTotals>,
    /// The number of findings beyond the limit.
    pub(crate) dropped: u64,
}

/// The totals of one finding.
#[derive(Default)]
pub(crate) struct FindingTotals {
    /// The requests with the finding, according to summaries.
    summed: u64,
    /// The requests with the finding, according to records of differences.
    recorded: u64,
    pub(crate) places: BTreeMap<SegmentRoute, u64>,
    pub(crate) example: Option<Example>,
}

impl FindingTotals {
    /// The requests with the finding. Each source may miss some, and neither counts one twice.
    pub(crate) fn requests(&self) -> u64 {
        self.summed.max(self.recorded)
    }
}

/// One request with the finding.
#[derive(Clone, Serialize)]
pub(crate) struct Example {
    pub(crate) time_ms: u64,
    pub(crate) method: String,
    pub(crate) segment: String,
    pub(crate) route: String,
    pub(crate) account: Option<String>,
    pub(crate) request_id: Option<String>,
    pub(crate) rechecked: bool,
    pub(crate) v1: ExampleSide,
    pub(crate) v2: ExampleSide,
}

/// The response and the value of one treatment in an example.
#[derive(Clone, Serialize)]
pub(crate) struct ExampleSide {
    pub(crate) response: Option<RecordedResponse>,
    /// `None` if the response has nothing there.
    pub(crate) value: Option<FindingValue>,
}

impl Findings {
    pub(crate) fn add_summed(&mut self, place: &SegmentRoute, key: FindingKey, requests: u64) {
        let Some(totals) = self.entry(key) else {
            return;
        };
        totals.summed = totals.summed.saturating_add(requests);
        if totals.places.len() < MOST_PLACES || totals.places.contains_key(place) {
            let at = totals.places.entry(place.clone()).or_default();
            *at = at.saturating_add(requests);
        }
    }

    pub(crate) fn add_difference(&mut self, difference: &DifferenceRecord) {
        let requests = difference.repeats.saturating_add(1);
        for finding in &difference.findings {
            let RecordedFinding {
                part,
                pointer,
                kind,
                severity,
                ..
            } = finding;
            let Some(totals) = self.entry(FindingKey::new(part, pointer, kind, severity)) else {
                continue;
            };
            totals.recorded = totals.recorded.saturating_add(requests);
            let newest = totals.example.as_ref().map(|example| example.time_ms);
            // The newest request is the most likely one to be in other logs still.
            if newest.is_none_or(|time_ms| time_ms < difference.time_ms) {
                totals.example = Some(Example::of(difference, finding));
            }
        }
    }

    fn entry(&mut self, key: FindingKey) -> Option<&mut FindingTotals> {
        if self.kept.len() >= MOST_FINDINGS && !self.kept.contains_key(&key) {
            self.dropped = self.dropped.saturating_add(1);
            return None;
        }
        Some(self.kept.entry(key).or_default())
    }
}

impl Example {
    fn of(difference: &DifferenceRecord, finding: &RecordedFinding) -> Self {
        let side =
            |response: &Option<RecordedResponse>, value: &Option<FindingValue>| ExampleSide {
                response: response.clone(),
                value: value.as_ref().map(FindingValue::excerpt),
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

impl FindingValue {
    fn excerpt(&self) -> Self {
        Self {
            type_name: excerpt(&self.type_name),
            hash: self.hash.as_deref().map(excerpt),
            value: self.value.as_deref().map(excerpt),
        }
    }
}
