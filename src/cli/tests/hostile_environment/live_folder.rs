//! A live folder under attack: concurrent commands, killed commands, wrong file times, and a user without
//! permission to write. `filter.json` is complete at any time, and the history lists the changes.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::thread;
use std::time::{Duration, SystemTime};

use serde_json::Value;

use super::{ended, filter, folder, policy, run, stderr, turnout, wait};

/// The output of `turnout log --json`.
#[track_caller]
fn log(folder: &Path) -> Value {
    let output = run(folder, "log --dir d --json -n 100");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[track_caller]
fn entries(log: &Value) -> &Vec<Value> {
    log.get("entries")
        .and_then(Value::as_array)
        .expect("entries")
}

#[track_caller]
fn done(folder: &Path, line: &str) {
    let output = run(folder, line);
    assert_eq!(output.status.code(), Some(0), "{line}: {}", stderr(&output));
}

/// A command that waits too long may give up. It reports that, and has changed nothing.
#[test]
fn each_of_forty_concurrent_applies_is_complete_in_the_history_or_has_given_up() {
    const APPLIES: usize = 40;
    let folder = folder();
    let path = folder.path();
    done(path, "apply a.json --dir d --wasm f.wasm");
    for number in 0..APPLIES {
        let file = path.join(format!("p{number}.json"));
        fs::write(file, policy(&format!("p{number}"))).expect("a policy");
    }
    let outputs: Vec<_> = thread::scope(|scope| {
        let apply = |number: usize| {
            let line = format!("apply p{number}.json --dir d");
            scope.spawn(move || run(path, &line))
        };
        let running: Vec<_> = (0..APPLIES).map(apply).collect();
        let output = |apply: thread::ScopedJoinHandle<'_, _>| apply.join().expect("an end");
        running.into_iter().map(output).collect()
    });
    let mut expected = BTreeSet::from(["a".to_owned()]);
    for (number, output) in outputs.iter().enumerate() {
        match output.status.code() {
            Some(0) => drop(expected.insert(format!("p{number}"))),
            code => {
                assert_eq!(code, Some(2), "{}", stderr(output));
                let printed = stderr(output);
                assert!(
                    printed.contains("is changing the policy and does not finish"),
                    "{printed}"
                );
            }
        }
    }
    assert!(expected.len() > 2, "{expected:?}");
    let log = log(path);
    let revision = |entry: &Value| {
        let revision = entry.get("revision").and_then(Value::as_str);
        revision.expect("a revision").to_owned()
    };
    let found: Vec<String> = entries(&log).iter().map(revision).collect();
    assert_eq!(found.len(), expected.len(), "{log}");
    assert_eq!(found.iter().cloned().collect::<BTreeSet<_>>(), expected);
    assert_eq!(log.get("damaged"), Some(&Value::Array(Vec::new())));
    assert_eq!(found.first(), Some(&filter(path).1));
    assert_eq!(log.get("filter"), Some(&Value::Null));
}

#[test]
fn a_killed_command_leaves_a_complete_file_and_later_commands_work() {
    // On a loaded machine many commands end before they are killed.
    const ATTEMPTS: u64 = 400;
    const KILLS: u64 = 12;
    let folder = folder();
    let path = folder.path();
    done(path, "apply a.json --dir d --wasm f.wasm");
    // The duration of one command, over which the kills are spread.
    let began = std::time::Instant::now();
    done(path, "apply b.json --dir d");
    let whole = began.elapsed().max(Duration::from_millis(10));
    let mut killed: u64 = 0;
    for number in 0..ATTEMPTS {
        if killed == KILLS {
            break;
        }
        let line = match number % 4 {
            0 => "apply a.json --dir d",
            1 => "halt --dir d",
            2 => "resume --dir d",
            _ => "apply b.json --dir d",
        };
        let mut child = turnout(path, line.split_whitespace())
            .spawn()
            .expect("the command starts");
        let part = u32::try_from(number.wrapping_mul(7) % 40).expect("a small number");
        thread::sleep(whole.mul_f64(f64::from(part) / f64::from(40_u32)));
        let _ = child.kill();
        killed += u64::from(wait(&mut child).signal().is_some());

        let (_, revision) = filter(path);
        let known = ["a", "b", "a-halted", "b-halted"];
        assert!(known.contains(&revision.as_str()), "{line}: {revision}");
        assert_eq!(
            log(path).get("damaged"),
            Some(&Value::Array(Vec::new())),
            "{line}"
        );
    }
    assert_eq!(killed, KILLS, "of {ATTEMPTS} commands");
    // Later commands understand the state that the killed ones left.
    done(path, "halt --dir d");
    assert!(filter(path).1.ends_with("-halted"));
    done(path, "apply a.json --dir d --resume");
    assert_eq!(filter(path).1, "a");
    done(path, "apply b.json --dir d");
    done(path, "rollback --dir d");
    assert_eq!(filter(path).1, "a");
    let left = |folder: &str| -> Vec<String> {
        let entries = fs::read_dir(path.join(folder)).expect("a folder");
        let name = |entry: std::io::Result<fs::DirEntry>| {
            entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        };
        entries
            .map(name)
            .filter(|name| name.contains("tmp"))
            .collect()
    };
    assert_eq!(left("d"), [""; 0]);
    assert_eq!(left("d/history"), [""; 0]);
}

/// After a restored backup or with a wrong clock, changes are ordered by their numbers.
#[test]
fn modification_times_of_files_do_not_matter() {
    let folder = folder();
    let path = folder.path();
    done(path, "apply a.json --dir d --wasm f.wasm");
    done(path, "apply b.json --dir d");
    let year = Duration::from_secs(365 * 24 * 3_600);
    let before_1970 = SystemTime::UNIX_EPOCH.checked_sub(year).expect("1969");
    let late = SystemTime::UNIX_EPOCH
        .checked_add(year.saturating_mul(68))
        .expect("2038");
    for (time, commands) in [
        (
            before_1970,
            ["halt --dir d", "resume --dir d", "rollback --dir d"],
        ),
        (
            late,
            ["apply b.json --dir d", "halt --dir d", "resume --dir d"],
        ),
    ] {
        for line in commands {
            for part in ["d", "d/history"] {
                for entry in fs::read_dir(path.join(part)).expect("a folder") {
                    let file = fs::File::open(entry.expect("an entry").path()).expect("a file");
                    let times = fs::FileTimes::new().set_modified(time).set_accessed(time);
                    file.set_times(times).expect("its times");
                }
            }
            done(path, line);
        }
    }
    let log = log(path);
    assert_eq!(filter(path).1, "b");
    assert_eq!(log.get("damaged"), Some(&Value::Array(Vec::new())));
    assert_eq!(
        log.get("active"),
        entries(&log)
            .first()
            .and_then(|entry| entry.get("sequence"))
    );
}

/// As in a folder of another owner or a read-only mount. If the test runs as root, which may write everywhere,
/// it runs the command as another user.
#[test]
fn without_permission_to_write_a_command_is_an_error_and_changes_nothing() {
    const NOBODY: u32 = 65_534;
    let folder = folder();
    let path = folder.path();
    done(path, "apply b.json --dir d --wasm f.wasm");
    done(path, "apply a.json --dir d");
    let binary = path.join("turnout");
    fs::copy(env!("CARGO_BIN_EXE_turnout"), &binary).expect("the command");
    let is_superuser = rustix::process::getuid().is_root();
    for part in [".", "d", "d/history"] {
        let mode = fs::Permissions::from_mode(0o555);
        fs::set_permissions(path.join(part), mode).expect("a mode");
    }
    let run = |line: &str| {
        let mut command = turnout(path, line.split_whitespace());
        let mut own = std::process::Command::new(&binary);
        own.current_dir(path).args(command.get_args());
        command = own;
        command
            .stdin(std::process::Stdio::null())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped());
        if is_superuser {
            command.uid(NOBODY).gid(NOBODY);
        }
        ended(command)
    };
    let (before, _) = filter(path);
    let names = |part: &str| {
        let entries = fs::read_dir(path.join(part)).expect("a folder");
        let name = |entry: std::io::Result<fs::DirEntry>| entry.expect("an entry").file_name();
        entries.map(name).collect::<BTreeSet<_>>()
    };
    let all = (names("d"), names("d/history"));
    for line in [
        "apply b.json --dir d",
        "halt --dir d",
        "rollback --dir d",
        "apply a.json --dir new --wasm f.wasm",
        "schema --output d/schema.json",
    ] {
        let output = run(line);
        assert_eq!(output.status.code(), Some(2), "{line}: {output:?}");
        let printed = stderr(&output);
        assert!(printed.contains("Permission denied"), "{line}: {printed}");
        assert_eq!(filter(path).0, before, "{line}");
        assert_eq!((names("d"), names("d/history")), all, "{line}");
    }
    // Reading still works.
    let output = run("log --dir d --json -n 100");
    let opened = [".", "d", "d/history"].map(|part| {
        let mode = fs::Permissions::from_mode(0o755);
        fs::set_permissions(path.join(part), mode)
    });
    assert!(opened.iter().all(Result::is_ok), "{opened:?}");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    done(path, "halt --dir d");
    assert_eq!(filter(path).1, "a-halted");
}
