//! The estimate of how many times as often v2 fails as v1, with an interval that is valid at any time.
//!
//! The point estimate is the ratio r that maximises the likelihood L_r of how the errors of each stratum divide between
//! v1 and v2 (see [`likelihood_ratio`](super::likelihood_ratio)). It does not depend on how often requests fail, so
//! outages of both treatments do not distort it.
//!
//! The interval contains all ratios ρ that the data do not reject:
//!
//! ```text
//! ln(mean over a grid of r of L_r) − ln L_ρ < ln(1/alpha)
//! ```
//!
//! If ρ is the true ratio, then L_r / L_ρ is a martingale that starts at 1 for each r, hence the mean over the grid is
//! one too, and by Ville's inequality it ever reaches 1/alpha with probability at most alpha. So the true ratio is
//! ever outside the interval with probability at most alpha, however often one looks. See Robbins, "Statistical methods
//! related to the law of the iterated logarithm", 1970, and Howard et al., "Time-uniform, nonparametric, nonasymptotic
//! confidence sequences", 2021.
//!
//! −ln L_ρ is convex in ln ρ, so these ratios form an interval, and its ends are found by bisection.

#![expect(
    clippy::float_arithmetic,
    reason = "statistics, not during requests; tests compare it with independent computations"
)]

use std::f64::consts::LN_10;

use crate::bucketing::Fraction;

use super::counts::{ArmCounts, Arms, GuardCounts};
use super::likelihood_ratio::{LikelihoodRatio, has_control, ln_mean_exp, to_float};
use super::settings::Alpha;

/// The grid has this many ratios below 1, as many above 1, and 1: from 1/100 to 100, each 4.7 % greater than the one
/// before. With a coarser grid, the interval would stop shrinking after some thousands of errors.
const GRID_POINTS: i16 = 100;
/// The natural logarithm of the greatest ratio of the grid, 100.
const LN_GREATEST: f64 = 2.0 * LN_10;

/// Logarithms of ratios are searched between −600 and 600, where nothing overflows. Beyond, a ratio is
/// reported as 0 or infinite.
const LN_BOUND: f64 = 600.0;
/// The steps of a bisection. They find the logarithm of a ratio to 10⁻¹².
const STEPS: u32 = 50;

/// How many times as often v2 fails, or is slow, as v1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RatioEstimate {
    /// The most likely ratio: infinite if only v2 has errors, and `None` if there are no errors.
    pub ratio: Option<f64>,
    /// The lower end of the interval, at least 0.
    pub low: f64,
    /// The upper end of the interval, which can be infinite.
    pub high: f64,
}

/// The events of the strata in which both arms serve requests.
struct Events(Vec<(Fraction, Arms<u64>)>);

impl RatioEstimate {
    /// Estimates the ratio of the error rates. The true ratio is ever outside the interval with probability at most
    /// `alpha`.
    #[must_use]
    pub fn of_errors(counts: &GuardCounts, alpha: Alpha) -> Self {
        Self::of(counts, alpha, |arm| arm.errors)
    }

    /// Estimates the ratio of how often requests are slow.
    #[must_use]
    pub fn of_slow(counts: &GuardCounts, alpha: Alpha) -> Self {
        Self::of(counts, alpha, |arm| arm.slow)
    }

    fn of(counts: &GuardCounts, alpha: Alpha, events: impl Fn(ArmCounts) -> u64) -> Self {
        let events = Events::new(counts, events);
        let Some(ratio) = events.most_likely() else {
            return Self {
                ratio: None,
                low: 0.0,
                high: f64::INFINITY,
            };
        };
        let ln_threshold = -libm::log(f64::from(alpha.get()) / 1e6);
        let ln_mixture = events.ln_mixture();
        let is_inside = |ln_ratio: f64| ln_mixture - events.ln_likelihood(ln_ratio) < ln_threshold;
        let inside = libm::log(ratio).clamp(-LN_BOUND, LN_BOUND);
        // Without events of one arm, the interval has no end on that side.
        let low = match ratio <= 0.0 || is_inside(-LN_BOUND) {
            true => 0.0,
            false => libm::exp(boundary(inside, -LN_BOUND, is_inside)),
        };
        let high = match ratio.is_infinite() || is_inside(LN_BOUND) {
            true => f64::INFINITY,
            false => libm::exp(boundary(inside, LN_BOUND, is_inside)),
        };
        Self {
            ratio: Some(ratio),
            low,
            high,
        }
    }
}

impl Events {
    fn new(counts: &GuardCounts, events: impl Fn(ArmCounts) -> u64) -> Self {
        let strata = counts.strata().iter();
        let strata = strata.filter(|stratum| has_control(stratum.requests));
        let strata = strata.map(|stratum| (stratum.requests, stratum.arms.map(&events)));
        Self(
            strata
                .filter(|(_, events)| *events != Arms::default())
                .collect(),
        )
    }

    /// ln L of a ratio, given as a logarithm, compared with the ratio 1.
    fn ln_likelihood(&self, ln_ratio: f64) -> f64 {
        let strata = self.0.iter();
        strata
            .map(|(requests, events)| {
                LikelihoodRatio::of_logarithm(*requests, ln_ratio).ln(*events)
            })
            .sum()
    }

    /// The logarithm of the mean of L over the grid.
    fn ln_mixture(&self) -> f64 {
        let grid = -GRID_POINTS..=GRID_POINTS;
        let grid = grid.map(|point| f64::from(point) / f64::from(GRID_POINTS) * LN_GREATEST);
        let logarithms: Vec<f64> = grid.map(|ln_ratio| self.ln_likelihood(ln_ratio)).collect();
        ln_mean_exp(&logarithms)
    }

    /// The ratio with the greatest likelihood: the one at which as many events are expected in v2 as there are.
    fn most_likely(&self) -> Option<f64> {
        let sum = |arm: fn(&Arms<u64>) -> u64| {
            let strata = self.0.iter();
            strata.map(|(_, events)| to_float(arm(events))).sum::<f64>()
        };
        let [v1, v2] = [sum(|events| events.v1), sum(|events| events.v2)];
        if v1 + v2 <= 0.0 {
            return None;
        }
        if v1 <= 0.0 {
            return Some(f64::INFINITY);
        }
        if v2 <= 0.0 {
            return Some(0.0);
        }
        if let [(requests, _)] = self.0.as_slice() {
            let of_v2 = f64::from(requests.millionths());
            let of_v1 = f64::from(Fraction::ALL.millionths()) - of_v2;
            return Some(v2 * of_v1 / (v1 * of_v2));
        }
        let is_too_small = |ln_ratio: f64| self.expected_in_v2(libm::exp(ln_ratio)) < v2;
        Some(libm::exp(boundary(-LN_BOUND, LN_BOUND, is_too_small)))
    }

    /// The expected number of events in v2 for this ratio.
    fn expected_in_v2(&self, ratio: f64) -> f64 {
        let strata = self.0.iter();
        strata
            .map(|(requests, events)| {
                let v2 = ratio * f64::from(requests.millionths());
                let v1 = f64::from(Fraction::ALL.millionths()) - f64::from(requests.millionths());
                (to_float(events.v1) + to_float(events.v2)) * (v2 / (v1 + v2))
            })
            .sum()
    }
}

/// Returns where `is_inside` changes from true to false between two numbers: the nearest one outside.
fn boundary(mut inside: f64, mut outside: f64, is_inside: impl Fn(f64) -> bool) -> f64 {
    for _ in 0..STEPS {
        let middle = f64::midpoint(inside, outside);
        if is_inside(middle) {
            inside = middle;
        } else {
            outside = middle;
        }
    }
    outside
}
