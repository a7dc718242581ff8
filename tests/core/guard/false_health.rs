//! How often v2 is found healthy although it fails more often than allowed, by the excess: at most alpha, looked at
//! after every second. And how many requests a healthy v2 needs.
//!
//! `false_health.txt` has the table of 2,000 rollouts for each scenario, which `make test` compares, and
//! `false_health_of_20000.txt` that of 20,000, which `make soak` computes. `requests_until_healthy.txt` is the table of
//! docs/judge.md. `UPDATE_EXPECT=1` writes them.

use std::fmt::Write as _;

use expect_test::expect_file;
use turnout_core::guard::{ErrorLimit, HealthTest};

use super::binomial::{probability_of_at_least, upper_bound};
use super::sampled_counts::{Traffic, rollouts, sample};
use super::*;

const ROLLOUTS: u64 = 2_000;
const ALL_ROLLOUTS: u64 = 20_000;

struct Scenario {
    name: &'static str,
    /// The excess of the test, in percent.
    excess: &'static str,
    settings: GuardSettings,
    traffic: Traffic,
}

const DEFAULTS: GuardSettings = super::simulation::PLAIN.settings;
const LIMIT: GuardSettings = GuardSettings {
    errors: None,
    limit: ErrorLimit::new(2_000_000),
    ..DEFAULTS
};
const LIMIT_OF_10: Option<ErrorLimit> = ErrorLimit::new(10_000_000);

/// The defaults allow a ratio of 1.2.
const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "v1 never fails, v2 in 2 %, 5 %",
        excess: "2",
        settings: DEFAULTS,
        traffic: traffic(&["5"], 250, |_, _| [0, 20_000]),
    },
    Scenario {
        name: "v1 never fails, v2 in 2 %, 50 %",
        excess: "2",
        settings: DEFAULTS,
        traffic: traffic(&["50"], 40, |_, _| [0, 20_000]),
    },
    Scenario {
        name: "v1 fails in 1 %, v2 in 3.2 %, 5 %",
        excess: "2",
        settings: DEFAULTS,
        traffic: traffic(&["5"], 250, |_, _| [10_000, 32_000]),
    },
    Scenario {
        name: "v1 fails in 1 %, v2 in 3.2 %, 50 %",
        excess: "2",
        settings: DEFAULTS,
        traffic: traffic(&["50"], 40, |_, _| [10_000, 32_000]),
    },
    Scenario {
        name: "v1 fails in 1 %, v2 in 3.2 %, 95 %",
        excess: "2",
        settings: DEFAULTS,
        traffic: traffic(&["95"], 40, |_, _| [10_000, 32_000]),
    },
    Scenario {
        name: "v1 fails in 20 %, v2 in 26 %, 50 %",
        excess: "2",
        settings: DEFAULTS,
        traffic: traffic(&["50"], 40, |_, _| [200_000, 260_000]),
    },
    Scenario {
        name: "v1 fails in 1 %, v2 in 1.3 %, 50 %, excess 0.1 %",
        excess: "0.1",
        settings: DEFAULTS,
        traffic: traffic(&["50"], 200, |_, _| [10_000, 13_000]),
    },
    Scenario {
        name: "bursts of both: 1 and 3.2 %, then 40 and 50 %, 20 %",
        excess: "2",
        settings: DEFAULTS,
        traffic: traffic(&["20"], 80, |_, second| match second % 50 {
            40.. => [400_000, 500_000],
            _ => [10_000, 32_000],
        }),
    },
    Scenario {
        name: "v2 fails in 4 % and then never, 2 % on average, 50 %",
        excess: "2",
        settings: DEFAULTS,
        traffic: traffic(&["50"], 40, |_, second| match second {
            0..50 => [0, 40_000],
            _ => [0, 0],
        }),
    },
    Scenario {
        name: "two strata: equal rates at 5 %, 1 and 3.4 % at 50 %",
        excess: "2",
        settings: DEFAULTS,
        // v2 has 10 times as many requests at 50 % as at 5 %: (10·x − 1·0.2·1 %) / 11 = 2 %.
        traffic: traffic(&["5", "50"], 40, |stratum, _| match stratum {
            0 => [10_000, 10_000],
            _ => [10_000, 12_000 + 22_200],
        }),
    },
    Scenario {
        name: "v2 fails as often as its limit allows, 2 %, 100 %",
        excess: "0.1",
        settings: LIMIT,
        traffic: traffic(&["100"], 20, |_, _| [0, 20_000]),
    },
    Scenario {
        name: "v2 fails less than its limit, but 2 % too often, 50 %",
        excess: "2",
        settings: GuardSettings {
            limit: LIMIT_OF_10,
            ..DEFAULTS
        },
        traffic: traffic(&["50"], 40, |_, _| [10_000, 32_000]),
    },
];

const fn traffic(
    strata: &'static [&'static str],
    requests_per_second: u64,
    fails: fn(usize, u64) -> [u64; 2],
) -> Traffic {
    Traffic {
        strata,
        seconds: 100,
        requests_per_second,
        fails,
    }
}

#[test]
fn a_v2_that_is_worse_is_found_healthy_at_most_as_often_as_alpha() {
    let rollouts = rollouts(ROLLOUTS);
    let mut table = format!(
        "{rollouts} rollouts for each line, each of 100 seconds. v2 fails 1.2 times as often as v1, plus the excess of the test, or as often as its limit. Alpha is \
         1 %. The test is looked at every second.\n\
         The bound is the upper bound of the share of rollouts in which v2 is ever found healthy, with 99 % confidence.\n\n\
         | {:<57} | healthy | share   | bound   |\n\
         |-{:-<57}-|---------|---------|---------|\n",
        "v2 is worse than allowed", ""
    );
    for (number, scenario) in (0_u64..).zip(SCENARIOS) {
        let test = HealthTest::new(&scenario.settings, percent(scenario.excess));
        let mut healthy = 0;
        for rollout in 0..rollouts {
            sample(&scenario.traffic, number << 32 | rollout, |counts, _| {
                let is_healthy = test.is_enough(&test.evidence(counts));
                healthy += u64::from(is_healthy);
                !is_healthy
            });
        }
        let name = scenario.name;
        let percent = |share: f64| format!("{:.2} %", share * 100.0);
        let _ = writeln!(
            table,
            "| {name:<57} | {healthy:>7} | {:>7} | {:>7} |",
            percent(healthy as f64 / rollouts as f64),
            percent(upper_bound(healthy, rollouts)),
        );
        // More would be expected in one of 10,000 tests at most, if the probability is alpha.
        assert!(
            probability_of_at_least(healthy, rollouts, 0.01) > 1e-4,
            "{name}: {healthy} of {rollouts}"
        );
        if rollouts >= ALL_ROLLOUTS {
            assert!(upper_bound(healthy, rollouts) <= 0.01, "{name}");
        }
    }
    println!("{table}");
    match rollouts {
        ROLLOUTS => expect_file!["false_health.txt"].assert_eq(&table),
        ALL_ROLLOUTS => expect_file!["false_health_of_20000.txt"].assert_eq(&table),
        _ => {}
    }
}

/// The number of simulated rollouts for each number of the table.
const HEALTHY_ROLLOUTS: u64 = 40;

#[test]
fn a_healthy_v2_needs_this_many_requests() {
    const NEVER: fn(usize, u64) -> [u64; 2] = |_, _| [0; 2];
    const ONE_IN_10_000: fn(usize, u64) -> [u64; 2] = |_, _| [100; 2];
    const ONE_IN_1_000: fn(usize, u64) -> [u64; 2] = |_, _| [1_000; 2];
    const ONE_IN_100: fn(usize, u64) -> [u64; 2] = |_, _| [10_000; 2];
    let mut table = format!(
        "The median number of compared requests of v2 until HEALTHY, of {HEALTHY_ROLLOUTS} simulated rollouts, and the number that suffices in \
         9 of 10. Both fail equally often; defaults, excess 0.1 %.\n\n\
         | both fail in | v2 gets 5 %         | v2 gets 50 %        |\n\
         |--------------|---------------------|---------------------|\n"
    );
    for (rate, fails) in [
        ("no request", NEVER),
        ("0.01 %", ONE_IN_10_000),
        ("0.1 %", ONE_IN_1_000),
        ("1 %", ONE_IN_100),
    ] {
        let cell = |strata: &'static [&'static str], requests_per_second| {
            let test = HealthTest::new(&GuardSettings::default(), percent("0.1"));
            let needed = |seed| {
                let traffic = Traffic {
                    strata,
                    seconds: u64::MAX,
                    requests_per_second,
                    fails,
                };
                let mut needed = 0;
                sample(&traffic, seed, |counts, _| {
                    needed = counts.strata()[0].arms.v2.all;
                    !test.is_enough(&test.evidence(counts))
                });
                needed
            };
            let mut needed: Vec<u64> = (0..HEALTHY_ROLLOUTS).map(needed).collect();
            needed.sort_unstable();
            let at = |tenths: usize| {
                let rounded = needed[needed.len() * tenths / 10] / 100 * 100;
                turnout_text::thousands(rounded)
            };
            format!("{}, {}", at(5), at(9))
        };
        let _ = writeln!(
            table,
            "| {rate:<12} | {:>19} | {:>19} |",
            cell(&["5"], 2_000),
            cell(&["50"], 200)
        );
    }
    println!("{table}");
    expect_file!["requests_until_healthy.txt"].assert_eq(&table);
}
