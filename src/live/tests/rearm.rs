//! A rearm is another state of the same policy, whatever proxies say and whatever the folder loses.

use std::fs;

use super::model::{author, folder, rearmed};
use super::numbered_policies::{overrides, policy};
use super::{active_policy, history};
use crate::{Change, Directory, Intent, Outcome};

fn apply(directory: &Directory, number: usize) -> Change {
    let change = directory.apply(&policy(number), overrides(number), &author());
    change.expect("written")
}

fn change(directory: &Directory, intent: &Intent<'_>, outcome: Outcome) -> Change {
    let mut change = directory.change(intent, &author(), None).expect("written");
    directory.record_outcome(&mut change, outcome, &["no".into()]);
    change
}

const REARM: Intent<'static> = Intent::Rearm { rollout: "a" };

/// They run the same policy, and its guard is not re-armed there.
#[test]
fn a_policy_stays_active_if_some_proxies_refuse_its_rearm() {
    let (_folder, directory) = folder();
    apply(&directory, 0);
    apply(&directory, 2);
    change(&directory, &REARM, Outcome::PartiallyApplied);
    directory.halt(&author()).expect("halted");
    assert_eq!(
        active_policy(&directory)["revision"],
        "p2-halted+rearmed.a.3"
    );
}

#[test]
fn a_rearm_that_every_proxy_refuses_is_undone() {
    let (_folder, directory) = folder();
    apply(&directory, 0);
    apply(&directory, 2);
    let before = fs::read(directory.filter()).expect("a file");
    change(&directory, &REARM, Outcome::Rejected);
    assert_eq!(fs::read(directory.filter()).expect("a file"), before);
    // The refused count is free, because no proxy has run it.
    change(&directory, &REARM, Outcome::Accepted);
    assert_eq!(active_policy(&directory)["revision"], "p2+rearmed.a.3");
}

#[test]
fn lost_files_do_not_undo_a_rearm() {
    let damages: [fn(&Directory); 4] = [
        |directory| fs::remove_file(directory.filter()).expect("gone"),
        |directory| fs::write(directory.filter(), "{").expect("a file"),
        |directory| fs::remove_dir_all(history(directory)).expect("gone"),
        // The entry of the rearm says that there was none.
        |directory| {
            let path = history(directory).join("000002.json");
            let text = fs::read_to_string(&path).expect("an entry");
            let lie = text.replace("\"rearmed\": {\n    \"a\": 1\n  }", "\"rearmed\": {}");
            assert_ne!(lie, text);
            fs::write(path, lie).expect("a file");
        },
    ];
    for (number, damage) in damages.iter().enumerate() {
        let (_folder, directory) = folder();
        apply(&directory, 0);
        change(&directory, &REARM, Outcome::Accepted);
        damage(&directory);
        apply(&directory, 3);
        assert_eq!(rearmed(&directory)["a"], 1, "damage {number}");
    }
}
