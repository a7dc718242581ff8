//! Bounds of a probability from how often something happened.

/// The probability of at least `count` in a binomial distribution.
pub(super) fn probability_of_at_least(count: u64, all: u64, probability: f64) -> f64 {
    let mut ln_term = all as f64 * (1.0 - probability).ln();
    let mut below = 0.0;
    for number in 0..count {
        below += ln_term.exp();
        let left = (all - number) as f64 / (number + 1) as f64;
        ln_term += (left * probability / (1.0 - probability)).ln();
    }
    1.0 - below
}

/// The upper bound of the probability with 99 % confidence, by Clopper and Pearson.
pub(super) fn upper_bound(count: u64, all: u64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..50 {
        let middle = f64::midpoint(low, high);
        if probability_of_at_least(count + 1, all, middle) >= 0.99 {
            high = middle;
        } else {
            low = middle;
        }
    }
    high
}
