//! The history: its size, damaged entries, and names that are taken.

use std::fs::{self, File};

use super::model;
use super::numbered_policies::{self, headers, overrides, record_level};
use super::{active_policy, apply, assert_halts, author, folder, history, policy};
use crate::{Author, Directory, Error, Outcome, PluginOverrides, Target};

#[test]
fn the_history_is_bounded_and_a_rollback_stays_possible() {
    let (folder, directory) = model::folder();
    let author = Author {
        keep: 3,
        ..model::author()
    };
    for number in [0, 1] {
        let change = directory.apply(
            &numbered_policies::policy(number),
            overrides(number),
            &author,
        );
        change.expect("written");
    }
    for _ in 0..10 {
        directory.halt(&author).expect("halted");
        directory.resume(&author).expect("resumed");
    }
    let files = fs::read_dir(folder.path().join("history")).expect("a history");
    // Three entries, the target of a rollback, and two policies.
    assert_eq!(files.count(), 3 + 1 + 2);
    let back = directory.rollback(&Target::Before, &author).expect("back");
    assert_eq!(back.entry.revision, "p0");
    assert!(!back.entry.halted && !back.keeps.everyone);
    let none = directory.rollback(&Target::Before, &author);
    assert!(
        matches!(none, Err(Error::NoEarlierPolicy { .. })),
        "{none:?}"
    );
}

/// Envoy does not start without the file. With one that the filter rejects it starts and serves v1.
#[test]
fn a_first_policy_that_is_rejected_stays_and_cannot_be_rolled_back_to() {
    let (_folder, directory) = model::folder();
    let change = directory.apply(
        &numbered_policies::policy(0),
        overrides(0),
        &model::author(),
    );
    let mut change = change.expect("written");
    let recorded = directory.record_outcome(&mut change, Outcome::Rejected, &["no".into()]);
    assert_eq!(recorded.restored, None);
    assert!(
        recorded.notes[0].contains("no earlier policy"),
        "{recorded:?}"
    );
    assert_eq!(
        model::active_policy(&directory),
        Some((numbered_policies::policy(0), headers(0), record_level(0)))
    );
    let halted = directory.halt(&model::author());
    assert!(
        matches!(halted, Err(Error::NoActivePolicy { .. })),
        "{halted:?}"
    );
}

/// Overwrites every policy text of the history.
fn damage_texts(directory: &Directory) {
    for file in fs::read_dir(history(directory)).expect("a history") {
        let path = file.expect("a file").path();
        if path.to_string_lossy().ends_with(".policy.json") {
            fs::write(path, "{}").expect("a file");
        }
    }
}

#[test]
fn lost_files_prevent_neither_a_halt_nor_a_new_policy() {
    let refused = || {
        let (folder, directory) = folder();
        apply(&directory, "a", Outcome::Accepted);
        apply(&directory, "b", Outcome::PartiallyApplied);
        (folder, directory)
    };
    let (_folder, directory) = refused();
    fs::remove_file(history(&directory).join("000001.json")).expect("gone");
    assert_halts(&directory, "b-halted");

    let (_folder, directory) = refused();
    damage_texts(&directory);
    assert_halts(&directory, "b-halted");

    let (_folder, directory) = refused();
    damage_texts(&directory);
    apply(&directory, "c", Outcome::Accepted);
    assert_eq!(active_policy(&directory)["revision"], "c");

    let (_folder, directory) = refused();
    damage_texts(&directory);
    fs::write(directory.filter(), "garbage").expect("a file");
    let none = directory.halt(&author());
    assert!(
        matches!(none, Err(Error::NoActivePolicy { .. })),
        "{none:?}"
    );
    apply(&directory, "c", Outcome::Accepted);
    assert_eq!(active_policy(&directory)["revision"], "c");
}

#[test]
fn an_entry_that_lies_about_a_halt_is_not_believed() {
    let (_folder, directory) = folder();
    apply(&directory, "a", Outcome::Accepted);
    let path = history(&directory).join("000001.json");
    let entry = fs::read_to_string(&path).expect("an entry");
    let lie = entry.replace("\"halted\": false", "\"halted\": true");
    assert_ne!(lie, entry);
    fs::write(&path, lie).expect("a file");
    assert_halts(&directory, "a-halted");
}

#[test]
fn a_file_with_an_unknown_number_is_not_an_entry() {
    let (_folder, directory) = folder();
    apply(&directory, "a", Outcome::Accepted);
    let path = history(&directory).join(format!("{}.json", u64::MAX));
    fs::write(&path, "mine").expect("a file");
    assert_halts(&directory, "a-halted");
    apply(&directory, "b", Outcome::Accepted);
    directory
        .rollback(&Target::Before, &author())
        .expect("back");
    assert_eq!(active_policy(&directory)["revision"], "a-halted");
    let log = directory.log(100).expect("a log");
    let sequences: Vec<u64> = log.rows.iter().map(|row| row.entry.sequence).collect();
    assert_eq!(sequences, [4, 3, 2, 1]);
    assert_eq!(fs::read_to_string(path).expect("a file"), "mine");
}

#[test]
fn a_huge_entry_is_not_read() {
    let (_folder, directory) = folder();
    apply(&directory, "a", Outcome::Accepted);
    let huge = File::create(history(&directory).join("000002.json")).expect("a file");
    // The file is sparse: it needs no disk space, but would need memory.
    huge.set_len(100 << 20).expect("a file");
    let log = directory.log(100).expect("a log");
    let [(_, why)] = log.damaged.as_slice() else {
        panic!("{:?}", log.damaged)
    };
    assert!(why.ends_with("it is larger than 4 MiB"), "{why}");
    assert_halts(&directory, "a-halted");
}

/// Otherwise two policies could have the same revision once one of them is halted or resumed.
#[test]
fn a_revision_that_a_halt_would_use_is_taken() {
    let second_is_refused = |first: &str, second: &str| {
        let (_folder, directory) = folder();
        apply(&directory, first, Outcome::Accepted);
        match directory.apply(&policy(second), PluginOverrides::default(), &author()) {
            Err(error @ Error::RevisionTaken { .. }) => Some(error.to_string()),
            applied => applied.map(|_| None).expect("written"),
        }
    };
    let refused = second_is_refused("a", "a-halted").expect("refused");
    assert!(
        refused
            .starts_with("revision a-halted is that of a (entry 1) after a halt, resume or rearm;"),
        "{refused}"
    );
    assert!(second_is_refused("a-halted", "a").is_some());
    assert!(second_is_refused("a", "a-resumed").is_some());
    assert_eq!(second_is_refused("a", "b"), None);
    assert_eq!(second_is_refused("a", "b-halted"), None);
}
