//! The ratio and its interval, compared with values that Python computed with 60 digits: `decimal`, the binomial
//! likelihoods r·π/(1 − π + r·π) of each error, their mean over 100^(k/100) for k from −100 to 100, and the ends by
//! bisection.

use proptest::prelude::*;
use turnout_core::guard::{GuardCounts, RatioEstimate};

use super::*;

/// The counts of strata, each with its percentage and the errors of v1 and v2.
fn failed(strata: &[(&str, u64, u64)]) -> GuardCounts {
    let mut sum = GuardCounts::default();
    for (requests, v1, v2) in strata {
        let arms = Arms {
            v1: counts(*v1, *v1, 0),
            v2: counts(*v2, *v2, 0),
        };
        sum.add(percent(requests), arms);
    }
    sum
}

fn estimate(strata: &[(&str, u64, u64)]) -> RatioEstimate {
    RatioEstimate::of_errors(&failed(strata), bounded(10_000))
}

fn assert_close(ours: f64, expected: f64) {
    let is_close = ours == expected || (ours / expected - 1.0).abs() < 1e-10;
    assert!(is_close, "{ours}, expected {expected}");
}

const INFINITE: f64 = f64::INFINITY;

#[test]
fn the_ratio_and_its_interval_equal_those_of_python() {
    for (strata, alpha, expected) in [
        (
            &[("50", 0, 1)][..],
            10_000,
            [INFINITE, 0.0050251256281407, INFINITE],
        ),
        (&[("50", 1, 0)], 10_000, [0.0, 0.0, 199.0]),
        (
            &[("50", 10, 12)],
            10_000,
            [1.2, 0.238498920354407, 6.53708797348937],
        ),
        (
            &[("5", 30, 10)],
            10_000,
            [6.33333333333333, 1.31136318740511, 22.1998853949139],
        ),
        (
            &[("95", 10, 3)],
            10_000,
            [0.0157894736842105, 0.000581131045549822, 0.134189348222156],
        ),
        (
            &[("5", 30, 10), ("20", 7, 20)],
            10_000,
            [8.0830345990407, 2.87551296603555, 22.0040835962139],
        ),
        (
            &[("5", 30, 10), ("20", 7, 20)],
            200_000,
            [8.0830345990407, 3.6896148886927, 17.3794760490839],
        ),
        (
            &[("50", 2_000, 5_000)],
            10_000,
            [2.5, 2.22918032254344, 2.80907833171106],
        ),
        (
            &[("0.0001", 3, 2)],
            1_000,
            [666_666.0, 0.751820505688681, 12092901712.6178],
        ),
        (
            &[("1", 0, 9)],
            10_000,
            [INFINITE, 24.6901668902034, INFINITE],
        ),
        (
            &[("10", 1_000, 0), ("50", 0, 0)],
            10_000,
            [0.0, 0.0, 0.0767148032942953],
        ),
        // Without v1 there is nothing to compare.
        (
            &[("5", 30, 10), ("100", 0, 500)],
            10_000,
            [6.33333333333333, 1.31136318740511, 22.1998853949139],
        ),
    ] {
        let estimate = RatioEstimate::of_errors(&failed(strata), bounded(alpha));
        let [ratio, low, high] = expected;
        assert_close(estimate.ratio.expect("a ratio"), ratio);
        assert_close(estimate.low, low);
        assert_close(estimate.high, high);
    }
}

#[test]
fn without_errors_every_ratio_is_possible() {
    for strata in [&[][..], &[("50", 0, 0)], &[("100", 0, 7)]] {
        let RatioEstimate { ratio, low, high } = estimate(strata);
        assert_eq!((ratio, low, high), (None, 0.0, INFINITE));
    }
}

#[test]
fn slow_requests_have_a_ratio_of_their_own() {
    let mut sum = GuardCounts::default();
    let arms = Arms {
        v1: counts(100, 1, 10),
        v2: counts(100, 9, 12),
    };
    sum.add(percent("50"), arms);
    let slow = RatioEstimate::of_slow(&sum, bounded(10_000));
    assert_eq!(slow, estimate(&[("50", 10, 12)]));
}

#[test]
fn extreme_counts_give_an_interval() {
    let most = u64::MAX;
    for [v1, v2] in [
        [0, most],
        [most, 0],
        [most; 2],
        [1, most],
        [most, 1],
        [0, 1],
    ] {
        for requests in ["0.000001", "50", "99.999999"] {
            for strata in [
                &[(requests, v1, v2)][..],
                &[(requests, v1, v2), ("20", v2, v1)],
            ] {
                let RatioEstimate { ratio, low, high } = estimate(strata);
                let ratio = ratio.expect("a ratio");
                assert!(
                    0.0 <= low && low <= ratio && ratio <= high,
                    "{low} {ratio} {high}"
                );
            }
        }
    }
}

proptest! {
    #[test]
    fn the_interval_includes_the_ratio_and_grows_with_confidence(
        strata in prop::collection::vec((1..101_u32, 0..300_u64, 0..300_u64), 1..4)
    ) {
        let texts: Vec<String> = strata.iter().map(|stratum| stratum.0.to_string()).collect();
        let strata: Vec<(&str, u64, u64)> =
            texts.iter().zip(&strata).map(|(text, stratum)| (text.as_str(), stratum.1, stratum.2)).collect();
        let counts = failed(&strata);
        let [wide, narrow] = [1_000, 100_000].map(|alpha| RatioEstimate::of_errors(&counts, bounded(alpha)));
        prop_assert_eq!(wide.ratio, narrow.ratio);
        prop_assert!(wide.low <= narrow.low && narrow.high <= wide.high);
        if let Some(ratio) = wide.ratio {
            prop_assert!(narrow.low <= ratio && ratio <= narrow.high);
        }
    }

    /// Swapping the arms inverts the ratio.
    #[test]
    fn swapped_arms_have_the_inverse_ratio(percentage in 1..100_u32, v1 in 1..200_u64, v2 in 1..200_u64) {
        let ours = estimate(&[(&percentage.to_string(), v1, v2)]);
        let theirs = estimate(&[(&(100 - percentage).to_string(), v2, v1)]);
        assert_close(ours.low, 1.0 / theirs.high);
        assert_close(ours.high, 1.0 / theirs.low);
        assert_close(ours.ratio.expect("a ratio"), 1.0 / theirs.ratio.expect("a ratio"));
    }

    /// More errors of v2 move the interval up, more of v1 move it down.
    #[test]
    fn the_ratio_grows_with_errors_of_v2(percentage in 1..100_u32, v1 in 1..200_u64, v2 in 1..200_u64) {
        let requests = percentage.to_string();
        let less = estimate(&[(&requests, v1, v2)]);
        let more = estimate(&[(&requests, v1, v2 + 1)]);
        prop_assert!(less.ratio < more.ratio);
        let fewer = estimate(&[(&requests, v1 - 1, v2)]);
        prop_assert!(less.ratio < fewer.ratio);
    }
}
