//! What the filter writes: records as they stand in a log.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How every record begins.
pub(crate) const BEGINNING: &str = "{\"turnout\":";

/// One record.
pub(crate) enum Record {
    Difference(Difference),
    Summary(Summary),
    Options(Options),
}

/// Two answers that differ.
#[derive(Deserialize)]
pub(crate) struct Difference {
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
    pub(crate) v1: Option<Answer>,
    pub(crate) v2: Option<Answer>,
    /// Whether both were asked again, and differed again.
    #[serde(default)]
    pub(crate) rechecked: bool,
    /// How many more of the same kind were not written since the last record of it.
    #[serde(default)]
    pub(crate) repeats: u64,
    #[serde(default)]
    pub(crate) findings: Vec<Finding>,
}

#[derive(Clone, Deserialize, Serialize)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) us: u64,
}

#[derive(Deserialize)]
pub(crate) struct Finding {
    pub(crate) part: String,
    pub(crate) pointer: String,
    pub(crate) kind: String,
    pub(crate) severity: String,
    pub(crate) v1: Option<Value>,
    pub(crate) v2: Option<Value>,
}

/// One side of a finding: what it is, and its hash, or itself where the policy reveals it.
#[derive(Clone, Deserialize, Serialize)]
pub(crate) struct Value {
    #[serde(rename = "type")]
    pub(crate) of: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) hash: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) value: Option<String>,
}

/// What one worker has counted since its last summary.
#[derive(Deserialize)]
pub(crate) struct Summary {
    #[serde(default)]
    pub(crate) time_ms: u64,
    pub(crate) rollout: String,
    #[serde(default = "none")]
    pub(crate) segment: String,
    #[serde(default = "none")]
    pub(crate) route: String,
    pub(crate) outcomes: BTreeMap<String, u64>,
    /// Of those that are different: at places where v1 may yet turn out to vary.
    #[serde(default)]
    pub(crate) unproven: u64,
    /// Part, pointer, kind, severity, and the number of requests that had it.
    #[serde(default)]
    pub(crate) findings: Vec<(String, String, String, String, u64)>,
    /// Upper bound in microseconds, and the number of answers.
    #[serde(default)]
    pub(crate) v1_us: Vec<(Option<u64>, u64)>,
    #[serde(default)]
    pub(crate) v2_us: Vec<(Option<u64>, u64)>,
}

/// What the policy asks for, and how often it has been of use.
#[derive(Deserialize)]
pub(crate) struct Options {
    #[serde(default)]
    pub(crate) time_ms: u64,
    pub(crate) rollout: String,
    #[serde(default)]
    pub(crate) routes: Vec<String>,
    /// Option, path, and how often it matched.
    #[serde(default)]
    pub(crate) options: Vec<(String, String, u64)>,
}

/// The name of no segment and of no route.
fn none() -> String {
    String::from("-")
}

impl Record {
    /// `None` where this is no record, or not one of this version.
    pub(crate) fn read(text: &str) -> Option<Self> {
        #[derive(Deserialize)]
        struct Head {
            turnout: String,
        }
        let head: Head = serde_json::from_str(text).ok()?;
        match head.turnout.as_str() {
            "difference" => serde_json::from_str(text).ok().map(Self::Difference),
            "summary" => serde_json::from_str(text).ok().map(Self::Summary),
            "options" => serde_json::from_str(text).ok().map(Self::Options),
            _ => None,
        }
    }
}
