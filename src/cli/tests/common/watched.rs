//! A folder with policies, in which `turnout` runs.

use std::fs;
use std::path::PathBuf;
use std::process::Output;

use serde_json::Value;
use tempfile::TempDir;

use crate::common::turnout;

pub(crate) struct Watched(pub(crate) TempDir);

impl Watched {
    /// A folder with a file in place of the filter.
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("f.wasm"), b"\0asm\x01\0\0\0").expect("a file");
        Self(folder)
    }

    /// Writes `NAME.json`, a policy with the revision `NAME`.
    pub(crate) fn policy(&self, name: &str, rollouts: &str) {
        let text = format!(
            r#"{{"version": 1, "revision": "{name}", "segments": {{"hvc": {{"accounts": ["1", "2"]}}}},
                "account": {{"from": [{{"header": "a"}}], "format": "opaque"}}, "rollouts": [{rollouts}]}}"#
        );
        self.write(&format!("{name}.json"), &text);
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.0.path().join(name), text).expect("a file");
    }

    pub(crate) fn filter(&self) -> PathBuf {
        self.0.path().join("d/filter.json")
    }

    pub(crate) fn run(&self, line: &str) -> Output {
        let arguments: Vec<&str> = line.split_whitespace().collect();
        turnout(self.0.path(), &arguments, "")
    }

    /// Runs a command, and returns its standard output, standard error and exit code.
    pub(crate) fn output(&self, line: &str) -> (String, String, Option<i32>) {
        let output = self.run(line);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (
            text(&output.stdout),
            text(&output.stderr),
            output.status.code(),
        )
    }

    /// Runs a command that has to exit with this code, and returns its standard output.
    #[track_caller]
    pub(crate) fn ends(&self, line: &str, code: i32) -> String {
        let (output, error, found) = self.output(line);
        assert_eq!(found, Some(code), "{line}: {output}{error}");
        output
    }

    #[track_caller]
    pub(crate) fn json(&self, line: &str, code: i32) -> Value {
        serde_json::from_str(&self.ends(&format!("{line} --json"), code)).expect("JSON")
    }

    /// The revision in `filter.json`.
    pub(crate) fn revision(&self) -> String {
        let text = fs::read(self.filter()).expect("a filter.json");
        let file: Value = serde_json::from_slice(&text).expect("JSON");
        file.get("version_info")
            .and_then(Value::as_str)
            .expect("a revision")
            .to_owned()
    }
}
