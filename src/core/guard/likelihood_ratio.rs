//! The likelihood ratio of two hypotheses about how events divide between v1 and v2.
//!
//! Suppose that an event (an error) is r times as frequent in v2 as in v1, and that a request takes v2 with
//! probability π. Then an event is one of v2 with probability r·π / (1 − π + r·π), whatever the frequency is. The
//! ratio of the likelihoods of n1 events of v1 and n2 of v2, for r and for r0, is
//!
//! ```text
//! ln L = n2·ln(r/r0) − (n1 + n2)·ln((1 − π + r·π) / (1 − π + r0·π))
//! ```
//!
//! If the true ratio is r0, then L is a martingale that starts at 1. If r > r0 and the true ratio is less than
//! r0, or the reverse, it is a supermartingale.

#![expect(
    clippy::float_arithmetic,
    reason = "statistics, once a second; tests compare it with independent computations"
)]

use crate::bucketing::Fraction;

use super::counts::Arms;

/// The logarithms that the formula needs, for one stratum and one pair of hypotheses.
#[derive(Clone, Copy, Debug)]
pub(super) struct LikelihoodRatio {
    /// ln(r/r0).
    pub(super) ln_rate: f64,
    /// ln((1 − π + r·π) / (1 − π + r0·π)).
    pub(super) ln_share: f64,
}

impl LikelihoodRatio {
    /// Creates the ratio of `rate` (r) to `null` (r0), both positive.
    pub(super) fn new(requests: Fraction, rate: f64, null: f64) -> Self {
        let v2 = f64::from(requests.millionths());
        let v1 = f64::from(Fraction::ALL.millionths()) - v2;
        Self {
            ln_rate: libm::log(rate / null),
            ln_share: libm::log((v1 + rate * v2) / (v1 + null * v2)),
        }
    }

    /// Creates the ratio of e^`ln_rate` to 1.
    pub(super) fn of_logarithm(requests: Fraction, ln_rate: f64) -> Self {
        let v2 = f64::from(requests.millionths());
        let all = f64::from(Fraction::ALL.millionths());
        Self {
            ln_rate,
            ln_share: libm::log((all - v2 + libm::exp(ln_rate) * v2) / all),
        }
    }

    /// Returns ln L for so many events in each arm.
    pub(super) fn ln(&self, events: Arms<u64>) -> f64 {
        let all = events.v1.saturating_add(events.v2);
        to_float(events.v2) * self.ln_rate - to_float(all) * self.ln_share
    }
}

/// Whether a stratum has both arms.
pub(super) fn has_control(requests: Fraction) -> bool {
    (1..Fraction::ALL.millionths()).contains(&requests.millionths())
}

/// Converts a count. Above 2⁵³ it is rounded.
pub(super) fn to_float(count: u64) -> f64 {
    count as f64
}

/// Returns the logarithm of the mean of numbers that are themselves given as logarithms; 0 for none.
pub(super) fn ln_mean_exp(logarithms: &[f64]) -> f64 {
    if logarithms.is_empty() {
        return 0.0;
    }
    let count = logarithms.iter().map(|_| 1.0).sum::<f64>();
    ln_sum_exp(logarithms) - libm::log(count)
}

/// Returns the logarithm of the sum of numbers that are given as logarithms, without overflow.
pub(super) fn ln_sum_exp(logarithms: &[f64]) -> f64 {
    let greatest = logarithms.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if greatest == f64::NEG_INFINITY {
        return greatest;
    }
    let sum = logarithms
        .iter()
        .map(|logarithm| libm::exp(logarithm - greatest))
        .sum::<f64>();
    greatest + libm::log(sum)
}
