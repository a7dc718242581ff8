//! Judges a rollout by what all proxies together have counted.

use std::collections::BTreeMap;

use turnout_admin::{ClusterStat, Counter, CounterValues, stat_name};
use turnout_core::guard::{
    Arms, GuardCounts, GuardState, GuardTest, HealthTest, RatioEstimate, StratumCounts,
};
use turnout_core::{Fraction, Reason as DecisionReason, Treatment};

use crate::judgment::{Coverage, JudgedProxy, JudgedStratum, Judgment, Needed};
use crate::rearmed::{age, reasons_of_evidence};
use crate::{Criteria, JudgedRollout, Observation, Reason, Verdict, Warning};

/// The largest count that a floating-point number represents exactly. No rollout has as many requests.
const MOST_REQUESTS: u64 = 1 << 53;

/// The share of decided requests, in thousandths, below which there is a warning.
const ENOUGH_DECIDED: u64 = 990;

/// Judges a rollout by what all proxies together have counted.
///
/// The judgment depends only on the arguments, so two runs that have read the same numbers print the same digits. The
/// counts are added before anything is computed from them.
#[must_use]
pub fn judge(rollout: &JudgedRollout, observation: &Observation, criteria: &Criteria) -> Judgment {
    let active = active_strata(rollout, observation, criteria);
    let counts_of = |counters: &CounterValues| counts_of(&rollout.name, counters, active);
    let counts = counts_of(&observation.counters);
    let test = GuardTest::new(&rollout.settings);
    let health_test = match has_control(rollout, &counts) || rollout.settings.limit.is_none() {
        true => HealthTest::new(&rollout.settings, criteria.excess),
        false => HealthTest::of_limit(&rollout.settings),
    };
    let evidence = test.evidence(&counts);
    let health = health_test.evidence(&counts);
    let strata = judge_strata(&test, &counts);
    let proxies = observation.proxies.as_ref().map(|proxies| {
        let proxies = proxies.iter();
        let judged = proxies.map(|proxy| JudgedProxy {
            name: proxy.name.clone(),
            missing: proxy.missing.clone(),
            revision_number: proxy.revision_number,
            state: proxy
                .guards
                .get(&rollout.name)
                .and_then(|gauges| gauges.state),
            restarts: proxy.restarts,
        });
        judged.collect::<Vec<_>>()
    });

    let mut reasons = reasons_of_counts(&counts, &strata);
    if reasons.is_empty() {
        let is_strong = |counts: &GuardCounts| test.is_enough(&test.evidence(counts));
        reasons.extend(reasons_of_evidence(
            rollout,
            observation,
            active.is_some(),
            is_strong(&counts),
            |proxy| age(rollout, &test, proxy, counts_of),
            |counters| is_strong(&counts_of(counters)),
        ));
    }
    if let Some(proxies) = &proxies {
        reasons.extend(reasons_of_proxies(proxies, criteria));
    }
    let is_compared = |stratum: &JudgedStratum| stratum.arms.v1.all > 0 || stratum.arms.v2.all > 0;
    let is_limit_only = health.limit.is_some() && health.errors.is_none() && health.slow.is_none();
    let is_unread = reasons.contains(&Reason::NoProxy);
    if !strata.iter().any(is_compared) {
        // If no proxy was read, that is why.
        reasons.extend((!is_unread).then_some(Reason::NothingCompared));
    } else if !is_limit_only && !strata.iter().any(|stratum| has_both_arms(stratum.requests)) {
        reasons.push(Reason::NoControl);
    }
    // The sort is stable: proxies and strata stay in their order.
    reasons.sort_by_key(Reason::precedence);
    let has_data = strata.iter().any(is_compared) && !reasons.contains(&Reason::NoControl);
    let verdict = reasons.first().map(Reason::verdict);
    if has_data && verdict.is_none_or(|verdict| verdict == Verdict::NotEnoughData) {
        match health_test.is_enough(&health) {
            false => reasons.push(Reason::WeakEvidence),
            true if verdict.is_none() => reasons.push(Reason::Healthy),
            true => {}
        }
    }
    let verdict = reasons
        .first()
        .map_or(Verdict::NotEnoughData, Reason::verdict);
    let needed = match verdict {
        Verdict::Invalid | Verdict::Regressed => None,
        Verdict::Healthy | Verdict::NotEnoughData => {
            let rates = observation.rates.as_ref().map(counts_of);
            needed(
                &health_test,
                &counts,
                rates.as_ref(),
                observation.observed_seconds,
            )
        }
    };
    let alpha = rollout.settings.alpha;
    Judgment {
        rollout: rollout.name.clone(),
        verdict,
        reasons,
        warnings: warnings(rollout, &observation.counters, active),
        observed_seconds: observation.observed_seconds,
        evidence,
        ln_threshold: test.ln_threshold(),
        ratio: RatioEstimate::of_errors(&counts, alpha),
        slow_ratio: rollout
            .settings
            .slow
            .map(|_| RatioEstimate::of_slow(&counts, alpha)),
        health,
        excess: criteria.excess,
        needed,
        worst_stratum: worst_stratum(&strata),
        strata,
        proxies,
        coverage: coverage(rollout, &observation.counters),
        settings: rollout.settings,
        counts,
    }
}

/// The counts of the guard of a rollout, in these strata or in all.
fn counts_of(rollout: &str, counters: &CounterValues, active: Option<&[Fraction]>) -> GuardCounts {
    let mut guards = counters.guard_counts();
    let all = guards.remove(rollout).unwrap_or_default();
    let Some(active) = active else {
        return all;
    };
    let mut counts = GuardCounts::default();
    for stratum in all.strata() {
        if active.contains(&stratum.requests) {
            counts.add(stratum.requests, stratum.arms);
        }
    }
    counts
}

/// The strata of the active policy, if it is known and all proxies that were read have it. Counters of other strata are of
/// an earlier policy. Without proxies, whoever wrote the counts has chosen the strata.
fn active_strata<'r>(
    rollout: &'r JudgedRollout,
    observation: &Observation,
    criteria: &Criteria,
) -> Option<&'r [Fraction]> {
    let policy = rollout.policy.as_ref()?;
    let proxies = observation.proxies.as_ref()?.iter();
    let mut revisions = proxies
        .filter(|proxy| proxy.missing.is_none())
        .map(|proxy| proxy.revision_number);
    let first = revisions.next()??;
    let are_same = revisions.all(|number| number == Some(first));
    let is_expected = criteria
        .revision_number
        .is_none_or(|number| number == first);
    (are_same && is_expected).then_some(&policy.strata)
}

/// Whether v1 serves requests that v2 is compared with: by the policy, or by the counts, which need not be of the policy.
fn has_control(rollout: &JudgedRollout, counts: &GuardCounts) -> bool {
    let policy = rollout.policy.iter();
    let planned = policy.flat_map(|policy| policy.strata.iter().copied());
    let counted = counts.strata().iter().map(|stratum| stratum.requests);
    planned.chain(counted).any(has_both_arms)
}

fn has_both_arms(requests: Fraction) -> bool {
    requests > Fraction::NONE && requests < Fraction::ALL
}

fn judge_strata(test: &GuardTest, counts: &GuardCounts) -> Vec<JudgedStratum> {
    let strata = counts.strata().iter();
    let counted = strata.filter(|stratum| stratum.arms != Arms::default());
    let judged = counted.map(|stratum| {
        let mut alone = GuardCounts::default();
        alone.add(stratum.requests, stratum.arms);
        JudgedStratum {
            requests: stratum.requests,
            arms: stratum.arms,
            ln_evidence: test.evidence(&alone).total,
            is_balanced: test.imbalance(&alone).is_none(),
        }
    });
    judged.collect()
}

/// The stratum with the strongest evidence against v2.
fn worst_stratum(strata: &[JudgedStratum]) -> Option<Fraction> {
    let strata = strata.iter().filter(|stratum| stratum.ln_evidence > 0.0);
    let worst = strata.max_by(|one, other| one.ln_evidence.total_cmp(&other.ln_evidence));
    worst.map(|stratum| stratum.requests)
}

fn reasons_of_counts(counts: &GuardCounts, strata: &[JudgedStratum]) -> Vec<Reason> {
    let is_contradictory = |stratum: &StratumCounts| {
        let is_contradictory = [stratum.arms.v1, stratum.arms.v2]
            .into_iter()
            .any(|arm| arm.errors > arm.all || arm.slow > arm.all || arm.all > MOST_REQUESTS);
        let is_v1_unexpected = stratum.requests == Fraction::ALL && stratum.arms.v1.all > 0;
        let is_v2_unexpected = stratum.requests == Fraction::NONE && stratum.arms.v2.all > 0;
        is_contradictory || is_v1_unexpected || is_v2_unexpected
    };
    let contradictory: Vec<_> = counts
        .strata()
        .iter()
        .filter(|stratum| is_contradictory(stratum))
        .collect();
    // What is not a count has no balance.
    let is_counted = |judged: &&JudgedStratum| {
        let mut contradictory = contradictory.iter();
        contradictory.all(|stratum| stratum.requests != judged.requests)
    };
    let unbalanced = strata
        .iter()
        .filter(|stratum| !stratum.is_balanced)
        .filter(is_counted);
    let contradictory = contradictory
        .iter()
        .map(|stratum| Reason::ContradictoryCounts {
            requests: stratum.requests,
            arms: stratum.arms,
        });
    let unbalanced = unbalanced.map(|stratum| Reason::OutOfBalance {
        requests: stratum.requests,
        arms: stratum.arms,
    });
    contradictory.chain(unbalanced).collect()
}

fn reasons_of_proxies(proxies: &[JudgedProxy], criteria: &Criteria) -> Vec<Reason> {
    let mut reasons = Vec::new();
    let read: Vec<&JudgedProxy> = proxies
        .iter()
        .filter(|proxy| proxy.missing.is_none())
        .collect();
    let names = |is: &dyn Fn(&JudgedProxy) -> bool| -> Vec<String> {
        let proxies = read.iter().filter(|proxy| is(proxy));
        proxies.map(|proxy| proxy.name.clone()).collect()
    };
    let mut push = |names: Vec<String>, reason: fn(Vec<String>) -> Reason| {
        if !names.is_empty() {
            reasons.push(reason(names));
        }
    };
    push(
        names(&|proxy| proxy.state == Some(GuardState::Invalid)),
        Reason::GuardInvalid,
    );
    push(
        names(&|proxy| proxy.state == Some(GuardState::Tripped)),
        Reason::GuardTripped,
    );
    push(
        names(&|proxy| proxy.state == Some(GuardState::Holding)),
        Reason::GuardHolding,
    );
    push(names(&|proxy| proxy.state.is_none()), Reason::NoGuardState);
    if let Some(expected) = criteria.revision_number {
        push(
            names(&|proxy| {
                proxy
                    .revision_number
                    .is_some_and(|number| number != expected)
            }),
            Reason::OtherRevision,
        );
    }
    // The revision of a single proxy need not be known to agree with itself.
    if criteria.revision_number.is_some() || read.len() > 1 {
        push(
            names(&|proxy| proxy.revision_number.is_none()),
            Reason::NoRevision,
        );
    }
    let mut revisions: BTreeMap<u64, Vec<String>> = BTreeMap::new();
    for proxy in &read {
        if let Some(number) = proxy.revision_number {
            let proxies = revisions.entry(number).or_default();
            proxies.push(proxy.name.clone());
        }
    }
    if revisions.len() > 1 {
        let revisions = revisions.into_iter().collect();
        reasons.push(Reason::DifferentRevisions { revisions });
    }
    let missing = proxies.iter().filter_map(|proxy| {
        let why = proxy.missing.clone()?;
        Some((proxy.name.clone(), why))
    });
    let missing: Vec<_> = missing.collect();
    if !missing.is_empty() {
        reasons.push(Reason::MissingProxies(missing));
    }
    if read.is_empty() {
        reasons.push(Reason::NoProxy);
    }
    if let Some(expected) = criteria.proxies
        && read.len() < expected
    {
        reasons.push(Reason::TooFewProxies {
            read: read.len(),
            expected,
        });
    }
    reasons
}

fn needed(
    test: &HealthTest,
    counts: &GuardCounts,
    rates: Option<&GuardCounts>,
    observed_seconds: u64,
) -> Option<Needed> {
    let v2_requests = test.requests_needed(counts)?;
    if v2_requests == 0 {
        return None;
    }
    let of_v2 = |counts: &GuardCounts| {
        let strata = counts.strata().iter();
        strata.fold(0_u64, |sum, stratum| {
            sum.saturating_add(stratum.arms.v2.all)
        })
    };
    // The present rate, or that of the whole time if there has been only one reading.
    let present = match rates {
        Some(rates) => Some([of_v2(rates), 1_000]),
        None => Some([of_v2(counts), observed_seconds])
            .filter(|[requests, seconds]| *requests > 0 && *seconds > 0),
    };
    let seconds = present.and_then(|[requests, seconds]| {
        let seconds = u128::from(v2_requests).saturating_mul(u128::from(seconds));
        let seconds = seconds.checked_div(u128::from(requests))?;
        Some(u64::try_from(seconds).unwrap_or(u64::MAX))
    });
    Some(Needed {
        v2_requests,
        seconds,
        is_rate_known: present.is_some(),
    })
}

fn coverage(rollout: &JudgedRollout, counters: &CounterValues) -> Option<Coverage> {
    let policy = rollout.policy.as_ref()?;
    let mut coverage = Coverage {
        decided: 0,
        served: 0,
    };
    let [v1, v2] = &policy.clusters;
    let is_one = v1.name == v2.name;
    for cluster in policy.clusters.iter().take(if is_one { 1 } else { 2 }) {
        let completed = Counter::Cluster(
            stat_name(&cluster.name).into_owned(),
            ClusterStat::Completed,
        );
        let served = counters.get(&completed)?;
        coverage.served = coverage.served.saturating_add(served);
        for (counter, count) in counters.iter() {
            if let Counter::Decision(rollout, treatment, _) = counter
                && cluster.is_used_by(rollout, *treatment)
            {
                coverage.decided = coverage.decided.saturating_add(count);
            }
        }
    }
    (coverage.served > 0).then_some(coverage)
}

fn warnings(
    rollout: &JudgedRollout,
    counters: &CounterValues,
    active: Option<&[Fraction]>,
) -> Vec<Warning> {
    let mut warnings = Vec::new();
    if let Some(active) = active {
        let counts = counts_of(&rollout.name, counters, None);
        let strata = counts.strata().iter();
        let earlier = strata.filter(|stratum| {
            !active.contains(&stratum.requests) && stratum.arms != Arms::default()
        });
        let earlier: Vec<_> = earlier.map(|stratum| stratum.requests).collect();
        if !earlier.is_empty() {
            warnings.push(Warning::EarlierStrata(earlier));
        }
    }
    if rollout
        .policy
        .as_ref()
        .is_some_and(|policy| policy.is_halted)
    {
        warnings.push(Warning::Halted);
    }
    if let Some(Coverage { decided, served }) = coverage(rollout, counters) {
        let decided = u128::from(decided).saturating_mul(1_000);
        let thousandths = decided.checked_div(u128::from(served)).unwrap_or_default();
        let decided_thousandths = u64::try_from(thousandths).unwrap_or(u64::MAX);
        if decided_thousandths < ENOUGH_DECIDED {
            warnings.push(Warning::Uncovered {
                decided_thousandths,
            });
        }
    }
    let ejected = Counter::Decision(
        rollout.name.clone(),
        Treatment::V1,
        DecisionReason::GuardAccount,
    );
    if let Some(requests) = counters.get(&ejected).filter(|requests| *requests > 0) {
        warnings.push(Warning::EjectedAccounts { requests });
    }
    warnings
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "small numbers of a test")]
mod tests;
