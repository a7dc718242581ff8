//! One-sided 95 % confidence bounds of a failure rate, by Clopper and Pearson.
//!
//! The bounds are exact: whatever the true rate is, a bound is on the wrong side of it in at most 5 % of
//! samples, even for rates near 0, where the usual approximations are too narrow. The incomplete beta function
//! is hand-written on `libm` because that of the crate statrs is wrong for large samples (see
//! `continued_fraction`).

#![expect(
    clippy::float_arithmetic,
    reason = "statistics; tests check the verdicts at their boundaries"
)]

use crate::share::{Share, to_float};

/// The confidence of a bound.
const CONFIDENCE: f64 = 0.95;
/// The same, in percent.
pub(crate) const CONFIDENCE_PERCENT: u8 = 95;

/// The most comparisons that a search considers.
const MOST_COMPARISONS: u64 = 1 << 50;

/// The upper bound of the rate, for `failed` of `judged` requests.
pub(crate) fn upper(failed: u64, judged: u64) -> Share {
    if failed >= judged {
        return Share::new(1.0);
    }
    Share::new(smallest(|rate| {
        probability_of_at_most(failed, judged, rate) <= 1.0 - CONFIDENCE
    }))
}

/// The lower bound of the rate, for `failed` of `judged` requests.
pub(crate) fn lower(failed: u64, judged: u64) -> Share {
    let Some(fewer) = failed.checked_sub(1) else {
        return Share::new(0.0);
    };
    Share::new(smallest(|rate| {
        probability_of_at_most(fewer, judged, rate) <= CONFIDENCE
    }))
}

/// The number of further comparisons, all equal, that bring the upper bound down to `allow`.
pub(crate) fn more_needed(failed: u64, judged: u64, allow: Share) -> u64 {
    let enough = |judged| probability_of_at_most(failed, judged, allow.ratio()) <= 1.0 - CONFIDENCE;
    let (mut too_few, mut many) = (judged, judged.max(1));
    while many < MOST_COMPARISONS && !enough(many) {
        too_few = many;
        many = many.saturating_mul(2);
    }
    while too_few.saturating_add(1) < many {
        let middle = too_few.midpoint(many);
        if enough(middle) {
            many = middle;
        } else {
            too_few = middle;
        }
    }
    many.saturating_sub(judged)
}

/// The probability that at most `failed` of `judged` requests fail, if each fails with probability `rate`.
fn probability_of_at_most(failed: u64, judged: u64, rate: f64) -> f64 {
    let Some(succeeded) = judged.checked_sub(failed).filter(|rest| *rest > 0) else {
        return 1.0;
    };
    // The complement of the binomial distribution is an incomplete beta function.
    1.0 - incomplete_beta(to_float(failed) + 1.0, to_float(succeeded), rate)
}

/// The regularised incomplete beta function I_x(a, b).
fn incomplete_beta(a: f64, b: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x >= 1.0 {
        return 1.0;
    }
    let ln_beta = libm::lgamma(a) + libm::lgamma(b) - libm::lgamma(a + b);
    let front = (a * x.ln() + b * (-x).ln_1p() - ln_beta).exp();
    // The continued fraction converges fast below the mean. Above it, use I_x(a, b) = 1 − I_(1−x)(b, a).
    if x < (a + 1.0) / (a + b + 2.0) {
        front * continued_fraction(a, b, x) / a
    } else {
        1.0 - front * continued_fraction(b, a, 1.0 - x) / b
    }
}

/// The continued fraction of the incomplete beta function (DLMF 8.17.22), by Lentz's method.
///
/// It takes about √(a + b) steps near the mean. The crate statrs stops after 140 steps without an error: for
/// 5·10⁸ failures of 10⁹ it returns a lower bound of 50.00006 %.
fn continued_fraction(a: f64, b: f64, x: f64) -> f64 {
    const MOST_STEPS: u32 = 1_000_000;
    const TINY: f64 = 1e-300;
    let not_zero = |value: f64| if value.abs() < TINY { TINY } else { value };
    let mut c = 1.0;
    let mut d = 1.0 / not_zero(1.0 - (a + b) * x / (a + 1.0));
    let mut value = d;
    for step in 1..MOST_STEPS {
        let m = f64::from(step);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let mut change = 1.0;
        for term in [even, odd] {
            d = 1.0 / not_zero(1.0 + term * d);
            c = not_zero(1.0 + term / c);
            change *= c * d;
        }
        value *= change;
        if (change - 1.0).abs() < f64::EPSILON * 4.0 {
            break;
        }
    }
    value
}

/// Returns the smallest number between 0 and 1 for which `holds` is true. It is true for all larger numbers
/// too.
fn smallest(holds: impl Fn(f64) -> bool) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    loop {
        let middle = f64::midpoint(low, high);
        if middle <= low || middle >= high {
            return high;
        }
        if holds(middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `scipy.stats.beta.ppf` of SciPy 1.17.1: (0.05, k, n − k + 1) and (0.95, k + 1, n − k).
    const FACTS: [(u64, u64, f64, f64); 15] = [
        (0, 1, 0.0, 0.95),
        (1, 1, 0.05, 1.0),
        (0, 2994, 0.0, 0.0010000781698466697),
        (0, 2995, 0.0, 0.000999744420901142),
        (0, 3000, 0.0, 0.0009980790119965865),
        (1, 3000, 1.709761862990271e-05, 0.001580301827458731),
        (3, 3000, 0.0002726175458740734, 0.0025825051382936544),
        (12, 2000, 0.0034656420245230976, 0.009703194529571085),
        (30_000, 1_000_000, 0.02971991480546643, 0.030282098529365108),
        (500, 1000, 0.47351773123569124, 0.5264822687643087),
        (999, 1000, 0.9952650064245002, 0.999948708021091),
        (1000, 1000, 0.9970087504549047, 1.0),
        (
            2,
            1_000_000_000,
            3.5536151081320173e-10,
            6.295793633400816e-09,
        ),
        (
            1_000_000,
            100_000_000,
            0.009983639386627982,
            0.010016381564362202,
        ),
        (
            500_000_000,
            1_000_000_000,
            0.49997399208063037,
            0.5000260079193697,
        ),
    ];

    const BETA: [(f64, f64, f64, f64); 9] = [
        (1.0, 2995.0, 0.001, 0.9500382966026436),
        (2.0, 3.0, 0.4, 0.5247999999999999),
        (6.0, 1995.0, 0.003, 0.554561695810532),
        (501.0, 500.0, 0.5, 0.48738749091081973),
        (30001.0, 970000.0, 0.03, 0.4984642989080516),
        (1000001.0, 99000000.0, 0.01, 0.499734035155642),
        (500000000.0, 500000001.0, 0.5, 0.5000126156626065),
        (500000000.0, 500000001.0, 0.50001, 0.7364657003663584),
        (10000000.0, 990000000.0, 0.01, 0.5000414187787856),
    ];

    /// To at least five digits, for up to 10⁹ comparisons.
    #[test]
    fn bounds_equal_those_of_scipy() {
        for (failed, judged, low, high) in FACTS {
            for (ours, theirs) in [(lower(failed, judged), low), (upper(failed, judged), high)] {
                assert!(
                    (ours.ratio() - theirs).abs() <= theirs * 1e-5,
                    "{failed} of {judged}: {ours:?}, expected {theirs}"
                );
            }
        }
    }

    /// By bisection over `scipy.special.betainc(k + 1, n − k, 0.001) >= 0.95`.
    #[test]
    fn more_needed_equals_that_of_scipy() {
        let allow = Share::new(0.001);
        for (failed, needed) in [
            (0, 2_995),
            (1, 4_742),
            (2, 6_294),
            (5, 10_511),
            (100, 118_071),
        ] {
            assert_eq!(more_needed(failed, failed, allow), needed - failed);
            assert!(upper(failed, needed) <= allow);
            assert!(upper(failed, needed - 1) > allow);
        }
        assert_eq!(more_needed(1, 3_000, allow), 1_742);
    }

    /// `scipy.special.betainc` at and around the mean, where the fraction is slowest.
    #[test]
    fn the_beta_function_equals_that_of_scipy() {
        for (a, b, x, expected) in BETA {
            let ours = incomplete_beta(a, b, x);
            assert!(
                (ours - expected).abs() < 1e-5,
                "{a} {b} {x}: {ours}, expected {expected}"
            );
        }
    }

    #[test]
    fn searches_end() {
        assert!(more_needed(u64::MAX, u64::MAX, Share::new(1e-12)) < u64::MAX);
        assert!(more_needed(0, 0, Share::new(1e-300)) <= MOST_COMPARISONS);
        assert!(upper(0, u64::MAX).ratio() < 1e-15);
        assert!(lower(u64::MAX, u64::MAX).ratio() > 0.99);
    }
}
