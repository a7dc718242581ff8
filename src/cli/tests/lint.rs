//! Runs `turnout lint`.
#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

mod common;
#[path = "common/linted.rs"]
mod linted;

use std::fs;
use std::io::Write;
use std::process::{Command, Output, Stdio};

use common::turnout;
use linted::{CLEAN, json, lint, stderr};

fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).expect("UTF-8")
}

#[test]
fn exit_codes_are_for_scripts() {
    let warned = CLEAN.replace("\"accounts\": 5", "\"accounts\": 0");
    let wrong = warned.replace("split", "spilt");
    for (policy, arguments, code, summary) in [
        (CLEAN, &[][..], 0, "clean"),
        (CLEAN, &["--strict"], 0, "clean"),
        (&warned, &[], 0, "1 warning"),
        (&warned, &["--strict"], 1, "1 warning"),
        (
            &warned,
            &["--strict", "--allow", "zero-percent"],
            0,
            "clean",
        ),
        (&warned, &["--strict", "--allow", "halted"], 1, "1 warning"),
        (&wrong, &[], 2, "1 error, 1 warning"),
        (&wrong, &["--strict"], 2, "1 error, 1 warning"),
    ] {
        let output = lint(policy, arguments);
        assert_eq!(output.status.code(), Some(code), "{}", stderr(&output));
        let summary = format!("standard input: {summary}\n");
        assert!(stderr(&output).ends_with(&summary), "{}", stderr(&output));
        assert_eq!(stdout(&output), "");
    }
    let output = lint(CLEAN, &["--allow", "zero-percentage"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("zero-percent"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn a_warning_is_shown_with_both_of_its_locations() {
    let folder = tempfile::tempdir().expect("a folder");
    let rules = r#"[
      { "accounts": 5 },
      { "when": { "headers": { "x-beta": { "exact": "yes" } } } }
    ]"#;
    let policy = CLEAN.replace(r#"[{ "accounts": 5 }]"#, rules);
    fs::write(folder.path().join("policy.json"), policy).expect("a policy");
    let output = turnout(folder.path(), &["lint", "policy.json"], b"");
    assert_eq!(
        stderr(&output),
        r#"warning[unreachable-rule]: unreachable rule: /rollouts/0/rules/0 already matches everything it matches
 --> policy.json:7:7
  |
7 |       { "when": { "headers": { "x-beta": { "exact": "yes" } } } }
  |       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ at /rollouts/0/rules/1
  |
 ::: policy.json:6:7
  |
6 |       { "accounts": 5 },
  |       ----------------- this is /rollouts/0/rules/0
  |
  = help: move it before /rollouts/0/rules/0, or remove it

policy.json: 1 warning
"#
    );
}

#[test]
fn json_has_the_same_diagnostics() {
    let policy = CLEAN
        .replace("\"accounts\": 5", "\"acounts\": 5")
        .replace("\"v2\": \"b\"", "\"v2\": \"a\"");
    for arguments in [&["--json"][..], &["--format", "json"]] {
        let output = lint(&policy, arguments);
        assert_eq!(output.status.code(), Some(2));
        assert_eq!(stderr(&output), "");
        let expected = serde_json::json!({
            "policy": "standard input",
            "errors": 1,
            "warnings": 1,
            "omitted": 0,
            "bad_lines": [],
            "bad_lines_omitted": 0,
            "diagnostics": [
                {
                    "severity": "warning",
                    "code": "same-cluster",
                    "line": 5,
                    "column": 37,
                    "pointer": "/rollouts/0/v2",
                    "message": "v1 and v2 are the same cluster, `a`",
                    "help": "write the cluster of v2",
                    "related": { "line": 5, "column": 26, "pointer": "/rollouts/0/v1" },
                },
                {
                    "severity": "error",
                    "code": "unknown-field",
                    "line": 5,
                    "column": 71,
                    "pointer": "/rollouts/0/rules/0/acounts",
                    "message": "unknown field `acounts`",
                    "help": "did you mean `accounts`?",
                    "related": null,
                },
            ],
        });
        assert_eq!(json(&output), expected);
    }
    let output = lint(CLEAN, &["--json"]);
    assert_eq!(json(&output)["diagnostics"], serde_json::json!([]));
}

#[test]
fn workflow_commands_of_github_are_escaped() {
    let folder = tempfile::tempdir().expect("a folder");
    let policy = CLEAN.replace("\"b\"", "\"b%\\n\"");
    fs::write(folder.path().join("a,b:c%.json"), policy).expect("a policy");
    let arguments = ["lint", "a,b:c%.json", "--format", "github"];
    let output = turnout(folder.path(), &arguments, b"");
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(
        stdout(&output),
        "::error file=a%2Cb%3Ac%25.json,line=5,col=37,title=malformed-cluster::\
         at /rollouts/0/v2: `b%25\\n` cannot be sent as a header value; write a cluster name of \
         visible ASCII, without spaces at its ends\n"
    );
    assert_eq!(stderr(&output), "a,b:c%.json: 1 error\n");
    let output = lint(&CLEAN.replace('5', "0"), &["--format", "github"]);
    let expected = "::warning line=5,col=83,title=zero-percent::at /rollouts/0/rules/0/accounts: ";
    assert!(stdout(&output).starts_with(expected), "{}", stdout(&output));
}

#[test]
fn a_change_is_compared_with_the_active_policy() {
    let folder = tempfile::tempdir().expect("a folder");
    let old = CLEAN.replace("split", "off");
    for (name, text) in [
        ("old.json", old.as_str()),
        ("new.json", CLEAN),
        ("bad.json", "{"),
    ] {
        fs::write(folder.path().join(name), text).expect("a policy");
    }
    let against = |old| {
        turnout(
            folder.path(),
            &["lint", "new.json", "--strict", "--against", old],
            b"",
        )
    };
    let output = against("old.json");
    assert_eq!(output.status.code(), Some(1));
    let sentence = "the mode was `off`, and `split` skips `dark` and `shadow`";
    assert!(stderr(&output).contains(sentence), "{}", stderr(&output));
    assert_eq!(against("new.json").status.code(), Some(0));

    let output = against("bad.json");
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains(" --> bad.json:1:1\n"),
        "{}",
        stderr(&output)
    );
    let sentence = "turnout: bad.json is not a valid policy, so nothing can be compared with it\n";
    assert!(stderr(&output).ends_with(sentence), "{}", stderr(&output));
    let output = turnout(folder.path(), &["lint", "-", "--against", "-"], b"");
    assert_eq!(output.status.code(), Some(2));
    let output = turnout(folder.path(), &["lint", "none.json"], b"");
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).starts_with("turnout: cannot read none.json: "),
        "{}",
        stderr(&output)
    );
}

#[test]
fn each_of_fifty_errors_has_a_snippet() {
    let rollouts: Vec<String> = (0..50)
        .map(|n| format!(r#"{{"name": "r{n}", "v1": "a", "v2": "b", "mode": "spilt"}}"#))
        .collect();
    let policy = CLEAN.replace(
        r#"{ "name": "r", "v1": "a", "v2": "b", "mode": "split", "rules": [{ "accounts": 5 }] }"#,
        &rollouts.join(",\n"),
    );
    let output = lint(&policy, &["--allow", "unreachable-rollout"]);
    assert_eq!(
        stderr(&output)
            .matches("error: unknown mode `spilt`")
            .count(),
        50
    );
    assert!(stderr(&output).ends_with("standard input: 50 errors\n"));
    let output = lint(&policy, &["--json", "--allow", "unreachable-rollout"]);
    assert_eq!(
        json(&output)["diagnostics"].as_array().map(Vec::len),
        Some(50)
    );
}

#[test]
fn a_closed_pipe_is_no_error() {
    let policy = CLEAN.replace("split", "spilt");
    for format in ["text", "json", "github"] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_turnout"))
            .args(["lint", "-", "--format", format])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the command starts");
        drop((child.stdout.take(), child.stderr.take()));
        let mut stdin = child.stdin.take().expect("standard input");
        stdin.write_all(policy.as_bytes()).expect("it reads");
        drop(stdin);
        let status = child.wait().expect("the command ends");
        assert_eq!(status.code(), Some(2), "{format}");
    }
}

/// Escape sequences of 7 and 8 bits, and characters that change the direction of text, in a policy, a path and an
/// account.
#[test]
fn terminal_control_characters_are_escaped() {
    const HOSTILE: [char; 4] = ['\u{1b}', '\u{9b}', '\u{7}', '\u{202e}'];
    let folder = tempfile::tempdir().expect("a folder");
    let name = format!("a{}b.json", String::from_iter(HOSTILE));
    let path = folder.path();
    let account = "x\u{9b}31m\u{202e}y";
    let policy = CLEAN.replace(
        r#""rollouts""#,
        &format!(
            r#""segments": {{ "s": {{ "accounts": ["{account}", "{account}"] }} }}, "rollouts""#
        ),
    );
    fs::write(path.join(&name), policy).expect("a policy");
    fs::write(path.join("raw.json"), "{ \"\u{9b}31m\u{1b}[2J").expect("a policy");
    for arguments in [
        &["lint", &name][..],
        &["lint", &name, "--json"],
        &["lint", &name, "--format", "github"],
        &["lint", "raw.json"],
        &["lint", "none\u{1b}[2J.json"],
        &["explain", "none\u{9b}2J.json"],
        &["explain", &name, "--account", "\u{202e}y"],
        &["explain", &name, "--account", "\u{202e}y", "--json"],
        &["simulate", &name, "--accounts", "none\u{1b}[2J"],
        &["bucket", "--salt", "s", "\u{1b}[2J\u{9b}\u{202e}"],
        &["bucket", "--salt", "s", "--json", "\u{1b}[2J\u{9b}\u{202e}"],
    ] {
        let output = turnout(path, arguments, b"");
        for text in [stdout(&output), stderr(&output)] {
            assert!(!text.contains(HOSTILE), "{arguments:?}: {text:?}");
        }
    }
    let output = turnout(path, &["lint", &name, "--json"], b"");
    let found = json(&output);
    assert_eq!(
        found["diagnostics"].as_array().map(Vec::len),
        Some(4),
        "{found}"
    );
    // JSON has the same text, escaped.
    let bucketed = json(&turnout(
        path,
        &["bucket", "--salt", "s", "--json", account],
        b"",
    ));
    assert_eq!(bucketed["key"], account);
}
