use turnout_admin::GuardGauges;
use turnout_core::Plan;
use turnout_core::guard::{Bounded, FalseEjections, GuardState};

use crate::test_counts::{counters, observed, percent, proxy};
use crate::{
    Criteria, JudgedRollout, Judgment, ObservedProxy, ProcessCounters, Reason, Verdict, Warning,
    judge,
};

/// Counts of a v2 that is worse.
const WORSE: [[u64; 3]; 2] = [[9_000, 9, 0], [1_000, 40, 0]];
/// Counts with evidence that is not enough alone, but that of two proxies is.
const SUSPICIOUS: [[u64; 3]; 2] = [[9_000, 9, 0], [1_000, 6, 0]];
/// Counts of a v2 that is as good as v1.
const GOOD: [[u64; 3]; 2] = [[90_000, 90, 0], [10_000, 9, 0]];

/// The rollout `chat` of a policy that compares at these percentages.
fn chat_at(requests: &[u32]) -> JudgedRollout {
    let rules = requests.iter().enumerate().map(|(index, requests)| {
        serde_json::json!({ "when": { "in": [format!("s{index}")] }, "requests": requests })
    });
    let segments = (0..requests.len()).map(|index| {
        (
            format!("s{index}"),
            serde_json::json!({ "accounts": [format!("a{index}")] }),
        )
    });
    let policy = serde_json::json!({
        "version": 1,
        "account": { "from": [{ "header": "x" }], "format": "opaque" },
        "segments": segments.collect::<serde_json::Map<_, _>>(),
        "rollouts": [{ "name": "chat", "v1": "v1", "v2": "v2", "mode": "split", "guard": {},
            "rules": rules.collect::<Vec<_>>() }],
    });
    let plan = Plan::from_json(&policy.to_string()).unwrap();
    JudgedRollout::of_policy(&plan, &plan.rollouts()[0]).unwrap()
}

/// A proxy that has counted this at 10 % since it started, and whose guard reports this state and evidence.
fn counted(
    name: &str,
    arms: [[u64; 3]; 2],
    state: GuardState,
    evidence_milli: u64,
) -> ObservedProxy {
    let gauges = GuardGauges {
        state: Some(state),
        evidence_milli: Some(evidence_milli),
        threshold_milli: Some(2_000),
    };
    let counters = counters(&[("10", arms[0], arms[1])]);
    ObservedProxy {
        guards: [("chat".to_owned(), gauges)].into(),
        process: Some(ProcessCounters {
            last: counters.clone(),
            before: Some(counters.clone()),
            counted: counters,
        }),
        ..proxy(name)
    }
}

fn armed(name: &str, arms: [[u64; 3]; 2]) -> ObservedProxy {
    counted(name, arms, GuardState::Armed, 0)
}

/// Judges what these proxies have counted.
fn judged(proxies: Vec<ObservedProxy>) -> Judgment {
    judged_as(&chat_at(&[10]), proxies, &Criteria::default())
}

fn judged_as(
    rollout: &JudgedRollout,
    proxies: Vec<ObservedProxy>,
    criteria: &Criteria,
) -> Judgment {
    let mut observation = observed(&[]);
    for process in proxies.iter().filter_map(|proxy| proxy.process.as_ref()) {
        observation.counters.add(&process.counted);
    }
    observation.proxies = Some(proxies);
    judge(rollout, &observation, criteria)
}

fn codes(judgment: &Judgment) -> Vec<&'static str> {
    judgment.reasons.iter().map(Reason::code).collect()
}

#[test]
fn a_guard_that_is_armed_although_its_counters_reach_the_threshold_was_rearmed() {
    let judgment = judged(vec![armed("a", WORSE), armed("b", GOOD)]);
    assert_eq!(
        (judgment.verdict, &codes(&judgment)[..]),
        (Verdict::Invalid, &["rearmed"][..])
    );
    assert_eq!(judgment.reasons, [Reason::Rearmed(vec!["a".to_owned()])]);
    // Good counts of many proxies do not make it good again.
    let many = [
        armed("a", WORSE),
        armed("b", GOOD.map(|arm| arm.map(|count| count * 50))),
    ];
    assert_eq!(codes(&judged(many.into())), ["rearmed"]);
    // Both have counters that are older than their guards, and only one reaches the threshold alone.
    let both = judged(vec![
        armed("a", WORSE),
        armed("b", SUSPICIOUS),
        armed("c", SUSPICIOUS),
    ]);
    assert_eq!(codes(&both), ["rearmed"]);
    assert_eq!(
        both.reasons,
        [Reason::Rearmed(["a", "b", "c"].map(str::to_owned).into())]
    );
    // Neither reaches it alone.
    let sum = judged(vec![armed("a", SUSPICIOUS), armed("b", SUSPICIOUS)]);
    assert_eq!(codes(&sum), ["rearmed"]);
}

/// What the guards have found themselves, they have found after they were re-armed.
#[test]
fn a_regression_is_never_hidden() {
    let regressed = |name, proxies: Vec<ObservedProxy>| {
        let judgment = judged(proxies);
        assert_eq!(
            judgment.verdict,
            Verdict::Regressed,
            "{name}: {:?}",
            codes(&judgment)
        );
    };
    let with = |name, state, evidence| counted(name, WORSE, state, evidence);
    regressed("tripped", vec![with("a", GuardState::Tripped, 9_000)]);
    regressed("holding", vec![with("a", GuardState::Holding, 1_000)]);
    regressed(
        "one holds",
        vec![
            armed("a", WORSE),
            counted("b", GOOD, GuardState::Holding, 0),
        ],
    );
    regressed(
        "one has tripped",
        vec![
            armed("a", WORSE),
            counted("b", GOOD, GuardState::Tripped, 0),
        ],
    );
    let sum = [SUSPICIOUS; 2].map(|arms| counted("a", arms, GuardState::Armed, 1_900));
    regressed("only the sum shows it, and the guards agree", sum.into());
    let mut rest = vec![armed("a", WORSE)];
    rest.extend(["b", "c"].map(|name| counted(name, SUSPICIOUS, GuardState::Armed, 1_900)));
    regressed("the others show it too", rest);
}

#[test]
fn a_guard_that_cannot_be_compared_is_trusted_to_be_as_old_as_its_counters() {
    let regressed = |rollout: &JudgedRollout, change: &dyn Fn(&mut ObservedProxy)| {
        let mut proxy = armed("a", WORSE);
        let counters = proxy.process.clone().unwrap().counted;
        change(&mut proxy);
        let observation = crate::Observation {
            proxies: Some(vec![proxy]),
            counters,
            ..observed(&[])
        };
        let judgment = judge(rollout, &observation, &Criteria::default());
        assert_eq!(codes(&judgment)[0], "strong_evidence");
    };
    let chat = chat_at(&[10]);
    let gauges = |change: fn(&mut GuardGauges)| {
        move |proxy: &mut ObservedProxy| change(proxy.guards.get_mut("chat").unwrap())
    };
    // Its workers do not share their counts, or it is another guard.
    regressed(
        &chat,
        &gauges(|gauges| gauges.threshold_milli = Some(2_301)),
    );
    regressed(&chat, &gauges(|gauges| gauges.threshold_milli = None));
    regressed(&chat, &gauges(|gauges| gauges.evidence_milli = None));
    // The counts have a baseline, so that they can be worse than those of the guard.
    regressed(&chat, &|proxy| proxy.process = None);
    // The reading before did not have this evidence, and the guard may not have seen it.
    regressed(&chat, &|proxy| {
        proxy.process.as_mut().unwrap().before = Some(counters(&[("10", GOOD[0], GOOD[1])]));
    });
    let mut accounts = chat.clone();
    accounts.settings.accounts = FalseEjections::new(100);
    regressed(&accounts, &|_| {});
    regressed(&JudgedRollout::of_counts("chat"), &|_| {});
    // One reading: with a short time to settle, counters can reach the threshold before the guard knows.
    let mut short = chat.clone();
    short.settings.settle_seconds = Bounded::new(1).unwrap();
    let single: &dyn Fn(&mut ObservedProxy) = &|proxy| {
        proxy.process.as_mut().unwrap().before = None;
        proxy.guards.get_mut("chat").unwrap().evidence_milli = Some(30_000);
    };
    regressed(&short, single);
}

#[test]
fn only_the_percentages_of_the_active_policy_are_judged() {
    let judge_at = |requests: &[u32], criteria: &Criteria| {
        judged_as(
            &chat_at(requests),
            vec![counted("a", WORSE, GuardState::Armed, 0)],
            criteria,
        )
    };
    let later = judge_at(&[50], &Criteria::default());
    assert_eq!(codes(&later), ["nothing_compared"]);
    assert_eq!(
        later.warnings,
        [Warning::EarlierStrata(vec![percent("10")])]
    );
    assert!(later.strata.is_empty());
    let both = judge_at(&[10, 50], &Criteria::default());
    assert_eq!((codes(&both), both.warnings), (vec!["rearmed"], Vec::new()));
    // The proxies run another policy, so it is unknown which strata are earlier ones.
    let other = Criteria {
        revision_number: Some(8),
        ..Criteria::default()
    };
    assert_eq!(
        codes(&judge_at(&[50], &other)),
        ["strong_evidence", "other_revision"]
    );
    // Counts that somebody has written are all judged.
    let observation = crate::Observation {
        proxies: None,
        ..observed(&[("10", WORSE[0], WORSE[1])])
    };
    let written = judge(&chat_at(&[50]), &observation, &Criteria::default());
    assert_eq!(codes(&written), ["strong_evidence"]);
}

#[test]
fn counts_of_two_definitions_are_invalid() {
    let judge_with = |state| {
        let mut observation = observed(&[("10", WORSE[0], WORSE[1])]);
        observation.changed_rollouts = ["chat".to_owned()].into();
        observation.proxies = Some(vec![counted("a", WORSE, state, 0)]);
        codes(&judge(&chat_at(&[10]), &observation, &Criteria::default()))
    };
    assert_eq!(judge_with(GuardState::Armed), ["changed"]);
    assert_eq!(
        judge_with(GuardState::Tripped),
        ["guard_tripped", "changed"]
    );
    assert_eq!(judge_with(GuardState::Holding)[0], "strong_evidence");
}
