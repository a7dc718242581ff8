//! Replaces `shadowing.rs` in a build without shadowing.

use std::rc::Rc;

use turnout_core::shadow::{AccountKey, Sample};
use turnout_core::{Account, ByteBudget, Configuration, Plan};

use crate::host::HeaderBuffer;

pub(crate) struct Shadowing;

impl Shadowing {
    /// Lists what a policy needs and this build does not support, one line each. Ignoring `shadow`
    /// would look like a v2 without differences.
    pub(crate) fn unsupported(plan: &Plan) -> Vec<String> {
        let rollouts = plan.rollouts().iter();
        let shadowed = rollouts.filter(|rollout| rollout.shadow.is_some());
        let line = |index| {
            format!(
                "policy, /rollouts/{index}/shadow: this build of the filter does not support `shadow`; load the \
                 full build, or remove `shadow`"
            )
        };
        shadowed.map(|rollout| line(rollout.index)).collect()
    }

    pub(crate) fn new(_configuration: &Rc<Configuration>, _budget: &ByteBudget) -> Self {
        Self
    }

    pub(crate) fn account_key(&self, _account: &Account<'_>) -> AccountKey {
        None
    }

    /// Never called: policies with samples are refused.
    pub(crate) fn admit(
        &mut self,
        _sample: Sample,
        _account: AccountKey,
        _headers: HeaderBuffer,
        _end: bool,
    ) -> Option<u32> {
        None
    }

    pub(crate) fn request_trailers(&mut self, _job: u32) {}

    pub(crate) fn stream_ended(&mut self, _job: u32) {}

    pub(crate) fn are_wanted(&self) -> bool {
        false
    }

    pub(crate) fn tick(&mut self, _now: u64) {}

    pub(crate) fn drop_all(&mut self) {}

    pub(crate) fn end(&mut self) {}
}
