//! What differs between two answers, as far as it may leave the proxy.

use turnout_diff::{Finding, FindingKind, Part, Severity, Value, ValueType};

use super::comparison::Compared;
use super::{NoiseModel, ShadowPlan};

/// Findings in one record.
const MOST_NOTED: usize = 32;
/// Of a value that the policy reveals, in bytes.
const LONGEST_VALUE: usize = 128;

/// What differs between the two answers.
#[derive(Debug)]
pub struct Difference {
    /// The worst of all findings, those that are not kept included.
    pub severity: Severity,
    /// The findings, values replaced by their hashes.
    pub findings: Vec<Noted>,
    /// How many more there were.
    pub omitted: usize,
    /// Whether both were asked once more, and still differ.
    pub rechecked: bool,
    /// Whether v1 repeated itself at these places in so many requests that this is none of its noise.
    pub is_proven: bool,
}

/// A finding without the values, unless the policy reveals them.
#[derive(Clone, Debug)]
pub struct Noted {
    /// Where: status, header or body.
    pub part: Part,
    /// Where in there, with `*` for what is an index or may be data.
    pub pointer: String,
    /// What differs.
    pub kind: NotedKind,
    /// How bad that is.
    pub severity: Severity,
    /// What v1 has there, and what v2 has.
    pub sides: [Option<Side>; 2],
}

/// What a finding says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NotedKind {
    /// v2 differs from v1.
    Differs(FindingKind),
    /// v2 disagrees with itself: asked the same request twice, it answered otherwise.
    Unstable,
}

impl NotedKind {
    /// The word for it in records.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Differs(kind) => kind.as_str(),
            Self::Unstable => "unstable",
        }
    }
}

/// One version's value in a finding.
#[derive(Clone, Debug)]
pub struct Side {
    /// What it is.
    pub kind: ValueType,
    /// It, or what stands for it.
    pub shown: Shown,
}

/// What a record says of a value.
#[derive(Clone, Debug)]
pub enum Shown {
    /// A hash that is keyed anew in each worker: equal values have equal hashes, and that is all.
    Hash(u64),
    /// The value, cut short.
    Value(String),
}

impl Difference {
    pub(super) fn new(
        compared: &Compared<'_>,
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

    /// Adds the places at which v2's second answer differs from its first one. Their sides are what v1
    /// has there, and what v2 has in the answer that differs from that.
    pub(super) fn add_unstable<'f>(
        &mut self,
        findings: impl Iterator<Item = &'f Finding<'f>>,
        shadow: &ShadowPlan,
        model: &NoiseModel,
    ) {
        for finding in findings {
            let is_there =
                |noted: &&Noted| (noted.part, &noted.pointer) == (finding.part, &finding.pointer);
            let known = self.findings.iter().find(is_there).cloned();
            let noted = known.unwrap_or_else(|| note(finding, shadow, model));
            self.add(Noted {
                kind: NotedKind::Unstable,
                ..noted
            });
        }
    }

    /// Adds a finding. Each element of an array may differ in the same way: that is said once.
    fn add(&mut self, noted: Noted) {
        let is_same = |one: &Noted| {
            (one.part, one.kind, &one.pointer) == (noted.part, noted.kind, &noted.pointer)
        };
        if self.findings.iter().any(is_same) {
            return;
        }
        if self.findings.len() < MOST_NOTED {
            self.findings.push(noted);
        } else {
            self.omitted = self.omitted.saturating_add(1);
        }
    }
}

fn note(finding: &Finding<'_>, shadow: &ShadowPlan, model: &NoiseModel) -> Noted {
    let reveals = finding.part == Part::Status
        || finding.part == Part::Body && shadow.reveals(&finding.exact);
    // What is in a list or an object has names of its own, which the policy may not reveal.
    let is_whole = |value: &Value<'_>| matches!(value.kind, ValueType::Object | ValueType::Array);
    let side = |value: &Option<Value<'_>>| {
        value.as_ref().map(|value| Side {
            kind: value.kind,
            shown: if reveals && !is_whole(value) {
                let short = value.raw.get(..LONGEST_VALUE).unwrap_or(&value.raw);
                Shown::Value(String::from_utf8_lossy(short).into_owned())
            } else {
                Shown::Hash(model.hash(&value.raw))
            },
        })
    };
    Noted {
        part: finding.part,
        pointer: finding.pointer.clone(),
        kind: NotedKind::Differs(finding.kind),
        severity: finding.severity,
        sides: [side(&finding.v1), side(&finding.v2)],
    }
}
