//! Lists the differences between two policies, in words.
//!
//! This compares the policies themselves. `turnout plan` counts the accounts that a change moves.

mod guard;
pub(crate) mod rollout;
mod wording;

use std::collections::{BTreeMap, BTreeSet};

use crate::plan::{Plan, Rollout};

/// The differences in one part of a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanChange {
    /// The part.
    pub part: ChangedPart,
    /// The differences, one phrase each: `rule 3 accounts 5 % → 10 %`.
    pub differences: Vec<String>,
}

/// A part of a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChangedPart {
    /// The policy as a whole.
    Policy,
    /// The segment with this name.
    Segment(String),
    /// The rollout with this name.
    Rollout(String),
}

impl Plan {
    /// Lists the differences from an older policy: those of the policy as a whole, then of segments, then of
    /// rollouts, in the order of the newer policy. Segments and rollouts are matched by name. Without an older
    /// policy, all of them are new.
    #[must_use]
    pub fn changes_since(&self, old: Option<&Self>) -> Vec<PlanChange> {
        let mut changes = vec![PlanChange {
            part: ChangedPart::Policy,
            differences: policy_differences(old, self),
        }];
        changes.extend(segment_changes(old, self));
        changes.extend(rollout_changes(old, self));
        changes.retain(|change| !change.differences.is_empty());
        changes
    }
}

/// Lists the differences outside of segments and rollouts.
fn policy_differences(old: Option<&Plan>, new: &Plan) -> Vec<String> {
    let mut differences = Vec::new();
    match (old.is_some_and(Plan::is_halted), new.halted) {
        (false, true) => differences.push("halted: everyone gets v1".into()),
        (true, false) => differences.push("no longer halted".into()),
        _ => {}
    }
    let Some(old) = old else {
        return differences;
    };
    if old.format() != new.format() {
        differences.push("`account.format` changed".into());
    }
    if !old.same_account_sources(new) {
        differences.push("`account.from` changed".into());
    }
    if old.collector != new.collector {
        differences.push(describe_change(
            "collector",
            old.collector.as_deref(),
            new.collector.as_deref(),
        ));
    }
    let order = |plan: &Plan, other: &Plan| -> Vec<String> {
        let known: BTreeSet<&str> = rollout_names(other).collect();
        let common = rollout_names(plan).filter(|name| known.contains(name));
        common.map(str::to_owned).collect()
    };
    let new_order = order(new, old);
    if order(old, new) != new_order {
        differences.push(format!("new order of rollouts: {}", new_order.join(", ")));
    }
    differences
}

fn rollout_names(plan: &Plan) -> impl Iterator<Item = &str> {
    plan.rollouts.iter().map(|rollout| rollout.name.as_str())
}

fn segment_changes(old: Option<&Plan>, new: &Plan) -> Vec<PlanChange> {
    let accounts = |plan: &Plan, name: &String| -> Option<BTreeSet<Vec<u8>>> {
        let segment = plan.segment_names.iter().position(|known| known == name)?;
        Some(plan.accounts_of_segment(segment).collect())
    };
    let removed = old.iter().flat_map(|old| &old.segment_names);
    let removed = removed.filter(|name| !new.segment_names.contains(name));
    let all = new.segment_names.iter().chain(removed);
    let change = |name: &String| {
        let difference = match (old.and_then(|old| accounts(old, name)), accounts(new, name)) {
            (None, Some(new)) => format!("new, {}", count_accounts(new.len())),
            (Some(old), None) => format!("removed, {}", count_accounts(old.len())),
            (Some(old), Some(new)) if old != new => format!(
                "{} → {} accounts ({} added, {} removed)",
                old.len(),
                new.len(),
                new.difference(&old).count(),
                old.difference(&new).count()
            ),
            _ => return None,
        };
        Some(PlanChange {
            part: ChangedPart::Segment(name.clone()),
            differences: vec![difference],
        })
    };
    all.filter_map(change).collect()
}

fn count_accounts(accounts: usize) -> String {
    match accounts {
        1 => "1 account".into(),
        accounts => format!("{accounts} accounts"),
    }
}

fn rollout_changes(old: Option<&Plan>, new: &Plan) -> Vec<PlanChange> {
    let pairs = old.iter().flat_map(|old| {
        let rollouts = old.rollouts.iter();
        rollouts.map(|rollout| (rollout.name.as_str(), (*old, rollout)))
    });
    let by_name: BTreeMap<&str, (&Plan, &Rollout)> = pairs.collect();
    let known: BTreeSet<&str> = rollout_names(new).collect();
    let change = |name: &str, differences| PlanChange {
        part: ChangedPart::Rollout(name.to_owned()),
        differences,
    };
    let kept = new.rollouts.iter().map(|rollout| {
        let differences = match by_name.get(rollout.name.as_str()) {
            Some(before) => rollout::list_differences(*before, (new, rollout)),
            None => rollout::describe_new(new, rollout),
        };
        change(&rollout.name, differences)
    });
    let removed = old.iter().flat_map(|old| &old.rollouts);
    let removed = removed.filter(|rollout| !known.contains(rollout.name.as_str()));
    let removed = removed.map(|rollout| {
        let difference = format!("removed, its mode was {}", rollout.mode.as_str());
        change(&rollout.name, vec![difference])
    });
    kept.chain(removed).collect()
}

fn describe_change(name: &str, old: Option<&str>, new: Option<&str>) -> String {
    let [old, new] = [old, new].map(|value| value.unwrap_or("none"));
    format!("{name} {old} → {new}")
}

#[cfg(test)]
mod tests;
