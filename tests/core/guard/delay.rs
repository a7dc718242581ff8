//! How many errors of a broken v2 users see before the guard trips.

use turnout_core::guard::GuardState;

use super::simulation::{PLAIN, Run, Scenario, run};
use super::*;

/// Returns the numbers of v2's errors, in order.
fn errors_until_tripped(scenario: &Scenario, trials: u64) -> Vec<u64> {
    let runs = (0..trials).map(|trial| run(scenario, 9 << 40 | trial));
    let runs: Vec<Run> = runs.collect();
    for run in &runs {
        assert_eq!(run.state, GuardState::Tripped, "{run:?}");
    }
    let mut errors: Vec<u64> = runs.iter().map(|run| run.v2_errors).collect();
    errors.sort_unstable();
    let seconds = runs.iter().map(|run| run.seconds).max();
    println!(
        "{}: errors of v2 until the guard trips: median {}, 90 % {}, most {}; within {seconds:?} seconds",
        scenario.name,
        errors[errors.len() / 2],
        errors[errors.len() * 9 / 10],
        errors[errors.len() - 1]
    );
    errors
}

#[test]
fn a_v2_that_fails_ten_times_as_often_trips_after_a_median_of_at_most_twenty_errors() {
    let scenario = Scenario {
        name: "v1 0.1 %, v2 1 %, at 5 %",
        settings: GuardSettings {
            settle_seconds: SettleSeconds::new(20).expect("a time"),
            ..PLAIN.settings
        },
        seconds: 20_000,
        requests_per_second: 100,
        requests: &["5"],
        fails: |_| 1_000,
        ratio: 10_000,
        ..PLAIN
    };
    let errors = errors_until_tripped(&scenario, 60);
    assert!(errors[errors.len() / 2] <= 20, "{errors:?}");
}

#[test]
fn a_v2_that_always_fails_trips_after_at_most_fifteen_errors() {
    for seconds in [1, 20] {
        let errors: Vec<u64> = (0..200).map(|seed| broken(seconds, seed)).collect();
        let most = errors.iter().max();
        println!("v1 0 %, v2 100 %, at 50 %: at most {most:?} errors of v2");
        assert!(most.is_some_and(|most| *most <= 15), "{errors:?}");
    }
}

/// Four requests a second, of which v2 fails all. Returns the number of errors that users see.
fn broken(settle_seconds: u32, seed: u64) -> u64 {
    let mut random = support::random::Random::new(seed);
    let (mut guard, stratum) = guard(settling(settle_seconds), "50");
    let mut errors = 0;
    for _ in 0..1_000 {
        for _ in 0..4 {
            let is_v2 = random.below(2) == 1;
            let (arm, response) = match is_v2 {
                true => (Treatment::V2, Response::Error),
                false => (Treatment::V1, Response::Success),
            };
            if let Some(request) = guard.note_decision(stratum, arm, random.next(), None) {
                guard.note_end(request, response, 1);
                errors += u64::from(is_v2);
            }
        }
        tick(&mut guard);
        if guard.state() == GuardState::Tripped {
            return errors;
        }
    }
    panic!("not tripped after {errors} errors")
}
