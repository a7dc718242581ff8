//! The state of a policy: what is halted, and how many times each guard was re-armed.

use std::collections::BTreeMap;

use crate::halts::Halts;

/// How many times each guard was re-armed, by the name of its rollout. A guard that never was is absent.
pub(crate) type RearmCounts = BTreeMap<String, u64>;

/// What commands change in a policy that was applied.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PolicyState {
    pub(crate) halts: Halts,
    pub(crate) rearmed: RearmCounts,
}

/// Returns the greater count of each guard.
pub(crate) fn greater_counts(mut counts: RearmCounts, others: &RearmCounts) -> RearmCounts {
    for (rollout, other) in others {
        let count = counts.entry(rollout.clone()).or_default();
        *count = (*count).max(*other);
    }
    counts
}
