//! Finds guards that compare nothing, that need many errors to trip, or that trip too easily.

use std::collections::BTreeSet;

use turnout_text::{format_decimal, format_millionths, thousands};

use crate::bucketing::Fraction;
use crate::diagnostics::location::{JsonPointer, Span};
use crate::diagnostics::warning_code::WarningCode;
use crate::guard::{Alpha, GuardSettings, GuardTest};
use crate::plan::{Mode, Serve};

use super::partial_plan::{PartialGuard, PartialPlan, PartialRollout, PartialRule};
use super::warnings::Warnings;

/// A guard that needs more errors than this is slow.
const MANY_ERRORS: u64 = 50;
/// Above this, in millionths, more than one healthy rollout in 20 can be sent back.
const HIGH_ALPHA: u32 = 50_000;
/// Below this, in millionths, a guard needs many more errors.
const LOW_ALPHA: u32 = 100;
/// Half of the requests, in millionths of a percent: no other percentage has as large a control and as many
/// requests of v2.
const HALF: u32 = 50_000_000;
/// The largest whole percentage with a control.
const NEARLY_ALL: u32 = 99_000_000;

pub(super) fn check(view: &PartialPlan<'_>, warnings: &mut Warnings<'_>) {
    let rollouts = JsonPointer::Root.field("rollouts");
    for rollout in &view.rollouts {
        let at = rollouts.index(rollout.index);
        if let Some(guard) = &rollout.guard {
            alpha(rollout, guard, &at.field("guard"), warnings);
            match rollout.mode.as_ref().map(|mode| mode.value) {
                Some(Mode::Split) => split(rollout, guard, &at, warnings),
                Some(Mode::On) => on(guard, &at.field("guard"), warnings),
                Some(Mode::Off | Mode::Dark | Mode::Shadow) | None => {}
            }
        }
    }
}

/// A rule that can send requests to v2.
struct Treated<'r> {
    index: usize,
    rule: &'r PartialRule,
    requests: Fraction,
}

fn treated<'r>(rollout: &'r PartialRollout<'_>) -> impl Iterator<Item = Treated<'r>> {
    let rules = rollout.rules.iter().enumerate();
    rules.filter_map(|(index, rule)| {
        let rule = rule.as_ref()?;
        let Serve::V2 { accounts, requests } = &rule.compiled.serve else {
            return None;
        };
        let is_above_zero = |fraction: &Fraction| fraction.millionths() > 0;
        let mut steps = accounts.steps().iter();
        let is_treated = steps.any(|step| is_above_zero(&step.fraction)) && is_above_zero(requests);
        is_treated.then_some(Treated {
            index,
            rule,
            requests: *requests,
        })
    })
}

/// Whether the guard compares v2 with v1, and does not only limit the errors of v2.
fn needs_control(settings: &GuardSettings) -> bool {
    settings.errors.is_some() || settings.slow.is_some()
}

/// What a guard can do for requests that have no control.
fn without_control(settings: &GuardSettings) -> &'static str {
    match settings.limit {
        Some(_) => "only `limit` is tested",
        None => "nothing is tested",
    }
}

fn split(
    rollout: &PartialRollout<'_>,
    guard: &PartialGuard,
    at: &JsonPointer<'_>,
    warnings: &mut Warnings<'_>,
) {
    if rollout.rules_are_whole && treated(rollout).next().is_none() {
        warnings.push(
            WarningCode::GuardWithoutControl,
            (guard.span, &at.field("guard")),
            "no rule of this rollout sends requests to v2, so the guard has nothing to compare",
            "add a rule, for example { \"accounts\": 1, \"requests\": 50 }, or remove `guard`",
        );
    }
    let test = GuardTest::new(&guard.settings);
    let rules_at = at.field("rules");
    let mut seen = BTreeSet::new();
    for Treated {
        index,
        rule,
        requests,
    } in treated(rollout)
    {
        let rule_at = rules_at.index(index);
        if requests == Fraction::ALL {
            all_requests(rule, &guard.settings, &test, &rule_at, warnings);
        } else if seen.insert(requests.millionths()) {
            let place = (rule.requests, &rule_at.field("requests"));
            slow_to_trip(requests, &guard.settings, &test, place, warnings);
        }
    }
}

fn all_requests(
    rule: &PartialRule,
    settings: &GuardSettings,
    test: &GuardTest,
    at: &JsonPointer<'_>,
    warnings: &mut Warnings<'_>,
) {
    if !needs_control(settings) {
        return;
    }
    let field = at.field("requests");
    let place = match rule.requests == rule.span {
        // By default, a rule sends all requests.
        true => (rule.span, at),
        false => (rule.requests, &field),
    };
    let needed = errors_needed(test, NEARLY_ALL);
    let needed = needed.map_or(String::new(), |needed| {
        format!(" (the guard then needs {needed} errors of v2 to trip)")
    });
    let tested = without_control(settings);
    warnings.push(
        WarningCode::GuardWithoutControl,
        place,
        format!(
            "this rule sends every request of its accounts to v2, so the guard has no requests of v1 to compare them \
             with: {tested}"
        ),
        format!("write \"requests\": 99 to keep 1 % as a control{needed}, or a lower percentage"),
    );
}

fn on(guard: &PartialGuard, at: &JsonPointer<'_>, warnings: &mut Warnings<'_>) {
    if !needs_control(&guard.settings) {
        return;
    }
    let tested = without_control(&guard.settings);
    warnings.push(
        WarningCode::GuardWithoutControl,
        (guard.span, at),
        format!(
            "in the mode `on` every request takes v2, so the guard has no requests of v1 to compare them with: {tested}"
        ),
        "write the mode `split` and a rule with \"requests\": 99 to keep 1 % as a control, or a guard with only `limit`",
    );
}

fn slow_to_trip(
    requests: Fraction,
    settings: &GuardSettings,
    test: &GuardTest,
    place: (Span, &JsonPointer<'_>),
    warnings: &mut Warnings<'_>,
) {
    let needed = test.errors_needed(requests);
    if settings.errors.is_none() || needed.is_some_and(|needed| needed <= MANY_ERRORS) {
        return;
    }
    let needed = needed.map_or("more than 4 billion".into(), thousands);
    let control = Fraction::ALL
        .millionths()
        .saturating_sub(requests.millionths());
    let control = format_millionths(control);
    let fewer = errors_needed(test, HALF);
    let fewer = fewer.map_or(String::new(), |fewer| format!(", which needs {fewer}"));
    warnings.push(
        WarningCode::GuardTooSlowToTrip,
        place,
        format!(
            "at {requests} % of the requests, the guard needs {needed} errors of v2 to trip if v1 has none, because \
             only {control} % of the requests are its control"
        ),
        format!("write a lower percentage of requests, for example 50{fewer}, and more accounts"),
    );
}

fn alpha(
    rollout: &PartialRollout<'_>,
    guard: &PartialGuard,
    at: &JsonPointer<'_>,
    warnings: &mut Warnings<'_>,
) {
    let Some(span) = guard.alpha else { return };
    let alpha = guard.settings.alpha.get();
    let shown = format_millionths(alpha);
    let (what, instead) = if alpha > HIGH_ALPHA {
        // Millionths have four decimals as a percentage.
        let percent = format_decimal(alpha.into(), 4);
        (
            format!(
                "`alpha` is {shown}: the guard of each proxy trips with a probability of up to {percent} % although v2 is not \
                 worse"
            ),
            "write at most 0.05, for example 0.01",
        )
    } else if alpha < LOW_ALPHA {
        let more = more_errors(rollout, guard);
        (
            format!("`alpha` is {shown}: {more}"),
            "write at least 0.0001, for example 0.01",
        )
    } else {
        return;
    };
    warnings.push(
        WarningCode::GuardAlpha,
        (span, &at.field("alpha")),
        what,
        instead,
    );
}

/// Describes how much later a guard trips with its alpha than with the default.
fn more_errors(rollout: &PartialRollout<'_>, guard: &PartialGuard) -> String {
    let strata = treated(rollout).map(|treated| treated.requests);
    let control = strata
        .filter(|requests| *requests != Fraction::ALL)
        .min_by_key(Fraction::millionths);
    let requests = control.map_or(HALF, |requests| requests.millionths());
    let default: Alpha = GuardSettings::default().alpha;
    let with = |alpha| {
        let settings = GuardSettings {
            alpha,
            ..guard.settings
        };
        errors_needed(&GuardTest::new(&settings), requests)
    };
    match (with(guard.settings.alpha), with(default)) {
        (Some(needed), Some(usual)) => format!(
            "at {} % of the requests, the guard needs {needed} errors of v2 to trip if v1 has none, instead of {usual} with \
             alpha {}",
            format_millionths(requests),
            format_millionths(default.get()),
        ),
        _ => "the guard needs more failures of v2 to trip".into(),
    }
}

/// The number of errors that trip the guard at a percentage, as text.
fn errors_needed(test: &GuardTest, millionths: u32) -> Option<String> {
    let requests = Fraction::from_millionths(millionths)?;
    test.errors_needed(requests).map(thousands)
}
