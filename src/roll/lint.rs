//! Finds steps in which nothing can be compared, and steps that are probably not what the author intended.

use turnout_core::guard::{GuardCounts, GuardSettings, HealthTest};
use turnout_core::{Allocation, Fraction, Problem, Rollout};
use turnout_text::thousands;

use crate::check::CompiledStep;
use crate::plan::{Bake, PlanCode, RollPlan, RollStep};

/// A problem of a step, with the field that it concerns.
type Found = (&'static str, Problem);

/// Checks a step whose policy has no errors.
pub(crate) fn step(
    plan: &RollPlan,
    index: usize,
    (step, compiled): (&RollStep, &CompiledStep),
    before: Option<&CompiledStep>,
) -> Vec<Found> {
    let mut found = Vec::new();
    let Some(rollout) = compiled.rollout(&plan.rollout) else {
        return found;
    };
    if let (Some(bake), Some(guard)) = (&step.bake, &rollout.guard) {
        let problem = nothing_to_compare(rollout, &guard.settings)
            .or_else(|| short_bake(plan, bake, rollout, &guard.settings));
        found.extend(problem.map(|problem| ("bake", problem)));
    }
    found.extend(ramp(rollout));
    if let Some(before) = before {
        found.extend(shrunk(plan, (compiled, rollout), before));
        if before.epoch.is_some() && before.epoch == compiled.epoch {
            let earlier = index.checked_sub(1);
            let earlier = earlier.and_then(|earlier| plan.steps.get(earlier));
            let earlier = earlier.map_or("", |step| &step.name);
            found.push((
                "",
                PlanCode::UnchangedStep.problem(
                    format!(
                        "this step has the same rules as `{earlier}`, so the guards do not start over"
                    ),
                    format!("remove the step, or write a longer bake for `{earlier}`"),
                ),
            ));
        }
    }
    found
}

/// Returns the error of a step in which the guard cannot compare anything.
fn nothing_to_compare(rollout: &Rollout, settings: &GuardSettings) -> Option<Problem> {
    let mut allocations = rollout.allocations().flatten();
    if !allocations.any(|allocation| allocation.serves_v2()) {
        return Some(PlanCode::NoControl.problem(
            "no rule of this step sends requests to v2, so the guard has nothing to compare",
            "write percentages above 0",
        ));
    }
    if has_control(rollout) || settings.limit.is_some() {
        return None;
    }
    Some(PlanCode::NoControl.problem(
        "each rule of this step sends all requests of its accounts to v2, so the guard has no requests of v1 to compare \
         them with",
        "write \"requests\": 99 to keep 1 % as a control, or remove `bake` from the last step",
    ))
}

fn has_control(rollout: &Rollout) -> bool {
    let mut allocations = rollout.allocations().flatten();
    allocations.any(|allocation| allocation.has_control())
}

/// Returns the health test of a step.
pub(crate) fn health_test(
    plan: &RollPlan,
    rollout: &Rollout,
    settings: &GuardSettings,
) -> HealthTest {
    match has_control(rollout) || settings.limit.is_none() {
        true => HealthTest::new(settings, plan.excess),
        false => HealthTest::of_limit(settings),
    }
}

fn short_bake(
    plan: &RollPlan,
    bake: &Bake,
    rollout: &Rollout,
    settings: &GuardSettings,
) -> Option<Problem> {
    let test = health_test(plan, rollout, settings);
    let needed = test.requests_needed(&GuardCounts::default())?;
    if bake.requests >= needed {
        return None;
    }
    let or = match needs_control(settings) && has_control(rollout) {
        true => ", or a higher `excess_percent`",
        false => "",
    };
    Some(PlanCode::ShortBake.problem(
        format!(
            "v2 needs at least {} requests to become healthy, even if none of them fails, so a bake of {} has no effect",
            thousands(needed),
            thousands(bake.requests)
        ),
        format!("write at least {needed}{or}"),
    ))
}

/// Whether the guard compares v2 with v1.
fn needs_control(settings: &GuardSettings) -> bool {
    settings.errors.is_some() || settings.slow.is_some()
}

fn ramp(rollout: &Rollout) -> Option<Found> {
    let mut rules = rollout.allocations().zip(1_u32..);
    let (_, number) = rules.find(|(rule, _)| {
        let accounts = rule.as_ref().map(|rule| rule.accounts);
        accounts.is_some_and(turnout_core::Ramp::has_steps)
    })?;
    let problem = PlanCode::RampInStep.problem(
        format!("rule {number} has a ramp, which moves accounts to v2 at its times even if v2 is not healthy"),
        "write a percentage, and a step for each percentage of the ramp",
    );
    Some(("", problem))
}

/// Returns the first rule that sends less to v2 than in the step before.
fn shrunk(
    plan: &RollPlan,
    (compiled, rollout): (&CompiledStep, &Rollout),
    before: &CompiledStep,
) -> Option<Found> {
    let earlier = before.rollout(&plan.rollout)?;
    if !rollout.has_conditions_of(&compiled.plan, (&before.plan, earlier)) {
        return None;
    }
    let mut pairs = earlier
        .allocations()
        .zip(rollout.allocations())
        .zip(1_u32..);
    pairs.find_map(|((old, new), number)| {
        let of = |allocation: &Option<Allocation<'_>>| match allocation {
            Some(one) if one.serves_v2() => (one.most_accounts(), one.requests),
            _ => (Fraction::NONE, Fraction::NONE),
        };
        let ((old_accounts, old_requests), (accounts, requests)) = (of(&old), of(&new));
        let (field, what, old, new) = if accounts < old_accounts {
            ("accounts", "accounts", old_accounts, accounts)
        } else if requests < old_requests {
            ("requests", "requests of its accounts", old_requests, requests)
        } else {
            return None;
        };
        let problem = PlanCode::ShrinkingStep.problem(
            format!("rule {number} sends {new} % of the {what} to v2, less than the {old} % of the step before, so some go back to v1"),
            "write a percentage that is not lower than in the step before",
        );
        Some((field, problem))
    })
}
