//! Account files that are the wrong ones, or have the accounts in another column.
#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

mod common;

use std::fs;
use std::path::Path;
use std::process::Output;

use serde_json::Value;
use tempfile::TempDir;

use common::turnout;

/// Names in one column, and accounts in another.
fn customers() -> String {
    let rows = (1..=25).map(|row| format!("customer {row},AC{row:032x}\n"));
    ["name,account_sid\n".into(), rows.collect::<String>()].concat()
}

fn policy(column: &str) -> String {
    format!(
        r#"{{ "version": 1, "account": {{ "from": [{{ "header": "x-account-sid" }}], "format": "sid" }},
  "segments": {{ "hvc": {{ "accounts_from": {{ "file": "customers.csv", "column": "{column}" }} }} }},
  "rollouts": [{{ "name": "r", "v1": "a", "v2": "b", "mode": "split",
    "rules": [{{ "when": {{ "in": ["hvc"] }}, "accounts": 5 }}] }}] }}"#
    )
}

fn folder(column: &str) -> TempDir {
    let folder = TempDir::new().expect("a folder");
    fs::write(folder.path().join("policy.json"), policy(column)).expect("a policy");
    fs::write(folder.path().join("customers.csv"), customers()).expect("accounts");
    folder
}

fn run(folder: &Path, arguments: &[&str]) -> (Output, String) {
    let output = turnout(folder, arguments, b"");
    let printed = String::from_utf8(output.stderr.clone()).expect("UTF-8");
    (output, printed)
}

/// In each command that reads account files, whatever the lines contain.
#[test]
fn a_wrong_column_is_one_problem_and_not_one_for_each_line() {
    for column in ["name", "1"] {
        let folder = folder(column);
        let of_list = ["--accounts", "customers.csv", "--column", column];
        for (arguments, file) in [
            (vec!["lint", "policy.json"], "customers.csv"),
            (vec!["explain", "policy.json"], "customers.csv"),
            (
                vec!["pack", "customers.csv", "--column", column],
                "customers.csv",
            ),
            (
                [&["simulate", "policy.json"][..], &of_list].concat(),
                "customers.csv",
            ),
            (
                [&["plan", "policy.json", "policy.json"][..], &of_list].concat(),
                "customers.csv",
            ),
        ] {
            let (output, printed) = run(folder.path(), &arguments);
            assert_eq!(output.status.code(), Some(2), "{arguments:?}: {printed}");
            let lines = printed.lines().filter(|line| line.contains("customer "));
            assert!(lines.count() <= 1, "{arguments:?}: {printed}");
            assert!(
                printed.contains(file) && printed.contains("all 25 lines are malformed"),
                "{printed}"
            );
            let names_number =
                printed.contains("has accounts: 2") || printed.contains("of the accounts: 2");
            assert!(names_number, "{arguments:?}: {printed}");
            let (_, printed) = run(folder.path(), &[&arguments[..], &["--show-lines"]].concat());
            assert!(
                printed.contains("`account_sid`"),
                "{arguments:?}: {printed}"
            );
        }
    }
}

#[test]
fn an_account_list_with_the_wrong_column_is_one_problem_too() {
    let folder = folder("account_sid");
    let of_list = ["--accounts", "customers.csv", "--column", "name"];
    for command in [
        &["simulate", "policy.json"][..],
        &["plan", "policy.json", "policy.json"],
    ] {
        let (output, printed) = run(
            folder.path(),
            &[command, &of_list, &["--show-lines"]].concat(),
        );
        assert_eq!(output.status.code(), Some(2), "{printed}");
        assert!(printed.lines().count() <= 2, "{printed}");
        assert!(
            printed.contains("name the --column of the accounts: `account_sid`"),
            "{printed}"
        );
    }
}

#[test]
fn json_has_one_problem_for_a_wrong_column() {
    let folder = folder("name");
    let (output, _) = run(folder.path(), &["lint", "policy.json", "--json"]);
    let printed: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let text = printed.to_string();
    assert_eq!(
        text.matches("all 25 lines are malformed").count(),
        1,
        "{text}"
    );
    assert!(!text.contains("customer 2"), "{text}");
}

/// If some lines are accounts, the column is right, and each bad line is reported.
#[test]
fn each_bad_line_of_the_right_column_is_named() {
    let folder = folder("account_sid");
    let mut text = customers();
    text.push_str("one more,AC12\nand one,SK7342e9713fa896e4af00c654c444aada\n");
    fs::write(folder.path().join("customers.csv"), text).expect("accounts");
    let (_, printed) = run(folder.path(), &["lint", "policy.json"]);
    assert!(
        printed.contains("line 27: not an account SID: 34 characters expected, found 4")
            && printed.contains("line 28: not an account SID: it does not begin with AC"),
        "{printed}"
    );
    let (_, printed) = run(folder.path(), &["lint", "policy.json", "--show-lines"]);
    assert!(
        printed.contains("line 27: `AC12`") && printed.contains("line 28: `SK7342"),
        "{printed}"
    );
}
