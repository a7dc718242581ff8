//! What workers of one process read from each other.

use proptest::prelude::*;

use super::*;

fn busy_guard() -> WorkerGuard {
    let settings = GuardSettings {
        accounts: Some(bounded(100)),
        ..settling(2)
    };
    let mut guard = WorkerGuard::new(settings, EPOCH);
    let strata = ["5", "50", "100"].map(|requests| guard.stratum(percent(requests)));
    let mut id = 0;
    for _ in 0..6 {
        for stratum in strata.into_iter().flatten() {
            for arm in Treatment::ALL {
                id += 1;
                let account = Some(id % 3 + 1);
                let response = match id % 4 {
                    0 => Response::Error,
                    _ => Response::Success,
                };
                note_for(&mut guard, stratum, arm, id, account, response);
            }
        }
        tick(&mut guard);
    }
    guard
}

fn snapshot(guard: &WorkerGuard) -> Vec<u8> {
    let mut bytes = vec![1; 3];
    guard.write_snapshot(&mut bytes);
    bytes
}

#[test]
fn a_snapshot_has_the_counts_and_its_size_depends_only_on_the_strata() {
    let guard = busy_guard();
    let bytes = snapshot(&guard);
    assert_eq!(bytes.len(), 40 + 3 * 116);
    let mut others = OtherWorkers::new(EPOCH);
    assert!(others.add(&bytes));
    assert_eq!(others.settled(), &guard.settled());
    assert!(others.add(&bytes));
    let mut twice = guard.settled();
    twice.add_all(&guard.settled());
    assert_eq!(others.settled(), &twice);

    let empty = WorkerGuard::new(settling(2), EPOCH);
    assert_eq!(snapshot(&empty).len(), 40);
}

#[test]
fn no_part_of_a_snapshot_is_one() {
    let bytes = snapshot(&busy_guard());
    for length in 0..bytes.len() {
        let mut others = OtherWorkers::new(EPOCH);
        assert!(!others.add(&bytes[..length]), "{length} bytes");
        assert_eq!(others.settled().strata(), []);
    }
    let longer = [&bytes[..], &[0]].concat();
    assert!(!OtherWorkers::new(EPOCH).add(&longer));
}

proptest! {
    #[test]
    fn any_bytes_are_read_and_evaluated(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..40),
        rest in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let mut guard = busy_guard();
        let mut bytes = snapshot(&guard);
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            // Leaves the epoch, so that most of them are added.
            if !(4..12).contains(&place) {
                bytes[place] = byte;
            }
        }
        let mut others = OtherWorkers::new(EPOCH);
        others.add(&bytes);
        others.add(&rest);
        others.add(&bytes);
        guard.tick(&others);
        prop_assert!(!guard.evidence().total.is_nan());
        prop_assert!(others.add(&snapshot(&guard)));
    }
}
