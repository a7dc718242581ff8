//! Clocks that are wrong: before 1970, far ahead, and back again. The order of changes is that of their
//! numbers, and what was done can be taken back.

use turnout_core::Time;

use crate::{Author, Directory, Given};

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

fn policy(revision: &str) -> String {
    format!(
        r#"{{"revision":"{revision}", "version": 1, "account": {{ "from": [{{ "header": "a" }}], "format": "sid" }}, "rollouts": []}}"#
    )
}

fn author(seconds: i64) -> Author {
    Author {
        who: None,
        why: None,
        when: Time::from_seconds(seconds),
        keep: 100,
    }
}

#[test]
fn a_clock_that_is_wrong_changes_no_order_and_ends_no_halt() {
    let folder = tempfile::tempdir().expect("a folder");
    let directory = Directory::new(folder.path().join("d"));
    let given = Given {
        wasm: Some("/filter.wasm"),
        inbound: None,
        headers: None,
        record_level: None,
        max_held_bytes: None,
    };
    let in_force = || {
        let in_force = directory.in_force().expect("a folder").expect("a policy");
        let policy: serde_json::Value = serde_json::from_str(&in_force.policy).expect("JSON");
        policy["revision"].as_str().expect("a revision").to_owned()
    };
    let mut expected = Vec::new();
    for (number, clock) in CLOCKS.into_iter().enumerate() {
        let revision = format!("r{number}");
        let next = directory.apply(&policy(&revision), given, &author(clock));
        next.expect("applied");
        assert_eq!(in_force(), revision);
        expected.push((revision.clone(), clock));

        directory.halt(&author(clock)).expect("halted");
        let halted = format!("{revision}-halted");
        assert_eq!(in_force(), halted);
        expected.push((halted.clone(), clock));

        directory.resume(&author(clock)).expect("resumed");
        assert_eq!(in_force(), revision);
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
