//! How many errors of v2 trip the guard, for `lint`.

use turnout_core::guard::{GuardTest, SlowSettings};

use super::*;

#[test]
fn errors_needed_equal_those_of_python() {
    let test = GuardTest::new(&GuardSettings::default());
    for (requests, expected) in [
        ("0", None),
        ("1", Some(3)),
        ("5", Some(3)),
        ("10", Some(4)),
        ("50", Some(11)),
        ("90", Some(67)),
        ("99", Some(704)),
        ("100", None),
    ] {
        let needed = test.errors_needed(percent(requests));
        match expected {
            None if requests == "99.999999" => {
                assert!(needed.is_none_or(|needed| needed > 100_000_000))
            }
            _ => assert_eq!(needed, expected, "{requests} %"),
        }
    }
}

#[test]
fn other_kinds_make_more_errors_necessary() {
    let slow = GuardSettings {
        slow: Some(SlowSettings {
            over_ms: 1,
            ratio: bounded(1_500),
        }),
        ..GuardSettings::default()
    };
    let all = GuardSettings {
        limit: Some(bounded(2_000_000)),
        ..slow
    };
    let needed = GuardTest::new(&all).errors_needed(percent("50"));
    assert_eq!(needed, Some(12));
    let only_slow = GuardSettings {
        errors: None,
        ..slow
    };
    let needed = GuardTest::new(&only_slow).errors_needed(percent("50"));
    assert_eq!(needed, None);
}

/// A guard with exactly this number of errors trips, and with one less it does not.
#[test]
fn the_number_is_exact() {
    for requests in ["0.5", "5", "20", "50", "80"] {
        let needed = GuardTest::new(&settling(1)).errors_needed(percent(requests));
        let needed = needed.expect("a number");
        for (errors, trips) in [(needed - 1, false), (needed, true)] {
            let (mut guard, stratum) = guard(settling(1), requests);
            for id in 0..errors {
                note(&mut guard, stratum, Treatment::V2, id, Response::Error);
            }
            // The balance of the arms.
            let v1 = (100.0 / requests.parse::<f64>().expect("a number") - 1.0) * errors as f64;
            for id in 0..v1 as u64 {
                note(
                    &mut guard,
                    stratum,
                    Treatment::V1,
                    1 << 40 | id,
                    Response::Success,
                );
            }
            tick(&mut guard);
            tick(&mut guard);
            let is_tripped = guard.state() == turnout_core::guard::GuardState::Tripped;
            assert_eq!(
                is_tripped,
                trips,
                "{errors} at {requests} %: {:?}",
                guard.state()
            );
        }
    }
}
