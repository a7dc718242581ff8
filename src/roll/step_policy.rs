//! The policy of one step.

use turnout_core::Revision;

/// The policy of one step: the policy with the rules of the step and a revision of its own. All other text is that of
/// the policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepPolicy {
    /// The name of the step.
    pub name: String,
    /// The policy. It names account files as the policy of the plan does, relative to the folder of that policy.
    pub policy_text: String,
    /// The revision, which depends only on the policy and on the rules of the step.
    pub revision: Revision,
}
