//! A live folder that is damaged, full, locked or used by many commands at once.
#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

mod common;
#[path = "common/live_folder.rs"]
mod live_folder;

use std::fs;

use serde_json::Value;

use live_folder::{active, done, filter, folder, log, names, refused, run, stderr, write};

#[test]
fn damage_is_reported_and_a_halt_still_works() {
    let folder = folder();
    let d = folder.path().join("d");
    done(&folder, "apply a.json --dir d --wasm f.wasm");
    done(&folder, "apply b.json --dir d");

    // Without a valid filter.json the command uses the history.
    for garbage in [None, Some("garbage \u{1b}[2J"), Some("{}"), Some("")] {
        match garbage {
            None => fs::remove_file(d.join("filter.json")).expect("gone"),
            Some(garbage) => fs::write(d.join("filter.json"), garbage).expect("a file"),
        }
        let output = run(&folder, "log --dir d");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(text.starts_with("filter.json "), "{text}");
        assert!(!text.contains('\u{1b}'), "{text}");
        let output = run(&folder, "halt --dir d");
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        assert!(
            stderr(&output).contains("of the history"),
            "{}",
            stderr(&output)
        );
        assert_eq!(active(&folder).0, "b-halted");
    }

    // Without a valid history the command uses filter.json.
    done(&folder, "resume --dir d");
    fs::remove_dir_all(d.join("history")).expect("gone");
    fs::write(d.join("history"), "a file").expect("a file");
    let output = run(&folder, "halt --dir d");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(
        stderr(&output).contains("using only filter.json"),
        "{}",
        stderr(&output)
    );
    assert_eq!(active(&folder).0, "b-halted");
    assert_eq!(active(&folder).1["policy"]["halted"], true);
    refused(&folder, "apply a.json --dir d", 2, "cannot read d/history");

    // Files that do not belong to the history are reported and stay.
    fs::remove_file(d.join("history")).expect("gone");
    done(&folder, "apply a.json --dir d");
    for (name, text) in [
        ("000001.json", "{"),
        ("note.txt", "mine"),
        ("000007.json", "\u{1b}"),
    ] {
        fs::write(d.join("history").join(name), text).expect("a file");
    }
    let text = done(&folder, "log --dir d");
    for name in [
        "000001.json: it is damaged",
        "note.txt: it does not belong to the history",
        "000007.json: it is damaged",
    ] {
        assert!(text.contains(name), "{text}");
    }
    done(&folder, "halt --dir d");
    assert!(d.join("history/note.txt").exists());
    assert_eq!(active(&folder).0, "a-halted");
}

#[test]
fn a_policy_written_by_hand_can_be_halted_and_restored() {
    let folder = folder();
    done(&folder, "apply a.json --dir d --wasm f.wasm");
    let by_hand = filter(&folder)
        .replace("\\\"a\\\"", "\\\"by-hand\\\"")
        .replace("\"a\"", "\"by-hand\"");
    write(&folder, "d/filter.json", &by_hand);
    let text = done(&folder, "log --dir d");
    assert!(
        text.starts_with("filter.json was written by something else"),
        "{text}"
    );
    done(&folder, "apply b.json --dir d");
    done(&folder, "rollback --dir d");
    assert_eq!(active(&folder).0, "by-hand");
    done(&folder, "rollback --dir d");
    assert_eq!(active(&folder).0, "a");
}

#[cfg(unix)]
#[test]
fn a_link_in_place_of_a_file_is_not_written_through() {
    let folder = folder();
    fs::create_dir_all(folder.path().join("d/..data")).expect("a folder");
    write(&folder, "d/..data/filter.json", "{}");
    let link = folder.path().join("d/filter.json");
    std::os::unix::fs::symlink("..data/filter.json", link).expect("a link");
    for line in [
        "apply a.json --dir d --wasm f.wasm",
        "halt --dir d",
        "rollback --dir d",
    ] {
        refused(&folder, line, 2, "is a link to ..data/filter.json");
    }
    assert_eq!(filter(&folder), "{}");
}

/// Envoy may run as another user.
#[cfg(unix)]
#[test]
fn the_file_is_readable_with_any_umask_and_keeps_its_mode() {
    use std::os::unix::fs::PermissionsExt;
    use std::process::Command;

    let folder = folder();
    let mode = || {
        let metadata = fs::metadata(folder.path().join("d/filter.json")).expect("a file");
        metadata.permissions().mode() & 0o777
    };
    let with_mask = |line: &str| {
        let line = format!("umask 077; exec {} {line}", env!("CARGO_BIN_EXE_turnout"));
        let mut shell = Command::new("sh");
        let shell = shell.current_dir(folder.path()).args(["-c", &line]);
        assert!(shell.status().expect("a shell").success(), "{line}");
    };
    with_mask("apply a.json --dir d --wasm f.wasm");
    assert_eq!(mode(), 0o644);
    let path = folder.path().join("d/filter.json");
    fs::set_permissions(path, fs::Permissions::from_mode(0o640)).expect("a mode");
    with_mask("halt --dir d");
    assert_eq!(mode(), 0o640);
}

/// A limit on the size of a file has the effect of a full disk, and needs no privileges.
#[cfg(unix)]
#[test]
fn a_file_that_cannot_be_written_completely_is_not_replaced() {
    use std::process::Command;

    let folder = folder();
    done(&folder, "apply a.json --dir d --wasm f.wasm");
    let before = filter(&folder);
    assert!(before.len() > 512);
    for line in ["halt --dir d", "apply b.json --dir d"] {
        // One block: 512 or 1024 bytes.
        let long = format!(
            "trap '' XFSZ; ulimit -f 0; exec {} {line}",
            env!("CARGO_BIN_EXE_turnout")
        );
        let mut shell = Command::new("sh");
        let output = shell
            .current_dir(folder.path())
            .args(["-c", &long])
            .output();
        let output = output.expect("a shell");
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        assert!(
            stderr(&output).contains("cannot write d/"),
            "{}",
            stderr(&output)
        );
        assert_eq!(filter(&folder), before);
        let history = names(&folder.path().join("d/history"));
        assert!(
            !history.iter().any(|name| name.ends_with(".tmp")),
            "{history:?}"
        );
    }
    assert_eq!(
        names(&folder.path().join("d")),
        [".turnout.lock", "filter.json", "history"]
    );
    done(&folder, "halt --dir d");
    assert_eq!(active(&folder).0, "a-halted");
}

#[test]
fn a_command_waits_for_the_lock_and_names_its_holder() {
    let folder = folder();
    done(&folder, "apply a.json --dir d --wasm f.wasm");
    let path = folder.path().join("d/.turnout.lock");
    let lock = fs::File::open(&path).expect("the lock");
    lock.lock().expect("locked");
    fs::write(&path, "turnout apply, process 7\u{1b}").expect("a holder");
    refused(
        &folder,
        "halt --dir d",
        2,
        "turnout apply, process 7\\u{1b} is changing the policy and does not finish",
    );
    drop(lock);
    done(&folder, "halt --dir d");
}

/// Concurrent halts, resumes and applies are carried out completely, one at a time.
#[test]
fn of_many_commands_at_once_the_last_one_is_active() {
    let folder = folder();
    done(&folder, "apply a.json --dir d --wasm f.wasm");
    let lines = [
        "halt --dir d",
        "resume --dir d",
        "apply b.json --dir d",
        "apply a.json --dir d",
    ];
    std::thread::scope(|scope| {
        for line in lines.iter().cycle().take(12) {
            scope.spawn(|| done(&folder, line));
        }
    });
    let log = log(&folder);
    let entries = log["entries"].as_array().expect("entries");
    assert_eq!(log["filter"], Value::Null);
    assert_eq!(log["active"], entries[0]["sequence"]);
    assert_eq!(log["damaged"], Value::Array(Vec::new()));
}
