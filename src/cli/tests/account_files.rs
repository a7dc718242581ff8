//! Files of accounts that are the wrong ones, or have the wrong column.
#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

mod common;

use std::fs;
use std::path::Path;
use std::process::Output;

use serde_json::Value;
use tempfile::TempDir;

use common::turnout;

/// Names, and in another column the accounts.
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
    let said = String::from_utf8(output.stderr.clone()).expect("UTF-8");
    (output, said)
}

/// In each command that reads them, whatever is in the lines.
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
            let (output, said) = run(folder.path(), &arguments);
            assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
            let lines = said.lines().filter(|line| line.contains("customer "));
            assert!(lines.count() <= 1, "{arguments:?}: {said}");
            assert!(
                said.contains(file) && said.contains("all 25 lines are malformed"),
                "{said}"
            );
            let names_number =
                said.contains("has accounts: 2") || said.contains("of the accounts: 2");
            assert!(names_number, "{arguments:?}: {said}");
            let (_, said) = run(folder.path(), &[&arguments[..], &["--show-lines"]].concat());
            assert!(said.contains("`account_sid`"), "{arguments:?}: {said}");
        }
    }
}

#[test]
fn a_list_with_the_wrong_column_is_one_problem_too() {
    let folder = folder("account_sid");
    let of_list = ["--accounts", "customers.csv", "--column", "name"];
    for command in [
        &["simulate", "policy.json"][..],
        &["plan", "policy.json", "policy.json"],
    ] {
        let (output, said) = run(
            folder.path(),
            &[command, &of_list, &["--show-lines"]].concat(),
        );
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.lines().count() <= 2, "{said}");
        assert!(
            said.contains("name the --column of the accounts: `account_sid`"),
            "{said}"
        );
    }
}

#[test]
fn json_has_one_problem_for_a_wrong_column() {
    let folder = folder("name");
    let (output, _) = run(folder.path(), &["lint", "policy.json", "--json"]);
    let said: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let text = said.to_string();
    assert_eq!(
        text.matches("all 25 lines are malformed").count(),
        1,
        "{text}"
    );
    assert!(!text.contains("customer 2"), "{text}");
}

/// Where some lines are accounts, the file is the right one, and each bad line is named.
#[test]
fn each_bad_line_of_the_right_column_is_named() {
    let folder = folder("account_sid");
    let mut text = customers();
    text.push_str("one more,AC12\nand one,SK7342e9713fa896e4af00c654c444aada\n");
    fs::write(folder.path().join("customers.csv"), text).expect("accounts");
    let (_, said) = run(folder.path(), &["lint", "policy.json"]);
    assert!(
        said.contains("line 27: not an account SID: 34 characters expected, found 4")
            && said.contains("line 28: not an account SID: it does not begin with AC"),
        "{said}"
    );
    let (_, said) = run(folder.path(), &["lint", "policy.json", "--show-lines"]);
    assert!(
        said.contains("line 27: `AC12`") && said.contains("line 28: `SK7342"),
        "{said}"
    );
}
