//! Finds splits that send every or no request to v2, falling ramps and repeated regions.

use crate::bucketing::Fraction;
use crate::diagnostics::location::{JsonPointer, Span};
use crate::diagnostics::warning_code::WarningCode;
use crate::plan::{self, Mode, Serve};

use super::partial_plan::{PartialPlan, PartialRollout, PartialRule, RepeatedRegion};
use super::warnings::Warnings;

pub(super) fn check(view: &PartialPlan<'_>, warnings: &mut Warnings<'_>) {
    let rollouts = JsonPointer::Root.field("rollouts");
    for rollout in &view.rollouts {
        let at = rollouts.index(rollout.index);
        let is_split = rollout
            .mode
            .as_ref()
            .is_some_and(|mode| mode.value == Mode::Split);
        if is_split && rollout.rules_are_whole {
            to_none(rollout, &at, warnings);
            to_all(rollout, &at.field("rules"), warnings);
        }
        let rules_at = at.field("rules");
        for (index, rule) in rollout.rules.iter().enumerate() {
            if let Some(rule) = rule {
                check_rule(rule, &rules_at.index(index), warnings);
            }
        }
        let shadow_at = at.field("shadow");
        let shadows = |mode: Mode| matches!(mode, Mode::Shadow | Mode::Split);
        let is_shadowed = rollout
            .mode
            .as_ref()
            .is_some_and(|mode| shadows(mode.value));
        if let Some((span, field)) = rollout.shadows_nothing.filter(|_| is_shadowed) {
            warnings.push(
                WarningCode::ZeroPercent,
                (span, &shadow_at.field(field)),
                "0 percent: no request is shadowed",
                "write a percentage above 0, or remove `shadow`",
            );
        }
        repeated_regions(&rollout.repeated_regions, &shadow_at, warnings);
    }
}

fn to_none(rollout: &PartialRollout<'_>, at: &JsonPointer<'_>, warnings: &mut Warnings<'_>) {
    let mut rules = rollout.rules.iter().flatten();
    if rules.any(|rule| matches!(rule.compiled.serve, Serve::V2 { .. })) {
        return;
    }
    let span = rollout
        .mode
        .as_ref()
        .map_or(rollout.span.head(), |mode| mode.span);
    warnings.push(
        WarningCode::SplitToNone,
        (span, &at.field("mode")),
        "the mode is `split`, but no rule sends requests to v2",
        "add a rule, for example { \"accounts\": 1 }, or write the mode `off`, `dark` or `shadow`",
    );
}

/// Warns about a rule that sends everyone to v2, if no earlier rule keeps any account or request on v1.
fn to_all(rollout: &PartialRollout<'_>, at: &JsonPointer<'_>, warnings: &mut Warnings<'_>) {
    for (index, rule) in rollout.rules.iter().flatten().enumerate() {
        if !sends_all(&rule.compiled.serve) {
            return;
        }
        if holds_always(&rule.compiled) {
            warnings.push(
                WarningCode::SplitToAll,
                (rule.span, &at.index(index)),
                "this rule sends every request of every account to v2",
                "write \"mode\": \"on\" if that is intended, or a percentage below 100",
            );
            return;
        }
    }
}

/// Whether a split sends every request to v2.
pub(super) fn sends_everyone(rollout: &PartialRollout<'_>) -> bool {
    for rule in rollout.rules.iter().flatten() {
        if !sends_all(&rule.compiled.serve) {
            return false;
        }
        if holds_always(&rule.compiled) {
            return true;
        }
    }
    false
}

fn sends_all(serve: &Serve) -> bool {
    match serve {
        Serve::V1 => false,
        Serve::V2 { accounts, requests } => {
            let steps = accounts.steps();
            let mut fractions = steps.iter().map(|step| step.fraction).chain([*requests]);
            // A ramp sends no one before its first step.
            steps.iter().all(|step| step.from.is_none()) && fractions.all(|f| f == Fraction::ALL)
        }
    }
}

fn holds_always(rule: &plan::Rule) -> bool {
    let when = &rule.when;
    let is_for_all = when.within.is_none() && when.outside.iter().next().is_none();
    is_for_all && when.headers.is_empty() && when.regions.is_empty()
}

fn check_rule(rule: &PartialRule, at: &JsonPointer<'_>, warnings: &mut Warnings<'_>) {
    repeated_regions(&rule.repeated_regions, at, warnings);
    let Serve::V2 { accounts, requests } = &rule.compiled.serve else {
        return;
    };
    let steps = accounts.steps();
    let is_zero = |fraction: &Fraction| fraction.millionths() == 0;
    if steps.iter().all(|step| is_zero(&step.fraction)) {
        zero(rule.accounts, &at.field("accounts"), warnings);
    }
    if is_zero(requests) {
        zero(rule.requests, &at.field("requests"), warnings);
    }
    let at = at.field("accounts");
    let pairs = steps
        .iter()
        .zip(steps.iter().skip(1))
        .zip(rule.steps.iter().zip(rule.steps.iter().skip(1)));
    for (index, ((before, step), (span_before, span))) in pairs.enumerate() {
        let [from, to] = [before, step].map(|step| step.fraction.millionths());
        if to < from {
            let before_at = at.index(index);
            let at = at.index(index.saturating_add(1));
            warnings.push_with(
                WarningCode::FallingRamp,
                (*span, &at.field("percent")),
                Some((*span_before, before_at.field("percent").to_string())),
                "the ramp falls here: some accounts return from v2 to v1",
                "write a percentage that is not below the previous one",
            );
        }
    }
}

fn zero(span: Span, at: &JsonPointer<'_>, warnings: &mut Warnings<'_>) {
    warnings.push(
        WarningCode::ZeroPercent,
        (span, at),
        "0 percent: this rule sends no request to v2",
        "write \"serve\": \"v1\" if that is intended, or a percentage above 0",
    );
}

/// Warns about regions that a condition lists twice; `at` is the parent of the condition.
fn repeated_regions(
    repeated: &[RepeatedRegion],
    at: &JsonPointer<'_>,
    warnings: &mut Warnings<'_>,
) {
    let at = at.field("when");
    let at = at.field("regions");
    for RepeatedRegion {
        span,
        index,
        first,
        first_index,
    } in repeated
    {
        warnings.push_with(
            WarningCode::RepeatedRegion,
            (*span, &at.index(*index)),
            Some((*first, at.index(*first_index).to_string())),
            "this region is already in this list",
            "remove it here, or write the intended region",
        );
    }
}
