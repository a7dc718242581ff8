//! Runs `turnout diff`.
#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::process::{Command, Output};

use tempfile::TempDir;

const POLICY: &str = r#"{
  "version": 1,
  "account": { "from": [{ "header": "x-account-sid" }], "format": "sid" },
  "rollouts": [
    { "name": "r", "v1": "a", "v2": "b", "mode": "shadow", "shadow": { "requests": 1, "compare": {
        "ignore": ["/at", "/nowhere"], "unordered": [{ "path": "/list" }],
        "tolerance": [{ "path": "/price", "absolute": 0.5 }] } } },
    { "name": "plain", "v1": "a", "v2": "b", "mode": "off" }
  ]
}"#;

fn files(v1: &str, v2: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in [("v1", v1), ("v2", v2), ("policy.json", POLICY)] {
        fs::write(folder.path().join(name), text).expect("a file");
    }
    folder
}

fn diff(folder: &TempDir, more: &[&str]) -> (Option<i32>, String, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = Command::new(env!("CARGO_BIN_EXE_turnout"))
        .current_dir(folder.path())
        .args(["diff", "v1", "v2"])
        .args(more)
        .output()
        .expect("the command ends");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (status.code(), text(stdout), text(stderr))
}

#[test]
fn equal_means_equal_values_and_not_equal_bytes() {
    let folder = files(r#"{"a": 1, "b": ["x"]}"#, r#"{"b":["\u0078"],"a":1.0}"#);
    assert_eq!(
        diff(&folder, &[]),
        (Some(0), "equal\n".into(), String::new())
    );
}

#[test]
fn each_finding_has_a_line_and_the_exit_code_is_1() {
    let folder = files(
        r#"{"a": [1, {"b": "x"}], "c": 1}"#,
        r#"{"a": [1, {"b": "y"}], "c": "1"}"#,
    );
    let (code, out, _) = diff(&folder, &[]);
    assert_eq!(code, Some(1));
    assert_eq!(
        out,
        "changed   value    /a/1/b: \"x\" → \"y\"\n\
         breaking  type     /c: 1 → \"1\"\n\
         different: 2 finding(s), highest severity breaking\n"
    );
}

#[test]
fn white_space_between_values_is_shown_as_one_space() {
    let folder = files(
        "{\"a\": [\n    1,\r\n\t2\n  ], \"b\": {\n  \"x  \\\"  y\\n\": [ ]\n}}",
        r#"{"a": 1, "b": 2}"#,
    );
    let (_, out, _) = diff(&folder, &[]);
    assert_eq!(
        out,
        "breaking  type     /a: [ 1, 2 ] → 1\n\
         breaking  type     /b: { \"x  \\\"  y\\n\": [ ] } → 2\n\
         different: 2 finding(s), highest severity breaking\n"
    );
    // Of a long body the beginning is shown. Collapsed white space does not count towards its length.
    let folder = files(
        &format!("[{}1]", "1,\n                    ".repeat(99)),
        "1",
    );
    let (_, out, _) = diff(&folder, &[]);
    let shown = format!("[{}…", "1, ".repeat(20)).replace(", …", ",…");
    assert!(out.contains(&shown), "{out}");
    // In a body that is not JSON, white space is significant.
    let folder = files("a  b\n", "a b\n");
    let (_, out, _) = diff(&folder, &[]);
    assert!(out.contains("a  b\\n → a b\\n"), "{out}");
}

#[test]
fn json_has_the_same_findings() {
    let folder = files(r#"{"a": [{"b": 1}]}"#, r#"{"a": [{}]}"#);
    let (code, out, _) = diff(&folder, &["--json"]);
    assert_eq!(code, Some(1));
    let report: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(
        report,
        serde_json::json!({
            "equal": false,
            "severity": "breaking",
            "findings": [{
                "part": "body", "pointer": "/a/0/b", "folded": "/a/*/b", "kind": "missing",
                "severity": "breaking", "v1": { "type": "number", "raw": "1" }, "v2": null,
            }],
            "omitted": 0,
            "unused": [],
        })
    );
}

#[test]
fn a_policy_configures_which_differences_are_ignored() {
    let folder = files(
        r#"{"at": 1, "list": [1, 2], "price": 1.5}"#,
        r#"{"at": 2, "list": [2, 1], "price": 1.25}"#,
    );
    assert_eq!(diff(&folder, &[]).0, Some(1));
    let (code, out, _) = diff(&folder, &["--policy", "policy.json", "--rollout", "r"]);
    assert_eq!(code, Some(0));
    assert_eq!(
        out,
        "equal\nnote: ignore /nowhere matches nothing in these files\n"
    );
}

#[test]
fn bad_input_is_reported_and_exits_with_2() {
    let folder = files(r#"{"a": 1, "a": 2}"#, "{}");
    let not_json = files("{", "}");
    for (folder, arguments, sentence) in [
        (
            &folder,
            &[][..],
            "the files cannot be compared: repeated key",
        ),
        (
            &folder,
            &["--policy", "policy.json", "--rollout", "x"],
            "no rollout `x`; write one of `r`, `plain`",
        ),
        (
            &folder,
            &["--policy", "policy.json", "--rollout", "plain"],
            "has no `shadow`",
        ),
        (
            &folder,
            &["--policy", "v1", "--rollout", "r"],
            "duplicate field `a`",
        ),
        (&folder, &["--policy", "policy.json"], "--rollout"),
        (
            &folder,
            &["--policy", "none.json", "--rollout", "r"],
            "cannot read none.json",
        ),
    ] {
        let (code, out, err) = diff(folder, arguments);
        assert_eq!((code, out.as_str()), (Some(2), ""), "{arguments:?}");
        assert!(err.contains(sentence), "{arguments:?}: {err}");
    }
    // A body that is not JSON is compared by its bytes.
    assert_eq!(diff(&not_json, &[]).0, Some(1));
}
