//! Where an account stands in a rollout, before anything is known of a single request.
//!
//! It is asked of the list that decides requests, so what is told of an account and what its requests
//! get cannot disagree.

use crate::bucketing::{Fraction, Position};
use crate::decide::decide_in;
use crate::decision::{Reason, Treatment};
use crate::plan::{Plan, Rollout, Serve};
use crate::policy::time::Time;
use crate::proxy::decision_header::Inbound;
use crate::request::Request;
use crate::request::account::{Account, AccountId};
use crate::request::headers::Headers;

/// What a rollout decides for an account, as far as the account alone decides it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountOutcome {
    /// The part of its requests that take v2, which is more than nothing; `None` where all take v1.
    pub requests: Option<Fraction>,
    /// Why. Of the requests outside of `requests` it is [`Reason::OutsideRequests`].
    pub reason: Reason,
    /// The rule that decided, from 0.
    pub rule: Option<usize>,
}

impl Plan {
    /// Where an account stands in one of the rollouts at a moment, for requests that have no header
    /// that a rule asks for and that no earlier hop has decided.
    #[must_use]
    pub fn account_outcome(
        &self,
        rollout: &Rollout,
        account: &Account<'_>,
        at: Time,
    ) -> AccountOutcome {
        let mut request = Request::new(Headers::new(&[]), Inbound::Strip, at);
        request.account = *account;
        // What becomes of the request that is the first to take v2.
        let decision = decide_in(self, rollout, &request, |_, _| Position::FIRST);
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

    /// The account that these bytes name, if they are of the policy's format.
    #[must_use]
    pub fn account<'a>(&self, bytes: &'a [u8]) -> Option<AccountId<'a>> {
        self.account.format.account_of(bytes)
    }

    /// The segments that an account is in, by their places in [`Plan::segment_names`].
    pub fn segments_of(&self, account: &AccountId<'_>) -> impl Iterator<Item = usize> + use<'_> {
        self.segments.of(account).iter()
    }

    /// Every account of a segment, by its place in [`Plan::segment_names`], in no order.
    pub fn accounts_of_segment(&self, segment: usize) -> impl Iterator<Item = Vec<u8>> {
        self.segments.accounts_of(segment)
    }
}

impl Rollout {
    /// The accounts and the requests that each rule sends to v2 at a moment; `None` where it serves v1.
    pub fn rule_fractions(&self, at: Time) -> impl Iterator<Item = Option<[Fraction; 2]>> {
        self.rules.iter().map(move |rule| match &rule.serve {
            Serve::V1 => None,
            Serve::V2 { accounts, requests } => Some([accounts.at(at), *requests]),
        })
    }

    /// What is served at a standing in this rollout: the part of the requests that take v2. In the
    /// modes `dark` and `shadow` it is none.
    #[must_use]
    pub fn served(&self, standing: &AccountOutcome) -> Fraction {
        match (self.mode.serves(Treatment::V2), standing.requests) {
            (Treatment::V2, Some(requests)) => requests,
            _ => Fraction::NONE,
        }
    }
}
