//! Counts of sampled requests by outcome.

use std::collections::BTreeMap;

use turnout_core::shadow::Outcome;

/// The outcome with this name in metrics and records.
pub(crate) fn outcome_by_name(name: &str) -> Option<Outcome> {
    Outcome::ALL
        .into_iter()
        .find(|outcome| outcome.as_str() == name)
}

/// Describes an outcome after a number: `20 too large`.
pub(crate) const fn describe_outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Equal => "equal",
        Outcome::Different => "different",
        Outcome::Noise => "noise",
        Outcome::Unrepeatable => "not repeated by v1",
        Outcome::Unconfirmed => "not confirmed",
        Outcome::Timeout => "timed out",
        Outcome::V2Error => "failed in v2",
        Outcome::TooLarge => "too large",
        Outcome::NotComparable => "not comparable",
        Outcome::DroppedBusy => "dropped because of a limit on shadow requests or their memory",
        Outcome::DroppedSlow => "dropped because the client or v1 was slow",
        Outcome::SkippedMethod => "with a method that is not shadowed",
        Outcome::SkippedUpgrade => "upgrades",
        Outcome::SkippedRange => "range requests",
        Outcome::SkippedConditional => "conditional requests",
        Outcome::SkippedShadowRequest => "of another Turnout's shadow requests",
        Outcome::SkippedAborted => "aborted",
        Outcome::SkippedV1Busy => "refused by v1 with 429 or 503",
        Outcome::SkippedEarlyResponse => "with a response before the request was complete",
        Outcome::SkippedSwap => "interrupted by a policy change",
    }
}

/// Whether the verdict leaves out requests with this outcome, because they show nothing about v2.
pub(crate) const fn is_left_out(outcome: Outcome) -> bool {
    !matches!(
        outcome,
        Outcome::Equal | Outcome::Different | Outcome::Timeout | Outcome::V2Error
    ) && !is_uncertain(outcome)
}

/// Whether the responses differ and it is unknown whether v2 is the cause.
pub(crate) const fn is_uncertain(outcome: Outcome) -> bool {
    matches!(
        outcome,
        Outcome::Noise | Outcome::Unrepeatable | Outcome::Unconfirmed
    )
}

/// Counts of requests by outcome.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcomes {
    /// Without counts of 0.
    counts: BTreeMap<Outcome, u64>,
    /// The `different` requests at places where v1 may yet turn out to vary.
    unproven: u64,
    /// Requests with outcomes that this version does not know.
    unknown: u64,
}

impl Outcomes {
    pub(crate) fn get(&self, outcome: Outcome) -> u64 {
        self.counts.get(&outcome).copied().unwrap_or(0)
    }

    pub(crate) fn add(&mut self, outcome: Outcome, count: u64) {
        if count == 0 {
            return;
        }
        let total = self.counts.entry(outcome).or_default();
        *total = total.saturating_add(count);
    }

    pub(crate) fn add_all(&mut self, other: &Self) {
        for (outcome, count) in &other.counts {
            self.add(*outcome, *count);
        }
        self.add_unproven(other.unproven);
    }

    pub(crate) fn add_unproven(&mut self, count: u64) {
        self.unproven = self.unproven.saturating_add(count);
    }

    /// Adds requests with outcomes that this version does not know: any of them may have failed.
    pub(crate) fn add_unknown(&mut self, count: u64) {
        self.unknown = self.unknown.saturating_add(count);
    }

    /// The `different` requests at places where v1 may yet turn out to vary.
    pub(crate) fn unproven(&self) -> u64 {
        self.unproven.min(self.get(Outcome::Different))
    }

    pub(crate) fn total(&self) -> u64 {
        self.sum(|_| true).saturating_add(self.unknown)
    }

    /// Requests whose responses were compared.
    pub(crate) fn compared(&self) -> u64 {
        self.sum(|outcome| {
            matches!(outcome, Outcome::Equal | Outcome::Different) || is_uncertain(outcome)
        })
    }

    /// Requests for which v1 itself is no reference: v2 may fail in any of them.
    pub(crate) fn uncertain(&self) -> u64 {
        self.sum(is_uncertain).saturating_add(self.unknown)
    }

    /// Failed requests, which a user would have noticed: v2 responds differently or not at all.
    pub(crate) fn failed(&self) -> u64 {
        self.sum(|outcome| {
            matches!(
                outcome,
                Outcome::Different | Outcome::Timeout | Outcome::V2Error
            )
        })
    }

    /// Requests that the verdict is based on.
    pub(crate) fn judged(&self) -> u64 {
        self.sum(|outcome| !is_left_out(outcome))
            .saturating_add(self.unknown)
    }

    /// Requests that the verdict leaves out.
    pub(crate) fn left_out(&self) -> u64 {
        self.sum(is_left_out)
    }

    fn sum(&self, counts: impl Fn(Outcome) -> bool) -> u64 {
        self.counts
            .iter()
            .filter(|(outcome, _)| counts(**outcome))
            .fold(0, |sum, (_, count)| sum.saturating_add(*count))
    }
}
