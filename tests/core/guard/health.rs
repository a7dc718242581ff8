//! The evidence of health, compared with values that Python computed with 60 digits: `decimal`, the factor of each
//! request multiplied, and the mean over a = 8/3^k for k from 0 to 7.

use proptest::prelude::*;
use turnout_core::guard::{ErrorLimit, GuardCounts, HealthEvidence, HealthTest, SlowSettings};

use super::*;

/// The counts of strata, each with its percentage, and requests and errors of v1 and v2.
fn counted(strata: &[(&str, [u64; 4])]) -> GuardCounts {
    let mut sum = GuardCounts::default();
    for (requests, [all_v1, v1, all_v2, v2]) in strata {
        let arms = Arms {
            v1: counts(*all_v1, *v1, 0),
            v2: counts(*all_v2, *v2, 0),
        };
        sum.add(percent(requests), arms);
    }
    sum
}

fn comparing(ratio: u32, excess: &str) -> HealthTest {
    let settings = GuardSettings {
        errors: Some(bounded(ratio)),
        ..GuardSettings::default()
    };
    HealthTest::new(&settings, percent(excess))
}

fn by_default() -> HealthTest {
    comparing(1_200, "0.1")
}

fn limiting(limit: u32) -> GuardSettings {
    GuardSettings {
        errors: None,
        limit: ErrorLimit::new(limit),
        ..GuardSettings::default()
    }
}

fn assert_close(ours: f64, expected: f64) {
    let tolerance = 1e-11 * expected.abs().max(1.0);
    assert!(
        (ours - expected).abs() < tolerance,
        "{ours}, expected {expected}"
    );
}

#[test]
fn the_evidence_of_errors_equals_that_of_python() {
    for (strata, ratio, excess, expected) in [
        (
            &[("50", [6_123, 0, 6_123, 0])][..],
            1_200,
            "0.1",
            4.60534354995738,
        ),
        (
            &[("50", [6_000, 0, 6_000, 0])],
            1_200,
            "0.1",
            4.48929653487848,
        ),
        (
            &[("10", [90_000, 900, 10_000, 100])],
            1_200,
            "0.1",
            1.58637051544049,
        ),
        (
            &[("10", [90_000, 900, 10_000, 150])],
            1_200,
            "0.1",
            -1.25821029461509,
        ),
        (&[("95", [500, 5, 9_500, 95])], 1_000, "1", 3.55533674428469),
        (
            &[("5", [9_500, 95, 500, 3]), ("20", [8_000, 60, 2_000, 21])],
            1_500,
            "0.1",
            -0.00932614301199649,
        ),
        (
            &[("0.5", [19_900, 7, 100, 9])],
            5_000,
            "0.01",
            -0.942983242882596,
        ),
        // Without v1 there is nothing to compare.
        (&[("100", [0, 0, 5_000, 0])], 1_200, "0.1", 0.0),
        (
            &[("10", [90_000, 900, 10_000, 100]), ("100", [0, 0, 9, 9])],
            1_200,
            "0.1",
            1.58637051544049,
        ),
        (&[], 1_200, "0.1", 0.0),
    ] {
        let evidence = comparing(ratio, excess).evidence(&counted(strata));
        assert_close(evidence.errors.expect("a kind"), expected);
        assert_close(evidence.total, expected);
        assert_eq!((evidence.slow, evidence.limit), (None, None));
    }
}

#[test]
fn the_evidence_of_the_limit_equals_that_of_python() {
    for (strata, limit, expected) in [
        (
            &[("100", [0, 0, 1_000, 3])][..],
            1_000_000,
            1.59368513079224,
        ),
        (
            &[("10", [900, 50, 100, 0]), ("100", [0, 0, 500, 2])],
            2_000_000,
            4.24409384728864,
        ),
        (&[("100", [0, 0, 1_000, 50])], 2_000_000, -1.3713456258949),
    ] {
        let evidence = HealthTest::new(&limiting(limit), percent("0.1")).evidence(&counted(strata));
        assert_close(evidence.limit.expect("a kind"), expected);
        assert_close(evidence.total, expected);
    }
}

#[test]
fn each_kind_must_be_enough() {
    let settings = GuardSettings {
        slow: Some(SlowSettings {
            over_ms: 500,
            ratio: bounded(1_200),
        }),
        limit: ErrorLimit::new(1_000_000),
        ..GuardSettings::default()
    };
    let test = HealthTest::new(&settings, percent("0.1"));
    let evidence = |slow: u64, errors: u64| {
        let mut sum = GuardCounts::default();
        let arms = Arms {
            v1: counts(7_000, errors, 0),
            v2: counts(7_000, errors, slow),
        };
        sum.add(percent("50"), arms);
        test.evidence(&sum)
    };
    let all = evidence(0, 0);
    assert!(test.is_enough(&all));
    assert_eq!(Some(all.total), all.errors);
    assert_eq!(all.errors, all.slow);
    assert!(all.limit > all.errors);

    let slow = evidence(20, 0);
    assert!(!test.is_enough(&slow));
    assert_eq!(Some(slow.total), slow.slow);

    let over_the_limit = evidence(0, 140);
    assert!(!test.is_enough(&over_the_limit));
    assert_eq!(Some(over_the_limit.total), over_the_limit.limit);
}

#[test]
fn without_v1_only_the_limit_is_tested() {
    let settings = GuardSettings {
        limit: ErrorLimit::new(1_000_000),
        ..GuardSettings::default()
    };
    let alone = counted(&[("100", [0, 0, 2_000, 0])]);
    let test = HealthTest::new(&settings, percent("0.1"));
    assert!(!test.is_enough(&test.evidence(&alone)));
    assert_eq!(test.requests_needed(&alone), None);
    let of_limit = HealthTest::of_limit(&settings);
    assert!(of_limit.is_enough(&of_limit.evidence(&alone)));
    // Without a limit there is nothing to test, and nothing is healthy.
    let nothing = HealthTest::of_limit(&GuardSettings::default());
    let evidence = nothing.evidence(&alone);
    assert_eq!(evidence, HealthEvidence::default());
    assert!(!nothing.is_enough(&evidence));
    assert_eq!(nothing.requests_needed(&alone), None);
}

#[test]
fn a_number_that_is_none_is_not_enough() {
    let nan = HealthEvidence {
        errors: Some(f64::NAN),
        slow: None,
        limit: None,
        total: f64::NAN,
    };
    assert!(!by_default().is_enough(&nan));
    assert!(!by_default().is_enough(&HealthEvidence {
        slow: Some(100.0),
        ..nan
    }));
}

#[test]
fn the_requests_needed_suffice_and_one_less_does_not() {
    let test = by_default();
    assert_eq!(test.requests_needed(&GuardCounts::default()), Some(6_123));
    let after = |all: u64| counted(&[("50", [all, 0, all, 0])]);
    assert_eq!(test.requests_needed(&after(1_000)), Some(5_123));
    assert!(!test.is_enough(&test.evidence(&after(6_122))));
    assert!(test.is_enough(&test.evidence(&after(6_123))));
    assert_eq!(test.requests_needed(&after(6_123)), Some(0));
    // With errors, the counts are multiplied.
    let now = counted(&[("10", [9_000, 90, 1_000, 10])]);
    let needed = test.requests_needed(&now).expect("a number");
    let multiplied =
        |times: u64| counted(&[("10", [9_000, 90, 1_000, 10].map(|count| count * times))]);
    let times = needed / 1_000 + 1;
    assert!(!test.is_enough(&test.evidence(&multiplied(times))));
    assert!(test.is_enough(&test.evidence(&multiplied(times + 1))));
    // A v2 that is worse never becomes healthy.
    let worse = counted(&[("10", [9_000, 90, 1_000, 20])]);
    assert_eq!(test.requests_needed(&worse), None);
}

#[test]
fn extreme_counts_give_a_number() {
    let most = u64::MAX;
    for [v1, v2] in [[0, most], [most, 0], [most; 2], [0, 0]] {
        for requests in ["0.000001", "50", "99.999999", "100"] {
            for excess in ["0", "0.000001", "100"] {
                let settings = GuardSettings {
                    slow: Some(SlowSettings {
                        over_ms: 0,
                        ratio: bounded(5_000),
                    }),
                    limit: ErrorLimit::new(1),
                    ..GuardSettings::default()
                };
                let arms = Arms {
                    v1: counts(most, v1, v1),
                    v2: counts(most, v2, v2),
                };
                let mut sum = GuardCounts::default();
                sum.add(percent(requests), arms);
                sum.add(percent("20"), arms);
                let test = HealthTest::new(&settings, percent(excess));
                let evidence = test.evidence(&sum);
                assert!(evidence.total.is_finite(), "{evidence:?}");
                let _ = test.requests_needed(&sum);
            }
        }
    }
}

/// ln of the mean over a of the product of the factors of single requests.
fn direct(share: f64, ratio: f64, excess: f64, [all_v1, v1, all_v2, v2]: [u64; 4]) -> f64 {
    let rates = (0..8).map(|power| 8.0 / 3_f64.powi(power));
    let product = |a: f64| {
        let b = 1.0 - (-a).exp();
        let each = (b * excess * share).exp();
        let of_v1 = 1.0 + ratio * share / (1.0 - share) * b;
        let v1 = (0..all_v1).map(|request| if request < v1 { of_v1 * each } else { each });
        let v2 = (0..all_v2).map(|request| {
            if request < v2 {
                (-a).exp() * each
            } else {
                each
            }
        });
        v1.product::<f64>() * v2.product::<f64>()
    };
    (rates.map(product).sum::<f64>() / 8.0).ln()
}

proptest! {
    #[test]
    fn evidence_equals_the_product_of_factors(
        percentage in 1..100_u32, all in [0..60_u64, 0..60], failed in [0..60_u64, 0..60]
    ) {
        let [v1, v2] = [failed[0].min(all[0]), failed[1].min(all[1])];
        let requests = [all[0], v1, all[1], v2];
        let ours = comparing(1_500, "1").evidence(&counted(&[(&percentage.to_string(), requests)]));
        let expected = direct(f64::from(percentage) / 100.0, 1.5, 0.01, requests);
        prop_assert!((ours.total - expected).abs() < 1e-9, "{}, expected {expected}", ours.total);
    }

    /// The expected factor of a request is at most 1 if v2 is as bad as is not allowed, whatever the rates are: the
    /// evidence is a supermartingale.
    #[test]
    fn a_request_does_not_raise_the_expected_evidence(
        percentage in 1..100_u32,
        v1_fails in 0.0..0.5_f64,
        ratio in 1_000..2_000_u32,
        worse in 0.0..0.1_f64,
        before in [0..40_u64, 0..40, 0..40, 0..40],
    ) {
        let requests = percentage.to_string();
        let test = comparing(ratio, "1");
        let excess = 0.01;
        let share = f64::from(percentage) / 100.0;
        let v2_fails = (f64::from(ratio) / 1_000.0 * v1_fails + excess + worse).min(1.0);
        prop_assume!(v2_fails < 1.0);
        let [ok_v1, v1, ok_v2, v2] = before;
        let now = [ok_v1 + v1, v1, ok_v2 + v2, v2];
        let evidence = |more: [u64; 4]| {
            let sum = [0, 1, 2, 3].map(|index| now[index] + more[index]);
            test.evidence(&counted(&[(&requests, sum)])).total.exp()
        };
        let expected = (1.0 - share) * (1.0 - v1_fails) * evidence([1, 0, 0, 0])
            + (1.0 - share) * v1_fails * evidence([1, 1, 0, 0])
            + share * (1.0 - v2_fails) * evidence([0, 0, 1, 0])
            + share * v2_fails * evidence([0, 0, 1, 1]);
        prop_assert!(expected <= evidence([0; 4]) * (1.0 + 1e-9));
    }

    /// Errors of v2 are evidence against health, those of v1 and more excess are evidence for it.
    #[test]
    fn the_evidence_grows_with_errors_of_v1_and_falls_with_those_of_v2(
        percentage in 1..100_u32, v1 in 0..50_u64, v2 in 0..50_u64
    ) {
        let requests = percentage.to_string();
        let total = |test: HealthTest, v1, v2| {
            test.evidence(&counted(&[(&requests, [5_000, v1, 5_000, v2])])).total
        };
        let now = total(by_default(), v1, v2);
        prop_assert!(total(by_default(), v1 + 1, v2) > now);
        prop_assert!(total(by_default(), v1, v2 + 1) < now);
        prop_assert!(total(comparing(1_200, "0.2"), v1, v2) > now);
        prop_assert!(total(comparing(1_300, "0.1"), v1, v2) >= now);
    }
}
