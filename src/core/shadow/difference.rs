//! What differs between two answers, as far as it may leave the proxy.

use crate::diff::{Finding, Findings, Kind, Part, Severity, Value, ValueType};

use super::{Known, Shadow};

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
}

/// A finding without the values, unless the policy reveals them.
#[derive(Clone, Debug)]
pub struct Noted {
    /// Where: status, header or body.
    pub part: Part,
    /// Where in there, with `*` for what is an index or may be data.
    pub pointer: String,
    /// What differs.
    pub kind: Kind,
    /// How bad that is.
    pub severity: Severity,
    /// What v1 has there, and what v2 has.
    pub sides: [Option<Side>; 2],
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
        findings: &Findings<'_>,
        rechecked: bool,
        shadow: &Shadow,
        known: &Known,
    ) -> Self {
        // Each element of an array may differ in the same way: said once.
        let mut noted: Vec<Noted> = Vec::new();
        let mut omitted = findings.omitted();
        for finding in findings.as_slice() {
            let is_said = |one: &Noted| {
                (one.part, one.kind, &one.pointer) == (finding.part, finding.kind, &finding.pointer)
            };
            if noted.iter().any(is_said) {
                continue;
            }
            if noted.len() < MOST_NOTED {
                noted.push(note(finding, shadow, known));
            } else {
                omitted = omitted.saturating_add(1);
            }
        }
        Self {
            severity: findings.severity().unwrap_or(Severity::Changed),
            findings: noted,
            omitted,
            rechecked,
        }
    }
}

fn note(finding: &Finding<'_>, shadow: &Shadow, known: &Known) -> Noted {
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
                Shown::Hash(known.hash(&value.raw))
            },
        })
    };
    Noted {
        part: finding.part,
        pointer: finding.pointer.clone(),
        kind: finding.kind,
        severity: finding.severity,
        sides: [side(&finding.v1), side(&finding.v2)],
    }
}
