//! What the rules of a rollout send to v2, for code that plans or judges a rollout.

use crate::bucketing::Fraction;
use crate::plan::changes::rollout::is_same_when;
use crate::plan::ramp::Ramp;
use crate::plan::{Plan, Rollout, Serve};

/// What one rule sends to v2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allocation<'p> {
    /// The percentage of accounts.
    pub accounts: &'p Ramp,
    /// The percentage of the requests of each such account.
    pub requests: Fraction,
}

impl Allocation<'_> {
    /// Returns the highest percentage of accounts that the rule ever has.
    #[must_use]
    pub fn most_accounts(&self) -> Fraction {
        let steps = self.accounts.steps().iter();
        let most = steps.map(|step| step.fraction).max();
        most.unwrap_or(Fraction::NONE)
    }

    /// Whether the rule can send a request to v2.
    #[must_use]
    pub fn serves_v2(&self) -> bool {
        self.most_accounts() > Fraction::NONE && self.requests > Fraction::NONE
    }

    /// Whether the guard can compare the requests that the rule sends to v2: some requests of the same accounts take v1.
    #[must_use]
    pub fn has_control(&self) -> bool {
        self.serves_v2() && self.requests < Fraction::ALL
    }
}

impl Rollout {
    /// Returns what each rule sends to v2. A rule that serves v1 is `None`.
    pub fn allocations(&self) -> impl ExactSizeIterator<Item = Option<Allocation<'_>>> {
        self.rules.iter().map(|rule| match &rule.serve {
            Serve::V1 => None,
            Serve::V2 { accounts, requests } => Some(Allocation {
                accounts,
                requests: *requests,
            }),
        })
    }

    /// Whether the rules have the same conditions, in the same order, as those of a rollout in another policy.
    #[must_use]
    pub fn has_conditions_of(&self, own: &Plan, other: (&Plan, &Self)) -> bool {
        let (plan, rollout) = other;
        let mut pairs = self.rules.iter().zip(&rollout.rules);
        self.rules.len() == rollout.rules.len()
            && pairs.all(|(a, b)| is_same_when(own, &a.when, plan, &b.when))
    }
}
