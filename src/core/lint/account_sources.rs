//! Finds account sources that never decide, because an earlier source is present whenever they are.

use crate::diagnostics::location::{JsonPointer, Span};
use crate::diagnostics::warning_code::WarningCode;
use crate::request::account_sources::Source;

use super::partial_plan::PartialPlan;
use super::warnings::Warnings;
use super::{Budget, not_examined};

pub(super) fn check(view: &PartialPlan<'_>, warnings: &mut Warnings<'_>) {
    let mut budget = Budget::new();
    let at = JsonPointer::Root.field("account");
    let at = at.field("from");
    for (position, (index, span, source)) in view.sources.iter().enumerate() {
        let place = (*span, &at.index(*index));
        let earlier = view.sources.iter().take(position);
        let mut taker = None;
        for (taker_index, taker_span, wide) in earlier {
            if !budget.spend(wide.comparison_cost(source)) {
                not_examined(warnings, "account sources", place);
                return;
            }
            if wide.decides_before(source) {
                taker = Some((*taker_index, *taker_span, wide == source));
                break;
            }
        }
        if let Some((taker_index, taker_span, is_same)) = taker {
            warn(
                warnings,
                place,
                (taker_span, &at.index(taker_index)),
                (source, is_same),
            );
        }
    }
}

fn warn(
    warnings: &mut Warnings<'_>,
    place: (Span, &JsonPointer<'_>),
    (taker_span, taker_at): (Span, &JsonPointer<'_>),
    (source, is_same): (&Source, bool),
) {
    let (what, instead) = match source {
        Source::Header(_) => (
            format!("unreachable source: {taker_at} reads the same header"),
            String::from("remove it, or write the intended header"),
        ),
        Source::BasicAuthUsername => (
            format!("unreachable source: {taker_at} reads the same credentials"),
            String::from("remove it"),
        ),
        Source::Path(_) if is_same => (
            format!("unreachable source: {taker_at} reads the same path"),
            String::from("remove it"),
        ),
        Source::Path(_) => (
            format!(
                "unreachable source: {taker_at} already matches every path that has an account here"
            ),
            format!("move it before {taker_at}, or remove it"),
        ),
    };
    let related = Some((taker_span, taker_at.to_string()));
    warnings.push_with(
        WarningCode::UnreachableSource,
        place,
        related,
        what,
        instead,
    );
}

impl Source {
    /// Whether this source is present on every request in which `later` finds an account. `true` is certain;
    /// `false` may mean unknown.
    fn decides_before(&self, later: &Self) -> bool {
        match (self, later) {
            (Self::Header(name), Self::Header(other)) => name == other,
            // The user name is in the `authorization` header, which decides even if its content is malformed.
            (Self::Header(name), Self::BasicAuthUsername) => name == "authorization",
            (Self::BasicAuthUsername, Self::BasicAuthUsername) => true,
            (Self::Path(template), Self::Path(other)) => template.captures_before(other),
            (Self::Header(_), Self::Path(_))
            | (Self::BasicAuthUsername, Self::Header(_) | Self::Path(_))
            | (Self::Path(_), Self::Header(_) | Self::BasicAuthUsername) => false,
        }
    }

    fn comparison_cost(&self, later: &Self) -> usize {
        match (self, later) {
            (Self::Path(template), Self::Path(other)) => template
                .segment_count()
                .min(other.segment_count())
                .saturating_add(1),
            _ => 1,
        }
    }
}
