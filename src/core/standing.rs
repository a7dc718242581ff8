//! Where an account stands in a rollout, before anything is known of a single request.
//!
//! A decision is made of it, so what is told of an account and what its requests get cannot disagree.

use crate::account::{Account, AccountId};
use crate::bucket::Fraction;
use crate::headers::Headers;
use crate::matching::Place;
use crate::plan::{Mode, Plan, Rollout, Serve};
use crate::time::Time;
use crate::treatment::{Reason, Treatment};

/// What a rollout decides for an account, as far as the account alone decides it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The part of its requests that take v2; `None` where all take v1.
    pub requests: Option<Fraction>,
    /// Why. Of the requests outside of `requests` it is [`Reason::OutsideRequests`].
    pub reason: Reason,
    /// The rule that decided, from 0.
    pub rule: Option<usize>,
}

impl Standing {
    pub(crate) const fn v1(reason: Reason) -> Self {
        Self {
            requests: None,
            reason,
            rule: None,
        }
    }

    const fn v2(reason: Reason, requests: Fraction) -> Self {
        Self {
            requests: Some(requests),
            reason,
            rule: None,
        }
    }
}

impl Plan {
    /// Where an account stands in one of the rollouts at a moment, for requests that have no header
    /// that a rule asks for and that no earlier hop has decided.
    #[must_use]
    pub fn standing(&self, rollout: &Rollout, account: &Account<'_>, at: Time) -> Standing {
        match self.stopped(rollout) {
            Some(reason) => Standing::v1(reason),
            None => self.standing_with(rollout, account, Headers::new(&[]), at),
        }
    }

    /// Why a rollout gives everyone v1, whatever an earlier hop says.
    pub(crate) fn stopped(&self, rollout: &Rollout) -> Option<Reason> {
        match rollout.mode {
            _ if self.halted => Some(Reason::Halted),
            Mode::Off => Some(Reason::Off),
            _ => None,
        }
    }

    /// Where an account stands in a rollout that is not [stopped](Self::stopped).
    pub(crate) fn standing_with(
        &self,
        rollout: &Rollout,
        account: &Account<'_>,
        headers: Headers<'_>,
        at: Time,
    ) -> Standing {
        if rollout.mode == Mode::On {
            return Standing::v2(Reason::On, Fraction::ALL);
        }
        let account = match account {
            Account::Absent => return Standing::v1(Reason::NoAccount),
            Account::Malformed => return Standing::v1(Reason::MalformedAccount),
            Account::Known(account) => account,
        };
        let segments = self.segments.of(account);
        for (index, rule) in rollout.rules.iter().enumerate() {
            if !rule.when.holds(segments, headers) {
                continue;
            }
            let standing = match &rule.serve {
                _ if rule.when.place == Place::Unknown => Standing::v1(Reason::NoRegion),
                Serve::V1 => Standing::v1(Reason::Rule),
                Serve::V2 { accounts, .. }
                    if !accounts.at(at).includes(rollout.account_position(account)) =>
                {
                    Standing::v1(Reason::OutsideAccounts)
                }
                Serve::V2 { requests, .. } => Standing::v2(Reason::Rule, *requests),
            };
            let rule = Some(index);
            return Standing { rule, ..standing };
        }
        Standing::v1(Reason::Default)
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
    pub fn served(&self, standing: &Standing) -> Fraction {
        match (self.mode.serves(Treatment::V2), standing.requests) {
            (Treatment::V2, Some(requests)) => requests,
            _ => Fraction::NONE,
        }
    }
}
