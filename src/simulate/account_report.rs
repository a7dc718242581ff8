//! Counts the accounts of a list by their outcome under a policy.

use std::io::Read;

use serde::Serialize;
use turnout_core::{Account, AccountOutcome, Fraction, Mode, Plan, Reason, Rollout, Time};

use crate::account_list::{AccountListError, AccountListSummary, Accounts, ListOptions};
use crate::log_summary::serialize_time;
use crate::saturating::increase;
use crate::wording::{self, wanted};

/// The accounts of a list, counted by outcome.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AccountReport {
    /// The time at which the policy is evaluated.
    #[serde(serialize_with = "serialize_time")]
    pub at: Time,
    /// What was read. An account that is listed twice counts twice.
    pub accounts: AccountListSummary,
    /// The rollouts, in the order of the policy.
    pub rollouts: Vec<RolloutAccounts>,
}

/// The accounts, counted by outcome in one rollout.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RolloutAccounts {
    /// Its name.
    pub rollout: String,
    /// `off`, `dark`, `shadow`, `split` or `on`.
    pub mode: &'static str,
    /// Whether a decision for v2 is served. In the modes `dark` and `shadow` it is only recorded.
    pub serves_v2: bool,
    /// The headers that rules depend on: accounts are counted as if their requests had none of them.
    pub headers: Vec<String>,
    /// All accounts.
    pub total: AccountGroup,
    /// The accounts of each segment; an account counts in each of its segments.
    pub segments: Vec<AccountGroup>,
    /// Accounts in no segment.
    pub no_segment: AccountGroup,
    /// The accounts by the rule that applies.
    pub rules: Vec<RuleAccounts>,
}

/// A group of accounts, counted by outcome.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct AccountGroup {
    /// The segment; `None` for other groups.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub segment: Option<String>,
    /// All accounts of the group.
    pub accounts: u64,
    /// Decided for v2, with all or a part of their requests.
    pub v2: u64,
    /// Accounts with all requests on v2.
    pub v2_all: u64,
    /// Accounts with some requests on v2.
    pub v2_part: u64,
    /// A rule applies, but the account is outside its percentage of accounts.
    pub outside_accounts: u64,
    /// A rule includes the account, but none of its requests.
    pub outside_requests: u64,
    /// A rule serves v1.
    pub rule_v1: u64,
    /// No rule applies.
    pub default: u64,
    /// A rule has `regions`, and the region of the proxy is unknown.
    pub no_region: u64,
    /// The policy or the rollout is halted.
    pub halted: u64,
    /// The rollout is off.
    pub off: u64,
}

/// The accounts to which a rule applies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RuleAccounts {
    /// The number of the rule, from 1.
    pub rule: usize,
    /// The current percentage of accounts, in millionths of a percent; `None` if the rule serves v1.
    pub accounts_millionths: Option<u32>,
    /// The percentage of their requests, in millionths of a percent; `None` if the rule serves v1.
    pub requests_millionths: Option<u32>,
    /// Accounts that take v2.
    pub v2: u64,
    /// Accounts that take v1.
    pub v1: u64,
}

impl AccountReport {
    /// Counts the accounts of a list.
    ///
    /// # Errors
    /// If the input cannot be read, or does not have the column.
    pub fn of(
        plan: &Plan,
        at: Time,
        list: &ListOptions,
        input: impl Read,
    ) -> Result<Self, AccountListError> {
        let rollouts = plan.rollouts().iter();
        let mut rollouts: Vec<_> = rollouts
            .map(|rollout| RolloutAccounts::new(plan, rollout, at))
            .collect();
        let accounts = Accounts {
            options: list,
            wanted: wanted(plan.format()),
            malformed: &|found| wording::malformed(plan.format(), found, list.text),
            is_account: &|found| plan.account(found).is_some(),
            is_header: &|_| true,
        };
        let mut segments = Vec::new();
        let accounts = accounts.read(input, &mut |bytes| {
            let Some(id) = plan.account(bytes) else {
                return;
            };
            segments.clear();
            segments.extend(plan.segments_of(&id));
            let account = Account::Known(id);
            for (rollout, census) in plan.rollouts().iter().zip(&mut rollouts) {
                let standing = plan.account_outcome(rollout, &account, at);
                census.add(&standing, &segments);
            }
        })?;
        Ok(Self {
            at,
            accounts,
            rollouts,
        })
    }
}

impl RolloutAccounts {
    fn new(plan: &Plan, rollout: &Rollout, at: Time) -> Self {
        let mut headers: Vec<String> = rollout.rule_headers().map(str::to_owned).collect();
        headers.sort();
        headers.dedup();
        let group = |name: &String| AccountGroup {
            segment: Some(name.clone()),
            ..AccountGroup::default()
        };
        let rules = rollout.rule_fractions(at).enumerate();
        let rules = rules.map(|(index, fractions)| RuleAccounts {
            rule: index.saturating_add(1),
            accounts_millionths: fractions.map(|[accounts, _]| accounts.millionths()),
            requests_millionths: fractions.map(|[_, requests]| requests.millionths()),
            v2: 0,
            v1: 0,
        });
        Self {
            rollout: rollout.name.clone(),
            mode: rollout.mode.as_str(),
            serves_v2: !matches!(rollout.mode, Mode::Dark | Mode::Shadow),
            headers,
            total: AccountGroup::default(),
            segments: plan.segment_names().iter().map(group).collect(),
            no_segment: AccountGroup::default(),
            rules: rules.collect(),
        }
    }

    fn add(&mut self, standing: &AccountOutcome, segments: &[usize]) {
        self.total.add(standing);
        if segments.is_empty() {
            self.no_segment.add(standing);
        }
        for segment in segments {
            if let Some(group) = self.segments.get_mut(*segment) {
                group.add(standing);
            }
        }
        if let Some(rule) = standing.rule.and_then(|rule| self.rules.get_mut(rule)) {
            increase(match standing.requests {
                Some(_) => &mut rule.v2,
                None => &mut rule.v1,
            });
        }
    }
}

impl AccountGroup {
    fn add(&mut self, standing: &AccountOutcome) {
        increase(&mut self.accounts);
        if standing.requests.is_some() {
            increase(&mut self.v2);
        }
        increase(match (standing.requests, standing.reason) {
            (Some(Fraction::ALL), _) => &mut self.v2_all,
            (Some(_), _) => &mut self.v2_part,
            (None, Reason::OutsideAccounts) => &mut self.outside_accounts,
            (None, Reason::OutsideRequests) => &mut self.outside_requests,
            (None, Reason::Rule) => &mut self.rule_v1,
            (None, Reason::NoRegion) => &mut self.no_region,
            (None, Reason::Halted) => &mut self.halted,
            (None, Reason::Off) => &mut self.off,
            (None, _) => &mut self.default,
        });
    }
}
