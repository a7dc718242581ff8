//! `turnout apply`, `rollback`, `halt`, `resume` and `log`, as a person runs them. What Envoy makes of
//! it is tested with Envoy.
#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

mod common;

use std::fs;
use std::path::Path;
use std::process::Output;

use serde_json::Value;
use tempfile::TempDir;

use common::turnout;

/// A folder with the policies `a.json` and `b.json`, and something that may be the filter.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    write(&folder, "a.json", &policy("a", "split"));
    write(&folder, "b.json", &policy("b", "on"));
    fs::write(folder.path().join("f.wasm"), b"\0asm\x01\0\0\0").expect("a file");
    folder
}

fn policy(revision: &str, mode: &str) -> String {
    format!(
        r#"{{
  "version": 1,
  "revision": "{revision}",
  "account": {{ "from": [{{ "header": "x-account-sid" }}], "format": "sid" }},
  "rollouts": [{{ "name": "r", "v1": "one", "v2": "two", "mode": "{mode}", "rules": [{{ "accounts": 50 }}] }}]
}}
"#
    )
}

fn write(folder: &TempDir, name: &str, text: &str) {
    fs::write(folder.path().join(name), text).expect("a file");
}

fn run(folder: &TempDir, line: &str) -> Output {
    let arguments: Vec<&str> = line.split_whitespace().collect();
    turnout(folder.path(), &arguments, "")
}

/// Runs what has to go well; what it prints.
fn done(folder: &TempDir, line: &str) -> String {
    let output = run(folder, line);
    assert_eq!(output.status.code(), Some(0), "{line}: {}", stderr(&output));
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// Runs what has to be refused with these words.
fn refused(folder: &TempDir, line: &str, code: i32, words: &str) {
    let output = run(folder, line);
    assert_eq!(output.status.code(), Some(code), "{line}");
    assert!(output.stdout.is_empty(), "{line}");
    let said = stderr(&output);
    assert!(said.contains(words), "{line}: {said}");
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn filter(folder: &TempDir) -> String {
    fs::read_to_string(folder.path().join("d/filter.json")).expect("a filter.json")
}

/// What is in force: the revision, and the configuration.
fn in_force(folder: &TempDir) -> (String, Value) {
    let file: Value = serde_json::from_str(&filter(folder)).expect("JSON");
    let revision = file.get("version_info").and_then(Value::as_str);
    let configuration = file.pointer("/resources/0/typed_config/config/configuration/value");
    let configuration = configuration.and_then(Value::as_str).expect("a text");
    let revision = revision.expect("a revision").to_owned();
    (revision, serde_json::from_str(configuration).expect("JSON"))
}

fn log(folder: &TempDir) -> Value {
    serde_json::from_str(&done(folder, "log --dir d --json")).expect("JSON")
}

fn names(path: &Path) -> Vec<String> {
    let entries = fs::read_dir(path).expect("a folder");
    let names = entries.map(|entry| entry.expect("an entry").file_name());
    let mut names: Vec<_> = names
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn a_policy_is_put_in_force_halted_and_taken_back() {
    let folder = folder();
    assert_eq!(
        done(
            &folder,
            "apply a.json --dir d --wasm f.wasm --inbound trust --who me --why first"
        ),
        "r: new, mode split; v1 one, v2 two; match all requests; rule 1 accounts 50 %\n\
         a written to d/filter.json (entry 1)\n"
    );
    let (revision, configuration) = in_force(&folder);
    assert_eq!(revision, "a");
    assert_eq!(configuration["inbound"], "trust");
    let file: Value = serde_json::from_str(&filter(&folder)).expect("JSON");
    let wasm = file.pointer("/resources/0/typed_config/config/vm_config/code/local/filename");
    let absolute = folder
        .path()
        .canonicalize()
        .expect("a folder")
        .join("f.wasm");
    let absolute = absolute.to_str().expect("UTF-8");
    assert!(
        wasm.and_then(Value::as_str)
            .is_some_and(|wasm| wasm.ends_with(absolute)),
        "{wasm:?}"
    );

    // Where the filter is, and what the proxies believe, is remembered.
    done(&folder, "apply b.json --dir d --who me");
    assert_eq!(in_force(&folder).1["inbound"], "trust");

    assert_eq!(
        done(&folder, "halt --dir d --who you --why v2"),
        "b-halted written to d/filter.json (entry 3)\n\
         no proxy was asked to confirm the halt; use --admin ADDRESS to ask one\n"
    );
    let (revision, configuration) = in_force(&folder);
    assert_eq!(revision, "b-halted");
    assert_eq!(configuration["policy"]["halted"], true);
    let halted = filter(&folder);
    assert_eq!(
        done(&folder, "halt --dir d"),
        "d/filter.json already has b-halted, which is halted; nothing was written\n\
         no proxy was asked to confirm the halt; use --admin ADDRESS to ask one\n"
    );
    assert_eq!(filter(&folder), halted);

    done(&folder, "resume --dir d");
    assert_eq!(in_force(&folder).0, "b");
    done(&folder, "halt --dir d");
    assert_eq!(
        done(&folder, "rollback --dir d --resume"),
        "policy: not halted any more\nr: mode on → split\n\
         rolled back to a, written to d/filter.json (entry 6)\n"
    );
    refused(
        &folder,
        "rollback --dir d",
        2,
        "there is no policy before a to go back to",
    );
    done(&folder, "rollback --dir d --to b");

    let log = log(&folder);
    let entries = log["entries"].as_array().expect("entries");
    let told: Vec<_> = entries
        .iter()
        .map(|entry| {
            let text = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
            (text("action"), text("revision"), text("who"), text("why"))
        })
        .collect();
    let said =
        |what: &str, revision: &str| told.iter().find(|(w, r, ..)| w == what && r == revision);
    assert_eq!(told.len(), 7, "{told:?}");
    assert_eq!(
        said("apply", "a").map(|t| (t.2.as_str(), t.3.as_str())),
        Some(("me", "first"))
    );
    assert_eq!(
        said("halt", "b-halted").map(|t| t.2.is_empty()),
        Some(told[2].2.is_empty())
    );
    assert_eq!(log["active"], 7);
    let text = done(&folder, "log --dir d");
    assert!(
        text.lines()
            .nth(1)
            .is_some_and(|line| line.starts_with("*  7 ")),
        "{text}"
    );
}

#[test]
fn what_is_wrong_is_said_and_nothing_is_written() {
    let folder = folder();
    refused(
        &folder,
        "halt --dir d",
        2,
        "there is no folder d; `turnout apply` makes it",
    );
    refused(&folder, "log --dir d", 2, "there is no folder d");
    refused(
        &folder,
        "apply a.json --dir d",
        2,
        "give --wasm with this first policy",
    );
    refused(
        &folder,
        "apply a.json --dir d --wasm a.json",
        2,
        "it does not begin as a wasm does",
    );
    refused(
        &folder,
        "apply a.json --dir d --wasm none",
        2,
        "none is not the filter's .wasm",
    );
    write(&folder, "bad.json", &policy("bad", "onn"));
    refused(
        &folder,
        "apply bad.json --dir d --wasm f.wasm",
        2,
        "unknown mode `onn`",
    );
    refused(
        &folder,
        "apply a.json --dir d --wasm f.wasm --admin https://a",
        2,
        "plain HTTP; write http://a:9901",
    );
    refused(
        &folder,
        "apply a.json --dir a.json --wasm f.wasm",
        2,
        "a.json is not a folder",
    );
    assert!(!folder.path().join("d").exists());

    done(&folder, "apply a.json --dir d --wasm f.wasm");
    let before = filter(&folder);
    refused(&folder, "apply bad.json --dir d", 2, "unknown mode `onn`");
    refused(
        &folder,
        "rollback --dir d --to z",
        2,
        "no entry and no revision z",
    );
    // off → on skips all steps between.
    write(&folder, "off.json", &policy("off", "off"));
    done(&folder, "apply off.json --dir d");
    refused(
        &folder,
        "apply b.json --dir d --strict",
        1,
        "nothing was written",
    );
    done(&folder, "rollback --dir d");
    assert_eq!(in_force(&folder).0, "a");
    assert_ne!(filter(&folder), before, "Envoy would take it for known");
    assert_eq!(
        names(&folder.path().join("d")),
        [".turnout.lock", "filter.json", "history"]
    );
}

#[test]
fn a_revision_is_one_text() {
    let folder = folder();
    done(&folder, "apply a.json --dir d --wasm f.wasm");
    write(&folder, "other.json", &policy("a", "on"));
    let words = "revision a is another text already (entry 1); give this one a revision of its own";
    let before = filter(&folder);
    refused(&folder, "apply other.json --dir d", 2, words);
    // Also when it is not the one in force.
    done(&folder, "apply b.json --dir d");
    refused(&folder, "apply other.json --dir d", 2, words);
    // The same text may come again.
    done(&folder, "apply a.json --dir d");
    assert_ne!(filter(&folder), before);
    // Halted, it has a revision that no other text can take.
    done(&folder, "halt --dir d");
    write(&folder, "other.json", &policy("a-halted", "on"));
    refused(
        &folder,
        "apply other.json --dir d",
        2,
        "revision a-halted is another text",
    );
}

#[test]
fn a_path_that_only_the_proxies_see_is_taken_as_it_is() {
    let folder = folder();
    done(
        &folder,
        "apply a.json --dir d --wasm /etc/envoy/f.wasm --wasm-elsewhere",
    );
    assert!(filter(&folder).contains("\"/etc/envoy/f.wasm\""));
}

/// The number of a revision stays the same, and no revision is given: the text's hash.
#[test]
fn what_is_rendered_always_has_a_revision() {
    let folder = folder();
    let text = policy("a", "split").replace("  \"revision\": \"a\",\n", "");
    write(&folder, "none.json", &text);
    let json: Value = serde_json::from_str(&done(
        &folder,
        "apply none.json --dir d --wasm f.wasm --json",
    ))
    .expect("JSON");
    let (revision, configuration) = in_force(&folder);
    assert_eq!(revision.len(), 16);
    assert_eq!(configuration["policy"]["revision"], revision);
    assert_eq!(json["revision"], revision);
    assert_eq!(json["outcome"], "written");
    assert_eq!(json["proxies"], Value::Array(Vec::new()));
    // As a gauge it is exact.
    assert!(
        json["number"]
            .as_u64()
            .is_some_and(|number| number < 1 << 48)
    );
    done(&folder, "apply none.json --dir d");
    assert_eq!(log(&folder)["entries"].as_array().map(Vec::len), Some(1));
}

#[test]
fn damage_is_named_and_a_halt_goes_on() {
    let folder = folder();
    let d = folder.path().join("d");
    done(&folder, "apply a.json --dir d --wasm f.wasm");
    done(&folder, "apply b.json --dir d");

    // A filter.json that is gone or garbage: by the history.
    for garbage in [None, Some("garbage \u{1b}[2J"), Some("{}"), Some("")] {
        match garbage {
            None => fs::remove_file(d.join("filter.json")).expect("gone"),
            Some(garbage) => fs::write(d.join("filter.json"), garbage).expect("a file"),
        }
        let output = run(&folder, "log --dir d");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(text.starts_with("filter.json is "), "{text}");
        assert!(!text.contains('\u{1b}'), "{text}");
        let output = run(&folder, "halt --dir d");
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        assert!(
            stderr(&output).contains("of the history"),
            "{}",
            stderr(&output)
        );
        assert_eq!(in_force(&folder).0, "b-halted");
    }

    // A history that is garbage: by filter.json.
    done(&folder, "resume --dir d");
    fs::remove_dir_all(d.join("history")).expect("gone");
    fs::write(d.join("history"), "a file").expect("a file");
    let output = run(&folder, "halt --dir d");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(
        stderr(&output).contains("going by filter.json alone"),
        "{}",
        stderr(&output)
    );
    assert_eq!(in_force(&folder).0, "b-halted");
    assert_eq!(in_force(&folder).1["policy"]["halted"], true);
    refused(&folder, "apply a.json --dir d", 2, "cannot read d/history");

    // Files that are none of the history's are named, and stay.
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
        "note.txt: it is none",
        "000007.json: it is damaged",
    ] {
        assert!(text.contains(name), "{text}");
    }
    done(&folder, "halt --dir d");
    assert!(d.join("history/note.txt").exists());
    assert_eq!(in_force(&folder).0, "a-halted");
}

#[test]
fn what_other_hands_wrote_can_be_halted_and_gone_back_to() {
    let folder = folder();
    done(&folder, "apply a.json --dir d --wasm f.wasm");
    let by_hand = filter(&folder)
        .replace("\\\"a\\\"", "\\\"by-hand\\\"")
        .replace("\"a\"", "\"by-hand\"");
    write(&folder, "d/filter.json", &by_hand);
    let text = done(&folder, "log --dir d");
    assert!(
        text.starts_with("filter.json was written by other hands"),
        "{text}"
    );
    done(&folder, "apply b.json --dir d");
    done(&folder, "rollback --dir d");
    assert_eq!(in_force(&folder).0, "by-hand");
    done(&folder, "rollback --dir d");
    assert_eq!(in_force(&folder).0, "a");
}

#[cfg(unix)]
#[test]
fn a_link_is_somebody_elses() {
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
fn the_file_is_readable_whatever_the_mask_is_and_keeps_its_mode() {
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

/// A file may have so many bytes and no more: as good as a full disk, and to be had by anyone.
#[cfg(unix)]
#[test]
fn what_cannot_be_written_whole_is_not_written() {
    use std::process::Command;

    let folder = folder();
    done(&folder, "apply a.json --dir d --wasm f.wasm");
    let before = filter(&folder);
    assert!(before.len() > 512);
    for line in ["halt --dir d", "apply b.json --dir d"] {
        // One block, of 512 bytes or of 1024.
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
    assert_eq!(in_force(&folder).0, "a-halted");
}

#[test]
fn one_waits_for_the_other_and_says_for_whom() {
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
        "turnout apply, process 7\\u{1b} is changing the policy and does not end",
    );
    drop(lock);
    done(&folder, "halt --dir d");
}

/// Halts, resumes and applies at once: each is carried out whole, one after the other.
#[test]
fn many_at_once_leave_one_of_them_in_force() {
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

#[test]
fn a_dead_proxy_does_not_keep_anyone_from_halting() {
    let folder = folder();
    done(&folder, "apply a.json --dir d --wasm f.wasm");
    let output = run(
        &folder,
        "halt --dir d --admin 127.0.0.1:1 --timeout 0 --json",
    );
    assert_eq!(output.status.code(), Some(1));
    let json: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(json["outcome"], "unconfirmed");
    assert_eq!(json["proxies"][0]["state"], "unreachable");
    assert_eq!(in_force(&folder).0, "a-halted");
    assert_eq!(log(&folder)["entries"][0]["outcome"], "unconfirmed");
    let entry = fs::metadata(folder.path().join("d/history/000002.json"));
    assert!(entry.is_ok());
}
