//! How often the interval of the ratio ever excludes the true ratio: at most alpha, looked at after every second with
//! an error.
//!
//! `ratio_coverage.txt` has the table of 200 rollouts for each scenario, 2,200 in total, which `make test` compares, and
//! `ratio_coverage_of_20000.txt` that of 20,000, which `make soak` computes. `UPDATE_EXPECT=1` writes them.

use std::fmt::Write as _;

use expect_test::expect_file;
use turnout_core::guard::RatioEstimate;

use super::binomial::{probability_of_at_least, upper_bound};
use super::sampled_counts::{Traffic, rollouts, sample};
use super::*;

const ROLLOUTS: u64 = 200;
const ALL_ROLLOUTS: u64 = 20_000;

struct Scenario {
    name: &'static str,
    /// The true ratio.
    ratio: f64,
    traffic: Traffic,
}

const fn steady(
    name: &'static str,
    strata: &'static [&'static str],
    ratio: f64,
    fails: fn(usize, u64) -> [u64; 2],
) -> Scenario {
    Scenario {
        name,
        ratio,
        traffic: Traffic {
            strata,
            seconds: 80,
            requests_per_second: 25,
            fails,
        },
    }
}

const SCENARIOS: &[Scenario] = &[
    steady("v2 fails half as often, 5 %", &["5"], 0.5, |_, _| {
        [200_000, 100_000]
    }),
    steady("v2 fails half as often, 50 %", &["50"], 0.5, |_, _| {
        [200_000, 100_000]
    }),
    steady("v2 fails half as often, 95 %", &["95"], 0.5, |_, _| {
        [200_000, 100_000]
    }),
    steady("v2 fails as often, 5 %", &["5"], 1.0, |_, _| [100_000; 2]),
    steady("v2 fails as often, 50 %", &["50"], 1.0, |_, _| [100_000; 2]),
    steady("v2 fails as often, 95 %", &["95"], 1.0, |_, _| [100_000; 2]),
    steady("v2 fails three times as often, 5 %", &["5"], 3.0, |_, _| {
        [100_000, 300_000]
    }),
    steady(
        "v2 fails three times as often, 50 %",
        &["50"],
        3.0,
        |_, _| [50_000, 150_000],
    ),
    steady(
        "v2 fails three times as often, 95 %",
        &["95"],
        3.0,
        |_, _| [50_000, 150_000],
    ),
    steady(
        "two outages of both, v2 fails 1.5 times as often, 20 %",
        &["20"],
        1.5,
        |_, second| match second % 40 {
            30.. => [600_000, 900_000],
            _ => [20_000, 30_000],
        },
    ),
    steady(
        "two strata with other error rates, twice as often, 5 and 50 %",
        &["5", "50"],
        2.0,
        |stratum, _| match stratum {
            0 => [20_000, 40_000],
            _ => [150_000, 300_000],
        },
    ),
];

#[test]
fn the_interval_ever_excludes_the_true_ratio_at_most_as_often_as_alpha() {
    let alpha = GuardSettings::default().alpha;
    let rollouts = rollouts(ROLLOUTS);
    let mut table = format!(
        "{rollouts} rollouts for each line, each of 80 seconds with 25 requests a second in each stratum. Alpha is 1 %. The interval is \
         looked at after every second with an error.\n\
         The bound is the upper bound of the share of rollouts in which it ever excludes the true ratio, with 99 % confidence. The \
         interval is that of one rollout at its end.\n\n\
         | {:<62} | excluded | share   | bound   | interval      |\n\
         |-{:-<62}-|----------|---------|---------|---------------|\n",
        "the true ratio", ""
    );
    for (number, scenario) in (0_u64..).zip(SCENARIOS) {
        let mut excluded = 0;
        let mut last = String::new();
        for rollout in 0..rollouts {
            sample(
                &scenario.traffic,
                number << 32 | rollout,
                |counts, has_errors| {
                    if !has_errors {
                        return true;
                    }
                    let RatioEstimate { ratio, low, high } =
                        RatioEstimate::of_errors(counts, alpha);
                    assert!(ratio.is_some_and(|ratio| low <= ratio && ratio <= high));
                    last = format!("{low:.2} to {high:.2}");
                    let is_inside = low <= scenario.ratio && scenario.ratio <= high;
                    excluded += u64::from(!is_inside);
                    is_inside
                },
            );
        }
        let name = scenario.name;
        let percent = |share: f64| format!("{:.2} %", share * 100.0);
        let _ = writeln!(
            table,
            "| {name:<62} | {excluded:>8} | {:>7} | {:>7} | {last:<13} |",
            percent(excluded as f64 / rollouts as f64),
            percent(upper_bound(excluded, rollouts)),
        );
        // More would be expected in one of 10,000 tests at most, if the probability is alpha.
        assert!(
            probability_of_at_least(excluded, rollouts, 0.01) > 1e-4,
            "{name}: {excluded} of {rollouts}"
        );
        if rollouts >= ALL_ROLLOUTS {
            assert!(upper_bound(excluded, rollouts) <= 0.01, "{name}");
        }
    }
    println!("{table}");
    match rollouts {
        ROLLOUTS => expect_file!["ratio_coverage.txt"].assert_eq(&table),
        ALL_ROLLOUTS => expect_file!["ratio_coverage_of_20000.txt"].assert_eq(&table),
        _ => {}
    }
}
