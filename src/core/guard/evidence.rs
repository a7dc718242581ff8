//! The test: how strong the evidence is that v2 is worse than allowed.
//!
//! For each kind of event (errors, slow requests) and each ratio r of a grid, the likelihood ratio of r to the
//! allowed ratio is multiplied over the strata. The evidence of the kind is the mean over the grid. `limit` does the
//! same with the error rate of v2 alone. The evidence in total is the weighted mean of the kinds. If v2 is not worse
//! than allowed, each of these starts at 1 and is a supermartingale, so by Ville's inequality the total ever reaches
//! 1/alpha with probability at most alpha. See Ramdas et al., "Game-theoretic statistics and safe anytime-valid
//! inference", 2023.
//!
//! Logarithms and exponentials are those of the crate `libm`, so that a proxy (WebAssembly) and the command (native)
//! compute the same digits.

#![expect(
    clippy::float_arithmetic,
    reason = "statistics, once a second; tests compare it with independent computations"
)]

use crate::bucketing::Fraction;
use crate::vec_map::VecMap;

use super::balance::{self, BalanceTest};
use super::counts::{ArmCounts, Arms, GuardCounts, StratumCounts};
use super::likelihood_ratio::{LikelihoodRatio, has_control, ln_mean_exp, ln_sum_exp, to_float};
use super::settings::{ErrorLimit, GuardSettings, Ratio};
use super::smallest_count::smallest_count;

/// The grid of `errors`, in thousandths.
const ERROR_RATIOS: [u32; 6] = [1_500, 2_000, 3_000, 5_000, 10_000, 30_000];
/// The grid of `slow`, in thousandths.
const SLOW_RATIOS: [u32; 4] = [2_000, 3_000, 5_000, 10_000];
/// The grid of `limit`, as multiples of the allowed rate.
const LIMIT_MULTIPLES: [u32; 3] = [2, 5, 10];

/// The weights of the kinds, which are divided by the sum of those that the settings have.
const ERRORS_WEIGHT: f64 = 0.5;
const SLOW_WEIGHT: f64 = 0.3;
const LIMIT_WEIGHT: f64 = 0.2;

/// The number of errors above which a search ends.
const MOST_ERRORS: u64 = 1 << 32;

/// The evidence that v2 is worse than allowed, as natural logarithms. 0 is no evidence.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Evidence {
    /// Of errors, if they are compared.
    pub errors: Option<f64>,
    /// Of slow requests, if they are compared.
    pub slow: Option<f64>,
    /// Of v2's error rate, if it is limited.
    pub limit: Option<f64>,
    /// Of all of them together.
    pub total: f64,
}

/// The test of one guard's settings, which needs only counts.
#[derive(Clone, Debug)]
pub struct GuardTest {
    errors: Option<RatioTest>,
    slow: Option<RatioTest>,
    limit: Option<LimitTest>,
    alpha: f64,
    ln_threshold: f64,
    /// By percentage. Others are computed when they are needed.
    strata: VecMap<u32, StratumTest>,
}

/// The comparison of one kind of event.
#[derive(Clone, Debug)]
struct RatioTest {
    ln_weight: f64,
    allowed: f64,
    /// The ratios of the grid that are greater than the allowed one.
    rates: Vec<f64>,
}

/// The comparison of v2's error rate with a limit.
#[derive(Clone, Debug)]
struct LimitTest {
    ln_weight: f64,
    /// For each rate q of the grid and the allowed rate p: ln(q/p) and ln((1 − q)/(1 − p)).
    rates: Vec<[f64; 2]>,
}

/// What depends only on the percentage of a stratum.
#[derive(Clone, Debug)]
struct StratumTest {
    errors: Vec<LikelihoodRatio>,
    slow: Vec<LikelihoodRatio>,
    balance: BalanceTest,
}

impl Evidence {
    /// The value of the gauge: 1,000 times the decimal logarithm, and 0 for evidence in favour of v2, because a
    /// gauge cannot be negative.
    #[must_use]
    pub fn milli_log10(&self) -> u64 {
        milli_log10(self.total)
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it saturates, and it is not negative"
)]
fn milli_log10(ln: f64) -> u64 {
    (ln * std::f64::consts::LOG10_E * 1_000.0).max(0.0) as u64
}

impl GuardTest {
    /// Creates the test of these settings.
    #[must_use]
    pub fn new(settings: &GuardSettings) -> Self {
        let sum = [
            settings.errors.map_or(0.0, |_| ERRORS_WEIGHT),
            settings.slow.map_or(0.0, |_| SLOW_WEIGHT),
            settings.limit.map_or(0.0, |_| LIMIT_WEIGHT),
        ];
        let sum = sum.iter().sum::<f64>();
        let ln_weight = |weight: f64| libm::log(weight / sum);
        let alpha = f64::from(settings.alpha.get()) / 1e6;
        Self {
            errors: settings
                .errors
                .map(|ratio| RatioTest::new(&ERROR_RATIOS, ratio, ln_weight(ERRORS_WEIGHT))),
            slow: settings
                .slow
                .map(|slow| RatioTest::new(&SLOW_RATIOS, slow.ratio, ln_weight(SLOW_WEIGHT))),
            limit: settings
                .limit
                .map(|limit| LimitTest::new(limit, ln_weight(LIMIT_WEIGHT))),
            alpha,
            ln_threshold: -libm::log(alpha),
            strata: VecMap::default(),
        }
    }

    /// Divides alpha by a number of workers that do not share their counts, so that all of them together have it.
    pub fn divide_alpha(&mut self, workers: u32) {
        self.ln_threshold = -libm::log(self.alpha / f64::from(workers.max(1)));
    }

    /// Computes what depends only on the percentage of a stratum, so that later tests of its counts need fewer
    /// logarithms. Their results do not depend on it.
    pub fn prepare(&mut self, requests: Fraction) {
        let stratum = self.stratum(requests);
        self.strata.insert(requests.millionths(), stratum);
    }

    /// The natural logarithm of the evidence at which the guard trips: −ln alpha, unless alpha is divided.
    #[must_use]
    pub const fn ln_threshold(&self) -> f64 {
        self.ln_threshold
    }

    /// The evidence at which the guard trips, in the unit of [`Evidence::milli_log10`].
    #[must_use]
    pub fn threshold_milli_log10(&self) -> u64 {
        // A threshold of exactly 2,000 must not become 1,999 by rounding.
        milli_log10(self.ln_threshold + 1e-9)
    }

    /// Computes the evidence in counts.
    #[must_use]
    pub fn evidence(&self, counts: &GuardCounts) -> Evidence {
        let mut errors = self.errors.as_ref().map(RatioTest::zeros);
        let mut slow = self.slow.as_ref().map(RatioTest::zeros);
        for stratum in counts.strata() {
            self.with_stratum(stratum.requests, |test| {
                let Arms { v1, v2 } = stratum.arms;
                let failed = Arms {
                    v1: v1.errors,
                    v2: v2.errors,
                };
                let slowed = Arms {
                    v1: v1.slow,
                    v2: v2.slow,
                };
                add(errors.as_deref_mut(), &test.errors, failed);
                add(slow.as_deref_mut(), &test.slow, slowed);
            });
        }
        let mut evidence = Evidence {
            errors: errors.as_deref().map(ln_mean_exp),
            slow: slow.as_deref().map(ln_mean_exp),
            limit: self.limit.as_ref().map(|limit| limit.ln(counts.v2())),
            total: 0.0,
        };
        let weight = |test: &RatioTest| test.ln_weight;
        let kinds = [
            (self.errors.as_ref().map(weight), evidence.errors),
            (self.slow.as_ref().map(weight), evidence.slow),
            (
                self.limit.as_ref().map(|limit| limit.ln_weight),
                evidence.limit,
            ),
        ];
        let kinds = kinds
            .into_iter()
            .filter_map(|(weight, evidence)| Some(weight? + evidence?));
        let kinds: Vec<f64> = kinds.collect();
        if !kinds.is_empty() {
            evidence.total = ln_sum_exp(&kinds);
        }
        evidence
    }

    /// Whether the evidence is strong enough to trip.
    #[must_use]
    pub fn is_enough(&self, evidence: &Evidence) -> bool {
        evidence.total >= self.ln_threshold
    }

    /// Returns the first stratum in which v2's share of the requests is not the percentage of the policy.
    #[must_use]
    pub fn imbalance<'c>(&self, counts: &'c GuardCounts) -> Option<&'c StratumCounts> {
        let threshold = balance::ln_threshold();
        counts.strata().iter().find(|stratum| {
            let mut is_off = false;
            self.with_stratum(stratum.requests, |test| {
                is_off = test.balance.ln_evidence(stratum) >= threshold;
            });
            is_off
        })
    }

    /// Returns the number of v2's errors at which the guard trips in a stratum where v1 has none, by the comparison of
    /// errors alone. `None` if errors are not compared, if the stratum has no control, or if more than four billion are
    /// needed.
    #[must_use]
    pub fn errors_needed(&self, requests: Fraction) -> Option<u64> {
        let errors = self.errors.as_ref().filter(|_| has_control(requests))?;
        let stratum = self.stratum(requests);
        let trips = |v2: u64| {
            let mut sums = errors.zeros();
            add(Some(&mut sums), &stratum.errors, Arms { v1: 0, v2 });
            errors.ln_weight + ln_mean_exp(&sums) >= self.ln_threshold
        };
        smallest_count(MOST_ERRORS, trips)
    }

    /// The likelihood ratios of errors in a stratum, for the test of single accounts. Empty if errors are not compared
    /// or the stratum has no control.
    pub(super) fn error_ratios(&self, requests: Fraction) -> Vec<LikelihoodRatio> {
        self.stratum(requests).errors
    }

    fn with_stratum(&self, requests: Fraction, apply: impl FnOnce(&StratumTest)) {
        match self.strata.get(&requests.millionths()) {
            Some(stratum) => apply(stratum),
            None => apply(&self.stratum(requests)),
        }
    }

    fn stratum(&self, requests: Fraction) -> StratumTest {
        let ratios = |test: Option<&RatioTest>| match test {
            Some(test) if has_control(requests) => test.ratios(requests),
            _ => Vec::new(),
        };
        StratumTest {
            errors: ratios(self.errors.as_ref()),
            slow: ratios(self.slow.as_ref()),
            balance: BalanceTest::new(requests),
        }
    }
}

impl RatioTest {
    fn new(grid: &[u32], allowed: Ratio, ln_weight: f64) -> Self {
        let rates = grid.iter().filter(|rate| **rate > allowed.get());
        Self {
            ln_weight,
            allowed: from_thousandths(allowed.get()),
            rates: rates.map(|rate| from_thousandths(*rate)).collect(),
        }
    }

    fn ratios(&self, requests: Fraction) -> Vec<LikelihoodRatio> {
        let rates = self.rates.iter();
        rates
            .map(|rate| LikelihoodRatio::new(requests, *rate, self.allowed))
            .collect()
    }

    fn zeros(&self) -> Vec<f64> {
        vec![0.0; self.rates.len()]
    }
}

impl LimitTest {
    fn new(limit: ErrorLimit, ln_weight: f64) -> Self {
        let whole = Fraction::ALL.millionths();
        let rate = |millionths: u32| f64::from(millionths) / f64::from(whole);
        let allowed = rate(limit.get());
        let grid = LIMIT_MULTIPLES.map(|multiple| limit.get().saturating_mul(multiple));
        let grid = grid.into_iter().filter(|millionths| *millionths < whole);
        let rates = grid.map(rate).map(|rate| {
            [
                libm::log(rate / allowed),
                libm::log((1.0 - rate) / (1.0 - allowed)),
            ]
        });
        Self {
            ln_weight,
            rates: rates.collect(),
        }
    }

    fn ln(&self, v2: ArmCounts) -> f64 {
        let succeeded = to_float(v2.all.saturating_sub(v2.errors));
        let failed = to_float(v2.errors);
        let rates = self.rates.iter();
        let logarithms: Vec<f64> = rates
            .map(|[of_error, of_success]| failed * of_error + succeeded * of_success)
            .collect();
        ln_mean_exp(&logarithms)
    }
}

/// Adds the likelihood ratios of one stratum's events to the sums over strata.
fn add(sums: Option<&mut [f64]>, ratios: &[LikelihoodRatio], events: Arms<u64>) {
    for (sum, ratio) in sums.into_iter().flatten().zip(ratios) {
        *sum += ratio.ln(events);
    }
}

fn from_thousandths(value: u32) -> f64 {
    f64::from(value) / 1_000.0
}
