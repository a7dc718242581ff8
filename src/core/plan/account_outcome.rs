//! What a rollout decides for an account, independent of any single request.
//!
//! It runs the same precedence list that decides requests, so that the two cannot disagree.

use crate::bucketing::{Fraction, Position};
use crate::decide::decide_in_rollout;
use crate::decision::{Reason, Treatment};
use crate::guard::NoGuards;
use crate::plan::{Plan, Rollout, Serve};
use crate::policy::time::Time;
use crate::proxy::decision_header::Inbound;
use crate::request::Request;
use crate::request::account_id::{Account, AccountId};
use crate::request::headers::Headers;

/// The decision of a rollout for an account, as far as it depends on the account alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountOutcome {
    /// The percentage of its requests that get v2, above 0; `None` if all of them get v1.
    pub requests: Option<Fraction>,
    /// The reason. Requests outside of `requests` have [`Reason::OutsideRequests`] instead.
    pub reason: Reason,
    /// The index of the rule that decided; `None` if another step did.
    pub rule: Option<usize>,
}

impl Plan {
    /// Returns the outcome for an account in a rollout at a point in time. It applies to requests that no
    /// earlier hop has decided and that have none of the headers that rules match.
    #[must_use]
    pub fn account_outcome(
        &self,
        rollout: &Rollout,
        account: &Account<'_>,
        at: Time,
    ) -> AccountOutcome {
        let mut request = Request::new(Headers::new(&[]), Inbound::Strip, at);
        request.account = *account;
        // The decision for the request that a percentage includes first.
        let decision =
            decide_in_rollout(self, &NoGuards, rollout, &request, |_, _| Position::FIRST);
        let rule = decision.rule.and_then(|index| rollout.rules.get(index));
        let requests = match rule.map(|rule| &rule.serve) {
            Some(Serve::V2 { requests, .. }) => *requests,
            Some(Serve::V1) | None => Fraction::ALL,
        };
        AccountOutcome {
            requests: (decision.treatment == Treatment::V2).then_some(requests),
            reason: decision.reason,
            rule: decision.rule,
        }
    }

    /// Parses an account; `None` if the bytes are not in the policy's format.
    #[must_use]
    pub fn account<'a>(&self, bytes: &'a [u8]) -> Option<AccountId<'a>> {
        self.account.format.parse_account(bytes)
    }

    /// Returns the segments of an account, as indices into [`Plan::segment_names`].
    pub fn segments_of(&self, account: &AccountId<'_>) -> impl Iterator<Item = usize> + use<'_> {
        self.segments.find(account).iter()
    }

    /// Returns every account of a segment, in no particular order. `segment` is an index into
    /// [`Plan::segment_names`].
    pub fn accounts_of_segment(&self, segment: usize) -> impl Iterator<Item = Vec<u8>> {
        self.segments.accounts_of(segment)
    }
}

impl Rollout {
    /// Returns the `accounts` and `requests` percentages of each rule at a point in time; `None` for a rule that
    /// serves v1.
    pub fn rule_fractions(&self, at: Time) -> impl Iterator<Item = Option<[Fraction; 2]>> {
        self.rules.iter().map(move |rule| match &rule.serve {
            Serve::V1 => None,
            Serve::V2 { accounts, requests } => Some([accounts.at(at), *requests]),
        })
    }

    /// Returns the percentage of an account's requests that v2 serves. In the modes `dark` and `shadow` it is 0.
    #[must_use]
    pub fn served(&self, outcome: &AccountOutcome) -> Fraction {
        match (self.mode.serves(Treatment::V2), outcome.requests) {
            (Treatment::V2, Some(requests)) => requests,
            _ => Fraction::NONE,
        }
    }
}
