//! Finds rollouts that keep requests on v1 before a wider rollout that may send similar requests to v2: requests
//! that miss the first `match` only by another host, path, method or header.

use crate::diagnostics::location::JsonPointer;
use crate::diagnostics::problem::excerpt;
use crate::diagnostics::warning_code::WarningCode;
use crate::plan::{Mode, Serve};

use super::allocations::sends_everyone;
use super::partial_plan::{PartialPlan, PartialRollout};
use super::rollouts::{cost, covers};
use super::warnings::Warnings;
use super::{Budget, not_examined};

pub(super) fn check(view: &PartialPlan<'_>, warnings: &mut Warnings<'_>) {
    let mut budget = Budget::new();
    for (position, narrow) in view.rollouts.iter().enumerate() {
        let (Some(matches), true) = (&narrow.matches, keeps_on_v1(narrow)) else {
            continue;
        };
        let behind = view.rollouts.iter().skip(position.saturating_add(1));
        for wide in behind.filter(|wide| may_give_v2(wide)) {
            let Some(others) = &wide.matches else {
                continue;
            };
            if !budget.spend(cost(others, matches)) {
                let at = JsonPointer::Root.field("rollouts");
                let place = (narrow.span.head(), &at.index(narrow.index));
                not_examined(warnings, "rollouts", place);
                return;
            }
            // If the narrow rollout also covers the wide one, the wide one gets no request, which is another
            // warning.
            if covers(others, matches) && !covers(matches, others) {
                warn(narrow, wide, warnings);
                break;
            }
        }
    }
}

/// Whether the rollout keeps at least some requests on v1.
fn keeps_on_v1(rollout: &PartialRollout<'_>) -> bool {
    match rollout.mode.as_ref().map(|mode| mode.value) {
        None | Some(Mode::On) => false,
        Some(Mode::Off | Mode::Dark | Mode::Shadow) => true,
        Some(Mode::Split) => rollout.rules_are_whole && !sends_everyone(rollout),
    }
}

fn may_give_v2(rollout: &PartialRollout<'_>) -> bool {
    let mut rules = rollout.rules.iter().flatten();
    match rollout.mode.as_ref().map(|mode| mode.value) {
        Some(Mode::On) => true,
        Some(Mode::Split) => rules.any(|rule| matches!(rule.compiled.serve, Serve::V2 { .. })),
        _ => false,
    }
}

fn warn(narrow: &PartialRollout<'_>, wide: &PartialRollout<'_>, warnings: &mut Warnings<'_>) {
    let at = JsonPointer::Root.field("rollouts");
    let name = |rollout: &PartialRollout<'_>| {
        let name = rollout.name.as_ref().map_or("", |name| &name.value);
        excerpt(name)
    };
    let place = |rollout: &PartialRollout<'_>| match &rollout.name {
        Some(name) => name.span,
        None => rollout.span.head(),
    };
    let (narrow_name, wide_name) = (name(narrow), name(wide));
    let mode = narrow.mode.as_ref().map_or("", |mode| mode.value.as_str());
    let wide_at = at.index(wide.index).to_string();
    warnings.push_with(
        WarningCode::FallThrough,
        (place(narrow), &at.index(narrow.index)),
        Some((place(wide), wide_at)),
        format!(
            "a request that narrowly misses the match of `{narrow_name}` ({mode}), for example because its path has \
             another case, falls through to `{wide_name}`, which matches more and can send it to v2"
        ),
        format!(
            "restrict the hosts or the path in the match of `{wide_name}` to exclude the requests of `{narrow_name}`"
        ),
    );
}
