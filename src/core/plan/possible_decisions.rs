//! Lists the decisions that a rollout can make on a proxy, so that a proxy can define their counters once.

use crate::decision::{Reason, Treatment};
use crate::plan::Rollout;
use crate::plan::request_match::RegionMatch;
use crate::proxy::decision_header::Inbound;

impl Rollout {
    /// Whether this rollout can make a decision with this treatment and reason on a proxy, under this policy or
    /// one with another mode or other rules.
    ///
    /// If rules name regions, call [`Plan::set_region`](crate::Plan::set_region) first.
    #[must_use]
    pub fn can_decide(&self, inbound: Inbound, treatment: Treatment, reason: Reason) -> bool {
        let is_possible = match reason {
            Reason::NoRollout => false,
            Reason::Guard => self.guard.is_some(),
            Reason::GuardAccount => {
                let guard = self.guard.as_ref();
                guard.is_some_and(|guard| guard.settings.accounts.is_some())
            }
            Reason::Inbound => inbound == Inbound::Trust,
            Reason::NoRegion => {
                let mut rules = self.rules.iter();
                rules.any(|rule| rule.when.region == RegionMatch::Unknown)
            }
            _ => true,
        };
        is_possible && reason.treatments().contains(&treatment)
    }
}
