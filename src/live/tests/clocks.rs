//! Wrong clocks: before 1970, far in the future, and set back. Changes are ordered by their numbers, and a rollback
//! still works.

use turnout_core::Time;

use super::{WASM, active_policy, author, folder, policy};
use crate::Author;

/// Seconds since 1970: a clock without a battery, the day before and after 2038 overflows 32 bits, years of
/// five digits, and a clock that is set back at each change.
const CLOCKS: [i64; 9] = [
    -1,
    0,
    -86_400 * 365,
    1_893_456_000,
    2_147_483_647,
    2_147_483_648,
    253_402_300_799,
    1_800_000_000,
    1_799_999_999,
];

fn author_at(seconds: i64) -> Author {
    Author {
        when: Time::from_seconds(seconds),
        ..author()
    }
}

#[test]
fn a_wrong_clock_changes_no_order_and_ends_no_halt() {
    let (_folder, directory) = folder();
    let revision_of_filter = || active_policy(&directory)["revision"].clone();
    let mut expected = Vec::new();
    for (number, clock) in CLOCKS.into_iter().enumerate() {
        let revision = format!("r{number}");
        let next = directory.apply(&policy(&revision), WASM, &author_at(clock));
        next.expect("applied");
        assert_eq!(revision_of_filter(), revision);
        expected.push((revision.clone(), clock));

        directory.halt(&author_at(clock)).expect("halted");
        let halted = format!("{revision}-halted");
        assert_eq!(revision_of_filter(), halted);
        expected.push((halted.clone(), clock));

        directory.resume(&author_at(clock)).expect("resumed");
        assert_eq!(revision_of_filter(), revision);
        expected.push((revision, clock));
    }
    let log = directory.log(100).expect("a log");
    assert!(log.damaged.is_empty(), "{:?}", log.damaged);
    let mut found: Vec<_> = log
        .rows
        .iter()
        .map(|row| (row.entry.revision.clone(), row.entry.when.clone()))
        .collect();
    found.reverse();
    let expected: Vec<_> = expected
        .into_iter()
        .map(|(revision, clock)| (revision, Time::from_seconds(clock).to_string()))
        .collect();
    assert_eq!(found, expected);
}
