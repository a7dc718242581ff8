//! Which decisions a rollout can come to on a proxy, whatever its mode and its rules become.

use crate::decision::{Reason, Treatment};
use crate::plan::Rollout;
use crate::plan::request_match::RegionMatch;
use crate::proxy::decision_header::Inbound;

impl Rollout {
    /// Whether a request of this rollout may be decided so, on a proxy that trusts earlier hops or does not, by
    /// this policy or by one with another mode or other rules.
    ///
    /// A plan whose rules name regions has to be placed in one before.
    #[must_use]
    pub fn can_decide(&self, inbound: Inbound, treatment: Treatment, reason: Reason) -> bool {
        let is_possible = match reason {
            Reason::NoRollout => false,
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
