//! Finds unreachable rules.
//!
//! The check is exact for account classes: a rule is reachable if a class matches it and no earlier rule.
//! Conditions on headers and regions are only compared by whether one implies the other.

use std::collections::BTreeSet;

use crate::diagnostics::location::{JsonPointer, Span};
use crate::diagnostics::problem::excerpt;
use crate::diagnostics::warning_code::WarningCode;
use crate::plan::request_match::{HeaderMatch, HeaderTest, When};
use crate::plan::segment_lookup::SegmentSet;

use super::partial_plan::{PartialPlan, PartialRollout, PartialRule};
use super::segment_accounts::AccountClasses;
use super::warnings::Warnings;
use super::{Budget, NAMED, listed, not_examined};

/// The result of the check for one rule.
#[derive(Clone, Default)]
struct RuleCoverage {
    /// Whether some account matches the rule, without regard to earlier rules.
    holds: bool,
    /// Whether some account reaches the rule.
    is_reached: bool,
    /// The earlier rules that take accounts of this rule.
    takers: BTreeSet<usize>,
    /// The earlier rules that take all of its accounts alone; `None` before the first account.
    sole: Option<Vec<usize>>,
}

pub(super) fn check(view: &PartialPlan<'_>, classes: &AccountClasses, warnings: &mut Warnings<'_>) {
    let mut budget = Budget::new();
    let rollouts = JsonPointer::Root.field("rollouts");
    for rollout in &view.rollouts {
        let at = rollouts.index(rollout.index);
        let at = at.field("rules");
        let reaches = match classes.are_complete {
            true => by_class(rollout, classes, &mut budget),
            false => by_conditions(rollout, &mut budget),
        };
        let Some(reaches) = reaches else {
            not_examined(warnings, "rules and segments", (rollout.span.head(), &at));
            return;
        };
        for (index, (rule, reach)) in rollout.rules.iter().zip(reaches).enumerate() {
            if let Some(rule) = rule.as_ref().filter(|_| !reach.is_reached) {
                unreachable(view, rollout, rule, &reach, &at, (index, warnings));
            }
        }
    }
}

/// Checks the rules with every account class; `None` if the budget is used up.
fn by_class(
    rollout: &PartialRollout<'_>,
    classes: &AccountClasses,
    budget: &mut Budget,
) -> Option<Vec<RuleCoverage>> {
    let mut reaches = vec![RuleCoverage::default(); rollout.rules.len()];
    if rollout.rules.is_empty() {
        return Some(reaches);
    }
    for class in &classes.list {
        if !budget.spend(class.cost()) {
            return None;
        }
        let set = class.set();
        // The earlier rules that match this class.
        let mut earlier: Vec<(usize, &When)> = Vec::new();
        for (index, (rule, reach)) in rollout.rules.iter().zip(&mut reaches).enumerate() {
            if !budget.spend(1) {
                return None;
            }
            let Some(when) = rule.as_ref().map(|rule| &rule.compiled.when) else {
                continue;
            };
            if !matches_segments(when, &set) {
                continue;
            }
            reach.holds = true;
            if !budget.spend(earlier.len()) {
                return None;
            }
            let takers = earlier.iter().filter(|(_, earlier)| implies(when, earlier));
            let takers: Vec<usize> = takers.map(|(taker, _)| *taker).collect();
            match takers.first() {
                Some(taker) if reach.takers.len() <= NAMED => {
                    reach.takers.insert(*taker);
                }
                Some(_) => {}
                None => reach.is_reached = true,
            }
            match &mut reach.sole {
                Some(sole) => sole.retain(|taker| takers.binary_search(taker).is_ok()),
                None => reach.sole = Some(takers),
            }
            earlier.push((index, when));
        }
    }
    // The caller skips rules that cannot be read.
    Some(reaches)
}

/// Checks the rules by their conditions alone, if not all accounts are known: a rule is unreachable if an earlier
/// rule has a weaker condition.
fn by_conditions(rollout: &PartialRollout<'_>, budget: &mut Budget) -> Option<Vec<RuleCoverage>> {
    let mut earlier: Vec<(usize, &When)> = Vec::new();
    let mut reaches = Vec::with_capacity(rollout.rules.len());
    for (index, rule) in rollout.rules.iter().enumerate() {
        let mut reach = RuleCoverage {
            holds: true,
            is_reached: true,
            ..RuleCoverage::default()
        };
        if let Some(when) = rule.as_ref().map(|rule| &rule.compiled.when) {
            if !budget.spend(earlier.len()) {
                return None;
            }
            let mut takers = earlier.iter();
            let taker =
                takers.find(|(_, earlier)| is_narrower(when, earlier) && implies(when, earlier));
            if let Some((taker, _)) = taker {
                reach.is_reached = false;
                reach.takers.insert(*taker);
            }
            earlier.push((index, when));
        }
        reaches.push(reach);
    }
    Some(reaches)
}

/// Whether a condition matches accounts in exactly these segments.
pub(super) fn matches_segments(when: &When, segments: &SegmentSet) -> bool {
    let within = when.within.as_ref();
    within.is_none_or(|within| within.intersects(segments)) && !when.outside.intersects(segments)
}

/// Whether `wide` matches every set of segments that `narrow` matches.
fn is_narrower(narrow: &When, wide: &When) -> bool {
    let within = match (&narrow.within, &wide.within) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(narrow), Some(wide)) => narrow.iter().all(|segment| wide.contains(segment)),
    };
    within
        && wide
            .outside
            .iter()
            .all(|segment| narrow.outside.contains(segment))
}

/// Whether the headers and regions of one condition imply those of another.
fn implies(when: &When, other: &When) -> bool {
    let is_here = |region| other.regions.contains(region);
    let regions =
        other.regions.is_empty() || (!when.regions.is_empty() && when.regions.iter().all(is_here));
    regions && headers_imply(&when.headers, &other.headers)
}

/// Whether a request that matches all of `headers` matches all of `others`.
pub(super) fn headers_imply(headers: &[HeaderMatch], others: &[HeaderMatch]) -> bool {
    others.iter().all(|other| {
        let mut headers = headers.iter();
        headers.any(|header| header.name == other.name && test_implies(&header.test, &other.test))
    })
}

fn test_implies(test: &HeaderTest, other: &HeaderTest) -> bool {
    use HeaderTest::{Exact, Prefix, Present};
    match (test, other) {
        (Exact(a), Exact(b)) => a == b,
        (Exact(a) | Prefix(a), Prefix(b)) => a.starts_with(b),
        (Exact(_) | Prefix(_), Present(present)) => *present,
        (Present(a), Present(b)) => a == b,
        (Present(a), Prefix(b)) => *a && b.is_empty(),
        (Prefix(_) | Present(_), Exact(_)) => false,
    }
}

fn unreachable(
    view: &PartialPlan<'_>,
    rollout: &PartialRollout<'_>,
    rule: &PartialRule,
    reach: &RuleCoverage,
    at: &JsonPointer<'_>,
    (index, warnings): (usize, &mut Warnings<'_>),
) {
    let place = (rule.span, &at.index(index));
    let code = WarningCode::UnreachableRule;
    if !reach.holds {
        let (what, instead) = holds_for_none(view, &rule.compiled.when);
        warnings.push(code, place, what, instead);
        return;
    }
    let sole = reach.sole.iter().flatten().next().copied();
    let takers = sole.map_or_else(|| reach.takers.clone(), |sole| BTreeSet::from([sole]));
    let first = takers.first().copied();
    let takers: Vec<String> = takers
        .iter()
        .map(|taker| at.index(*taker).to_string())
        .collect();
    let first = first.and_then(|first| rollout.rules.get(first)?.as_ref());
    let related = first
        .zip(takers.first())
        .map(|(rule, pointer)| (rule.span, pointer.clone()));
    let (what, instead) = match takers.as_slice() {
        [taker] => (
            format!("unreachable rule: {taker} already matches everything it matches"),
            format!("move it before {taker}, or remove it"),
        ),
        several => (
            format!(
                "unreachable rule: {} together already match everything it matches",
                listed(several, "and")
            ),
            "move it before them, or remove it".into(),
        ),
    };
    warnings.push_with(code, place, related, what, instead);
}

fn holds_for_none(view: &PartialPlan<'_>, when: &When) -> (String, String) {
    let names = |segments: &[usize], conjunction| {
        let segments = segments
            .iter()
            .filter_map(|segment| view.segments.get(*segment));
        let names: Vec<String> = segments
            .map(|segment| format!("`{}`", excerpt(&segment.name.value)))
            .collect();
        listed(&names, conjunction)
    };
    let within: Vec<usize> = when.within.iter().flat_map(SegmentSet::iter).collect();
    let outside: Vec<usize> = when.outside.iter().collect();
    let is_empty = |segment: &usize| {
        let segment = view.segments.get(*segment);
        segment.is_some_and(super::partial_plan::PartialSegment::is_empty)
    };
    if within.iter().all(|segment| when.outside.contains(*segment)) {
        return (
            format!(
                "this rule matches no account: `not_in` excludes every segment of `in`, {}",
                names(&within, "and")
            ),
            "remove a segment from `not_in`, or remove the rule".into(),
        );
    }
    if within.iter().all(is_empty) {
        let has = if within.len() == 1 { "has" } else { "have" };
        return (
            format!(
                "this rule matches no account: {} {has} no accounts",
                names(&within, "and")
            ),
            "add the accounts, or remove the rule".into(),
        );
    }
    (
        format!(
            "this rule matches no account: every account in {} is also in {}, which `not_in` excludes",
            names(&within, "or"),
            names(&outside, "or"),
        ),
        "remove a segment from `not_in`, or remove the rule".into(),
    )
}

/// Returns the location of a rule, for warnings that refer to it.
pub(super) fn rule_location(
    rollout: &PartialRollout<'_>,
    rule: usize,
    at: &JsonPointer<'_>,
) -> Option<(Span, String)> {
    let span = rollout.rules.get(rule)?.as_ref()?.span;
    Some((span, at.index(rule).to_string()))
}
