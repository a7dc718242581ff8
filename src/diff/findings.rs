//! The findings of one comparison: the first ones kept, all of them counted.

use crate::finding::{Finding, NotComparable, Severity};

/// What a comparison found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings<'a> {
    kept: Vec<Finding<'a>>,
    counts: FindingCounts,
    most: usize,
    uncompared: Option<NotComparable>,
}

/// What is known of all findings, those that are not kept included.
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

    /// The findings that are kept, at most as many as the limit says.
    #[must_use]
    pub fn as_slice(&self) -> &[Finding<'a>] {
        &self.kept
    }

    /// How many more there are.
    #[must_use]
    pub fn omitted(&self) -> usize {
        self.counts.omitted
    }

    /// How many differences are none because they are noise.
    #[must_use]
    pub fn noisy(&self) -> usize {
        self.counts.noisy
    }

    /// The worst of all findings, omitted ones included; `None` when there is only noise.
    #[must_use]
    pub fn severity(&self) -> Option<Severity> {
        self.counts.severity
    }

    /// Whether all differences are noise.
    #[must_use]
    pub fn is_only_noise(&self) -> bool {
        self.counts.severity.is_none() && self.counts.noisy > 0
    }

    /// Why the bodies were not compared, when they were not and the rest of the answers differs.
    #[must_use]
    pub fn uncompared(&self) -> Option<NotComparable> {
        self.uncompared
    }

    pub(crate) fn set_uncompared(&mut self, why: NotComparable) {
        self.uncompared = Some(why);
    }

    /// Whether the next finding is kept; where it is not, its places need not be written.
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

    /// Forgets what came after `counts` was taken.
    pub(crate) fn roll_back(&mut self, counts: FindingCounts) {
        self.kept.truncate(counts.kept);
        self.counts = counts;
    }
}
