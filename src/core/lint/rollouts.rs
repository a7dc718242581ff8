//! Finds unreachable rollouts, rollouts whose clusters are the same, and halts.

use crate::diagnostics::location::JsonPointer;
use crate::diagnostics::problem::excerpt;
use crate::diagnostics::warning_code::WarningCode;
use crate::plan::request_match::RequestMatch;

use super::partial_plan::{PartialPlan, PartialRollout};
use super::rules::headers_imply;
use super::warnings::Warnings;
use super::{Budget, not_examined};

pub(super) fn check(view: &PartialPlan<'_>, warnings: &mut Warnings<'_>) {
    if let Some(span) = view.halted {
        warnings.push(
            WarningCode::Halted,
            (span, &JsonPointer::Root.field("halted")),
            "the policy is halted: every request of every rollout takes v1",
            "write false to end the halt",
        );
    }
    let rollouts = JsonPointer::Root.field("rollouts");
    for rollout in &view.rollouts {
        let at = rollouts.index(rollout.index);
        if let Some(span) = rollout.halted {
            warnings.push(
                WarningCode::Halted,
                (span, &at.field("halted")),
                "the rollout is halted: every request of it takes v1",
                "write false to end the halt",
            );
        }
        same_cluster(rollout, &at, warnings);
    }
    unreachable(view, warnings);
}

fn same_cluster(rollout: &PartialRollout<'_>, at: &JsonPointer<'_>, warnings: &mut Warnings<'_>) {
    let [Some(v1), Some(v2)] = &rollout.clusters else {
        return;
    };
    if v1.value == v2.value {
        warnings.push_with(
            WarningCode::SameCluster,
            (v2.span, &at.field("v2")),
            Some((v1.span, at.field("v1").to_string())),
            format!("v1 and v2 are the same cluster, `{}`", excerpt(&v2.value)),
            "write the cluster of v2",
        );
    }
}

fn unreachable(view: &PartialPlan<'_>, warnings: &mut Warnings<'_>) {
    let mut budget = Budget::new();
    let at = JsonPointer::Root.field("rollouts");
    for (position, rollout) in view.rollouts.iter().enumerate() {
        let place = match &rollout.name {
            Some(name) => name.span,
            None => rollout.span.head(),
        };
        let Some(matches) = &rollout.matches else {
            continue;
        };
        let mut earlier = view.rollouts.iter().take(position);
        let taker = loop {
            let Some(earlier) = earlier.next() else {
                break None;
            };
            let wide = earlier.matches.as_ref();
            let cost = wide.map_or(1, |wide| cost(wide, matches));
            if !budget.spend(cost) {
                not_examined(warnings, "rollouts", (place, &at.index(rollout.index)));
                return;
            }
            if wide.is_some_and(|wide| covers(wide, matches)) {
                break Some(earlier);
            }
        };
        if let Some(taker) = taker {
            let taker_at = at.index(taker.index).to_string();
            let span = taker
                .name
                .as_ref()
                .map_or(taker.span.head(), |name| name.span);
            warnings.push_with(
                WarningCode::UnreachableRollout,
                (place, &at.index(rollout.index)),
                Some((span, taker_at.clone())),
                format!("unreachable rollout: {taker_at} already matches everything it matches"),
                format!("move it before {taker_at}, or narrow the match of {taker_at}"),
            );
        }
    }
}

pub(super) fn cost(wide: &RequestMatch, narrow: &RequestMatch) -> usize {
    let product = |a: usize, b: usize| a.saturating_mul(b);
    product(wide.hosts.len(), narrow.hosts.len())
        .saturating_add(product(wide.methods.len(), narrow.methods.len()))
        .saturating_add(product(wide.headers.len(), narrow.headers.len()))
        .saturating_add(1)
}

/// Whether `wide` matches every request that `narrow` matches.
pub(super) fn covers(wide: &RequestMatch, narrow: &RequestMatch) -> bool {
    let lists = |wide: &[String], narrow: &[String]| {
        wide.is_empty() || (!narrow.is_empty() && narrow.iter().all(|item| wide.contains(item)))
    };
    let path = match (&wide.path, &narrow.path) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(wide), Some(narrow)) => wide.covers(narrow),
    };
    path && lists(&wide.hosts, &narrow.hosts)
        && lists(&wide.methods, &narrow.methods)
        && headers_imply(&narrow.headers, &wide.headers)
}
