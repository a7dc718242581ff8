//! Estimates how long the steps of a plan take with the traffic of today.

use turnout_core::guard::{
    ArmCounts, Arms, GuardCounts, GuardSettings, HealthTest, smallest_count,
};
use turnout_core::{AccountFiles, Allocation, Fraction, ParsedPolicy, Rollout};

use crate::lint::health_test;
use crate::plan::RollPlan;
use crate::step_policy::StepPolicy;

/// 100 %, in millionths of a percent.
const WHOLE: u128 = 100_000_000;
const SECONDS_PER_MINUTE: u64 = 60;
/// The number of requests above which a search for a healthy v2 ends.
const MOST_REQUESTS: u64 = 1 << 40;

/// The traffic of a rollout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traffic {
    /// The requests of all proxies that the rollout matches, per second, in thousandths.
    pub requests_per_second_thousandths: u64,
    /// The percentage of them that fail.
    pub errors: Fraction,
}

/// How long a step takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepSchedule {
    /// The name of the step.
    pub name: String,
    /// The requests per second that v2 serves and that the guard compares, in thousandths.
    pub v2_per_second_thousandths: u64,
    /// The seconds until `bake.requests` are counted. `None` without a bake, or if it never ends.
    pub seconds_for_requests: Option<u64>,
    /// The seconds of `bake.minutes`. `None` without a bake.
    pub seconds_for_minutes: Option<u64>,
    /// The requests that v2 needs to become healthy. `None` without a bake, or if it never does.
    pub healthy_requests: Option<u64>,
    /// The seconds until v2 can be healthy. `None` without a bake, or if it never is.
    pub seconds_until_healthy: Option<u64>,
    /// The seconds until the next step: the longest of the times above. 0 without a bake; `None` if it never follows.
    pub seconds: Option<u64>,
}

/// Estimates how long each step takes.
///
/// It assumes that the traffic stays as it is, that v2 fails as often as v1 and no request is slow, and that each account
/// sends as many requests as any other. It assumes that one rule decides all requests: the last one that sends requests
/// to v2 and that the guard can compare. A ramp has its highest percentage, and no segment is forbidden. Quiet times
/// and the time until all proxies run a step come in addition.
///
/// `files` are the account files of the policy. A step whose policy does not compile is left out; there is none in what
/// [`ParsedPlan::check`](crate::ParsedPlan::check) returns.
#[must_use]
pub fn schedule(
    plan: &RollPlan,
    steps: &[StepPolicy],
    files: &AccountFiles,
    traffic: Traffic,
) -> Vec<StepSchedule> {
    let pairs = plan.steps.iter().zip(steps);
    let schedules = pairs.filter_map(|(step, policy)| {
        let compiled = ParsedPolicy::parse(&policy.policy_text)
            .compile(files)
            .ok()?;
        let rollout = compiled.rollout(&plan.rollout).ok()?;
        let settings = &rollout.guard.as_ref()?.settings;
        let rule = deciding_rule(rollout, settings);
        let rate = Rate::new(traffic, rule.as_ref());
        let bake = step.bake.as_ref();
        // A request counts once its second has settled.
        let settle = u64::from(settings.settle_seconds.get());
        let seconds_for = |requests: u64| Some(rate.seconds_for(requests)?.saturating_add(settle));
        let seconds_for_requests = bake.and_then(|bake| seconds_for(bake.requests));
        let seconds_for_minutes = bake.map(|bake| bake.minutes.saturating_mul(SECONDS_PER_MINUTE));
        let healthy_requests = bake.zip(rule.as_ref()).and_then(|(_, rule)| {
            let test = health_test(plan, rollout, settings);
            healthy_requests(&test, rule.requests, traffic.errors)
        });
        let seconds_until_healthy = healthy_requests.and_then(seconds_for);
        let all = [
            seconds_for_requests,
            seconds_for_minutes,
            seconds_until_healthy,
        ];
        Some(StepSchedule {
            name: step.name.clone(),
            v2_per_second_thousandths: rate.thousandths(),
            seconds_for_requests,
            seconds_for_minutes,
            healthy_requests,
            seconds_until_healthy,
            seconds: match bake {
                None => Some(0),
                Some(_) => all
                    .into_iter()
                    .try_fold(0, |most, seconds| Some(seconds?.max(most))),
            },
        })
    });
    schedules.collect()
}

/// Returns the last rule that sends requests to v2 and that the guard can compare.
fn deciding_rule<'r>(rollout: &'r Rollout, settings: &GuardSettings) -> Option<Allocation<'r>> {
    let rules = || rollout.allocations().flatten();
    let compared = rules().filter(Allocation::has_control).last();
    // Only the limit is tested without a control.
    let limited = || rules().filter(|rule| rule.serves_v2() && settings.limit.is_some());
    compared.or_else(|| limited().last())
}

/// How many requests v2 serves per second, exactly: a product divided by 1,000 · [`WHOLE`]².
struct Rate(u128);

impl Rate {
    fn new(traffic: Traffic, rule: Option<&Allocation<'_>>) -> Self {
        let Some(rule) = rule else { return Self(0) };
        let product = u128::from(traffic.requests_per_second_thousandths)
            .saturating_mul(rule.most_accounts().millionths().into())
            .saturating_mul(rule.requests.millionths().into());
        Self(product)
    }

    fn thousandths(&self) -> u64 {
        let rounded = self.0.saturating_add(WHOLE.saturating_mul(WHOLE) / 2);
        let thousandths = rounded / WHOLE / WHOLE;
        u64::try_from(thousandths).unwrap_or(u64::MAX)
    }

    /// Returns the whole seconds in which v2 serves this many requests; `None` if it serves none.
    fn seconds_for(&self, requests: u64) -> Option<u64> {
        let per_second = self.0;
        let requests = u128::from(requests)
            .saturating_mul(1_000)
            .saturating_mul(WHOLE)
            .saturating_mul(WHOLE);
        let rounding = per_second.saturating_sub(1);
        let seconds = requests.saturating_add(rounding).checked_div(per_second)?;
        u64::try_from(seconds).ok()
    }
}

/// Returns how many requests of v2 make v2 healthy if both treatments fail equally often.
fn healthy_requests(test: &HealthTest, requests: Fraction, errors: Fraction) -> Option<u64> {
    smallest_count(MOST_REQUESTS, |of_v2| {
        let counts = expected_counts(requests, errors, of_v2);
        test.is_enough(&test.evidence(&counts))
    })
}

/// The expected counts when v2 has served this many requests. Errors of v2 are rounded up, and those of v1 down.
fn expected_counts(requests: Fraction, errors: Fraction, of_v2: u64) -> GuardCounts {
    let percentage = u128::from(requests.millionths());
    let control = WHOLE.saturating_sub(percentage);
    let of_v1 = u128::from(of_v2).saturating_mul(control);
    let of_v1 = of_v1.checked_div(percentage).unwrap_or_default();
    let of_v1 = u64::try_from(of_v1).unwrap_or(u64::MAX);
    let failed = |all: u64, rounding: u128| {
        let product = u128::from(all).saturating_mul(errors.millionths().into());
        u64::try_from(product.saturating_add(rounding) / WHOLE).unwrap_or(u64::MAX)
    };
    let arm = |all: u64, rounding: u128| ArmCounts {
        all,
        errors: failed(all, rounding),
        slow: 0,
    };
    let mut counts = GuardCounts::default();
    let arms = Arms {
        v1: arm(of_v1, 0),
        v2: arm(of_v2, WHOLE.saturating_sub(1)),
    };
    counts.add(requests, arms);
    counts
}
