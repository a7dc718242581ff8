//! Lists the differences between a rollout in two revisions of a policy.

use crate::plan::request_match::When;
use crate::plan::{Plan, Rollout, Rule, Serve};

use super::guard::{describe_guard, list_guard_changes};
use super::wording::{
    describe_match, describe_ramp, describe_rule, describe_serve, describe_when, percent,
    sorted_names,
};

const HALTED: &str = "halted: its requests get v1";

/// Describes a rollout that the older policy does not have.
pub(super) fn describe_new(plan: &Plan, rollout: &Rollout) -> Vec<String> {
    let mut differences = vec![
        format!("new, mode {}", rollout.mode.as_str()),
        format!("v1 {}, v2 {}", rollout.v1, rollout.v2),
        format!("match {}", describe_match(&rollout.matches)),
    ];
    if rollout.halts_itself {
        differences.push(HALTED.to_owned());
    }
    let rules = rollout.rules.iter().zip(1_usize..);
    differences
        .extend(rules.map(|(rule, number)| format!("rule {number} {}", describe_rule(plan, rule))));
    differences.extend(rollout.guard.as_ref().map(describe_guard));
    differences
}

/// Lists the differences between a rollout in the older and in the newer policy.
pub(super) fn list_differences(
    (old, before): (&Plan, &Rollout),
    (new, after): (&Plan, &Rollout),
) -> Vec<String> {
    let mut differences = Vec::new();
    if before.mode != after.mode {
        differences.push(format!(
            "mode {} → {}",
            before.mode.as_str(),
            after.mode.as_str()
        ));
    }
    match (before.halts_itself, after.halts_itself) {
        (false, true) => differences.push(HALTED.to_owned()),
        (true, false) => differences.push("no longer halted".to_owned()),
        _ => {}
    }
    for (name, before, after) in [("v1", &before.v1, &after.v1), ("v2", &before.v2, &after.v2)] {
        if before != after {
            differences.push(format!("{name} {before} → {after}"));
        }
    }
    if !before.same_match(after) {
        let [before, after] = [before, after].map(|rollout| describe_match(&rollout.matches));
        differences.push(format!("match {before} → {after}"));
    }
    list_rule_changes((old, &before.rules), (new, &after.rules), &mut differences);
    list_guard_changes(
        before.guard.as_ref(),
        after.guard.as_ref(),
        &mut differences,
    );
    differences
}

/// Adds the differences between two lists of rules. Equal rules at the beginning and at the end are skipped.
fn list_rule_changes(
    (old, before): (&Plan, &[Rule]),
    (new, after): (&Plan, &[Rule]),
    differences: &mut Vec<String>,
) {
    let is_same =
        |(a, b): &(&Rule, &Rule)| is_same_when(old, &a.when, new, &b.when) && a.serve == b.serve;
    let same = before.iter().zip(after).take_while(is_same).count();
    let shorter = before.len().min(after.len()).saturating_sub(same);
    let backwards = before.iter().rev().zip(after.iter().rev());
    let same_end = backwards.take(shorter).take_while(is_same).count();
    let middle = |rules: &[Rule]| same..rules.len().saturating_sub(same_end);
    let (of_before, of_after) = (middle(before), middle(after));
    let numbered =
        |range: &std::ops::Range<usize>| range.clone().map(|index| index.saturating_add(1));
    let olds = before.get(of_before.clone()).unwrap_or_default();
    let news = after.get(of_after.clone()).unwrap_or_default();
    if olds.len() == news.len() {
        for ((a, b), number) in olds.iter().zip(news).zip(numbered(&of_after)) {
            let in_rule = list_rule_differences((old, a), (new, b));
            if !in_rule.is_empty() {
                differences.push(format!("rule {number} {}", in_rule.join(", ")));
            }
        }
        return;
    }
    let count = |rules: &[Rule]| match rules.len() {
        1 => "1 rule".to_owned(),
        count => format!("{count} rules"),
    };
    differences.push(format!("{} → {}", count(before), count(after)));
    for (rule, number) in olds.iter().zip(numbered(&of_before)) {
        differences.push(format!(
            "removed rule {number}: {}",
            describe_rule(old, rule)
        ));
    }
    for (rule, number) in news.iter().zip(numbered(&of_after)) {
        differences.push(format!("new rule {number}: {}", describe_rule(new, rule)));
    }
}

fn list_rule_differences((old, a): (&Plan, &Rule), (new, b): (&Plan, &Rule)) -> Vec<String> {
    let mut differences = Vec::new();
    if !is_same_when(old, &a.when, new, &b.when) {
        let [before, after] =
            [(old, a), (new, b)].map(|(plan, rule)| describe_when(plan, &rule.when));
        differences.push(format!("when {before} → {after}"));
    }
    match (&a.serve, &b.serve) {
        (
            Serve::V2 { accounts, requests },
            Serve::V2 {
                accounts: new_accounts,
                requests: new_requests,
            },
        ) => {
            if accounts != new_accounts {
                let [before, after] = [accounts, new_accounts].map(describe_ramp);
                differences.push(format!("accounts {before} → {after}"));
            }
            if requests != new_requests {
                differences.push(format!(
                    "requests {} → {}",
                    percent(*requests),
                    percent(*new_requests)
                ));
            }
        }
        (before, after) if before != after => {
            differences.push(format!(
                "{} → {}",
                describe_serve(before),
                describe_serve(after)
            ));
        }
        _ => {}
    }
    differences
}

/// Whether two conditions are equal. Segments are compared by name, because each policy numbers its own.
pub(crate) fn is_same_when(old: &Plan, a: &When, new: &Plan, b: &When) -> bool {
    let within = |plan, when: &When| {
        when.within
            .as_ref()
            .map(|within| sorted_names(plan, within))
    };
    within(old, a) == within(new, b)
        && sorted_names(old, &a.outside) == sorted_names(new, &b.outside)
        && a.headers == b.headers
        && a.regions == b.regions
}
