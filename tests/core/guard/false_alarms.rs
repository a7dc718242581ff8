//! How often the guard trips although v2 is not worse than allowed: at most alpha, looked at after every second.
//!
//! `false_alarms.txt` has the table of 300 rollouts for each scenario, which `make test` compares, and
//! `false_alarms_of_20000.txt` that of 20,000, which `make soak` computes (`GUARD_ROLLOUTS=20000`). `UPDATE_EXPECT=1`
//! writes them.

use std::fmt::Write as _;

use expect_test::expect_file;
use turnout_core::guard::GuardState;

use super::binomial::{probability_of_at_least, upper_bound};
use super::simulation::{PLAIN, Run, SLOW, Scenario, run};
use super::*;

const ROLLOUTS: u64 = 300;
const ALL_ROLLOUTS: u64 = 20_000;

const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "equal, 20 %",
        ..PLAIN
    },
    Scenario {
        name: "v2 fails 1.2 times as often, 50 %",
        requests: &["50"],
        ratio: 1_200,
        ..PLAIN
    },
    Scenario {
        name: "v2 fails 1.2 times as often, 5 %",
        requests: &["5"],
        fails: |_| 100_000,
        ratio: 1_200,
        ..PLAIN
    },
    Scenario {
        name: "error rate drifts from 0.5 % to 15 % and back, at 1.2 times",
        fails: |second| 5_000 + 2_000 * u64::from(75_u32.abs_diff(second).abs_diff(75)),
        ratio: 1_200,
        ..PLAIN
    },
    Scenario {
        name: "ramp 1, 5, 20, 50 %, at 1.2 times",
        requests: &["1", "5", "20", "50"],
        fails: |_| 60_000,
        ratio: 1_200,
        ..PLAIN
    },
    OUTAGES,
    Scenario {
        name: "unequal accounts: one in ten fails 50 times as often",
        accounts: 40,
        fails: |_| 5_000,
        account_fails: |account| if account % 10 == 0 { 50_000 } else { 1_000 },
        ..PLAIN
    },
    Scenario {
        name: "three retries with the same id, which fail again",
        retries: 3,
        ratio: 1_200,
        ..PLAIN
    },
    Scenario {
        name: "one account has half of the requests and fails 10 times as often",
        settings: GuardSettings {
            accounts: FalseEjections::new(100),
            ..PLAIN.settings
        },
        accounts: 200,
        fails: |_| 10_000,
        account_fails: |account| if account == 0 { 10_000 } else { 1_000 },
        has_giant: true,
        ratio: 1_200,
        ..PLAIN
    },
    Scenario {
        name: "errors, slow requests and limit, each as much as allowed",
        settings: GuardSettings {
            slow: Some(SLOW),
            limit: Bounded::new(3_600_000),
            ..PLAIN.settings
        },
        ratio: 1_200,
        slow: [50_000, 1_500],
        ..PLAIN
    },
];

const OUTAGES: Scenario = Scenario {
    name: "two outages of both, v2 fails ten times sooner",
    settings: GuardSettings {
        settle_seconds: SettleSeconds::new(12).expect("a time"),
        ..PLAIN.settings
    },
    fails: |second| match second % 60 {
        40.. => 600_000,
        _ => 10_000,
    },
    error_seconds: [10, 1],
    ..PLAIN
};

/// Why errors settle before they are compared.
#[test]
fn an_outage_of_both_trips_the_guard_if_it_settles_before_the_slowest_failure() {
    let hasty = Scenario {
        settings: GuardSettings {
            settle_seconds: SettleSeconds::new(5).expect("a time"),
            ..PLAIN.settings
        },
        ..OUTAGES
    };
    for (scenario, expected) in [(OUTAGES, 0), (hasty, 20)] {
        let runs = (0..20).map(|seed| run(&scenario, (8 << 40) | seed));
        let tripped = runs.filter(|run| run.state == GuardState::Tripped);
        assert_eq!(tripped.count(), expected, "{:?}", scenario.settings);
    }
}

#[test]
fn a_v2_that_is_not_worse_trips_the_guard_at_most_as_often_as_alpha() {
    let all = std::env::var("GUARD_ROLLOUTS").ok();
    let all = all.map(|count| count.parse::<u64>().expect("a number of rollouts"));
    let rollouts = all.unwrap_or(ROLLOUTS);
    let mut table = format!(
        "{rollouts} rollouts for each line, each of 150 seconds with 30 requests a second. Alpha is 1 %. The guard and \
         the z-test are looked at every second.\n\
         The bound is the upper bound of the share of trips, with 99 % confidence.\n\n\
         | {:<68} | tripped | share    | bound    | held     | z-test   |\n\
         |-{:-<68}-|---------|----------|----------|----------|----------|\n",
        "v2 is not worse than allowed", ""
    );
    for (number, scenario) in (0_u64..).zip(SCENARIOS) {
        let runs = (0..rollouts).map(|rollout| run(scenario, number << 32 | rollout));
        let runs: Vec<Run> = runs.collect();
        let count = |is: &dyn Fn(&Run) -> bool| runs.iter().filter(|run| is(run)).count() as u64;
        let tripped = count(&|run| run.state == GuardState::Tripped);
        let invalid = count(&|run| run.state == GuardState::Invalid);
        let held = count(&|run| run.has_held);
        let by_z_test = count(&|run| run.has_z_tripped);
        let percent = |count: u64| format!("{:.2} %", count as f64 * 100.0 / rollouts as f64);
        let _ = writeln!(
            table,
            "| {:<68} | {tripped:>7} | {:>8} | {:>8} | {:>8} | {:>8} |",
            scenario.name,
            percent(tripped),
            format!("{:.2} %", upper_bound(tripped, rollouts) * 100.0),
            percent(held),
            percent(by_z_test),
        );
        // More would be expected in one of 10,000 tests at most, if the probability is alpha.
        let name = scenario.name;
        assert!(
            probability_of_at_least(tripped, rollouts, 0.01) > 1e-4,
            "{name}: {tripped} of {rollouts} tripped"
        );
        if rollouts >= ALL_ROLLOUTS {
            assert!(upper_bound(tripped, rollouts) <= 0.01, "{name}");
        }
        assert!(
            probability_of_at_least(invalid, rollouts, 0.001) > 1e-4,
            "{name}: {invalid} of {rollouts} invalid"
        );
    }
    println!("{table}");
    match rollouts {
        ROLLOUTS => expect_file!["false_alarms.txt"].assert_eq(&table),
        ALL_ROLLOUTS => expect_file!["false_alarms_of_20000.txt"].assert_eq(&table),
        _ => {}
    }
}
