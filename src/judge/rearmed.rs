//! Recognises proxies whose counters are older than their guards.
//!
//! Counters continue when a guard is re-armed or its rollout is changed, but the guard starts over. So the counters of
//! such a proxy can show that v2 was worse although v2 was repaired long ago.

use turnout_admin::{CounterValues, GuardGauges};
use turnout_core::guard::{Evidence, GuardCounts, GuardState, GuardTest};

use crate::{JudgedRollout, Observation, ObservedProxy, Reason};

/// By how much the evidence of the counters must exceed that of the guard, as a decimal logarithm in thousandths.
const MARGIN_MILLI: u64 = 500;
/// A shorter `settle_seconds` lets counters reach the threshold in the second or two that the workers need to agree.
const LONG_SETTLE_SECONDS: u32 = 3;

/// How the counters of a proxy compare with its guard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Age {
    /// The guard can have counted the same, or it cannot be compared.
    MayAgree,
    /// The counters have more evidence than the guard, which is possible for a moment.
    Suspect,
    /// The counters alone reach the threshold, and the guard has not acted. So they are older than the guard.
    Older,
}

/// The reasons of counts with strong evidence, and of counts that are older than the guards.
pub(crate) fn reasons_of_evidence(
    rollout: &JudgedRollout,
    observation: &Observation,
    is_policy_active: bool,
    is_strong: bool,
    age: impl Fn(&ObservedProxy) -> Age,
    is_strong_in: impl Fn(&CounterValues) -> bool,
) -> Vec<Reason> {
    let proxies = observation.proxies.iter().flatten();
    let is_holding = proxies.clone().any(|proxy| {
        let gauges = proxy.guards.get(&rollout.name);
        gauges.and_then(|gauges| gauges.state) == Some(GuardState::Holding)
    });
    if observation.changed_rollouts.contains(&rollout.name) {
        let strong = (is_strong && is_holding).then_some(Reason::StrongEvidence);
        return strong.into_iter().chain([Reason::Changed]).collect();
    }
    let ages = proxies.filter(|_| is_policy_active);
    let ages: Vec<_> = ages.map(|proxy| (proxy, age(proxy))).collect();
    let is_certain = ages.iter().any(|(_, age)| *age == Age::Older);
    if !is_certain && !is_strong {
        return Vec::new();
    }
    let older = ages.iter().filter(|(_, age)| *age != Age::MayAgree);
    let older: Vec<&ObservedProxy> = older.map(|(proxy, _)| *proxy).collect();
    let mut rest = observation.counters.clone();
    for process in older.iter().filter_map(|proxy| proxy.process.as_ref()) {
        rest = rest.since(&process.counted);
    }
    let mut reasons = Vec::new();
    if is_strong && (is_holding || is_strong_in(&rest)) {
        reasons.push(Reason::StrongEvidence);
    }
    if !older.is_empty() {
        let names = older.into_iter().map(|proxy| proxy.name.clone());
        reasons.push(Reason::Rearmed(names.collect()));
    }
    reasons
}

/// Compares the counters of a proxy since its start with the evidence that its guard reports. `counts_of` returns the
/// counts that are judged.
pub(crate) fn age(
    rollout: &JudgedRollout,
    test: &GuardTest,
    proxy: &ObservedProxy,
    counts_of: impl Fn(&CounterValues) -> GuardCounts,
) -> Age {
    let (Some(process), Some(gauges)) = (&proxy.process, proxy.guards.get(&rollout.name)) else {
        return Age::MayAgree;
    };
    let Some(reported_milli) = comparable_evidence(rollout, test, gauges) else {
        return Age::MayAgree;
    };
    let evidence = |counters: &CounterValues| test.evidence(&counts_of(counters));
    // Workers report at different moments. All of them know what the previous reading reported.
    let before = process.before.as_ref().map(evidence);
    let is_certain =
        before.is_some() || rollout.settings.settle_seconds.get() >= LONG_SETTLE_SECONDS;
    let evidence: Vec<_> = before
        .into_iter()
        .chain([evidence(&process.last)])
        .collect();
    if is_certain && evidence.iter().all(|evidence| test.is_enough(evidence)) {
        return Age::Older;
    }
    let least_milli = evidence.iter().map(Evidence::milli_log10).min();
    match least_milli.unwrap_or_default() > reported_milli.saturating_add(MARGIN_MILLI) {
        true => Age::Suspect,
        false => Age::MayAgree,
    }
}

/// The evidence that a guard reports, if it is armed and computes the evidence of all counters of its proxy.
fn comparable_evidence(
    rollout: &JudgedRollout,
    test: &GuardTest,
    gauges: &GuardGauges,
) -> Option<u64> {
    // Workers that do not share their counts have a higher threshold, and each tests only its own. With `accounts`, the
    // guard leaves out the errors of ejected accounts.
    let is_comparable = gauges.threshold_milli == Some(test.threshold_milli_log10())
        && gauges.state == Some(GuardState::Armed)
        && rollout.policy.is_some()
        && rollout.settings.accounts.is_none();
    gauges.evidence_milli.filter(|_| is_comparable)
}

#[cfg(test)]
mod tests;
