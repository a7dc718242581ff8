//! The findings of one comparison: the first ones kept, all of them counted.

use super::finding::{Finding, NotComparable, Severity};

/// What a comparison found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings<'a> {
    kept: Vec<Finding<'a>>,
    tally: Tally,
    most: usize,
    uncompared: Option<NotComparable>,
}

/// What is known of all findings, those that are not kept included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    kept: usize,
    omitted: usize,
    pub(super) noisy: usize,
    severity: Option<Severity>,
}

impl<'a> Findings<'a> {
    pub(super) fn new(most: usize) -> Self {
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
        self.tally.omitted
    }

    /// How many differences are none because they are noise.
    #[must_use]
    pub fn noisy(&self) -> usize {
        self.tally.noisy
    }

    /// The worst of all findings, omitted ones included; `None` when there is only noise.
    #[must_use]
    pub fn severity(&self) -> Option<Severity> {
        self.tally.severity
    }

    /// Whether all differences are noise.
    #[must_use]
    pub fn is_only_noise(&self) -> bool {
        self.tally.severity.is_none() && self.tally.noisy > 0
    }

    /// Why the bodies were not compared, when they were not and the rest of the answers differs.
    #[must_use]
    pub fn uncompared(&self) -> Option<NotComparable> {
        self.uncompared
    }

    pub(super) fn set_uncompared(&mut self, why: NotComparable) {
        self.uncompared = Some(why);
    }

    /// Whether the next finding is kept; where it is not, its places need not be written.
    pub(super) fn has_room(&self) -> bool {
        self.kept.len() < self.most
    }

    /// Counts a finding, and keeps it if there is room.
    pub(super) fn push(&mut self, finding: Finding<'a>) {
        self.tally.severity = self.tally.severity.max(Some(finding.severity));
        if self.has_room() {
            self.kept.push(finding);
            self.tally.kept = self.kept.len();
        } else {
            self.tally.omitted = self.tally.omitted.saturating_add(1);
        }
    }

    pub(super) fn add_noise(&mut self) {
        self.tally.noisy = self.tally.noisy.saturating_add(1);
    }

    pub(super) fn tally(&self) -> Tally {
        self.tally
    }

    /// Forgets what came after `tally` was taken.
    pub(super) fn roll_back(&mut self, tally: Tally) {
        self.kept.truncate(tally.kept);
        self.tally = tally;
    }
}
