//! The health test: how strong the evidence is that v2 is good enough. It is the counterpart of
//! [`evidence`](super::evidence), which looks for the opposite.
//!
//! The null hypothesis of errors is that v2's error rate exceeds R times that of v1 by at least x: the mean of
//! p2 − R·p1 over v2's compared requests is at least the *excess* x. R is the allowed ratio of the guard. Without the
//! excess, no number of requests could prove health if nothing ever fails.
//!
//! Let a stratum send a request to v2 with probability π, let o = π / (1 − π) and b = 1 − e^(−a) for some a > 0. In
//! each stratum, multiply for each request of either arm:
//!
//! ```text
//! e^(b·x·π) · { e^(−a)        if it is an error of v2
//!             { 1 + R·o·b     if it is an error of v1
//!             { 1             otherwise
//! ```
//!
//! The expected factor is e^(b·x·π) · (1 − π·p2·b + (1 − π)·p1·R·o·b) ≤ e^(b·π·(x − p2 + R·p1)), whatever the error
//! rates p1 and p2 of that moment are. So the product M_a, divided by e^(Σ b·π·(x − p2 + R·p1)), is a supermartingale
//! that starts at 1. While the null hypothesis holds, that divisor is at most 1 and M_a at most the supermartingale. The
//! mean of M_a over a grid inherits this, so by Ville's inequality the probability that the evidence ever reaches 1/alpha
//! while the null hypothesis holds is at most alpha, however often one looks.
//!
//! This relies on π, as all of the guard does: if the odds of v2 are off by the factor that the balance test tolerates,
//! then R is off by that factor.
//!
//! Slow requests are tested in the same way. For a limit p, the null hypothesis is that v2's error rate is at least p.
//! Then the product has the factor e^(b·p) for each request of v2, and e^(−a) for each of its errors. Strata without v1
//! count too.
//!
//! v2 is healthy if the evidence of each kind reaches 1/alpha. If v2 is not, one of the null hypotheses is true, and
//! that kind reaches 1/alpha with probability at most alpha, so alpha need not be divided among the kinds.

#![expect(
    clippy::float_arithmetic,
    reason = "statistics, not during requests; tests compare it with independent computations"
)]

use crate::bucketing::Fraction;

use super::counts::{ArmCounts, GuardCounts, StratumCounts};
use super::likelihood_ratio::{has_control, ln_mean_exp, to_float};
use super::settings::{GuardSettings, Ratio};
use super::smallest_count::smallest_count;

/// The grid of a. With few errors, M_a grows fastest for the greatest values: without any, 6,123 requests of v2 suffice at the
/// defaults. The higher the error rate and the greater v2's percentage, the smaller is the best value. This grid needs
/// at most twice as many requests as the best single value for error rates up to 20 % and percentages up to 95 %;
/// smaller steps or more small values need more requests when there are few errors.
const RATES: [f64; 8] = [
    8.0,
    8.0 / 3.0,
    8.0 / 9.0,
    8.0 / 27.0,
    8.0 / 81.0,
    8.0 / 243.0,
    8.0 / 729.0,
    8.0 / 2_187.0,
];

/// The number of requests above which a search ends.
const MOST_REQUESTS: u64 = 1 << 50;

/// The evidence that v2 is good enough, as natural logarithms. 0 is no evidence.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct HealthEvidence {
    /// The evidence about errors, if they are compared.
    pub errors: Option<f64>,
    /// The evidence about slow requests, if they are compared.
    pub slow: Option<f64>,
    /// The evidence about v2's error rate, if it is limited.
    pub limit: Option<f64>,
    /// The least of them, because each must be enough. 0 if there are none.
    pub total: f64,
}

/// The test of whether v2 is good enough, which needs only counts.
#[derive(Clone, Copy, Debug)]
pub struct HealthTest {
    /// The allowed ratio of errors.
    errors: Option<f64>,
    /// The allowed ratio of slow requests.
    slow: Option<f64>,
    /// The allowed error rate of v2.
    limit: Option<f64>,
    excess: f64,
    ln_threshold: f64,
}

/// The logarithm of M_a for each a of the grid.
type Logarithms = [f64; RATES.len()];

impl HealthTest {
    /// Creates the test. `excess` is the rate of v2's requests by which v2 may at most exceed the allowed ratio.
    #[must_use]
    pub fn new(settings: &GuardSettings, excess: Fraction) -> Self {
        let thousandths = |ratio: Ratio| f64::from(ratio.get()) / 1_000.0;
        Self {
            errors: settings.errors.map(thousandths),
            slow: settings.slow.map(|slow| thousandths(slow.ratio)),
            limit: settings.limit.map(|limit| rate(limit.get())),
            excess: rate(excess.millionths()),
            ln_threshold: -libm::log(f64::from(settings.alpha.get()) / 1e6),
        }
    }

    /// Creates the test for a rollout in which v1 serves no requests, so that only the limit can be tested.
    #[must_use]
    pub fn of_limit(settings: &GuardSettings) -> Self {
        Self {
            errors: None,
            slow: None,
            ..Self::new(settings, Fraction::NONE)
        }
    }

    /// The natural logarithm of the evidence that is enough: −ln alpha.
    #[must_use]
    pub const fn ln_threshold(&self) -> f64 {
        self.ln_threshold
    }

    /// Computes the evidence in counts.
    #[must_use]
    pub fn evidence(&self, counts: &GuardCounts) -> HealthEvidence {
        let [errors, slow, limit] = self
            .logarithms(counts)
            .map(|kind| kind.map(|logarithms| ln_mean_exp(&logarithms)));
        let kinds = [errors, slow, limit].into_iter().flatten();
        HealthEvidence {
            errors,
            slow,
            limit,
            total: kinds.reduce(f64::min).unwrap_or(0.0),
        }
    }

    /// Whether the evidence of each kind is strong enough.
    #[must_use]
    pub fn is_enough(&self, evidence: &HealthEvidence) -> bool {
        let kinds = [evidence.errors, evidence.slow, evidence.limit];
        let mut kinds = kinds.into_iter().flatten().peekable();
        kinds.peek().is_some() && kinds.all(|evidence| evidence >= self.ln_threshold)
    }

    /// Returns how many more compared requests of v2 the evidence needs if the rates stay what they are; 0 if it is
    /// enough. `None` if it never would be, or if more than 2⁵⁰ are needed. Without any requests, it assumes that nothing
    /// fails.
    #[must_use]
    pub fn requests_needed(&self, counts: &GuardCounts) -> Option<u64> {
        if self.is_enough(&self.evidence(counts)) {
            return Some(0);
        }
        let now = expected_of_v2(counts.strata());
        let kinds = match now > 0.0 {
            true => self
                .logarithms(counts)
                .map(|kind| kind.map(|logarithms| logarithms.map(|logarithm| logarithm / now))),
            false => self.logarithms_of_a_success(),
        };
        let kinds: Vec<Logarithms> = kinds.into_iter().flatten().collect();
        let is_enough = |requests: u64| {
            let requests = to_float(requests);
            let mut kinds = kinds.iter();
            kinds.all(|kind| {
                ln_mean_exp(&kind.map(|logarithm| logarithm * requests)) >= self.ln_threshold
            })
        };
        if kinds.is_empty() {
            return None;
        }
        // Each kind is convex in the number of requests and begins at 0, so it stays enough once it is.
        let enough = smallest_count(MOST_REQUESTS, is_enough)?;
        Some(enough.saturating_sub(floor(now)).max(1))
    }

    /// The logarithms of errors, slow requests and the limit.
    fn logarithms(&self, counts: &GuardCounts) -> [Option<Logarithms>; 3] {
        let ratio = |allowed: Option<f64>, events: fn(ArmCounts) -> u64| {
            allowed.map(|allowed| RATES.map(|rate| self.ln_ratio(rate, allowed, counts, events)))
        };
        [
            ratio(self.errors, |arm| arm.errors),
            ratio(self.slow, |arm| arm.slow),
            self.limit.map(|limit| {
                let v2 = counts.v2();
                RATES.map(|rate| {
                    -rate * to_float(v2.errors) + complement(rate) * limit * to_float(v2.all)
                })
            }),
        ]
    }

    /// ln M_a of the comparison with v1.
    fn ln_ratio(
        &self,
        rate: f64,
        allowed: f64,
        counts: &GuardCounts,
        events: fn(ArmCounts) -> u64,
    ) -> f64 {
        let strata = counts.strata().iter();
        let strata = strata.filter(|stratum| has_control(stratum.requests));
        strata
            .map(|stratum| {
                let v2 = f64::from(stratum.requests.millionths());
                let odds = v2 / (f64::from(Fraction::ALL.millionths()) - v2);
                let of_v1 = libm::log1p(allowed * odds * complement(rate));
                let requests = expected_of_v2(std::slice::from_ref(stratum));
                to_float(events(stratum.arms.v1)) * of_v1 - to_float(events(stratum.arms.v2)) * rate
                    + complement(rate) * self.excess * requests
            })
            .sum()
    }

    /// The logarithms of one request of v2 and of its share of v1's requests, if none of them fails.
    fn logarithms_of_a_success(&self) -> [Option<Logarithms>; 3] {
        let of = |rate: f64| RATES.map(|a| complement(a) * rate);
        [
            self.errors.map(|_| of(self.excess)),
            self.slow.map(|_| of(self.excess)),
            self.limit.map(of),
        ]
    }
}

/// 1 − e^(−a).
fn complement(rate: f64) -> f64 {
    -libm::expm1(-rate)
}

/// The expected number of v2's requests among those of strata: the sum of π·N.
fn expected_of_v2(strata: &[StratumCounts]) -> f64 {
    strata
        .iter()
        .map(|stratum| {
            let all = to_float(stratum.arms.v1.all) + to_float(stratum.arms.v2.all);
            rate(stratum.requests.millionths()) * all
        })
        .sum()
}

/// Converts millionths of a percent.
fn rate(millionths: u32) -> f64 {
    f64::from(millionths) / f64::from(Fraction::ALL.millionths())
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it saturates, and it is not negative"
)]
fn floor(number: f64) -> u64 {
    number as u64
}
