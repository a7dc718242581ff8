//! A clean policy, and `turnout lint` on a text.

use std::path::Path;
use std::process::Output;

use serde_json::Value;

use crate::common::turnout;

pub(crate) const CLEAN: &str = r#"{
  "version": 1,
  "account": { "from": [{ "header": "x-user" }], "format": "opaque" },
  "rollouts": [
    { "name": "r", "v1": "a", "v2": "b", "mode": "split", "rules": [{ "accounts": 5 }] }
  ]
}
"#;

/// `lint -` of a text, with further arguments.
pub(crate) fn lint(policy: &str, arguments: &[&str]) -> Output {
    let arguments = [&["lint", "-"], arguments].concat();
    turnout(Path::new("."), &arguments, policy.as_bytes())
}

pub(crate) fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).expect("UTF-8")
}

pub(crate) fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).expect("JSON")
}
