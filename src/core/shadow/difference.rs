//! The difference of two responses in the form that may leave the proxy.

use turnout_diff::{Finding, FindingKind, Part, Severity, Value, ValueType};

use super::comparison::SplitFindings;
use super::{NoiseModel, ShadowPlan};

/// The largest number of findings in one record.
const MAX_FINDINGS: usize = 32;
/// The longest part of a revealed value, in bytes.
const LONGEST_VALUE: usize = 128;

/// The difference of the two responses.
#[derive(Debug)]
pub struct Difference {
    /// The worst severity of all findings, including those that were not kept.
    pub severity: Severity,
    /// The findings, with hashes in place of values.
    pub findings: Vec<RecordedFinding>,
    /// The number of findings that were not kept.
    pub omitted: usize,
    /// Whether both versions got the request again and still differ.
    pub rechecked: bool,
    /// Whether v1 repeated itself at these places in so many requests that this is not its noise.
    pub is_proven: bool,
}

/// A finding without values, unless the policy reveals them.
#[derive(Clone, Debug)]
pub struct RecordedFinding {
    /// The part of the response.
    pub part: Part,
    /// The folded pointer, in which `*` replaces indices and anything that may be data.
    pub pointer: String,
    /// The kind of difference.
    pub kind: RecordedKind,
    /// The severity.
    pub severity: Severity,
    /// The values of v1 and of v2.
    pub sides: [Option<RecordedSide>; 2],
}

/// The kind of a recorded finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RecordedKind {
    /// v2 differs from v1.
    Differs(FindingKind),
    /// v2 differs from itself: it responded differently to the same request.
    Unstable,
}

impl RecordedKind {
    /// The name in records.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Differs(kind) => kind.as_str(),
            Self::Unstable => "unstable",
        }
    }
}

/// The value of one version in a finding.
#[derive(Clone, Debug)]
pub struct RecordedSide {
    /// The type of the value.
    pub kind: ValueType,
    /// The value or its hash.
    pub shown: RecordedValue,
}

/// A value as a record shows it.
#[derive(Clone, Debug)]
pub enum RecordedValue {
    /// A hash with a key that is random in each worker. It only shows whether values are equal.
    Hash(u64),
    /// The value, shortened.
    Value(String),
}

impl Difference {
    pub(super) fn new(
        compared: &SplitFindings<'_>,
        rechecked: bool,
        is_proven: bool,
        shadow: &ShadowPlan,
        model: &NoiseModel,
    ) -> Self {
        let mut difference = Self {
            severity: compared.severity(),
            findings: Vec::new(),
            omitted: compared.omitted(),
            rechecked,
            is_proven,
        };
        for finding in compared.findings() {
            difference.add(note(finding, shadow, model));
        }
        difference
    }

    /// Adds the places at which v2's second response differs from its first. Their sides are the values
    /// of v1, and of the v2 response that differs from it.
    pub(super) fn add_unstable<'f>(
        &mut self,
        findings: impl Iterator<Item = &'f Finding<'f>>,
        shadow: &ShadowPlan,
        model: &NoiseModel,
    ) {
        for finding in findings {
            let is_there = |noted: &&RecordedFinding| {
                (noted.part, &noted.pointer) == (finding.part, &finding.pointer)
            };
            let known = self.findings.iter().find(is_there).cloned();
            let noted = known.unwrap_or_else(|| note(finding, shadow, model));
            self.add(RecordedFinding {
                kind: RecordedKind::Unstable,
                ..noted
            });
        }
    }

    /// Adds a finding once: each element of an array may differ in the same way.
    fn add(&mut self, noted: RecordedFinding) {
        let is_same = |one: &RecordedFinding| {
            (one.part, one.kind, &one.pointer) == (noted.part, noted.kind, &noted.pointer)
        };
        if self.findings.iter().any(is_same) {
            return;
        }
        if self.findings.len() < MAX_FINDINGS {
            self.findings.push(noted);
        } else {
            self.omitted = self.omitted.saturating_add(1);
        }
    }
}

fn note(finding: &Finding<'_>, shadow: &ShadowPlan, model: &NoiseModel) -> RecordedFinding {
    let reveals = finding.part == Part::Status
        || finding.part == Part::Body && shadow.reveals(&finding.exact);
    // A list or an object contains names, which the policy may not reveal.
    let is_whole = |value: &Value<'_>| matches!(value.kind, ValueType::Object | ValueType::Array);
    let side = |value: &Option<Value<'_>>| {
        value.as_ref().map(|value| RecordedSide {
            kind: value.kind,
            shown: if reveals && !is_whole(value) {
                let short = value.raw.get(..LONGEST_VALUE).unwrap_or(&value.raw);
                RecordedValue::Value(String::from_utf8_lossy(short).into_owned())
            } else {
                RecordedValue::Hash(model.hash(&value.raw))
            },
        })
    };
    RecordedFinding {
        part: finding.part,
        pointer: finding.pointer.clone(),
        kind: RecordedKind::Differs(finding.kind),
        severity: finding.severity,
        sides: [side(&finding.v1), side(&finding.v2)],
    }
}
