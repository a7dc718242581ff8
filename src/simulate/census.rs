//! Counts accounts by where they stand under a policy.

use std::io::Read;

use serde::Serialize;
use turnout_core::{Account, AccountOutcome, Fraction, Mode, Plan, Reason, Rollout, Time};

use crate::accounts::{Accounts, AccountsRead, BadAccounts, ListOptions};
use crate::counts::increase;
use crate::log::as_text;
use crate::words::{self, wanted};

/// Where the accounts of a list stand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Census {
    /// When.
    #[serde(serialize_with = "as_text")]
    pub at: Time,
    /// What was read. An account that is there twice counts twice.
    pub accounts: AccountsRead,
    /// Each rollout, in the order of the policy.
    pub rollouts: Vec<RolloutCensus>,
}

/// Where the accounts stand in one rollout.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RolloutCensus {
    /// Its name.
    pub rollout: String,
    /// `off`, `dark`, `shadow`, `split` or `on`.
    pub mode: &'static str,
    /// Whether a decision for v2 is served. In the modes `dark` and `shadow` it is only recorded.
    pub serves_v2: bool,
    /// Headers that rules ask for: accounts are counted as if their requests had none of them.
    pub headers: Vec<String>,
    /// All accounts.
    pub total: Group,
    /// By segment; an account counts in each.
    pub segments: Vec<Group>,
    /// Accounts in no segment.
    pub no_segment: Group,
    /// By the rule that holds.
    pub rules: Vec<RuleCensus>,
}

/// Accounts by where they stand.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Group {
    /// The segment, in groups that are one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub segment: Option<String>,
    /// All.
    pub accounts: u64,
    /// Decided for v2, with all or a part of their requests.
    pub v2: u64,
    /// Of those, with all.
    pub v2_all: u64,
    /// Of those, with a part.
    pub v2_part: u64,
    /// A rule holds, but not for this part of the accounts.
    pub outside_accounts: u64,
    /// A rule takes the account, but none of its requests.
    pub outside_requests: u64,
    /// A rule serves them v1.
    pub rule_v1: u64,
    /// No rule holds.
    pub default: u64,
    /// A rule names regions, and it is unknown in which the proxy is.
    pub no_region: u64,
    /// The policy is halted.
    pub halted: u64,
    /// The rollout is off.
    pub off: u64,
}

/// Accounts for which a rule holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RuleCensus {
    /// From 1.
    pub rule: usize,
    /// Percentage of accounts in force, in millionths of a percent; `None` where the rule serves v1.
    pub accounts_millionths: Option<u32>,
    /// Percentage of their requests, in millionths of a percent; `None` where the rule serves v1.
    pub requests_millionths: Option<u32>,
    /// Accounts that take v2.
    pub v2: u64,
    /// Accounts that take v1.
    pub v1: u64,
}

impl Census {
    /// Counts the accounts of a list.
    ///
    /// # Errors
    /// When the input fails, or has no such column.
    pub fn of(
        plan: &Plan,
        at: Time,
        list: &ListOptions,
        input: impl Read,
    ) -> Result<Self, BadAccounts> {
        let rollouts = plan.rollouts().iter();
        let mut rollouts: Vec<_> = rollouts
            .map(|rollout| RolloutCensus::new(plan, rollout, at))
            .collect();
        let accounts = Accounts {
            options: list,
            wanted: wanted(plan.format()),
            malformed: &|found| words::malformed(plan.format(), found, list.text),
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

impl RolloutCensus {
    fn new(plan: &Plan, rollout: &Rollout, at: Time) -> Self {
        let mut headers: Vec<String> = rollout.rule_headers().map(str::to_owned).collect();
        headers.sort();
        headers.dedup();
        let group = |name: &String| Group {
            segment: Some(name.clone()),
            ..Group::default()
        };
        let rules = rollout.rule_fractions(at).enumerate();
        let rules = rules.map(|(index, fractions)| RuleCensus {
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
            total: Group::default(),
            segments: plan.segment_names().iter().map(group).collect(),
            no_segment: Group::default(),
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

impl Group {
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
