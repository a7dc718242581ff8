use proptest::prelude::*;
use turnout_admin::{ClusterStat, Counter, CounterValues, GuardCounter, GuardEvent, GuardGauges};
use turnout_core::guard::{Bounded, ErrorLimit, FalseEjections, GuardState, SlowSettings};
use turnout_core::{Fraction, Plan, Reason as DecisionReason, Treatment};

use super::judge;
use crate::test_counts::{chat, counters, observed, percent, proxy};
use crate::{
    Coverage, Criteria, JudgedRollout, Judgment, Needed, Observation, ObservedProxy, Reason,
    Verdict, Warning, to_json,
};

/// Counts of two proxies that are enough for HEALTHY.
fn healthy() -> Observation {
    observed(&[("10", [180_000, 180, 0], [20_000, 16, 0])])
}

fn verdict(observation: &Observation) -> Verdict {
    judged(observation).verdict
}

fn judged(observation: &Observation) -> Judgment {
    judge(&chat(), observation, &Criteria::default())
}

fn codes(judgment: &Judgment) -> Vec<&'static str> {
    judgment.reasons.iter().map(Reason::code).collect()
}

fn proxies(observation: &mut Observation) -> &mut Vec<ObservedProxy> {
    observation.proxies.as_mut().unwrap()
}

fn set_state(observation: &mut Observation, index: usize, state: GuardState) {
    let gauges = GuardGauges {
        state: Some(state),
        ..GuardGauges::default()
    };
    let guards = &mut proxies(observation)[index].guards;
    guards.insert("chat".to_owned(), gauges);
}

#[test]
fn each_verdict_has_its_reason() {
    for (strata, verdict, reasons) in [
        (
            &[("10", [180_000, 180, 0], [20_000, 16, 0])][..],
            Verdict::Healthy,
            &["healthy"][..],
        ),
        (
            &[("10", [90_000, 90, 0], [10_000, 80, 0])],
            Verdict::Regressed,
            &["strong_evidence"],
        ),
        (
            &[("10", [90_000, 90, 0], [10_000, 15, 0])],
            Verdict::NotEnoughData,
            &["weak_evidence"],
        ),
        (
            &[("10", [900, 0, 0], [100, 0, 0])],
            Verdict::NotEnoughData,
            &["weak_evidence"],
        ),
        (
            &[("10", [10_000, 8, 0], [90_000, 90, 0])],
            Verdict::Invalid,
            &["out_of_balance"],
        ),
        (
            &[("10", [90_000, 90, 0], [10_000, 10_001, 0])],
            Verdict::Invalid,
            &["contradictory_counts"],
        ),
        (
            &[("10", [u64::MAX, 0, 0], [u64::MAX, 0, 0])],
            Verdict::Invalid,
            &["contradictory_counts"],
        ),
        (
            &[("10", [9, 0, 10], [1, 0, 0])],
            Verdict::Invalid,
            &["contradictory_counts"],
        ),
        (
            &[("100", [1, 0, 0], [9, 0, 0])],
            Verdict::Invalid,
            &["contradictory_counts", "no_control"],
        ),
        (
            &[("100", [0, 0, 0], [90_000, 0, 0])],
            Verdict::NotEnoughData,
            &["no_control"],
        ),
        (
            &[("10", [0, 0, 0], [0, 0, 0])],
            Verdict::NotEnoughData,
            &["nothing_compared"],
        ),
        (&[], Verdict::NotEnoughData, &["nothing_compared"]),
    ] {
        let judgment = judged(&observed(strata));
        assert_eq!(
            (judgment.verdict, &codes(&judgment)[..]),
            (verdict, reasons),
            "{strata:?}"
        );
    }
}

/// A reason, its verdict, and the criteria and the change of a healthy observation that lead to it.
type Case = (&'static str, Verdict, Criteria, fn(&mut Observation));

/// What a proxy can have that makes its counts worth less. The order is that of precedence.
#[test]
fn a_proxy_that_is_missing_or_different_prevents_healthy() {
    let expecting = |proxies, revision_number| Criteria {
        proxies,
        revision_number,
        ..Criteria::default()
    };
    let plain = expecting(Some(2), Some(7));
    let cases: &[Case] = &[
        ("guard_invalid", Verdict::Invalid, plain, |seen| {
            set_state(seen, 1, GuardState::Invalid);
        }),
        ("guard_tripped", Verdict::Regressed, plain, |seen| {
            set_state(seen, 1, GuardState::Tripped);
        }),
        (
            "other_revision",
            Verdict::Invalid,
            expecting(None, Some(8)),
            |_| {},
        ),
        (
            "different_revisions",
            Verdict::Invalid,
            expecting(None, None),
            |seen| {
                proxies(seen)[1].revision_number = Some(8);
            },
        ),
        (
            "no_proxy",
            Verdict::NotEnoughData,
            expecting(None, None),
            |seen| {
                proxies(seen).clear();
            },
        ),
        (
            "missing_proxies",
            Verdict::NotEnoughData,
            expecting(None, None),
            |seen| {
                proxies(seen)[0].missing = Some("connection refused".to_owned());
            },
        ),
        (
            "too_few_proxies",
            Verdict::NotEnoughData,
            expecting(Some(3), None),
            |_| {},
        ),
        ("no_revision", Verdict::NotEnoughData, plain, |seen| {
            proxies(seen)[1].revision_number = None;
        }),
        (
            "no_revision",
            Verdict::NotEnoughData,
            expecting(None, None),
            |seen| {
                proxies(seen)[1].revision_number = None;
            },
        ),
        ("no_guard_state", Verdict::NotEnoughData, plain, |seen| {
            proxies(seen)[0].guards.clear();
        }),
        ("guard_holding", Verdict::NotEnoughData, plain, |seen| {
            set_state(seen, 0, GuardState::Holding);
        }),
    ];
    let judgment = judge(&chat(), &healthy(), &plain);
    assert_eq!(codes(&judgment), ["healthy"]);
    for (code, verdict, criteria, change) in cases {
        let mut observation = healthy();
        change(&mut observation);
        let judgment = judge(&chat(), &observation, criteria);
        assert_eq!((codes(&judgment)[0], judgment.verdict), (*code, *verdict));
    }
}

#[test]
fn a_missing_proxy_counts_with_its_last_guard_state_only_while_it_is_read() {
    let mut observation = healthy();
    set_state(&mut observation, 0, GuardState::Tripped);
    proxies(&mut observation)[0].missing = Some("timeout".to_owned());
    assert_eq!(codes(&judged(&observation)), ["missing_proxies"]);
}

#[test]
fn of_several_reasons_the_most_important_is_first() {
    let mut observation = observed(&[("10", [10_000, 10, 0], [90_000, 9_000, 0])]);
    set_state(&mut observation, 0, GuardState::Tripped);
    set_state(&mut observation, 1, GuardState::Holding);
    proxies(&mut observation)[1].revision_number = Some(8);
    let mut missing = proxy("c");
    missing.missing = Some("timeout".to_owned());
    proxies(&mut observation).push(missing);
    let judgment = judged(&observation);
    assert_eq!(judgment.verdict, Verdict::Invalid);
    let expected = [
        "out_of_balance",
        "guard_tripped",
        "different_revisions",
        "missing_proxies",
        "guard_holding",
    ];
    assert_eq!(codes(&judgment), expected);
    assert_eq!(judgment.needed, None);
}

/// Counts from a file are of no known proxies.
#[test]
fn counts_alone_are_judged_without_proxies() {
    let observation = Observation {
        proxies: None,
        ..healthy()
    };
    assert_eq!(codes(&judged(&observation)), ["healthy"]);
    let expecting = Criteria {
        proxies: Some(2),
        revision_number: Some(7),
        ..Criteria::default()
    };
    assert_eq!(
        codes(&judge(&chat(), &observation, &expecting)),
        ["healthy"]
    );
}

#[test]
fn a_smaller_excess_needs_more_requests() {
    let excess = |literal| Criteria {
        excess: percent(literal),
        ..Criteria::default()
    };
    let judge = |literal| judge(&chat(), &healthy(), &excess(literal));
    assert_eq!(judge("0.1").verdict, Verdict::Healthy);
    let strict = judge("0.01");
    assert_eq!(codes(&strict), ["weak_evidence"]);
    assert!(strict.needed.is_some());
    // Without any excess, nothing that never fails can be found healthy.
    let never = observed(&[("10", [90_000, 0, 0], [10_000, 0, 0])]);
    let none = super::judge(&chat(), &never, &excess("0"));
    assert_eq!((codes(&none)[0], none.needed), ("weak_evidence", None));
}

#[test]
fn what_is_needed_takes_as_long_as_at_the_present_rate() {
    let mut observation = observed(&[("10", [900, 0, 0], [100, 0, 0])]);
    observation.observed_seconds = 50;
    let needed = |observation: &Observation| judged(observation).needed;
    let v2_requests = 6_023;
    let seconds = |seconds| {
        Some(Needed {
            v2_requests,
            seconds,
            is_rate_known: true,
        })
    };
    // Two of v2 in a second.
    assert_eq!(needed(&observation), seconds(Some(3_011)));
    observation.rates = Some(counters(&[("10", [90_000, 0, 0], [10_000, 0, 0])]));
    assert_eq!(needed(&observation), seconds(Some(602)));
    observation.rates = Some(CounterValues::default());
    assert_eq!(needed(&observation), seconds(None));
    // Counts alone do not say in which time they came.
    observation.rates = None;
    observation.observed_seconds = 0;
    let unknown = needed(&observation).unwrap();
    assert_eq!((unknown.seconds, unknown.is_rate_known), (None, false));
    // Without any requests, it assumes that none fails.
    let nothing = needed(&observed(&[]));
    assert_eq!(nothing.map(|needed| needed.v2_requests), Some(6_123));
    // v2 fails more often than allowed: more of the same does not help.
    let worse = observed(&[("10", [90_000, 90, 0], [10_000, 25, 0])]);
    assert_eq!(needed(&worse), None);
    assert_eq!(needed(&healthy()), None);
}

#[test]
fn slow_requests_must_be_healthy_too() {
    let mut rollout = chat();
    rollout.settings.slow = Some(SlowSettings {
        over_ms: 500,
        ratio: Bounded::new(1_500).unwrap(),
    });
    let judge = |slow| {
        let strata = [("10", [180_000, 180, 180], [20_000, 16, slow])];
        judge(&rollout, &observed(&strata), &Criteria::default())
    };
    let good = judge(18);
    assert_eq!(good.verdict, Verdict::Healthy);
    assert!(
        good.slow_ratio
            .is_some_and(|slow| slow.low < 1.0 && slow.high > 1.0)
    );
    assert_eq!(judge(44).verdict, Verdict::NotEnoughData);
    assert_eq!(judge(180).verdict, Verdict::Regressed);
    // Without `slow`, slow requests do not matter.
    assert_eq!(
        judged(&observed(&[("10", [180_000, 180, 180], [20_000, 16, 900])])).verdict,
        Verdict::Healthy
    );
}

#[test]
fn a_limit_is_judged_where_v1_serves_nothing() {
    let everyone = |errors| observed(&[("100", [0, 0, 0], [10_000, errors, 0])]);
    let judge_on = |text: &str, observation: &Observation| {
        let plan = Plan::from_json(text).unwrap();
        let rollout = JudgedRollout::of_policy(&plan, &plan.rollouts()[0]).unwrap();
        judge(&rollout, observation, &Criteria::default())
    };
    let on = r#"{"version":1,"revision":"a","account":{"from":[{"header":"x"}],"format":"opaque"},"rollouts":[
        {"name":"chat","v1":"chat-v1","v2":"chat-v2","mode":"on","guard":{"errors":{"ratio":1.2},"limit":{"error_percent":1}}}]}"#;
    assert_eq!(judge_on(on, &everyone(5)).verdict, Verdict::Healthy);
    assert_eq!(judge_on(on, &everyone(90)).verdict, Verdict::NotEnoughData);
    assert_eq!(judge_on(on, &everyone(900)).verdict, Verdict::Regressed);
    // Counts that somebody has written have a control, and v2 fails three times as often as v1.
    let written = Observation {
        proxies: None,
        ..observed(&[("10", [9_000, 9, 0], [1_000, 3, 0])])
    };
    let written = judge_on(on, &written);
    assert_eq!(codes(&written), ["weak_evidence"]);
    assert!(written.to_text().contains("times as often"));
    assert!(
        !judge_on(on, &everyone(5))
            .to_text()
            .contains("times as often")
    );
    // A stratum that has a control and no requests is none.
    let strata = [("50", [0; 3], [0; 3]), ("100", [0; 3], [10_000, 5, 0])];
    let judgment = judge(&chat(), &observed(&strata), &Criteria::default());
    assert_eq!(codes(&judgment), ["no_control"]);
    assert_eq!(judgment.strata.len(), 1);
    // The policy also compares at 50 %, where no request has come.
    let both = r#"{"version":1,"revision":"a","account":{"from":[{"header":"x"}],"format":"opaque"},
        "segments":{"s":{"accounts":["a"]}},
        "rollouts":[{"name":"chat","v1":"chat-v1","v2":"chat-v2","mode":"split","guard":{"errors":{"ratio":1.2},"limit":{"error_percent":1}},
        "rules":[{"when":{"in":["s"]},"accounts":100,"requests":50},{"when":{},"accounts":100,"requests":100}]}]}"#;
    let judgment = judge_on(both, &everyone(5));
    assert_eq!(codes(&judgment), ["no_control"]);
}

/// With `accounts`, the guards can have less evidence than the counts, because they set aside the errors of accounts that
/// they ejected.
#[test]
fn ejected_accounts_are_a_warning() {
    let mut rollout = chat();
    rollout.settings.accounts = FalseEjections::new(100);
    let mut observation = healthy();
    let ejected = Counter::Decision(
        "chat".to_owned(),
        Treatment::V1,
        DecisionReason::GuardAccount,
    );
    observation.counters.insert(ejected, 40);
    let judgment = judge(&rollout, &observation, &Criteria::default());
    assert_eq!(judgment.verdict, Verdict::Healthy);
    assert_eq!(
        judgment.warnings,
        [Warning::EjectedAccounts { requests: 40 }]
    );
}

#[test]
fn requests_that_the_filter_did_not_decide_are_a_warning() {
    let text = r#"{"version":1,"revision":"a","account":{"from":[{"header":"x"}],"format":"opaque"},"rollouts":[
        {"name":"chat","v1":"chat-v1","v2":"chat:v2","mode":"split","guard":{},
         "rules":[{"when":{},"accounts":100,"requests":10}]},
        {"name":"dark","v1":"chat-v1","v2":"dark-v2","mode":"dark","rules":[{"when":{},"accounts":100,"requests":10}]}]}"#;
    let plan = Plan::from_json(text).unwrap();
    let rollout = JudgedRollout::of_policy(&plan, &plan.rollouts()[0]).unwrap();
    assert_eq!(
        rollout.policy.as_ref().map(|policy| policy.strata.clone()),
        Some(vec![percent("10")])
    );
    let judge_with = |others: u64| {
        let mut observation = healthy();
        let mut insert = |counter, count| observation.counters.insert(counter, count);
        let decision = |rollout: &str, treatment| {
            Counter::Decision(rollout.to_owned(), treatment, DecisionReason::Rule)
        };
        insert(decision("chat", Treatment::V1), 600);
        insert(decision("chat", Treatment::V2), 100);
        // In the mode `dark`, both decisions take v1.
        insert(decision("dark", Treatment::V1), 200);
        insert(decision("dark", Treatment::V2), 100);
        let completed =
            |cluster: &str| Counter::Cluster(cluster.to_owned(), ClusterStat::Completed);
        insert(completed("chat-v1"), 900 + others);
        insert(completed("chat_v2"), 100);
        judge(&rollout, &observation, &Criteria::default())
    };
    let all = judge_with(0);
    assert_eq!(
        all.coverage,
        Some(Coverage {
            decided: 1_000,
            served: 1_000
        })
    );
    assert_eq!((all.warnings, all.verdict), (vec![], Verdict::Healthy));
    let others = judge_with(250);
    assert_eq!(
        others.warnings,
        [Warning::Uncovered {
            decided_thousandths: 800
        }]
    );
    assert_eq!(others.verdict, Verdict::Healthy);
    // Without the counters of both clusters it is unknown.
    assert_eq!(
        judge(&rollout, &healthy(), &Criteria::default()).coverage,
        None
    );
}

#[test]
fn a_halted_rollout_is_a_warning() {
    let text = r#"{"version":1,"revision":"a","account":{"from":[{"header":"x"}],"format":"opaque"},"halted":true,
        "rollouts":[{"name":"chat","v1":"a","v2":"b","mode":"split","guard":{},
        "rules":[{"when":{},"accounts":100,"requests":10}]}]}"#;
    let plan = Plan::from_json(text).unwrap();
    let rollout = JudgedRollout::of_policy(&plan, &plan.rollouts()[0]).unwrap();
    let judgment = judge(&rollout, &healthy(), &Criteria::default());
    assert_eq!(judgment.warnings, [Warning::Halted]);
}

#[test]
fn the_stratum_with_the_strongest_evidence_is_the_worst() {
    let judgment = judged(&observed(&[
        ("5", [9_500, 50, 0], [500, 9, 0]),
        ("10", [9_000, 50, 0], [1_000, 5, 0]),
    ]));
    assert_eq!(judgment.worst_stratum, Some(percent("5")));
    let judgment = judged(&observed(&[("10", [9_000, 50, 0], [1_000, 5, 0])]));
    assert_eq!(judgment.worst_stratum, None);
}

#[test]
fn counts_of_other_rollouts_do_not_count() {
    let mut observation = healthy();
    let counter = |rollout: &str| {
        Counter::Guard(GuardCounter {
            rollout: rollout.to_owned(),
            requests: percent("10"),
            arm: Treatment::V2,
            event: GuardEvent::Errors,
        })
    };
    let before = judged(&observation);
    observation.counters.insert(counter("chat-2"), 1_000_000);
    assert_eq!(judged(&observation), before);
}

/// `[all, errors, slow]` of an arm, of which errors and slow requests can be more than all.
fn any_arm() -> impl Strategy<Value = [u64; 3]> {
    let any = prop_oneof![
        Just(0),
        0..200_u64,
        0..1_000_000_u64,
        any::<u64>(),
        Just(u64::MAX)
    ];
    [any.clone(), any.clone(), any]
}

fn any_stratum() -> impl Strategy<Value = (String, [u64; 3], [u64; 3])> {
    let requests = prop_oneof![
        Just("0.000001".to_owned()),
        (1..101_u32).prop_map(|percent| percent.to_string())
    ];
    (requests, any_arm(), any_arm())
}

/// The counts of a stratum of a proxy that has counted them: in balance, with few errors.
fn honest_stratum() -> impl Strategy<Value = (u32, u64, u64, u64)> {
    (1..100_u32, 0..50_u64, 0..20_u64, 0..20_u64)
}

fn honest((requests, hundreds, v1, v2): (u32, u64, u64, u64)) -> CounterValues {
    let of_v2 = u64::from(requests) * hundreds;
    let of_v1 = (100 - u64::from(requests)) * hundreds;
    let requests = requests.to_string();
    counters(&[(
        &requests,
        [of_v1, v1.min(of_v1), 0],
        [of_v2, v2.min(of_v2), 0],
    )])
}

proptest! {
    /// The sum of the counts decides, to the last digit, however they are divided among proxies.
    #[test]
    fn the_judgment_depends_only_on_the_sum_of_the_counts(
        parts in prop::collection::vec((honest_stratum(), 0..3_usize), 0..12)
    ) {
        let mut divided = [(); 3].map(|()| CounterValues::default());
        let mut sum = CounterValues::default();
        for (stratum, proxy) in parts {
            divided[proxy].add(&honest(stratum));
            sum.add(&honest(stratum));
        }
        let mut of_proxies = CounterValues::default();
        divided.iter().rev().for_each(|proxy| of_proxies.add(proxy));
        let judge = |counters| {
            let observation = Observation { counters, ..observed(&[]) };
            to_json(&[judged(&observation)])
        };
        prop_assert_eq!(judge(of_proxies), judge(sum));
    }

    #[test]
    fn hostile_counts_are_judged(strata in prop::collection::vec(any_stratum(), 0..4), excess in 0..100_000_001_u32) {
        let mut rollout = chat();
        rollout.settings.slow = Some(SlowSettings { over_ms: 1, ratio: Bounded::new(1_000).unwrap() });
        rollout.settings.limit = ErrorLimit::new(1);
        let strata: Vec<_> = strata.iter().map(|(requests, v1, v2)| (requests.as_str(), *v1, *v2)).collect();
        let criteria = Criteria { excess: Fraction::from_millionths(excess).unwrap(), ..Criteria::default() };
        for rollout in [chat(), rollout] {
            let judgment = judge(&rollout, &observed(&strata), &criteria);
            let are_plausible = strata.iter().all(|(_, v1, v2)| [v1, v2].iter().all(|[all, errors, slow]| {
                errors <= all && slow <= all && *all <= 1 << 53
            }));
            prop_assert!(are_plausible || judgment.verdict == Verdict::Invalid || strata.len() > 1);
            prop_assert!([judgment.evidence.total, judgment.health.total].iter().all(|number| number.is_finite()));
            prop_assert!(judgment.verdict != Verdict::Healthy || judgment.health.total >= judgment.ln_threshold);
            let _ = (judgment.to_text(), to_json(&[judgment]));
        }
    }

    /// Swapping the arms by hand is noticed, whatever the error rates are.
    #[test]
    fn swapped_arms_are_invalid(all in 20..100_000_u64, v1 in 0..20_u64, v2 in 0..20_u64) {
        let [few, many] = [all / 10, all - all / 10];
        let swapped = observed(&[("10", [few, v1.min(few), 0], [many, v2.min(many), 0])]);
        prop_assert_eq!(verdict(&swapped), Verdict::Invalid);
    }

    /// Enough evidence of health stays enough with several times the same counts, and with fewer errors of v2. The
    /// verdict can still be REGRESSED, because the guard's test does not know the excess.
    #[test]
    fn more_of_the_same_and_fewer_errors_stay_healthy(stratum in honest_stratum(), times in 1..5_u64) {
        let (requests, hundreds, v1, v2) = stratum;
        let healthy = |stratum| {
            let observation = Observation { counters: honest(stratum), ..observed(&[]) };
            let judgment = judged(&observation);
            judgment.health.total >= judgment.ln_threshold
        };
        let now = healthy((requests, hundreds * 20, v1, v2));
        prop_assert!(!now || healthy((requests, hundreds * 20 * times, v1 * times, v2 * times)));
        prop_assert!(!now || healthy((requests, hundreds * 20, v1, v2.saturating_sub(1))));
        prop_assert!(!now || healthy((requests, hundreds * 20, v1 + 1, v2)));
    }
}
