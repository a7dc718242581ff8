//! Folders as a hostile or unlucky hand leaves them. A halt has to come through; nothing may hang, and
//! nothing outside the folder may change.

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;
use turnout_core::Time;

use crate::{Author, Change, Directory, Error, Given, Intent, Outcome, Target};

const WASM: Given<'static> = Given {
    wasm: Some("/filter.wasm"),
    inbound: None,
    headers: None,
    record_level: None,
    max_held_bytes: None,
};

fn policy(revision: &str) -> String {
    format!(
        r#"{{"revision":"{revision}", "version": 1, "account": {{ "from": [{{ "header": "a" }}], "format": "sid" }}, "rollouts": []}}"#
    )
}

fn author() -> Author {
    Author {
        who: None,
        why: None,
        when: Time::from_seconds(1_800_000_000),
        keep: 100,
    }
}

fn folder() -> (TempDir, Directory) {
    let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
    let folder = folder.expect("a folder");
    let directory = Directory::new(folder.path().join("d"));
    (folder, directory)
}

/// Puts a policy in force, of which the proxies then said this.
fn apply(directory: &Directory, revision: &str, outcome: Outcome) {
    let change = directory.apply(&policy(revision), WASM, &author());
    let mut change = change.expect("written");
    directory.settle(&mut change, outcome, &[]);
}

/// What stands in `filter.json`.
fn in_force(directory: &Directory) -> Value {
    let in_force = directory.in_force().expect("a folder").expect("a policy");
    serde_json::from_str(&in_force.policy).expect("JSON")
}

#[track_caller]
fn halts(directory: &Directory, revision: &str) {
    let change = directory.halt(&author()).expect("halted");
    assert!(!change.is_already, "{change:?}");
    let policy = in_force(directory);
    assert_eq!(policy["halted"], true);
    assert_eq!(policy["revision"], revision);
}

fn history(directory: &Directory) -> std::path::PathBuf {
    directory.path().join("history")
}

/// Every kept text says something else now.
fn damage_texts(directory: &Directory) {
    for file in fs::read_dir(history(directory)).expect("a history") {
        let path = file.expect("a file").path();
        if path.to_string_lossy().ends_with(".policy.json") {
            fs::write(path, "{}").expect("a file");
        }
    }
}

fn pipe(path: &Path) {
    let made = Command::new("mkfifo").arg(path).status();
    assert!(made.expect("mkfifo").success());
}

/// One proxy was asked, and others may have taken it.
#[test]
fn a_halt_that_proxies_refused_is_not_taken_back_by_itself() {
    let (_folder, directory) = folder();
    apply(&directory, "a", Outcome::Accepted);
    apply(&directory, "b", Outcome::Accepted);
    let mut change = directory.halt(&author()).expect("halted");
    let settled = directory.settle(&mut change, Outcome::Rejected, &[]);
    assert_eq!(settled.put_back, None);
    assert_eq!(in_force(&directory)["halted"], true);
    // It is given to them again, and it is still b that is halted.
    halts(&directory, "b-halted");
    directory.resume(&author()).expect("resumed");
    assert_eq!(in_force(&directory)["revision"], "b");
}

#[test]
fn a_first_policy_that_some_proxies_run_can_be_halted() {
    let (_folder, directory) = folder();
    apply(&directory, "a", Outcome::Divided);
    halts(&directory, "a-halted");

    // Applied once more it is written once more, so that those that refused it look at it.
    let (_folder, directory) = folder();
    apply(&directory, "a", Outcome::Divided);
    let again = directory.apply(&policy("a"), Given::default(), &author());
    assert!(!again.expect("written").is_already);
}

#[test]
fn what_was_lost_keeps_nobody_from_halting_or_from_a_new_policy() {
    let refused = || {
        let (folder, directory) = folder();
        apply(&directory, "a", Outcome::Accepted);
        apply(&directory, "b", Outcome::Divided);
        (folder, directory)
    };
    let (_folder, directory) = refused();
    fs::remove_file(history(&directory).join("000001.json")).expect("gone");
    halts(&directory, "b-halted");

    let (_folder, directory) = refused();
    damage_texts(&directory);
    halts(&directory, "b-halted");

    let (_folder, directory) = refused();
    damage_texts(&directory);
    apply(&directory, "c", Outcome::Accepted);
    assert_eq!(in_force(&directory)["revision"], "c");

    let (_folder, directory) = refused();
    damage_texts(&directory);
    fs::write(directory.filter(), "garbage").expect("a file");
    let none = directory.halt(&author());
    assert!(
        matches!(none, Err(Error::NothingInForce { .. })),
        "{none:?}"
    );
    apply(&directory, "c", Outcome::Accepted);
    assert_eq!(in_force(&directory)["revision"], "c");
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
    halts(&directory, "a-halted");
}

#[test]
fn a_number_out_of_the_air_is_no_entrys() {
    let (_folder, directory) = folder();
    apply(&directory, "a", Outcome::Accepted);
    let path = history(&directory).join(format!("{}.json", u64::MAX));
    fs::write(&path, "mine").expect("a file");
    halts(&directory, "a-halted");
    apply(&directory, "b", Outcome::Accepted);
    directory
        .rollback(&Target::Before, &author())
        .expect("back");
    assert_eq!(in_force(&directory)["revision"], "a-halted");
    let log = directory.log(100).expect("a log");
    let sequences: Vec<u64> = log.rows.iter().map(|row| row.entry.sequence).collect();
    assert_eq!(sequences, [4, 3, 2, 1]);
    assert_eq!(fs::read_to_string(path).expect("a file"), "mine");
}

/// To open a pipe is to wait for somebody who writes into it.
#[test]
fn a_pipe_is_not_waited_for() {
    let (folder, directory) = folder();
    apply(&directory, "a", Outcome::Accepted);
    pipe(&history(&directory).join("000009.json"));
    halts(&directory, "a-halted");
    fs::remove_file(directory.filter()).expect("gone");
    pipe(&directory.filter());
    assert!(directory.in_force().is_err());
    directory.resume(&author()).expect("resumed");
    assert_eq!(in_force(&directory)["halted"], Value::Null);

    let wasm = folder.path().join("f.wasm");
    pipe(&wasm);
    let wasm = wasm.to_str().expect("UTF-8");
    assert!(matches!(
        crate::check_wasm(wasm),
        Err(Error::NotWasm { .. })
    ));
}

#[test]
fn a_huge_entry_is_not_read() {
    let (_folder, directory) = folder();
    apply(&directory, "a", Outcome::Accepted);
    let huge = File::create(history(&directory).join("000002.json")).expect("a file");
    // It takes no room on the disk, and would in memory.
    huge.set_len(100 << 20).expect("a file");
    let log = directory.log(100).expect("a log");
    let [(_, why)] = log.damaged.as_slice() else {
        panic!("{:?}", log.damaged)
    };
    assert!(why.ends_with("it is larger than 4 MiB"), "{why}");
    halts(&directory, "a-halted");
}

/// Whoever may write into the folder could have a file emptied that only others may write.
#[cfg(unix)]
#[test]
fn a_link_in_place_of_the_lock_is_not_followed() {
    let (folder, directory) = folder();
    apply(&directory, "a", Outcome::Accepted);
    let mine = folder.path().join("mine");
    fs::write(&mine, "mine").expect("a file");
    let lock = directory.path().join(".turnout.lock");
    fs::remove_file(&lock).expect("gone");
    std::os::unix::fs::symlink(&mine, &lock).expect("a link");
    let refused = directory.halt(&author()).expect_err("a link").to_string();
    assert!(refused.contains("it is not a file; remove it"), "{refused}");
    assert_eq!(fs::read_to_string(mine).expect("a file"), "mine");
}

/// As with a link: another file would be emptied, whatever its name.
#[cfg(unix)]
#[test]
fn a_hard_link_in_place_of_the_lock_is_not_written_to() {
    let (folder, directory) = folder();
    apply(&directory, "a", Outcome::Accepted);
    let mine = folder.path().join("mine");
    fs::write(&mine, "mine").expect("a file");
    let lock = directory.path().join(".turnout.lock");
    fs::remove_file(&lock).expect("gone");
    fs::hard_link(&mine, &lock).expect("a link");
    for refused in [
        directory.halt(&author()),
        directory.apply(&policy("b"), WASM, &author()),
    ] {
        let refused = refused.expect_err("a link").to_string();
        assert!(
            refused.contains(".turnout.lock: it is a hard link") && refused.ends_with("remove it"),
            "{refused}"
        );
    }
    assert_eq!(fs::read_to_string(&mine).expect("a file"), "mine");
    assert_eq!(in_force(&directory)["revision"], "a");
    fs::remove_file(&lock).expect("gone");
    halts(&directory, "a-halted");
}

/// Nothing is written, removed or read there, and a halt does not wait for it.
#[cfg(unix)]
#[test]
fn a_link_in_place_of_the_history_is_not_followed() {
    let (folder, directory) = folder();
    apply(&directory, "a", Outcome::Accepted);
    apply(&directory, "b", Outcome::Accepted);
    let outside = folder.path().join("outside");
    fs::rename(history(&directory), &outside).expect("moved");
    fs::write(outside.join(".turnout-1-x.tmp"), "mine").expect("a file");
    std::os::unix::fs::symlink(&outside, history(&directory)).expect("a link");
    let look = || {
        let files = fs::read_dir(&outside).expect("a folder").flatten();
        let mut files: Vec<_> = files
            .map(|file| (file.file_name(), fs::read(file.path()).expect("a file")))
            .collect();
        files.sort();
        files
    };
    let before = look();
    for refused in [
        directory.apply(&policy("c"), WASM, &author()).err(),
        directory.rollback(&Target::Before, &author()).err(),
        directory.log(9).err(),
        directory.remember(&["http://127.0.0.1:1".into()]).err(),
    ] {
        let refused = refused.expect("refused").to_string();
        assert!(
            refused.contains("history is a link, and") && refused.contains("remove the link"),
            "{refused}"
        );
    }
    assert!(directory.remembered().is_err());
    let change = directory.halt(&author()).expect("halted");
    assert!(
        change
            .notes
            .iter()
            .any(|note| note.contains("history is a link"))
    );
    assert_eq!(in_force(&directory)["halted"], true);
    assert_eq!(look(), before);

    // One that leads nowhere, or a file, are no better.
    fs::remove_file(history(&directory)).expect("gone");
    std::os::unix::fs::symlink(folder.path().join("none"), history(&directory)).expect("a link");
    assert!(directory.apply(&policy("c"), WASM, &author()).is_err());
    assert!(!folder.path().join("none").exists());
    fs::remove_file(history(&directory)).expect("gone");
    fs::write(history(&directory), "mine").expect("a file");
    let refused = directory
        .apply(&policy("c"), WASM, &author())
        .expect_err("a file");
    assert!(
        refused.to_string().contains("history: it is not a folder"),
        "{refused}"
    );
}

/// An entry, a text and the addresses are files of their own. What a link in their place leads to is neither read
/// nor written, and a file that has a second name elsewhere keeps its text there.
#[cfg(unix)]
#[test]
fn a_link_in_place_of_a_file_of_the_history_is_neither_read_nor_written() {
    let (folder, directory) = folder();
    apply(&directory, "a", Outcome::Accepted);
    let mine = folder.path().join("mine");
    let entry = history(&directory).join("000001.json");
    fs::rename(&entry, &mine).expect("moved");
    let text = fs::read_to_string(&mine).expect("a file");
    std::os::unix::fs::symlink(&mine, &entry).expect("a link");
    let log = directory.log(9).expect("a log");
    assert!(
        log.damaged[0].1.contains("it is a link"),
        "{:?}",
        log.damaged
    );
    let next = history(&directory).join("000002.json");
    std::os::unix::fs::symlink(&mine, &next).expect("a link");
    let admins = history(&directory).join("admins.json");
    fs::hard_link(&mine, &admins).expect("a link");
    apply(&directory, "b", Outcome::Accepted);
    directory
        .remember(&["http://127.0.0.1:1".into()])
        .expect("written");
    halts(&directory, "b-halted");
    assert_eq!(fs::read_to_string(&mine).expect("a file"), text);
    // What Envoy reads may have a second name too, as in a copy by hard links.
    let copy = folder.path().join("copy");
    fs::hard_link(directory.filter(), &copy).expect("a link");
    let before = fs::read(&copy).expect("a file");
    directory.resume(&author()).expect("resumed");
    assert_eq!(fs::read(&copy).expect("a file"), before);
}

/// A folder that is mounted or kept elsewhere as a whole is one that its operator names.
#[cfg(unix)]
#[test]
fn a_folder_that_is_a_link_as_a_whole_is_used() {
    let (folder, directory) = folder();
    apply(&directory, "a", Outcome::Accepted);
    let link = folder.path().join("link");
    std::os::unix::fs::symlink(directory.path(), &link).expect("a link");
    let by_link = Directory::new(&link);
    apply(&by_link, "b", Outcome::Accepted);
    halts(&by_link, "b-halted");
    assert_eq!(in_force(&directory)["revision"], "b-halted");
    assert_eq!(directory.log(9).expect("a log").damaged, []);
}

/// Halted or resumed, both would have one revision.
#[test]
fn a_name_that_a_halt_would_take_is_taken() {
    let second_is_refused = |first: &str, second: &str| {
        let (_folder, directory) = folder();
        apply(&directory, first, Outcome::Accepted);
        match directory.apply(&policy(second), Given::default(), &author()) {
            Err(error @ Error::RevisionTaken { .. }) => Some(error.to_string()),
            applied => applied.map(|_| None).expect("written"),
        }
    };
    let refused = second_is_refused("a", "a-halted").expect("refused");
    assert!(
        refused.starts_with("revision a-halted is what a (entry 1) is called halted or resumed;"),
        "{refused}"
    );
    assert!(second_is_refused("a-halted", "a").is_some());
    assert!(second_is_refused("a", "a-resumed").is_some());
    assert_eq!(second_is_refused("a", "b"), None);
    assert_eq!(second_is_refused("a", "b-halted"), None);
}

#[cfg(unix)]
#[test]
fn a_link_in_place_of_what_is_begun_is_not_followed() {
    let folder = tempfile::tempdir().expect("a folder");
    let mine = folder.path().join("mine");
    fs::write(&mine, "mine").expect("a file");
    let begun = format!(".turnout-{}-filter.json.tmp", std::process::id());
    std::os::unix::fs::symlink(&mine, folder.path().join(begun)).expect("a link");
    let filter = folder.path().join("filter.json");
    assert!(crate::files::replace(&filter, crate::folder::Links::Followed, b"{}").is_err());
    assert_eq!(fs::read_to_string(mine).expect("a file"), "mine");
}

/// Applies a policy or goes back, and gives what is in force then.
fn after(directory: &Directory, change: impl FnOnce(&Directory) -> Result<Change, Error>) -> Value {
    change(directory).expect("written");
    in_force(directory)
}

/// Each way in which a folder loses a part of what it knows of a halt.
#[test]
fn what_is_lost_does_not_end_a_halt() {
    let entry =
        |directory: &Directory, number: u64| history(directory).join(format!("{number:06}.json"));
    let lose = |path: &Path| fs::remove_file(path).expect("gone");
    let garble = |path: &Path| fs::write(path, "{").expect("a file");
    type Damage<'a> = (&'a str, Box<dyn Fn(&Directory) + 'a>);
    let damages: Vec<Damage<'_>> = vec![
        ("nothing", Box::new(|_| ())),
        ("the file", Box::new(|d| lose(&d.filter()))),
        ("the file is garbage", Box::new(|d| garble(&d.filter()))),
        (
            "the file is empty",
            Box::new(|d| fs::write(d.filter(), "").expect("a file")),
        ),
        (
            "the file is cut off, and the entry of the halt is gone",
            Box::new(|d| {
                let text = fs::read(d.filter()).expect("a file");
                fs::write(d.filter(), text.get(..100).expect("long")).expect("a file");
                lose(&entry(d, 3));
            }),
        ),
        (
            "the file, and the entry of the halt is garbage",
            Box::new(|d| {
                lose(&d.filter());
                garble(&entry(d, 3));
            }),
        ),
        (
            "the file is garbage and the history is gone",
            Box::new(|d| {
                garble(&d.filter());
                fs::remove_dir_all(history(d)).expect("gone");
            }),
        ),
        (
            "the history",
            Box::new(|d| fs::remove_dir_all(history(d)).expect("gone")),
        ),
        (
            "the entry of the halt says that it does not halt",
            Box::new(|d| {
                let text = fs::read_to_string(entry(d, 3)).expect("an entry");
                let lie = text.replace("\"halted\": true", "\"halted\": false");
                fs::write(entry(d, 3), lie).expect("a file");
                lose(&d.filter());
            }),
        ),
    ];
    for (what, damage) in &damages {
        let halted = || {
            let (folder, directory) = folder();
            apply(&directory, "a", Outcome::Accepted);
            apply(&directory, "b", Outcome::Accepted);
            halts(&directory, "b-halted");
            damage(&directory);
            (folder, directory)
        };
        let (_folder, directory) = halted();
        let policy = policy("c");
        let now = after(&directory, |d| d.apply(&policy, WASM, &author()));
        assert_eq!(
            (&now["revision"], &now["halted"]),
            (&"c-halted".into(), &true.into()),
            "{what}"
        );
        // Whoever asks for the end of it gets that, also where it was in doubt.
        let (_folder, directory) = halted();
        let intent = Intent::Apply {
            policy: &policy,
            given: WASM,
            lifts_halt: true,
        };
        let now = after(&directory, |d| d.change(&intent, &author(), None));
        assert_eq!(
            (&now["revision"], &now["halted"]),
            (&"c".into(), &Value::Null),
            "{what}"
        );
        let (_folder, directory) = halted();
        if let Ok(change) = directory.rollback(&Target::Before, &author()) {
            assert!(change.entry.halted, "{what}");
            assert_eq!(in_force(&directory)["halted"], true, "{what}");
        }
    }
}

/// A folder that was never halted is not halted by what it loses, as long as it can be known.
#[test]
fn what_was_not_halted_is_not_halted_by_damage_that_leaves_no_doubt() {
    for damage in [
        |d: &Directory| fs::remove_file(d.filter()).expect("gone"),
        |d: &Directory| fs::write(d.filter(), "garbage").expect("a file"),
        |d: &Directory| fs::remove_dir_all(history(d)).expect("gone"),
        |d: &Directory| fs::remove_dir_all(d.path()).expect("gone"),
    ] {
        let (_folder, directory) = folder();
        apply(&directory, "a", Outcome::Accepted);
        apply(&directory, "b", Outcome::Accepted);
        damage(&directory);
        let change = directory
            .apply(&policy("c"), WASM, &author())
            .expect("written");
        assert!(!change.keeps_halt && !change.entry.halted);
    }
}

/// Somebody halts between the look at the folder and the lock.
#[test]
fn a_halt_that_came_in_between_is_seen() {
    let (_folder, directory) = folder();
    apply(&directory, "a", Outcome::Accepted);
    let policy = policy("b");
    let intent = Intent::Apply {
        policy: &policy,
        given: WASM,
        lifts_halt: false,
    };
    let preview = directory.preview(&intent, &author()).expect("a preview");
    assert!(!preview.after.halted);
    halts(&directory, "a-halted");
    let refused = directory.change(&intent, &author(), Some(&preview));
    assert!(
        matches!(refused, Err(Error::ChangedMeanwhile)),
        "{refused:?}"
    );
    assert_eq!(in_force(&directory)["revision"], "a-halted");
    // Looked at once more, or not at all, it keeps the halt.
    let preview = directory.preview(&intent, &author()).expect("a preview");
    assert_eq!(preview.after.revision, "b-halted");
    let change = directory
        .change(&intent, &author(), Some(&preview))
        .expect("written");
    assert!(change.keeps_halt);
    let text: Value = serde_json::from_str(&preview.after.policy).expect("JSON");
    assert_eq!(in_force(&directory), text);
}

/// A halted policy whose author wrote so is not lifted and halted at once.
#[test]
fn a_policy_that_halts_itself_contradicts_resume() {
    let (_folder, directory) = folder();
    apply(&directory, "a", Outcome::Accepted);
    let policy = policy("b").replacen('{', "{\"halted\": true,", 1);
    let intent = Intent::Apply {
        policy: &policy,
        given: WASM,
        lifts_halt: true,
    };
    let refused = directory.change(&intent, &author(), None);
    assert!(matches!(refused, Err(Error::HaltsItself)), "{refused:?}");
    // Its name is that of its author also where the folder is halted already.
    halts(&directory, "a-halted");
    let change = directory.apply(&policy, WASM, &author()).expect("written");
    assert_eq!(
        (change.entry.revision.as_str(), change.keeps_halt),
        ("b", false)
    );
}

/// It was in force already when somebody halted, and proxies refuse it only then.
#[test]
fn a_halt_outlives_a_policy_that_halts_itself_and_is_refused_later() {
    let (_folder, directory) = folder();
    apply(&directory, "a", Outcome::Accepted);
    let policy = policy("b").replacen('{', "{\"halted\": true,", 1);
    let mut change = directory.apply(&policy, WASM, &author()).expect("written");
    directory.halt(&author()).expect("halted");
    let settled = directory.settle(&mut change, Outcome::Rejected, &["no".into()]);
    assert_eq!(settled.put_back, None);
    assert_eq!(in_force(&directory)["halted"], true);
    // A second one has nothing to do.
    assert!(directory.halt(&author()).expect("halted").is_already);
}
