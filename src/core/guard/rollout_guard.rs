//! Connects the guard of a rollout with the decisions of its requests.

use xxhash_rust::xxh3::xxh3_64;

use crate::bucketing::Fraction;
use crate::decision::{Decision, Reason};
use crate::plan::{Mode, Rollout, Serve};
use crate::request::Request;
use crate::request::account_id::Account;

use super::compared_request::{ComparedRequest, Stratum};
use super::worker_guard::WorkerGuard;

/// What the guards of a proxy have found, as a decision needs it.
pub trait Guards {
    /// Returns why a request of this rollout takes v1, or `None` if the guard leaves it alone.
    fn reason(&self, rollout: &Rollout, account: &Account<'_>) -> Option<Reason>;
}

/// No guard has found anything.
#[derive(Clone, Copy, Debug)]
pub struct NoGuards;

impl Guards for NoGuards {
    #[inline]
    fn reason(&self, _rollout: &Rollout, _account: &Account<'_>) -> Option<Reason> {
        None
    }
}

/// The guard of a rollout in one worker, and which of the rollout's requests it compares.
#[derive(Debug)]
pub struct RolloutGuard {
    guard: WorkerGuard,
    /// By rule: the stratum of the requests that the rule decides. `None` if they are not compared.
    rules: Vec<Option<Stratum>>,
    /// The stratum of the requests of a rollout that is on.
    on: Option<Stratum>,
}

impl RolloutGuard {
    /// Creates the armed guard of a rollout; `None` if the rollout has none. Allocates, so it is called when a policy
    /// is loaded.
    #[must_use]
    pub fn new(rollout: &Rollout) -> Option<Self> {
        let plan = rollout.guard.as_ref()?;
        let mut guard = WorkerGuard::new(plan.settings, plan.epoch);
        // Where everyone takes v2, only a limit has something to test.
        let is_tested = |requests: Fraction| {
            requests.millionths() < Fraction::ALL.millionths() || plan.settings.limit.is_some()
        };
        let mut stratum = |requests: Fraction| {
            let tested = Some(requests).filter(|requests| is_tested(*requests));
            tested.and_then(|requests| guard.stratum(requests))
        };
        let rules = match rollout.mode {
            Mode::Split => &rollout.rules[..],
            Mode::Off | Mode::Dark | Mode::Shadow | Mode::On => &[],
        };
        let rules = rules.iter().map(|rule| match &rule.serve {
            Serve::V1 => None,
            Serve::V2 { requests, .. } => stratum(*requests),
        });
        let rules = rules.collect();
        let on = match rollout.mode {
            Mode::On => stratum(Fraction::ALL),
            Mode::Off | Mode::Dark | Mode::Shadow | Mode::Split => None,
        };
        Some(Self { guard, rules, on })
    }

    /// Returns why a request with this account takes v1: because everyone does, or because the account was ejected.
    #[must_use]
    pub fn reason(&self, rollout: &Rollout, account: &Account<'_>) -> Option<Reason> {
        if self.guard.is_acting() {
            return Some(Reason::Guard);
        }
        let account = self.account_hash(rollout, account)?;
        self.guard
            .sends_to_v1(account)
            .then_some(Reason::GuardAccount)
    }

    /// Notes a decision of its rollout. Returns `None` if the request is not compared: its treatment was not random,
    /// or it has no id, by which retries are recognised.
    #[must_use = "a request that is never returned counts as open"]
    pub fn note_decision(
        &mut self,
        decision: &Decision<'_>,
        request: &Request<'_>,
    ) -> Option<ComparedRequest> {
        let rollout = decision.rollout?;
        let stratum = match decision.reason {
            Reason::Rule | Reason::OutsideRequests => *self.rules.get(decision.rule?)?,
            Reason::On => self.on,
            _ => None,
        };
        let id = rollout.salt.request(request.id?);
        let account = self.account_hash(rollout, &request.account);
        self.guard
            .note_decision(stratum?, decision.treatment, id.0, account)
    }

    /// The account as a number that is the same in all workers; `None` if single accounts are not tested.
    fn account_hash(&self, rollout: &Rollout, account: &Account<'_>) -> Option<u64> {
        let settings = self.guard.settings();
        let are_tested = settings.accounts.is_some();
        match account {
            Account::Known(account) if are_tested => {
                Some(rollout.salt.account(account.as_slice()).0)
            }
            Account::Known(_) | Account::Absent | Account::Malformed => None,
        }
    }

    /// The guard.
    #[must_use]
    pub const fn guard(&self) -> &WorkerGuard {
        &self.guard
    }

    /// The guard, to note the ends of requests and the seconds.
    pub const fn guard_mut(&mut self) -> &mut WorkerGuard {
        &mut self.guard
    }
}

impl Rollout {
    /// The strata of the requests that the guard compares, in the order of their percentages. Empty without a guard.
    #[must_use]
    pub fn guard_strata(&self) -> Vec<Fraction> {
        let counts = RolloutGuard::new(self).map(|guard| guard.guard.settled());
        let counts = counts.unwrap_or_default();
        let strata = counts.strata().iter();
        strata.map(|stratum| stratum.requests).collect()
    }
}

/// Identifies the guard of a rollout among all guards of a proxy process, whatever the rollout's definition.
#[must_use]
pub fn guard_id(plugin: &str, rollout: &str) -> u64 {
    // The name of a rollout contains no slash.
    xxh3_64([plugin, "/", rollout].concat().as_bytes())
}
