//! Finds accounts in two segments that the rules of a rollout treat differently. The first rule decides them, which may
//! not be the intended one.

use std::collections::BTreeMap;

use crate::diagnostics::location::JsonPointer;
use crate::diagnostics::problem::excerpt;
use crate::diagnostics::warning_code::WarningCode;
use crate::plan::segment_lookup::SegmentSet;
use crate::plan::{Rule, Serve};

use super::partial_plan::{PartialPlan, PartialRollout};
use super::rules::{matches_segments, rule_location};
use super::segment_accounts::{AccountClass, AccountClasses};
use super::warnings::Warnings;
use super::{Budget, not_examined};

/// The most segments of one account that are compared; more would have too many pairs.
const MOST_SEGMENTS: usize = 32;

/// The most overlaps of one rollout; nobody reads more.
const MOST_OVERLAPS: usize = 10_000;

/// Two segments, in the order of the policy.
type Pair = (usize, usize);

/// The accounts that two segments share.
struct Overlap<'c> {
    count: usize,
    example: Option<&'c str>,
    /// The rule that decides these accounts.
    rule: Option<usize>,
}

pub(super) fn check(view: &PartialPlan<'_>, classes: &AccountClasses, warnings: &mut Warnings<'_>) {
    if !classes.are_complete {
        return;
    }
    let mut budget = Budget::new();
    let rollouts = JsonPointer::Root.field("rollouts");
    for rollout in view
        .rollouts
        .iter()
        .filter(|rollout| rollout.rules_are_whole)
    {
        let at = rollouts.index(rollout.index);
        let at = at.field("rules");
        let rules = SegmentRules::of(rollout);
        let Some(overlaps) = overlaps(&rules, classes, &mut budget) else {
            not_examined(warnings, "rules and segments", (rollout.span.head(), &at));
            return;
        };
        for (pair, overlap) in overlaps {
            if is_meant(&rules, classes, pair, &overlap) {
                continue;
            }
            warn(view, rollout, &rules, pair, &overlap, (&at, warnings));
        }
    }
}

/// The rules of a rollout that depend only on segments. Rules with headers or regions are left out.
struct SegmentRules<'v> {
    list: Vec<(usize, &'v Rule)>,
    /// The segments that some rule names.
    named: SegmentSet,
}

impl<'v> SegmentRules<'v> {
    fn of(rollout: &'v PartialRollout<'_>) -> Self {
        let rules = rollout.rules.iter().enumerate();
        let rules = rules.filter_map(|(index, rule)| Some((index, &rule.as_ref()?.compiled)));
        let list: Vec<_> = rules
            .filter(|(_, rule)| rule.when.headers.is_empty() && rule.when.regions.is_empty())
            .collect();
        let mut named = SegmentSet::default();
        for (_, rule) in &list {
            let within = rule.when.within.iter().flat_map(SegmentSet::iter);
            within
                .chain(rule.when.outside.iter())
                .for_each(|segment| named.insert(segment));
        }
        Self { list, named }
    }

    /// Returns the first rule that matches the accounts in exactly these segments.
    fn first_of(&self, segments: &SegmentSet) -> Option<usize> {
        let rule = self
            .list
            .iter()
            .find(|(_, rule)| matches_segments(&rule.when, segments));
        rule.map(|(index, _)| *index)
    }

    fn first_of_one(&self, segment: usize) -> Option<usize> {
        let mut set = SegmentSet::default();
        set.insert(segment);
        self.first_of(&set)
    }

    /// Returns what a rule serves; `None` for v1.
    fn serve(&self, rule: Option<usize>) -> Option<&Serve> {
        let rule = self.list.iter().find(|(index, _)| Some(*index) == rule)?;
        Some(&rule.1.serve).filter(|serve| !matches!(serve, Serve::V1))
    }

    /// Whether a rule includes one of the segments and excludes the other, so that the author considered accounts
    /// in both.
    fn distinguish(&self, (a, b): Pair) -> bool {
        self.list.iter().any(|(_, rule)| {
            let is_in = |segment| {
                rule.when
                    .within
                    .as_ref()
                    .is_some_and(|set| set.contains(segment))
            };
            let is_out = |segment| rule.when.outside.contains(segment);
            (is_in(a) && is_out(b)) || (is_in(b) && is_out(a))
        })
    }
}

/// Returns the overlaps of a rollout, or `None` if the budget is used up.
fn overlaps<'c>(
    rules: &SegmentRules<'_>,
    classes: &'c AccountClasses,
    budget: &mut Budget,
) -> Option<BTreeMap<Pair, Overlap<'c>>> {
    let mut overlaps: BTreeMap<Pair, Overlap<'c>> = BTreeMap::new();
    if rules.list.is_empty() {
        return Some(overlaps);
    }
    for class in &classes.list {
        if !budget.spend(class.segments.len()) {
            return None;
        }
        let named: Vec<usize> = named(rules, class);
        if named.len() < 2 {
            continue;
        }
        let cost = named
            .len()
            .saturating_add(1)
            .saturating_mul(rules.list.len());
        let cost = cost.saturating_mul(named.len());
        let is_affordable = budget.spend(cost.saturating_add(class.cost()));
        if !is_affordable || overlaps.len() > MOST_OVERLAPS {
            return None;
        }
        let rule = rules.first_of(&class.set());
        let firsts: Vec<(usize, Option<usize>)> = named
            .iter()
            .map(|segment| (*segment, rules.first_of_one(*segment)))
            .collect();
        for (position, (a, first_of_a)) in firsts.iter().enumerate() {
            for (b, first_of_b) in firsts.iter().skip(position.saturating_add(1)) {
                let is_harmless = rules.serve(*first_of_a) == rules.serve(*first_of_b)
                    || ![first_of_a, first_of_b].contains(&&rule)
                    || rules.distinguish((*a, *b));
                if is_harmless {
                    continue;
                }
                let overlap = overlaps.entry((*a, *b)).or_insert(Overlap {
                    count: 0,
                    example: class.example(),
                    rule,
                });
                overlap.count = overlap.count.saturating_add(class.count);
            }
        }
    }
    Some(overlaps)
}

/// Whether an overlap is intended. If one segment is a subset of another, its rule has to come first to decide
/// anything.
fn is_meant(
    rules: &SegmentRules<'_>,
    classes: &AccountClasses,
    (a, b): Pair,
    overlap: &Overlap<'_>,
) -> bool {
    let winner = match rules.first_of_one(a) == overlap.rule {
        true => a,
        false => b,
    };
    classes.sizes.get(winner) == Some(&overlap.count)
}

fn named(rules: &SegmentRules<'_>, class: &AccountClass) -> Vec<usize> {
    let segments = class.segments.iter().copied();
    let named = segments.filter(|segment| rules.named.contains(*segment));
    named.take(MOST_SEGMENTS).collect()
}

fn warn(
    view: &PartialPlan<'_>,
    rollout: &PartialRollout<'_>,
    rules: &SegmentRules<'_>,
    (a, b): Pair,
    overlap: &Overlap<'_>,
    (at, warnings): (&JsonPointer<'_>, &mut Warnings<'_>),
) {
    let firsts = [a, b].map(|segment| rules.first_of_one(segment));
    let other = firsts
        .into_iter()
        .find(|first| *first != overlap.rule)
        .flatten();
    let names = [a, b].map(|segment| {
        let name = view
            .segments
            .get(segment)
            .map(|segment| &segment.name.value);
        excerpt(name.map_or("", |name| name))
    });
    let [in_a, in_b] = &names;
    let who = match (overlap.count, overlap.example) {
        (1, Some(example)) => format!("the account `{}` is", excerpt(example)),
        (1, None) => String::from("one account is"),
        (count, Some(example)) => {
            format!("{count} accounts, such as `{}`, are", excerpt(example))
        }
        (count, None) => format!("{count} accounts are"),
    };
    let takes = |rule: Option<usize>| match rule {
        Some(rule) => format!("{} decides", at.index(rule)),
        None => "no rule decides".into(),
    };
    let would = match other {
        Some(other) => format!("not {}", at.index(other)),
        None => "although accounts of the other segment alone match no rule and take v1".into(),
    };
    let what = format!(
        "{who} in `{in_a}` and in `{in_b}`, which the rules treat differently: {}, {would}",
        takes(overlap.rule),
    );
    let [winner, loser] = [overlap.rule, other].map(|rule| rule_location(rollout, rule?, at));
    let (rule, (span, _)) = match (overlap.rule.zip(winner), other.zip(loser.clone())) {
        (Some(winner), _) => winner,
        (None, Some(loser)) => loser,
        (None, None) => return,
    };
    let related = loser.filter(|_| other != Some(rule));
    warnings.push_with(
        WarningCode::OverlappingSegments,
        (span, &at.index(rule)),
        related,
        what,
        "remove them from one segment, or add one segment to the `not_in` of the rule whose `in` has the \
         other",
    );
}
