//! The findings of one comparison: the first ones are kept, and all are counted.

use crate::finding::{Finding, NotComparable, Severity};

/// The findings of one comparison.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings<'a> {
    kept: Vec<Finding<'a>>,
    counts: FindingCounts,
    most: usize,
    uncompared: Option<NotComparable>,
}

/// Counts over all findings, including those that are not kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct FindingCounts {
    kept: usize,
    omitted: usize,
    pub(crate) noisy: usize,
    severity: Option<Severity>,
}

impl<'a> Findings<'a> {
    pub(crate) fn new(most: usize) -> Self {
        Self {
            most,
            ..Self::default()
        }
    }

    /// The findings that were kept, at most as many as the limit allows.
    #[must_use]
    pub fn as_slice(&self) -> &[Finding<'a>] {
        &self.kept
    }

    /// The number of findings that were not kept.
    #[must_use]
    pub fn omitted(&self) -> usize {
        self.counts.omitted
    }

    /// The number of differences that are noise.
    #[must_use]
    pub fn noisy(&self) -> usize {
        self.counts.noisy
    }

    /// The worst severity of all findings, including omitted ones. `None` if every difference is noise.
    #[must_use]
    pub fn severity(&self) -> Option<Severity> {
        self.counts.severity
    }

    /// Whether every difference is noise.
    #[must_use]
    pub fn is_only_noise(&self) -> bool {
        self.counts.severity.is_none() && self.counts.noisy > 0
    }

    /// Why the bodies were not compared, if another part of the responses differs.
    #[must_use]
    pub fn uncompared(&self) -> Option<NotComparable> {
        self.uncompared
    }

    pub(crate) fn set_uncompared(&mut self, why: NotComparable) {
        self.uncompared = Some(why);
    }

    /// Whether the next finding will be kept. If not, its places need not be written.
    pub(crate) fn has_room(&self) -> bool {
        self.kept.len() < self.most
    }

    /// Counts a finding, and keeps it if there is room.
    pub(crate) fn push(&mut self, finding: Finding<'a>) {
        self.counts.severity = self.counts.severity.max(Some(finding.severity));
        if self.has_room() {
            self.kept.push(finding);
            self.counts.kept = self.kept.len();
        } else {
            self.counts.omitted = self.counts.omitted.saturating_add(1);
        }
    }

    pub(crate) fn add_noise(&mut self) {
        self.counts.noisy = self.counts.noisy.saturating_add(1);
    }

    pub(crate) fn counts(&self) -> FindingCounts {
        self.counts
    }

    /// Discards everything since `counts` was taken.
    pub(crate) fn roll_back(&mut self, counts: FindingCounts) {
        self.kept.truncate(counts.kept);
        self.counts = counts;
    }
}
