//! In the place of the copies, in a build that makes none.

use std::rc::Rc;

use turnout_core::shadow::{AccountKey, Sample};
use turnout_core::{Account, ByteBudget, Configuration, Plan};

use crate::host::HeaderBuffer;

pub(crate) struct Copies;

impl Copies {
    /// What a policy asks for and this build does not have, a line each. Copying less than a policy says
    /// would be taken for a v2 that nobody finds wrong.
    pub(crate) fn lacks(plan: &Plan) -> Vec<String> {
        let rollouts = plan.rollouts().iter();
        let copied = rollouts.filter(|rollout| rollout.shadow.is_some());
        let line = |index| {
            format!(
                "policy, /rollouts/{index}/shadow: this is the build that makes no copies; load the whole \
                 filter, or leave `shadow` out"
            )
        };
        copied.map(|rollout| line(rollout.index)).collect()
    }

    pub(crate) fn new(_configuration: &Rc<Configuration>, _budget: &ByteBudget) -> Self {
        Self
    }

    pub(crate) fn account_key(&self, _account: &Account<'_>) -> AccountKey {
        None
    }

    /// Never called: what would be sampled is refused.
    pub(crate) fn admit(
        &mut self,
        _sample: Sample,
        _account: AccountKey,
        _headers: HeaderBuffer,
        _end: bool,
    ) -> Option<u32> {
        None
    }

    pub(crate) fn request_ended(&mut self, _job: u32) {}

    pub(crate) fn stream_ended(&mut self, _job: u32) {}

    pub(crate) fn are_wanted(&self) -> bool {
        false
    }

    pub(crate) fn tick(&mut self, _now: u64) {}

    pub(crate) fn give_up_all(&mut self) {}

    pub(crate) fn end(&mut self) {}
}
