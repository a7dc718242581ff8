//! What is halted: everyone, or single rollouts.

use std::collections::BTreeSet;

/// What is halted in a policy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Halts {
    /// Whether the policy is halted, so that every request of every rollout gets v1.
    pub everyone: bool,
    /// The names of the rollouts that have a halt of their own.
    pub rollouts: BTreeSet<String>,
}

/// The halts that a command lifts.
#[derive(Clone, Copy, Debug, Default)]
pub struct LiftedHalts<'a> {
    /// Whether it lifts the halt of everyone.
    pub everyone: bool,
    /// The rollouts whose halts it lifts.
    pub rollouts: &'a [String],
}

impl Halts {
    /// Whether anything is halted.
    #[must_use]
    pub fn is_any(&self) -> bool {
        self.everyone || !self.rollouts.is_empty()
    }

    /// Returns these halts without those that a command lifts.
    pub(crate) fn without(&self, lifts: LiftedHalts<'_>) -> Self {
        let rollouts = self.rollouts.iter();
        let kept = rollouts.filter(|rollout| !lifts.rollouts.contains(rollout));
        Self {
            everyone: self.everyone && !lifts.everyone,
            rollouts: kept.cloned().collect(),
        }
    }

    /// Returns everything that is halted here or there.
    pub(crate) fn union(&self, other: &Self) -> Self {
        Self {
            everyone: self.everyone || other.everyone,
            rollouts: self.rollouts.union(&other.rollouts).cloned().collect(),
        }
    }

    /// Returns what is halted here, but not there.
    pub(crate) fn difference(&self, other: &Self) -> Self {
        Self {
            everyone: self.everyone && !other.everyone,
            rollouts: self.rollouts.difference(&other.rollouts).cloned().collect(),
        }
    }
}
