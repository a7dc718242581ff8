//! A plan with the policies of its steps.

use std::fmt::Write as _;

use turnout_core::Revision;

use crate::plan::{Bake, RollPlan};
use crate::step_policy::StepPolicy;

/// A plan with the policies of its steps.
#[derive(Clone, Copy, Debug)]
pub struct Steps<'a> {
    plan: &'a RollPlan,
    policies: &'a [StepPolicy],
}

impl<'a> Steps<'a> {
    /// Returns the steps of a plan; `None` unless there is one policy for each step, and at least one.
    #[must_use]
    pub fn new(plan: &'a RollPlan, policies: &'a [StepPolicy]) -> Option<Self> {
        let is_whole = !policies.is_empty() && plan.steps.len() == policies.len();
        is_whole.then_some(Self { plan, policies })
    }

    /// Returns the plan.
    #[must_use]
    pub const fn plan(&self) -> &'a RollPlan {
        self.plan
    }

    /// Returns the policies of the steps.
    #[must_use]
    pub const fn policies(&self) -> &'a [StepPolicy] {
        self.policies
    }

    /// Returns the policy of a step.
    #[must_use]
    pub fn policy(&self, step: usize) -> Option<&'a StepPolicy> {
        self.policies.get(step)
    }

    /// Identifies the steps by their names and revisions. The bakes, the webhooks and the quiet times may change
    /// while the plan runs.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let mut text = self.plan.rollout.clone();
        for policy in self.policies {
            let _ = write!(text, "\n{} {}", policy.name, policy.revision);
        }
        Revision::of_text(&text).to_string()
    }

    pub(crate) fn name(&self, step: usize) -> &'a str {
        self.policy(step).map_or("", |policy| &policy.name)
    }

    pub(crate) fn bake(&self, step: usize) -> Option<Bake> {
        self.plan.steps.get(step).and_then(|step| step.bake)
    }

    /// Returns the step after this one.
    pub(crate) fn next(&self, step: usize) -> Option<usize> {
        let next = step.saturating_add(1);
        (next < self.policies.len()).then_some(next)
    }

    /// Whether a step has a revision with this root.
    pub(crate) fn has_root(&self, step: usize, root: &str) -> bool {
        self.policy(step)
            .is_some_and(|policy| policy.revision.as_str() == root)
    }

    /// Describes a step in a sentence: "step 2 of 4 (`half`)".
    pub(crate) fn describe(&self, step: usize) -> String {
        let number = step.saturating_add(1);
        let count = self.policies.len();
        format!("step {number} of {count} (`{}`)", self.name(step))
    }
}
