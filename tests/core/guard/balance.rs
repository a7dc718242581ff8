//! The balance test: arms that are not what they should be are noticed, and others are not.

use support::random::Random;
use turnout_core::guard::{GuardCounts, GuardState, GuardTest};

use super::*;

fn decided(requests: &str, v1: u64, v2: u64) -> GuardCounts {
    let mut sum = GuardCounts::default();
    let arms = Arms {
        v1: counts(v1, 0, 0),
        v2: counts(v2, 0, 0),
    };
    sum.add(percent(requests), arms);
    sum
}

#[test]
fn swapped_and_missing_arms_are_noticed_soon() {
    let test = GuardTest::new(&GuardSettings::default());
    let is_off = |requests, v1, v2| test.imbalance(&decided(requests, v1, v2)).is_some();
    // Swapped.
    assert!(is_off("5", 0, 6));
    assert!(is_off("20", 4, 16));
    assert!(is_off("99", 10, 1));
    // No request of v2 where 15 are expected.
    assert!(is_off("5", 300, 0));
    // Of 4 % instead of 5 %.
    assert!(is_off("5", 96_000, 4_000));
    // Exact, and within the tolerance.
    assert!(!is_off("5", 95_000_000, 5_000_000));
    assert!(!is_off("50", 1_000_000, 1_045_000));
    assert!(!is_off("100", 0, 1_000_000));
    assert!(!is_off("5", 0, 0));
}

#[test]
fn a_guard_whose_arms_are_swapped_is_invalid_and_does_not_act() {
    let settings = settling(1);
    let (mut guard, stratum) = guard(settings, "5");
    for id in 0..1_000 {
        let arm = if id % 20 == 0 {
            Treatment::V1
        } else {
            Treatment::V2
        };
        note(&mut guard, stratum, arm, id, Response::Error);
    }
    tick(&mut guard);
    tick(&mut guard);
    assert_eq!(guard.state(), GuardState::Invalid);
    assert!(!guard.is_acting());
    assert_eq!(
        guard.imbalance().map(|found| found.requests),
        Some(percent("5"))
    );
    for _ in 0..100 {
        assert_eq!(tick(&mut guard), None);
    }
    // The other workers read it.
    let mut bytes = Vec::new();
    guard.write_snapshot(&mut bytes);
    let mut others = OtherWorkers::new(EPOCH);
    assert!(others.add(&bytes));
    let (mut other, _) = super::guard(settings, "5");
    other.tick(&others);
    assert_eq!(other.state(), GuardState::Invalid);
}

/// One client repeats its request id so often that it has half of the traffic, and its id takes v2.
#[test]
fn a_repeated_id_counts_once() {
    let mut random = Random::new(1);
    let (mut guard, stratum) = guard(settling(1), "5");
    for _ in 0..200 {
        for _ in 0..50 {
            let arm = if random.happens(50_000) {
                Treatment::V2
            } else {
                Treatment::V1
            };
            let id = random.next();
            note(&mut guard, stratum, arm, id, Response::Success);
            note(&mut guard, stratum, Treatment::V2, 42, Response::Success);
        }
        tick(&mut guard);
    }
    assert_eq!(guard.state(), GuardState::Armed);
    let arms = guard.settled().strata()[0].arms;
    assert!(arms.v1.all + arms.v2.all <= 200 * 50 + 1);
}

/// Looked at after every hundred requests.
#[test]
fn random_arms_are_in_balance() {
    let test = GuardTest::new(&GuardSettings::default());
    for (seed, requests) in (0..400_u64).zip(["1", "5", "50", "99"].iter().cycle()) {
        let mut random = Random::new(seed);
        let per_million = u64::from(percent(requests).millionths()) / 100;
        let mut v2 = 0;
        for all in 1..10_000_u64 {
            v2 += u64::from(random.happens(per_million));
            if all % 100 == 0 {
                let counts = decided(requests, all - v2, v2);
                assert_eq!(test.imbalance(&counts), None, "seed {seed}: {v2} of {all}");
            }
        }
    }
}
