//! Runs the command in a hostile environment: inputs that are not files, folders that others share or damage,
//! admin endpoints with arbitrary responses, and policies of the greatest size or depth.
#![cfg(unix)]
#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

#[path = "hostile_environment/admin.rs"]
mod admin;
#[path = "hostile_environment/files.rs"]
mod files;
#[path = "hostile_environment/live_folder.rs"]
mod live_folder;
#[path = "hostile_environment/policies.rs"]
mod policies;

use std::ffi::OsStr;
use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Much longer than a loaded machine needs: a command that exceeds it does not end.
const PATIENCE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(2);

/// The command in a folder, with its output piped.
fn turnout<A: AsRef<OsStr>>(folder: &Path, arguments: impl IntoIterator<Item = A>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_turnout"));
    command
        .current_dir(folder)
        .args(arguments)
        // Requests to an admin address ignore the proxy settings of the environment.
        .env("http_proxy", "http://127.0.0.1:1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Waits for the command. If it does not end, kills it and fails.
#[track_caller]
fn ended(mut command: Command) -> Output {
    let mut child = command.spawn().expect("the command starts");
    let mut pipes = (
        child.stdout.take().expect("a pipe"),
        child.stderr.take().expect("a pipe"),
    );
    let error = thread::spawn(move || read(&mut pipes.1));
    let output = thread::spawn(move || read(&mut pipes.0));
    let status = wait(&mut child);
    Output {
        status,
        stdout: output.join().expect("its output"),
        stderr: error.join().expect("its errors"),
    }
}

#[track_caller]
fn wait(child: &mut Child) -> std::process::ExitStatus {
    let began = Instant::now();
    loop {
        if let Some(status) = child.try_wait().expect("the state of a child") {
            return status;
        }
        let is_late = began.elapsed() > PATIENCE;
        if is_late {
            let _ = child.kill();
            let _ = child.wait();
        }
        assert!(!is_late, "it does not end");
        thread::sleep(POLL);
    }
}

fn read(pipe: &mut impl Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    let _ = pipe.read_to_end(&mut bytes);
    bytes
}

/// Runs a command line without quotes.
#[track_caller]
fn run(folder: &Path, line: &str) -> Output {
    ended(turnout(folder, line.split_whitespace()))
}

/// The text on standard error.
fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Fails if the output contains terminal control characters.
#[track_caller]
fn is_printable(output: &Output) {
    for bytes in [&output.stdout, &output.stderr] {
        let text = String::from_utf8_lossy(bytes);
        let is_command = |c: &char| c.is_control() && !['\n', '\t'].contains(c);
        assert_eq!(text.chars().find(is_command), None, "{text:?}");
    }
}

/// A policy with this revision.
fn policy(revision: &str) -> String {
    format!(
        r#"{{"version": 1, "revision": "{revision}",
             "account": {{"from": [{{"header": "x-account-sid"}}], "format": "sid"}},
             "rollouts": [{{"name": "r", "v1": "one", "v2": "two", "mode": "on"}}]}}"#
    )
}

/// A folder with the policies `a.json` and `b.json`, and a file in place of the filter.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["a", "b"] {
        let path = folder.path().join(format!("{name}.json"));
        fs::write(path, policy(name)).expect("a policy");
    }
    fs::write(folder.path().join("f.wasm"), b"\0asm\x01\0\0\0").expect("a file");
    folder
}

/// The text of `filter.json` and the revision in it.
#[track_caller]
fn filter(folder: &Path) -> (String, String) {
    let text = fs::read_to_string(folder.join("d/filter.json")).expect("a filter.json");
    let file: serde_json::Value = serde_json::from_str(&text).expect("a whole filter.json");
    let revision = file.get("version_info").and_then(serde_json::Value::as_str);
    let revision = revision.expect("a revision").to_owned();
    (text, revision)
}
