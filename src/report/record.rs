//! The filter's records, as they are in a log.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The start of every record.
pub(crate) const RECORD_START: &str = "{\"turnout\":";

/// One record.
pub(crate) enum Record {
    Difference(DifferenceRecord),
    Summary(SummaryRecord),
    Options(OptionsRecord),
}

/// A pair of responses that differ.
#[derive(Deserialize)]
pub(crate) struct DifferenceRecord {
    #[serde(default)]
    pub(crate) time_ms: u64,
    pub(crate) rollout: String,
    #[serde(default = "none")]
    pub(crate) segment: String,
    pub(crate) account: Option<String>,
    pub(crate) request_id: Option<String>,
    #[serde(default)]
    pub(crate) method: String,
    #[serde(default = "none")]
    pub(crate) route: String,
    pub(crate) v1: Option<RecordedResponse>,
    pub(crate) v2: Option<RecordedResponse>,
    /// Whether v1 repeated its response when it was asked again.
    #[serde(default)]
    pub(crate) rechecked: bool,
    /// The number of equal differences since the last record of this difference. They have no
    /// records of their own.
    #[serde(default)]
    pub(crate) repeats: u64,
    #[serde(default)]
    pub(crate) findings: Vec<RecordedFinding>,
}

#[derive(Clone, Deserialize, Serialize)]
pub(crate) struct RecordedResponse {
    pub(crate) status: u16,
    pub(crate) us: u64,
}

#[derive(Deserialize)]
pub(crate) struct RecordedFinding {
    pub(crate) part: String,
    pub(crate) pointer: String,
    pub(crate) kind: String,
    pub(crate) severity: String,
    pub(crate) v1: Option<FindingValue>,
    pub(crate) v2: Option<FindingValue>,
}

/// One side of a finding: its type, and its hash, or its value if the policy reveals it.
#[derive(Clone, Deserialize, Serialize)]
pub(crate) struct FindingValue {
    #[serde(rename = "type")]
    pub(crate) type_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) hash: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) value: Option<String>,
}

/// The counts of one worker since its last summary, for one segment and route.
#[derive(Deserialize)]
pub(crate) struct SummaryRecord {
    #[serde(default)]
    pub(crate) time_ms: u64,
    pub(crate) rollout: String,
    #[serde(default = "none")]
    pub(crate) segment: String,
    #[serde(default = "none")]
    pub(crate) route: String,
    pub(crate) outcomes: BTreeMap<String, u64>,
    /// The requests with the outcome `different` at places where v1 may yet turn out to vary.
    #[serde(default)]
    pub(crate) unproven: u64,
    /// Part, pointer, kind, severity, and the number of requests with the finding.
    #[serde(default)]
    pub(crate) findings: Vec<(String, String, String, String, u64)>,
    /// Upper bound in microseconds, and the number of responses.
    #[serde(default)]
    pub(crate) v1_us: Vec<(Option<u64>, u64)>,
    #[serde(default)]
    pub(crate) v2_us: Vec<(Option<u64>, u64)>,
}

/// The routes and options that the policy declares, with the number of their matches.
#[derive(Deserialize)]
pub(crate) struct OptionsRecord {
    #[serde(default)]
    pub(crate) time_ms: u64,
    pub(crate) rollout: String,
    #[serde(default)]
    pub(crate) routes: Vec<String>,
    /// Option, path, and the number of matches.
    #[serde(default)]
    pub(crate) options: Vec<(String, String, u64)>,
}

/// Returns what records write in place of a missing segment or route.
fn none() -> String {
    String::from("-")
}

impl Record {
    /// Parses a record; `None` if the text is not a record of this version.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        #[derive(Deserialize)]
        struct Kind {
            turnout: String,
        }
        let kind: Kind = serde_json::from_str(text).ok()?;
        match kind.turnout.as_str() {
            "difference" => serde_json::from_str(text).ok().map(Self::Difference),
            "summary" => serde_json::from_str(text).ok().map(Self::Summary),
            "options" => serde_json::from_str(text).ok().map(Self::Options),
            _ => None,
        }
    }
}
