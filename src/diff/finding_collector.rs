//! Collects the findings of a comparison, and separates them from noise.

use crate::finding::{Finding, FindingKind, Part, Severity, Value};
use crate::findings::Findings;

pub(crate) struct FindingCollector<'t, 'a> {
    pub(crate) findings: Findings<'a>,
    is_noisy: &'t dyn Fn(Part, &str) -> bool,
    /// The last pointer that `is_noisy` was called with, kept to reuse its memory.
    pointer: String,
}

impl<'t, 'a> FindingCollector<'t, 'a> {
    pub(crate) fn new(most: usize, is_noisy: &'t dyn Fn(Part, &str) -> bool) -> Self {
        Self {
            findings: Findings::new(most),
            is_noisy,
            pointer: String::new(),
        }
    }

    /// Whether a difference is noise. If so, it is counted. Only changed values can be noise: a missing
    /// or extra value, or another type, never is.
    pub(crate) fn is_noise(
        &mut self,
        severity: Severity,
        part: Part,
        write: impl FnOnce(&mut String),
    ) -> bool {
        let is_noise = severity == Severity::Changed && self.may_vary(part, write);
        if is_noise {
            self.findings.add_noise();
        }
        is_noise
    }

    /// Whether the value at a place is known to vary.
    pub(crate) fn may_vary(&mut self, part: Part, write: impl FnOnce(&mut String)) -> bool {
        self.pointer.clear();
        write(&mut self.pointer);
        (self.is_noisy)(part, &self.pointer)
    }

    /// Adds a finding with its folded and its exact place.
    pub(crate) fn push(
        &mut self,
        part: Part,
        [pointer, exact]: [String; 2],
        kind: FindingKind,
        severity: Severity,
        v1: Option<Value<'a>>,
        v2: Option<Value<'a>>,
    ) {
        self.findings.push(Finding {
            part,
            pointer,
            exact,
            kind,
            severity,
            v1,
            v2,
        });
    }
}
