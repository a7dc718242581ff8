//! The guard of a rollout, compiled.

use crate::guard::GuardSettings;

/// What a proxy needs to run the guard of a rollout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuardPlan {
    /// The policy's `guard`.
    pub settings: GuardSettings,
    /// A hash of the rollout's definition without `halted`. It does not depend on white space or the order of
    /// fields. A guard that was armed for another epoch is re-armed.
    pub epoch: u64,
}
