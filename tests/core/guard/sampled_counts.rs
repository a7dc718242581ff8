//! Random counts: requests whose arm and outcome are drawn independently, without a guard that counts them.

use support::random::Random;
use turnout_core::guard::GuardCounts;

use super::*;

/// A random rollout. Rates are in millionths of the requests.
#[derive(Clone, Copy)]
pub(super) struct Traffic {
    /// Each stratum has the same number of requests.
    pub(super) strata: &'static [&'static str],
    pub(super) seconds: u64,
    /// The requests of a stratum in a second.
    pub(super) requests_per_second: u64,
    /// How often v1 and v2 fail, by stratum and second.
    pub(super) fails: fn(usize, u64) -> [u64; 2],
}

/// Calls `look` with the counts after every second, until it returns false.
pub(super) fn sample(
    traffic: &Traffic,
    seed: u64,
    mut look: impl FnMut(&GuardCounts, bool) -> bool,
) {
    let mut random = Random::new(seed);
    let strata: Vec<Fraction> = traffic.strata.iter().map(|text| percent(text)).collect();
    let mut sum = GuardCounts::default();
    for second in 0..traffic.seconds {
        let mut has_errors = false;
        for (index, requests) in strata.iter().enumerate() {
            let of_v2 = u64::from(requests.millionths()) / 100;
            let fails = (traffic.fails)(index, second);
            let mut arms = [ArmCounts::default(); 2];
            for _ in 0..traffic.requests_per_second {
                let arm = usize::from(random.happens(of_v2));
                let is_error = random.happens(fails[arm]);
                has_errors |= is_error;
                arms[arm].all += 1;
                arms[arm].errors += u64::from(is_error);
            }
            let [v1, v2] = arms;
            sum.add(*requests, Arms { v1, v2 });
        }
        if !look(&sum, has_errors) {
            return;
        }
    }
}

/// The number of rollouts of `make soak`, or else of `make test`.
pub(super) fn rollouts(of_test: u64) -> u64 {
    let of_soak = std::env::var("GUARD_ROLLOUTS").ok();
    let of_soak = of_soak.map(|count| count.parse().expect("a number of rollouts"));
    of_soak.unwrap_or(of_test)
}
