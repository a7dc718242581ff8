//! The status of a rollout: its mode, and how many accounts take v2, by segment.

use std::collections::BTreeMap;
use std::sync::Arc;

use turnout_core::guard::GuardAction;
use turnout_core::{Account, Fraction, Mode, Plan, Rollout, Time, Unsegmented};

/// The largest number of accounts to bucket one by one, over all rollouts. Beyond that, the counts of segments
/// are left out.
const MAX_BUCKETED_ACCOUNTS: usize = 20_000_000;

/// The status of a rollout at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RolloutStatus {
    /// The mode of the rollout.
    pub mode: Mode,
    /// Whether the policy or the rollout is halted: everyone takes v1.
    pub is_halted: bool,
    /// What its guard does when v2 is worse; `None` if it has no guard.
    pub guard: Option<GuardAction>,
    /// The outcome for accounts in no segment. In the modes `dark` and `shadow` it is only recorded.
    pub unsegmented: Unsegmented,
    /// The segments, in the order of the policy.
    pub segments: Vec<SegmentStatus>,
    /// The clusters of v1 and v2.
    pub clusters: [String; 2],
}

/// The accounts of a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentStatus {
    /// The name of the segment.
    pub name: String,
    /// How many accounts have requests that are decided for v2, or `None` if there are too many to count. In
    /// the modes `dark` and `shadow`, the decision is only recorded.
    pub on_v2: Option<u64>,
    /// How many accounts it has.
    pub accounts: u64,
}

/// A policy with the accounts of its segments, grouped by the set of segments that they are in. The same rule
/// applies to all accounts of a group.
#[derive(Debug)]
pub(crate) struct CountedPolicy {
    plan: Arc<Plan>,
    groups: BTreeMap<Vec<usize>, Vec<Vec<u8>>>,
    sizes: Vec<u64>,
    /// The last result, and the percentages that it is for.
    counted: Option<(Percentages, Vec<(String, RolloutStatus)>)>,
}

/// The percentages of accounts and of requests of each rule, in millionths.
type Percentages = Vec<[u32; 2]>;

impl CountedPolicy {
    pub(crate) fn new(plan: Arc<Plan>) -> Self {
        let mut groups: BTreeMap<Vec<usize>, Vec<Vec<u8>>> = BTreeMap::new();
        let mut sizes = Vec::new();
        for segment in 0..plan.segment_names().len() {
            let mut size = 0_u64;
            for account in plan.accounts_of_segment(segment) {
                size = size.saturating_add(1);
                let Some(id) = plan.account(&account) else {
                    continue;
                };
                let within: Vec<usize> = plan.segments_of(&id).collect();
                // Each account is added once, with the first of its segments.
                if within.first() == Some(&segment) {
                    groups.entry(within).or_default().push(account);
                }
            }
            sizes.push(size);
        }
        Self {
            plan,
            groups,
            sizes,
            counted: None,
        }
    }

    pub(crate) fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// Returns the status of each rollout. Accounts are counted again only when a ramp has changed a percentage.
    pub(crate) fn statuses(&mut self, at: Time) -> &[(String, RolloutStatus)] {
        let percentages: Percentages = self
            .plan
            .rollouts()
            .iter()
            .flat_map(|rollout| rollout.rule_fractions(at))
            .map(|fractions| fractions.map_or([0, 0], |both| both.map(|one| one.millionths())))
            .collect();
        let is_counted = |(of, _): &(Percentages, _)| *of == percentages;
        if !self.counted.as_ref().is_some_and(is_counted) {
            let mut left = MAX_BUCKETED_ACCOUNTS;
            let rollouts = self.plan.rollouts().iter();
            let statuses = rollouts.map(|rollout| {
                let status = self.status(rollout, at, &mut left);
                (rollout.name.clone(), status)
            });
            self.counted = Some((percentages, statuses.collect()));
        }
        self.counted.as_ref().map_or(&[], |(_, statuses)| statuses)
    }

    fn status(&self, rollout: &Rollout, at: Time, left: &mut usize) -> RolloutStatus {
        let mut on_v2: Vec<Option<u64>> = vec![Some(0); self.sizes.len()];
        for (within, accounts) in &self.groups {
            let counted = self.on_v2(rollout, accounts, at, left);
            for segment in within {
                if let Some(sum) = on_v2.get_mut(*segment) {
                    *sum = sum.zip(counted).map(|(sum, more)| sum.saturating_add(more));
                }
            }
        }
        let names = self.plan.segment_names().iter();
        let segments = names.zip(&self.sizes).zip(on_v2);
        RolloutStatus {
            mode: rollout.mode,
            is_halted: rollout.is_halted(),
            guard: rollout.guard.as_ref().map(|guard| guard.settings.action),
            unsegmented: self.plan.unsegmented(rollout, at),
            segments: segments
                .map(|((name, accounts), on_v2)| SegmentStatus {
                    name: name.clone(),
                    on_v2,
                    accounts: *accounts,
                })
                .collect(),
            clusters: [rollout.v1.clone(), rollout.v2.clone()],
        }
    }

    /// Counts the accounts of a group that take v2.
    fn on_v2(
        &self,
        rollout: &Rollout,
        accounts: &[Vec<u8>],
        at: Time,
        left: &mut usize,
    ) -> Option<u64> {
        let all = u64::try_from(accounts.len()).ok()?;
        let first = self.is_on_v2(rollout, accounts.first()?, at)?;
        let first_account = self.plan.account(accounts.first()?)?;
        let status = self
            .plan
            .account_outcome(rollout, &Account::Known(first_account), at);
        let fractions = status
            .rule
            .and_then(|rule| rollout.rule_fractions(at).nth(rule));
        // Unless a percentage splits the group, every account has the same outcome as the first one.
        let splits = |fraction: &Fraction| ![Fraction::NONE, Fraction::ALL].contains(fraction);
        let splits = fractions
            .flatten()
            .is_some_and(|[accounts, _]| splits(&accounts));
        if !splits {
            *left = left.checked_sub(1)?;
            return Some(if first { all } else { 0 });
        }
        *left = left.checked_sub(accounts.len())?;
        let on_v2 = accounts
            .iter()
            .filter(|account| self.is_on_v2(rollout, account, at) == Some(true));
        u64::try_from(on_v2.count()).ok()
    }

    fn is_on_v2(&self, rollout: &Rollout, account: &[u8], at: Time) -> Option<bool> {
        let account = self.plan.account(account)?;
        let status = self
            .plan
            .account_outcome(rollout, &Account::Known(account), at);
        Some(status.requests.is_some())
    }
}

impl RolloutStatus {
    /// Returns the percentage of accounts in no segment that v2 serves.
    #[must_use]
    pub fn served(&self) -> Fraction {
        match self.is_recorded_only() {
            true => Fraction::NONE,
            false => self.unsegmented.accounts,
        }
    }

    /// Whether decisions are only recorded, because the mode is `dark` or `shadow`, and v1 serves all requests.
    #[must_use]
    pub fn is_recorded_only(&self) -> bool {
        matches!(self.mode, Mode::Dark | Mode::Shadow)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(mode: &str, rules: &str) -> CountedPolicy {
        let sids = |numbers: std::ops::Range<u32>| {
            let sids: Vec<_> = numbers.map(|n| format!("\"AC{n:032x}\"")).collect();
            sids.join(",")
        };
        let policy = format!(
            r#"{{ "version": 1, "account": {{ "from": [ {{ "header": "x-account-sid" }} ], "format": "sid" }},
                "segments": {{ "hvc": {{ "accounts": [{}] }}, "big": {{ "accounts": [{}] }} }},
                "rollouts": [ {{ "name": "r", "v1": "a", "v2": "b", "mode": "{mode}", "rules": {rules} }} ] }}"#,
            sids(0..10),
            sids(5..1005),
        );
        CountedPolicy::new(Plan::from_json(&policy).unwrap().into())
    }

    fn counts(mode: &str, rules: &str) -> Vec<u64> {
        let mut listed = listed(mode, rules);
        let statuses = listed.statuses(Time::from_seconds(0));
        let segments = statuses[0].1.segments.iter();
        segments.map(|segment| segment.on_v2.unwrap()).collect()
    }

    #[test]
    fn accounts_are_counted_in_each_of_their_segments() {
        assert_eq!(
            counts("split", r#"[{ "when": { "in": ["hvc"] } }]"#),
            [10, 5]
        );
        assert_eq!(
            counts("split", r#"[{ "when": { "not_in": ["hvc"] } }]"#),
            [0, 995]
        );
        assert_eq!(counts("on", "[]"), [10, 1000]);
        assert_eq!(counts("off", r#"[{ }]"#), [0, 0]);
        let drawn = counts(
            "split",
            r#"[{ "when": { "in": ["big"] }, "accounts": 30 }]"#,
        );
        assert!((250..350).contains(&drawn[1]), "{drawn:?}");
    }

    /// Counts the accounts one by one, which the groups make unnecessary.
    #[test]
    fn groups_count_what_each_account_gets() {
        let rules =
            r#"[{ "when": { "in": ["hvc"] }, "accounts": 40 }, { "accounts": 60, "requests": 5 }]"#;
        let listed = listed("split", rules);
        let (plan, at) = (listed.plan(), Time::from_seconds(0));
        for (segment, counted) in counts("split", rules).into_iter().enumerate() {
            let one_by_one = plan.accounts_of_segment(segment).filter(|account| {
                let account = Account::Known(plan.account(account).unwrap());
                plan.account_outcome(&plan.rollouts()[0], &account, at)
                    .requests
                    .is_some()
            });
            assert_eq!(one_by_one.count() as u64, counted);
        }
    }

    #[test]
    fn a_rollout_that_is_halted_alone_has_nobody_on_v2() {
        let rollout = |name: &str, rest: &str| {
            format!(
                r#"{{ "name": "{name}", "v1": "a", "v2": "b", "mode": "on", "match": {{ "path": {{ "exact": "/{name}" }} }}{rest} }}"#
            )
        };
        let policy = format!(
            r#"{{ "version": 1, "account": {{ "from": [ {{ "header": "a" }} ], "format": "opaque" }},
                "segments": {{ "s": {{ "accounts": ["1", "2"] }} }}, "rollouts": [{}, {}] }}"#,
            rollout("halted", r#", "halted": true"#),
            rollout("going", ""),
        );
        let mut listed = CountedPolicy::new(Plan::from_json(&policy).unwrap().into());
        let statuses = listed.statuses(Time::from_seconds(0)).iter();
        let found: Vec<_> = statuses
            .map(|(name, status)| (name.as_str(), status.is_halted, status.segments[0].on_v2))
            .collect();
        assert_eq!(
            found,
            [("halted", true, Some(0)), ("going", false, Some(2))]
        );
    }

    #[test]
    fn a_ramp_step_recounts_the_accounts() {
        let ramp = r#"[{ "accounts": [{ "from": "1970-01-01T00:00:10Z", "percent": 100 }] }]"#;
        let mut listed = listed("split", ramp);
        let mut at = |seconds| {
            let statuses = listed.statuses(Time::from_seconds(seconds));
            statuses[0].1.segments[0].on_v2
        };
        assert_eq!([at(9), at(10), at(9)], [Some(0), Some(10), Some(0)]);
    }
}
