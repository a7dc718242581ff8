//! What became of the sampled requests.

use std::collections::BTreeMap;

use turnout_core::shadow::Outcome;

/// The outcome that metrics and records call so.
pub(crate) fn named(name: &str) -> Option<Outcome> {
    Outcome::ALL
        .into_iter()
        .find(|outcome| outcome.as_str() == name)
}

/// What stands behind a number: `20 too large`.
pub(crate) const fn phrase(outcome: Outcome) -> &'static str {
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
        Outcome::DroppedBusy => "dropped while too much was under way or held",
        Outcome::DroppedSlow => "dropped because the client or v1 was slow",
        Outcome::SkippedMethod => "of a method that is not copied",
        Outcome::SkippedUpgrade => "upgrades",
        Outcome::SkippedRange => "range requests",
        Outcome::SkippedConditional => "conditional requests",
        Outcome::SkippedCopy => "copies themselves",
        Outcome::SkippedAborted => "broken off",
        Outcome::SkippedV1Busy => "answered 429 or 503 by v1",
        Outcome::SkippedEarlyAnswer => "answered before they were complete",
        Outcome::SkippedSwap => "caught by a change of the policy",
    }
}

/// Whether such a request says nothing about v2.
pub(crate) const fn is_left_out(outcome: Outcome) -> bool {
    !matches!(
        outcome,
        Outcome::Equal | Outcome::Different | Outcome::Timeout | Outcome::V2Error
    ) && !is_uncertain(outcome)
}

/// Whether the answers differ and nobody knows whether v2 is to blame.
pub(crate) const fn is_uncertain(outcome: Outcome) -> bool {
    matches!(
        outcome,
        Outcome::Noise | Outcome::Unrepeatable | Outcome::Unconfirmed
    )
}

/// How many requests ended in each way; what is 0 is not in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcomes {
    counts: BTreeMap<Outcome, u64>,
    /// Of those that are different: at places where v1 may yet turn out to vary.
    unproven: u64,
    /// In ways that this version does not know.
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

    /// Requests that ended in a way that this version does not know: any of them may have failed.
    pub(crate) fn add_unknown(&mut self, count: u64) {
        self.unknown = self.unknown.saturating_add(count);
    }

    /// Those that are different at places where v1 may yet turn out to vary.
    pub(crate) fn unproven(&self) -> u64 {
        self.unproven.min(self.get(Outcome::Different))
    }

    pub(crate) fn total(&self) -> u64 {
        self.sum(|_| true).saturating_add(self.unknown)
    }

    /// Answers that were compared.
    pub(crate) fn compared(&self) -> u64 {
        self.sum(|outcome| {
            matches!(outcome, Outcome::Equal | Outcome::Different) || is_uncertain(outcome)
        })
    }

    /// Answers that differ, where v1 itself is no yardstick: v2 may fail in any of these.
    pub(crate) fn uncertain(&self) -> u64 {
        self.sum(is_uncertain).saturating_add(self.unknown)
    }

    /// What a user would have noticed: a v2 that does not answer is no more ready than one that
    /// answers something else.
    pub(crate) fn failed(&self) -> u64 {
        self.sum(|outcome| {
            matches!(
                outcome,
                Outcome::Different | Outcome::Timeout | Outcome::V2Error
            )
        })
    }

    /// What the verdict rests on.
    pub(crate) fn judged(&self) -> u64 {
        self.sum(|outcome| !is_left_out(outcome))
            .saturating_add(self.unknown)
    }

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
