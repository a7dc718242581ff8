//! A live folder with two policies, and commands that change it.

use std::fs;
use std::path::Path;
use std::process::Output;

use serde_json::Value;
use tempfile::TempDir;

use crate::common::turnout;

/// A folder with the policies `a.json` and `b.json`, and a file in place of the filter.
pub(crate) fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    write(&folder, "a.json", &policy("a", "split"));
    write(&folder, "b.json", &policy("b", "on"));
    fs::write(folder.path().join("f.wasm"), b"\0asm\x01\0\0\0").expect("a file");
    folder
}

pub(crate) fn policy(revision: &str, mode: &str) -> String {
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

pub(crate) fn write(folder: &TempDir, name: &str, text: &str) {
    fs::write(folder.path().join(name), text).expect("a file");
}

pub(crate) fn run(folder: &TempDir, line: &str) -> Output {
    let arguments: Vec<&str> = line.split_whitespace().collect();
    turnout(folder.path(), &arguments, "")
}

/// Runs a command that has to succeed, and returns its output.
pub(crate) fn done(folder: &TempDir, line: &str) -> String {
    let output = run(folder, line);
    assert_eq!(output.status.code(), Some(0), "{line}: {}", stderr(&output));
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// Runs a command that has to fail with this text on standard error.
pub(crate) fn refused(folder: &TempDir, line: &str, code: i32, words: &str) {
    let output = run(folder, line);
    assert_eq!(output.status.code(), Some(code), "{line}");
    assert!(output.stdout.is_empty(), "{line}");
    let printed = stderr(&output);
    assert!(printed.contains(words), "{line}: {printed}");
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

pub(crate) fn filter(folder: &TempDir) -> String {
    fs::read_to_string(folder.path().join("d/filter.json")).expect("a filter.json")
}

/// The active revision, and the plugin configuration.
pub(crate) fn active(folder: &TempDir) -> (String, Value) {
    let file: Value = serde_json::from_str(&filter(folder)).expect("JSON");
    let revision = file.get("version_info").and_then(Value::as_str);
    let configuration = file.pointer("/resources/0/typed_config/config/configuration/value");
    let configuration = configuration.and_then(Value::as_str).expect("a text");
    let revision = revision.expect("a revision").to_owned();
    (revision, serde_json::from_str(configuration).expect("JSON"))
}

pub(crate) fn log(folder: &TempDir) -> Value {
    serde_json::from_str(&done(folder, "log --dir d --json")).expect("JSON")
}

pub(crate) fn names(path: &Path) -> Vec<String> {
    let entries = fs::read_dir(path).expect("a folder");
    let names = entries.map(|entry| entry.expect("an entry").file_name());
    let mut names: Vec<_> = names
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}
