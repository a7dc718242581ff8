//! Links, pipes and other things in the place of a file of the folder. Nothing hangs, and nothing outside the
//! folder changes.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::{WASM, active_policy, apply, assert_halts, author, folder, history, policy};
use crate::{Directory, Error, Outcome, Target};

fn pipe(path: &Path) {
    let made = Command::new("mkfifo").arg(path).status();
    assert!(made.expect("mkfifo").success());
}

/// Opening a pipe blocks until someone writes into it.
#[test]
fn a_pipe_is_not_waited_for() {
    let (folder, directory) = folder();
    apply(&directory, "a", Outcome::Accepted);
    pipe(&history(&directory).join("000009.json"));
    assert_halts(&directory, "a-halted");
    fs::remove_file(directory.filter()).expect("gone");
    pipe(&directory.filter());
    assert!(directory.active_policy().is_err());
    directory.resume(&author()).expect("resumed");
    assert_eq!(active_policy(&directory)["halted"], Value::Null);

    let wasm = folder.path().join("f.wasm");
    pipe(&wasm);
    let wasm = wasm.to_str().expect("UTF-8");
    assert!(matches!(
        crate::check_wasm(wasm),
        Err(Error::NotWasm { .. })
    ));
}

/// Otherwise someone who can write into the folder could empty a file of another user.
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

/// Otherwise the file with the other name would be emptied.
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
    assert_eq!(active_policy(&directory)["revision"], "a");
    fs::remove_file(&lock).expect("gone");
    assert_halts(&directory, "a-halted");
}

/// Nothing is read, written or removed behind the link, and a halt still works.
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
            refused.contains("history is a link, but") && refused.contains("replace the link"),
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
    assert_eq!(active_policy(&directory)["halted"], true);
    assert_eq!(look(), before);

    // A dangling link and a file are refused too.
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

/// An entry, a policy text and the admin addresses are files. A link in their place is neither read nor written
/// through, and a hard link keeps its text under the other name.
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
    assert_halts(&directory, "b-halted");
    assert_eq!(fs::read_to_string(&mine).expect("a file"), text);
    // filter.json may have a hard link too, as in a backup by hard links.
    let copy = folder.path().join("copy");
    fs::hard_link(directory.filter(), &copy).expect("a link");
    let before = fs::read(&copy).expect("a file");
    directory.resume(&author()).expect("resumed");
    assert_eq!(fs::read(&copy).expect("a file"), before);
}

/// An operator may mount the folder or keep it elsewhere.
#[cfg(unix)]
#[test]
fn a_folder_that_is_a_link_as_a_whole_is_used() {
    let (folder, directory) = folder();
    apply(&directory, "a", Outcome::Accepted);
    let link = folder.path().join("link");
    std::os::unix::fs::symlink(directory.path(), &link).expect("a link");
    let by_link = Directory::new(&link);
    apply(&by_link, "b", Outcome::Accepted);
    assert_halts(&by_link, "b-halted");
    assert_eq!(active_policy(&directory)["revision"], "b-halted");
    assert_eq!(directory.log(9).expect("a log").damaged, []);
}

#[cfg(unix)]
#[test]
fn a_link_in_place_of_a_temporary_file_is_not_followed() {
    let folder = tempfile::tempdir().expect("a folder");
    let mine = folder.path().join("mine");
    fs::write(&mine, "mine").expect("a file");
    let begun = format!(".turnout-{}-filter.json.tmp", std::process::id());
    std::os::unix::fs::symlink(&mine, folder.path().join(begun)).expect("a link");
    let filter = folder.path().join("filter.json");
    assert!(
        crate::atomic_file::replace(&filter, crate::folder_handle::Links::Followed, b"{}").is_err()
    );
    assert_eq!(fs::read_to_string(mine).expect("a file"), "mine");
}
