//! A folder with a policy and a template.

use std::fs;
use std::process::Output;

pub(crate) const POLICY: &str = r#"{
  "version": 1,
  "account": { "from": [{ "header": "x-account-sid" }], "format": "sid" },
  "rollouts": [{ "name": "r", "v1": "a", "v2": "b", "mode": "split" }]
}
"#;
pub(crate) const TEMPLATE: &str =
    "wasm: \"@TURNOUT_WASM@\"\nvalue: \"@TURNOUT_CONFIGURATION@\" # here\n";

pub(crate) fn folder_with(policy: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("policy.json"), policy).expect("a policy");
    fs::write(folder.path().join("template.yaml"), TEMPLATE).expect("a template");
    folder
}

pub(crate) fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).expect("UTF-8")
}

pub(crate) const RENDER: [&str; 7] = [
    "render",
    "policy.json",
    "--template",
    "template.yaml",
    "--wasm",
    "f.wasm",
    "--wasm-elsewhere",
];
