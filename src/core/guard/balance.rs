//! The balance test: whether the share of v2 in a stratum is the percentage of the policy.
//!
//! It notices that the guard would compare the wrong requests: arms that are swapped (except at 50 %, where the share
//! stays the same), bucketing that is broken, or something that removes requests of one treatment only. All that the
//! guard computes relies on that share.
//!
//! The null hypothesis is that the odds of v2 differ from π/(1 − π) by a factor of at most [`TOLERANCE`]. A factor
//! of r in the odds acts on requests as a ratio of r acts on errors, so the test uses the same likelihood ratios:
//! the mean of r over [`FACTORS`] against `TOLERANCE`, and of 1/r against 1/`TOLERANCE`. Each is a supermartingale
//! under the null hypothesis, hence their mean, and by Ville's inequality it reaches 1/alpha with probability at
//! most alpha, however often one looks. The strata share alpha equally.

#![expect(
    clippy::float_arithmetic,
    reason = "statistics, once a second; tests compare it with independent computations"
)]

use crate::bucketing::Fraction;

use super::counts::{Arms, StratumCounts};
use super::likelihood_ratio::{LikelihoodRatio, has_control, ln_mean_exp};
use super::worker_guard::MAX_STRATA;

/// The probability that the arms of some stratum are found to be out of balance although they are not.
pub const BALANCE_ALPHA: f64 = 0.001;

/// How far the odds of v2 may be off. A factor of 1.05 makes the ratio of error rates wrong by as much, a quarter of
/// the default tolerance. A tolerance of 1 would reject, after enough requests, whatever is not exactly random,
/// such as a client that sends the same request id every minute.
const TOLERANCE: f64 = 1.05;

/// How far the odds are off in the alternative hypotheses.
const FACTORS: [f64; 5] = [1.2, 1.5, 3.0, 10.0, 100.0];

/// The balance test of one stratum.
#[derive(Clone, Debug)]
pub(super) struct BalanceTest {
    ratios: Vec<LikelihoodRatio>,
}

impl BalanceTest {
    pub(super) fn new(requests: Fraction) -> Self {
        if !has_control(requests) {
            return Self { ratios: Vec::new() };
        }
        let more = FACTORS.map(|factor| LikelihoodRatio::new(requests, factor, TOLERANCE));
        let fewer =
            FACTORS.map(|factor| LikelihoodRatio::new(requests, 1.0 / factor, 1.0 / TOLERANCE));
        Self {
            ratios: [more, fewer].concat(),
        }
    }

    /// Returns the logarithm of the evidence that the share of v2 is off.
    pub(super) fn ln_evidence(&self, counts: &StratumCounts) -> f64 {
        let all = Arms {
            v1: counts.arms.v1.all,
            v2: counts.arms.v2.all,
        };
        let logarithms: Vec<f64> = self.ratios.iter().map(|ratio| ratio.ln(all)).collect();
        ln_mean_exp(&logarithms)
    }
}

/// The logarithm of the evidence at which a stratum is out of balance.
pub(super) fn ln_threshold() -> f64 {
    libm::log(MAX_STRATA as f64 / BALANCE_ALPHA)
}
