//! Runs `turnout plan`.
#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

#[path = "common/bulk.rs"]
mod bulk;
mod common;

use std::fs;
use std::process::{Command, Stdio};

use serde_json::Value;

use bulk::{folder, run, text};
use common::turnout;

/// The expected texts are in files; `UPDATE_EXPECT=1` rewrites them.
#[test]
fn the_output_is_exact() {
    for (name, arguments) in [
        (
            "plan",
            "plan policy.json new.json --accounts accounts.txt --list --log envoy.log",
        ),
        (
            "plan_json",
            "plan policy.json new.json --accounts accounts.txt --log envoy.log --json",
        ),
    ] {
        let (code, out, err) = run(arguments);
        let path = format!(
            "{}/tests/expected/plan/{name}.txt",
            env!("CARGO_MANIFEST_DIR")
        );
        let found = format!("{err}exit {}\n{out}", code.unwrap_or(-1));
        expect_test::expect_file![path].assert_eq(&found);
    }
}

#[test]
fn json_has_the_same_numbers_as_the_text() {
    let json = |arguments: &str| -> Value {
        let (_, out, _) = run(&format!("{arguments} --json"));
        serde_json::from_str(&out).expect("JSON")
    };
    let change = json("plan policy.json new.json --accounts accounts.txt");
    let moves = change["rollouts"][0]["moves"].as_array().expect("a list");
    let newly = moves.iter().filter(|moved| moved["to"] == "v2").count();
    assert_eq!(change["newly_v2"], newly);
}

#[test]
fn a_mode_that_serves_v1_moves_nobody() {
    let (_, out, _) = run("plan policy.json dark.json --accounts accounts.txt");
    assert!(
        out.starts_with("12 accounts; at 2026-12-01T09:00:00Z\n\nchat (split → dark)\n"),
        "{out}"
    );
    let (_, out, _) = run("plan dark.json dark.json --accounts accounts.txt");
    assert!(
        out.contains("chat (dark): nobody moves; 0 on v2, 12 on v1\n"),
        "{out}"
    );
}

#[test]
fn a_forbidden_change_exits_with_1() {
    for (arguments, code, error) in [
        ("--forbid hvc", 0, ""),
        (
            "--forbid big",
            1,
            "turnout: chat: 1 account of `big` moves to v2, which --forbid big does not allow\n",
        ),
        ("--max-new 4", 0, ""),
        (
            "--max-new 0",
            1,
            "turnout: 4 accounts would move to v2, which --max-new 0 does not allow\n",
        ),
        (
            "--forbid hcv",
            2,
            "turnout: --forbid hcv: neither policy has this segment; did you mean `hvc`?\n",
        ),
    ] {
        let (found, out, err) = run(&format!(
            "plan policy.json new.json --accounts accounts.txt {arguments}"
        ));
        assert_eq!((found, err.as_str()), (Some(code), error), "{arguments}");
        assert_eq!(out.is_empty(), code == 2, "{out}");
    }
}

#[test]
fn a_forbidden_segment_is_checked_whatever_the_list_contains() {
    let folder = folder();
    fs::write(folder.path().join("accounts.txt"), "a9\n").expect("a list");
    let arguments = [
        "plan",
        "policy.json",
        "new.json",
        "--accounts",
        "accounts.txt",
        "--forbid",
        "big",
    ];
    let output = turnout(folder.path(), &arguments, b"");
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output.stdout).contains("and 1 account of the --forbid segments, not in the list\n")
    );
}

#[test]
fn moves_are_written_as_csv() {
    let folder = folder();
    let plan = |moves: &str| {
        let arguments = [
            "plan",
            "policy.json",
            "new.json",
            "--accounts",
            "accounts.txt",
            "--moves",
            moves,
        ];
        turnout(folder.path(), &arguments, b"")
    };
    assert!(plan("moves.csv").status.success());
    let csv = fs::read_to_string(folder.path().join("moves.csv")).expect("a file");
    assert!(
        csv.starts_with("account,rollout,to,reason,reason_new,requests,requests_new\n"),
        "{csv}"
    );
    assert!(csv.contains("a3,chat,v2,default,rule,0,50\n"), "{csv}");
    assert_eq!(plan("-").status.code(), Some(2));
    assert_eq!(plan(".").status.code(), Some(2));
}

#[test]
fn an_output_file_that_is_also_an_input_is_not_replaced() {
    let folder = folder();
    for moves in ["accounts.txt", "./policy.json", "new.json"] {
        let arguments = [
            "plan",
            "policy.json",
            "new.json",
            "--accounts",
            "accounts.txt",
            "--moves",
            moves,
        ];
        let before = fs::read(folder.path().join(moves)).expect("a file");
        let output = turnout(folder.path(), &arguments, b"");
        assert_eq!(output.status.code(), Some(2), "{moves}");
        assert_eq!(fs::read(folder.path().join(moves)).expect("a file"), before);
    }
}

#[test]
fn a_closed_pipe_is_no_error() {
    let folder = folder();
    let mut child = Command::new(env!("CARGO_BIN_EXE_turnout"))
        .current_dir(folder.path())
        .args([
            "plan",
            "policy.json",
            "new.json",
            "--accounts",
            "accounts.txt",
            "--list",
        ])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command starts");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("the command ends");
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""));
}
