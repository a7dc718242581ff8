//! Single accounts: one for which v2 is broken is ejected alone, and others almost never are.

use support::random::Random;
use turnout_core::guard::{ACCOUNTS, GuardState};

use super::*;

/// The memory of a guard with an account table, at the longest time to settle.
const MOST_BYTES: usize = 160 << 10;

/// Two requests of v1 for each of v2.
const THIRD: &str = "33.333333";

fn testing_accounts(false_ejections: u32) -> GuardSettings {
    GuardSettings {
        accounts: Some(bounded(false_ejections)),
        ..settling(2)
    }
}

fn arm(random: &mut Random) -> Treatment {
    Treatment::ALL[random.below(2) as usize]
}

#[test]
fn one_broken_account_is_ejected_and_trips_nothing() {
    for requests_per_second in [1, 10, 300] {
        let (mut guard, stratum) = guard(testing_accounts(100), "50");
        let mut random = Random::new(requests_per_second);
        let mut errors = 0;
        for _ in 0..200 {
            // A thousand healthy accounts.
            for _ in 0..100 {
                let response = match random.happens(5_000) {
                    true => Response::Error,
                    false => Response::Success,
                };
                let (arm, id, account) =
                    (arm(&mut random), random.next(), random.below(1_000) + 10);
                note_for(&mut guard, stratum, arm, id, Some(account), response);
            }
            for _ in 0..requests_per_second {
                let (arm, id) = (arm(&mut random), random.next());
                if guard.sends_to_v1(7) {
                    continue;
                }
                let response = match arm {
                    Treatment::V1 => Response::Success,
                    Treatment::V2 => Response::Error,
                };
                errors += u64::from(arm == Treatment::V2);
                note_for(&mut guard, stratum, arm, id, Some(7), response);
            }
            tick(&mut guard);
            assert_eq!(guard.state(), GuardState::Armed, "after {errors} errors");
        }
        assert!(guard.sends_to_v1(7), "after {errors} errors");
        assert_eq!(guard.ejected_accounts(), 1);
        println!("{requests_per_second} requests a second: ejected after {errors} errors of v2");
    }
}

/// Both treatments fail for one account, and v2 fails sooner.
#[test]
fn an_account_that_was_held_without_a_reason_takes_v2_again() {
    let (mut guard, stratum) = guard(testing_accounts(100), "50");
    tick(&mut guard);
    let mut open = Vec::new();
    for id in 0..40 {
        note_for(
            &mut guard,
            stratum,
            Treatment::V2,
            id,
            Some(7),
            Response::Error,
        );
        let request = guard.note_decision(stratum, Treatment::V1, 100 + id, Some(7));
        open.push(request.expect("a request"));
    }
    tick(&mut guard);
    assert!(guard.sends_to_v1(7));
    assert!(!guard.sends_to_v1(8));
    for request in open {
        guard.note_end(request, Response::Error, 1_000);
    }
    for _ in 0..6 {
        tick(&mut guard);
    }
    assert!(!guard.sends_to_v1(7));
    assert_eq!(guard.ejected_accounts(), 0);
}

/// A v2 that is broken for everyone trips the guard, whether accounts are tested or not.
#[test]
fn many_broken_accounts_trip_the_guard() {
    let (mut guard, stratum) = guard(testing_accounts(100), "50");
    let mut random = Random::new(1);
    let mut errors = 0;
    while guard.state() != GuardState::Tripped {
        for _ in 0..5 {
            let (arm, id, account) = (arm(&mut random), random.next(), random.below(100));
            let response = match arm {
                Treatment::V1 => Response::Success,
                Treatment::V2 => Response::Error,
            };
            if let Some(request) = guard.note_decision(stratum, arm, id, Some(account)) {
                guard.note_end(request, response, 1);
                errors += u64::from(arm == Treatment::V2);
            }
        }
        tick(&mut guard);
        assert!(errors < 30, "{:?}", guard.evidence());
    }
    println!("tripped after {errors} errors");
}

/// Two workers each see half of the errors of one account. Neither trips.
#[test]
fn one_account_does_not_trip_the_guard_of_several_workers() {
    let settings = testing_accounts(100);
    let (mut one, stratum) = guard(settings, "50");
    let (mut other, _) = guard(settings, "50");
    let mut random = Random::new(1);
    let mut snapshots = [Vec::new(), Vec::new()];
    for _ in 0..60 {
        for (own, guard) in [&mut one, &mut other].into_iter().enumerate() {
            let (arm, id) = (arm(&mut random), random.next());
            let response = match arm {
                Treatment::V1 => Response::Success,
                Treatment::V2 => Response::Error,
            };
            if !guard.sends_to_v1(7) {
                note_for(guard, stratum, arm, id, Some(7), response);
            }
            let mut others = OtherWorkers::new(EPOCH);
            others.add(&snapshots[1 - own]);
            guard.tick(&others);
            guard.write_snapshot(&mut snapshots[own]);
            assert_eq!(guard.state(), GuardState::Armed);
        }
    }
    assert!(one.sends_to_v1(7) && other.sends_to_v1(7));
}

/// Accounts come and go, all with the same error rate in both arms: in total, no more are ejected than is allowed. Half
/// of them fail often, and all places change hands many times.
#[test]
fn on_average_no_more_accounts_are_ejected_than_allowed() {
    let mut ejected = 0;
    let runs = 40;
    for seed in 0..runs {
        // One account for each run.
        let (mut guard, stratum) = guard(testing_accounts(1_000), "50");
        let mut random = Random::new(seed);
        for second in 0..60_u64 {
            for _ in 0..1_000 {
                // Accounts of this second and of the last ones.
                let account = random.below(3_000) + second * 300;
                let id = random.next();
                let account = account.wrapping_mul(0x9e37_79b9_7f4a_7c15);
                // At the allowed ratio of 1.2, 6 of 11 errors are v2's.
                let arm = match random.below(11) < 6 {
                    true => Treatment::V2,
                    false => Treatment::V1,
                };
                note_for(&mut guard, stratum, arm, id, Some(account), Response::Error);
            }
            tick(&mut guard);
        }
        ejected += guard.ejected_accounts() as u64;
    }
    println!("{ejected} accounts ejected in {runs} runs");
    // One a run is allowed.
    assert!(ejected <= runs, "{ejected} ejected");
}

#[test]
fn ten_million_accounts_that_each_fail_once_change_nothing() {
    let (mut guard, stratum) = guard(testing_accounts(100), "50");
    let before = guard.held_bytes();
    assert!(before <= MOST_BYTES, "{before} bytes");
    for number in 0..10_000_000_u64 {
        let hash = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let arm = Treatment::ALL[(hash >> 63) as usize];
        note_for(&mut guard, stratum, arm, hash, Some(hash), Response::Error);
        if number % 20_000 == 0 {
            tick(&mut guard);
        }
    }
    assert_eq!(guard.held_bytes(), before);
    assert_eq!(guard.ejected_accounts(), 0);
    // No budget is spent, so a broken account is ejected as soon as before.
    assert_eq!(
        errors_until_ejected(&mut guard, stratum),
        errors_of_a_new_table("50")
    );
}

/// Accounts that failed more often in v1 have spent the budget of their places, and it does not come back.
#[test]
fn a_budget_that_was_spent_does_not_come_back() {
    let (mut guard, stratum) = guard(testing_accounts(100), THIRD);
    for round in 0..60_u64 {
        for place in 0..ACCOUNTS as u64 {
            let account = (round * ACCOUNTS as u64 + place) | 1 << 40;
            for error in 0..3 {
                let id = (account << 4 | error).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                // As often as in v1, and 1.2 times is allowed.
                let arm = if error == 0 {
                    Treatment::V2
                } else {
                    Treatment::V1
                };
                note_for(&mut guard, stratum, arm, id, Some(account), Response::Error);
            }
        }
        (0..6).for_each(|_| {
            tick(&mut guard);
        });
    }
    let spent = errors_until_ejected(&mut guard, stratum);
    let whole = errors_of_a_new_table(THIRD);
    assert!(
        spent > whole + 20,
        "{spent} errors, {whole} with a whole budget"
    );
}

fn errors_of_a_new_table(requests: &str) -> u64 {
    let (mut guard, stratum) = guard(testing_accounts(100), requests);
    errors_until_ejected(&mut guard, stratum)
}

/// An account of which v2 fails all requests. Returns after how many errors it is ejected.
fn errors_until_ejected(guard: &mut WorkerGuard, stratum: Stratum) -> u64 {
    for errors in 1..1_000 {
        note_for(
            guard,
            stratum,
            Treatment::V2,
            5 << 50 | errors,
            Some(3),
            Response::Error,
        );
        for id in [6 << 50, 7 << 50] {
            note(
                guard,
                stratum,
                Treatment::V1,
                id | errors,
                Response::Success,
            );
        }
        (0..5).for_each(|_| {
            tick(guard);
        });
        if guard.sends_to_v1(3) {
            return errors;
        }
    }
    panic!("never ejected: {:?}", guard.state())
}
