//! The order of rounds, and the statistics.

use super::rounds::order;
use super::statistics::{Spread, percentile, standard_deviations};

#[test]
fn over_as_many_rounds_as_variants_each_stands_everywhere_and_behind_every_other_once() {
    for count in [2, 4, 10] {
        let rounds: Vec<Vec<usize>> = (0..count).map(|round| order(round, count)).collect();
        for place in 0..count {
            let mut there: Vec<usize> = rounds.iter().map(|round| round[place]).collect();
            there.sort_unstable();
            assert_eq!(there, Vec::from_iter(0..count), "place {place} of {count}");
        }
        let pairs = rounds.iter().flat_map(|round| round.windows(2));
        let mut pairs: Vec<&[usize]> = pairs.collect();
        pairs.sort_unstable();
        pairs.dedup();
        assert_eq!(pairs.len(), count * (count - 1), "{count} variants");
    }
}

#[test]
fn each_round_has_each_variant_once() {
    for count in 1..12 {
        for round in 0..3 * count {
            let mut all = order(round, count);
            all.sort_unstable();
            assert_eq!(all, Vec::from_iter(0..count), "round {round} of {count}");
        }
    }
}

#[test]
fn a_spread_is_the_median_and_what_is_around_it() {
    let of = |values: &[f64]| Spread::of(values.iter().copied());
    let all = |spread: Spread| {
        [
            spread.least,
            spread.lower,
            spread.median,
            spread.upper,
            spread.greatest,
        ]
    };
    assert_eq!(
        all(of(&[5.0, 1.0, 4.0, 2.0, 3.0])),
        [1.0, 2.0, 3.0, 4.0, 5.0]
    );
    assert_eq!(all(of(&[4.0, 1.0, 2.0, 3.0])), [1.0, 1.75, 2.5, 3.25, 4.0]);
    assert_eq!(all(of(&[7.0])), [7.0; 5]);
    assert!(of(&[]).median.is_nan());
}

#[test]
fn a_percentile_is_one_of_the_values() {
    let values: Vec<u64> = (1..=200).rev().collect();
    assert_eq!(
        [50, 99, 100].map(|percent| percentile(&values, percent)),
        [100.0, 198.0, 200.0]
    );
    assert!(percentile(&[], 50).is_nan());
}

#[test]
fn what_has_to_be_all_or_nothing_is_infinitely_far_from_anything_else() {
    assert_eq!(standard_deviations(50, 100, 50), 0.0);
    assert_eq!(standard_deviations(60, 100, 50), 2.0);
    assert_eq!(standard_deviations(0, 100, 0), 0.0);
    assert_eq!(standard_deviations(1, 100, 0), f64::INFINITY);
}
