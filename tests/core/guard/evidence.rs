//! The evidence, compared with values that Python computed with 60 digits from binomial likelihoods, and with products
//! of the probabilities of single errors.

use proptest::prelude::*;
use turnout_core::guard::{GuardCounts, GuardTest, SlowSettings};

use super::*;

fn errors(ratio: u32) -> GuardTest {
    GuardTest::new(&GuardSettings {
        errors: Some(bounded(ratio)),
        ..GuardSettings::default()
    })
}

/// The counts of strata, each with its percentage and the errors of v1 and v2.
fn failed(strata: &[(&str, u64, u64)]) -> GuardCounts {
    let mut all = GuardCounts::default();
    for (requests, v1, v2) in strata {
        let arms = Arms {
            v1: counts(0, *v1, 0),
            v2: counts(0, *v2, 0),
        };
        all.add(percent(requests), arms);
    }
    all
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
    for (strata, expected) in [
        (&[("50", 0, 1)][..], 0.36763172368652),
        (&[("50", 0, 11)], 5.09060577410142),
        (&[("5", 0, 3)], 5.41718714149351),
        (&[("5", 3, 12)], 23.5476084773283),
        (&[("1", 100, 40)], 91.5930833274117),
        (&[("5", 30, 10), ("20", 7, 20)], 20.8542525960113),
        (&[("50", 1000, 1210)], -14.2998134158799),
        (&[("0.0001", 1, 2)], 4.79073614542215),
        (&[("99", 3, 900)], 1.12425129212196),
        (&[("50", 200, 0)], -27.358433771205),
        (&[], 0.0),
    ] {
        let evidence = errors(1_200).evidence(&failed(strata));
        assert_close(evidence.errors.expect("a kind"), expected);
        assert_close(evidence.total, expected);
        assert_eq!((evidence.slow, evidence.limit), (None, None));
    }
}

#[test]
fn only_ratios_above_the_allowed_one_are_tried() {
    let counts = failed(&[("5", 3, 12)]);
    assert_close(errors(2_000).evidence(&counts).total, 18.4057635973356);
    assert_close(errors(5_000).evidence(&counts).total, 10.1063723118177);
}

#[test]
fn the_kinds_are_weighted_among_those_that_are_compared() {
    let mut all = GuardCounts::default();
    let ten = Arms {
        v1: counts(5_000, 30, 20),
        v2: counts(500, 15, 15),
    };
    all.add(percent("10"), ten);
    // Without a control, only the limit applies.
    let whole = Arms {
        v1: counts(0, 0, 0),
        v2: counts(200, 5, 3),
    };
    all.add(percent("100"), whole);
    let three = GuardSettings {
        slow: Some(SlowSettings {
            over_ms: 500,
            ratio: bounded(1_500),
        }),
        limit: Some(bounded(2_000_000)),
        ..GuardSettings::default()
    };
    let evidence = GuardTest::new(&three).evidence(&all);
    assert_close(evidence.errors.expect("a kind"), 5.82276400460681);
    assert_close(evidence.slow.expect("a kind"), 7.22284227183985);
    assert_close(evidence.limit.expect("a kind"), -1.25678397532154);
    assert_close(evidence.total, 6.36323986797391);
    assert_eq!(evidence.milli_log10(), 2_763);

    let two = GuardTest::new(&GuardSettings {
        slow: None,
        ..three
    });
    assert_close(two.evidence(&all).total, 5.4866285727536);
}

#[test]
fn the_limit_equals_that_of_python() {
    for (limit, all, failed, expected) in [
        (2_000_000, 1_000, 50, 13.9704240828159),
        (2_000_000, 1_000, 10, -14.580234813777),
        // Ten times as much would be more than all, and at 45 % five times too.
        (30_000_000, 10, 9, 5.67870883710409),
        (45_000_000, 20, 19, 11.4650483384005),
    ] {
        let test = GuardTest::new(&GuardSettings {
            errors: None,
            limit: Some(bounded(limit)),
            ..GuardSettings::default()
        });
        let mut sum = GuardCounts::default();
        let arms = Arms {
            v1: counts(5, 5, 0),
            v2: counts(all, failed, 0),
        };
        sum.add(percent("100"), arms);
        let evidence = test.evidence(&sum);
        assert_close(evidence.limit.expect("a kind"), expected);
        assert_close(evidence.total, expected);
    }
}

#[test]
fn extreme_counts_and_settings_give_a_number() {
    for [v1, v2] in [[u64::MAX, 0], [0, u64::MAX], [u64::MAX; 2]] {
        for requests in ["0.000001", "50", "99.999999", "100"] {
            for ratio in [1_000, 5_000] {
                let arms = Arms {
                    v1: counts(v1, v1, v1),
                    v2: counts(v2, v2, v2),
                };
                let mut sum = GuardCounts::default();
                sum.add(percent(requests), arms);
                sum.add(percent(requests), arms);
                let test = GuardTest::new(&GuardSettings {
                    errors: Some(bounded(ratio)),
                    slow: Some(SlowSettings {
                        over_ms: 0,
                        ratio: bounded(ratio),
                    }),
                    limit: Some(bounded(1)),
                    ..GuardSettings::default()
                });
                let evidence = test.evidence(&sum);
                assert!(evidence.total.is_finite(), "{evidence:?}");
                let _ = (evidence.milli_log10(), test.imbalance(&sum));
            }
        }
    }
}

/// The mean over r of the probability of the arms of all errors, divided by the probability if v2 fails as often as is
/// allowed.
fn direct(percentage: f64, v1: u64, v2: u64) -> f64 {
    let ratios = [1.5, 2.0, 3.0, 5.0, 10.0, 30.0];
    let of_v2 = |ratio: f64| percentage * ratio / (100.0 - percentage + percentage * ratio);
    let product = |ratio: f64| {
        let of_v2_errors = (0..v2).map(|_| of_v2(ratio) / of_v2(1.2));
        let of_v1_errors = (0..v1).map(|_| (1.0 - of_v2(ratio)) / (1.0 - of_v2(1.2)));
        of_v2_errors.product::<f64>() * of_v1_errors.product::<f64>()
    };
    ratios.map(product).iter().sum::<f64>() / 6.0
}

proptest! {
    #[test]
    fn evidence_equals_the_product_of_probabilities(
        percentage in 1..100_u32, v1 in 0..80_u64, v2 in 0..80_u64
    ) {
        let counts = failed(&[(&percentage.to_string(), v1, v2)]);
        let ours = errors(1_200).evidence(&counts).total;
        let expected = direct(f64::from(percentage), v1, v2).ln();
        prop_assert!((ours - expected).abs() < 1e-9, "{ours}, expected {expected}");
    }

    /// Counts of workers, in any order, give the digits of their sum, whether their strata were prepared or not.
    #[test]
    fn evidence_depends_only_on_the_sum_of_the_counts(
        parts in prop::collection::vec((1..101_u32, 0..50_u64, 0..50_u64), 0..12),
        seed: u64,
    ) {
        let one = |(requests, v1, v2): &(u32, u64, u64)| {
            failed(&[(&requests.to_string(), *v1, *v2)])
        };
        let mut shuffled = parts.clone();
        shuffled.sort_by_key(|part| (part.1 * 31 + part.2 * 17) ^ seed);
        let [forwards, others] = [&parts, &shuffled].map(|parts| {
            let mut sum = GuardCounts::default();
            parts.iter().for_each(|part| sum.add_all(&one(part)));
            sum
        });
        prop_assert_eq!(&forwards, &others);
        let mut prepared = errors(1_200);
        parts.iter().for_each(|part| prepared.prepare(percent(&part.0.to_string())));
        let [ours, theirs] =
            [(&prepared, &forwards), (&errors(1_200), &others)].map(|(test, counts)| test.evidence(counts));
        prop_assert_eq!(ours.total.to_bits(), theirs.total.to_bits());
    }
}
