//! Runs `turnout lint --for roll`.
#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

mod common;

use std::fs;
use std::process::Output;

use common::turnout;
use serde_json::Value;
use tempfile::TempDir;

const POLICY: &str = r#"{
  "version": 1,
  "account": { "from": [{ "header": "x-user" }], "format": "sid" },
  "segments": { "hvc": { "accounts_from": "hvc.csv" } },
  "rollouts": [
    { "name": "r", "v1": "a", "v2": "b", "mode": "split", "rules": [{ "accounts": 5, "requests": 50 }], "guard": {} }
  ]
}
"#;

const PLAN: &str = r#"{
  "version": 1,
  "policy": "sub/policy.json",
  "rollout": "r",
  "steps": [
    { "name": "one", "accounts": 5, "bake": { "requests": 10000 } },
    { "name": "all", "accounts": 100, "requests": 100 }
  ],
  "forbid": [{ "segment": "hvc", "until": "all" }]
}
"#;

fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).expect("UTF-8")
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn folder(plan: &str, policy: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("sub")).expect("a folder");
    fs::write(folder.path().join("plan.json"), plan).expect("a plan");
    fs::write(folder.path().join("sub/policy.json"), policy).expect("a policy");
    let accounts = "AC00000000000000000000000000000001\n";
    fs::write(folder.path().join("sub/hvc.csv"), accounts).expect("accounts");
    folder
}

fn lint(plan: &str, policy: &str, arguments: &[&str]) -> Output {
    let folder = folder(plan, policy);
    let arguments = [&["lint", "--for", "roll", "plan.json"], arguments].concat();
    turnout(folder.path(), &arguments, b"")
}

#[test]
fn a_plan_is_checked_with_its_policy_and_its_account_files() {
    let output = lint(PLAN, POLICY, &["--strict"]);
    let expected = "plan.json: clean\nsub/policy.json: clean\n";
    assert_eq!((stderr(&output), output.status.code()), (expected, Some(0)));
    let folder = folder(PLAN, POLICY);
    fs::remove_file(folder.path().join("sub/hvc.csv")).expect("the file");
    let output = turnout(folder.path(), &["lint", "--for", "roll", "plan.json"], b"");
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("sub/hvc.csv"),
        "{}",
        stderr(&output)
    );
    // From standard input, the policy is relative to the current folder.
    let plan = PLAN.replace("sub/policy.json", "policy.json");
    let arguments = ["lint", "--for", "roll", "-", "--strict"];
    let folder = self::folder(PLAN, POLICY);
    let output = turnout(&folder.path().join("sub"), &arguments, plan.as_bytes());
    let expected = "standard input: clean\npolicy.json: clean\n";
    assert_eq!(stderr(&output), expected);
}

#[test]
fn problems_of_both_documents_are_shown_with_their_lines() {
    let plan = PLAN.replace("\"bake\": { \"requests\"", "\"bake\": { \"request\"");
    let policy = POLICY.replace("\"v2\": \"b\"", "\"v3\": \"b\"");
    let output = lint(&plan, &policy, &[]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(
        stderr(&output),
        r#"error: `requests` is missing
 --> plan.json:6:45
  |
6 |     { "name": "one", "accounts": 5, "bake": { "request": 10000 } },
  |                                             ^ at /steps/0/bake
  |
  = help: add a whole number, for example "requests": 10000

error: unknown field `request`
 --> plan.json:6:47
  |
6 |     { "name": "one", "accounts": 5, "bake": { "request": 10000 } },
  |                                               ^^^^^^^^^ at /steps/0/bake/request
  |
  = help: did you mean `requests`?

error: `v2` is missing
 --> sub/policy.json:6:5
  |
6 |     { "name": "r", "v1": "a", "v3": "b", "mode": "split", "rules": [{ "accounts": 5, "requests": 50 }], "guard": {} }
  |     ^ at /rollouts/0
  |
  = help: add a cluster name, for example "v2": "users-v1"

error: unknown field `v3`
 --> sub/policy.json:6:31
  |
6 |     { "name": "r", "v1": "a", "v3": "b", "mode": "split", "rules": [{ "accounts": 5, "requests": 50 }], "guard": {} }
  |                               ^^^^ at /rollouts/0/v3
  |
  = help: remove it, or write one of `name`, `match`, `v1`, `v2`, `mode`, `halted`, `salt`, `hash`, `rules`, `shadow`, `guard`

plan.json: 2 errors
sub/policy.json: 2 errors
"#
    );
}

#[test]
fn warnings_can_be_allowed_and_exit_codes_are_for_scripts() {
    let short = PLAN.replace("10000", "100");
    for (plan, arguments, code, summary) in [
        (&short, &[][..], 0, "plan.json: 1 warning\n"),
        (&short, &["--strict"], 1, "plan.json: 1 warning\n"),
        (
            &short,
            &["--strict", "--allow", "short-bake"],
            0,
            "plan.json: clean\n",
        ),
        (
            &short,
            &["--strict", "--allow", "halted"],
            1,
            "plan.json: 1 warning\n",
        ),
    ] {
        let output = lint(plan, POLICY, arguments);
        assert_eq!(output.status.code(), Some(code), "{}", stderr(&output));
        assert!(stderr(&output).contains(summary), "{}", stderr(&output));
    }
    for arguments in [
        &["--against", "old.json"][..],
        &["--admin", "http://127.0.0.1:1"],
    ] {
        let output = lint(PLAN, POLICY, arguments);
        assert_eq!(output.status.code(), Some(2));
        assert!(stderr(&output).contains("--against and --admin are for policies"));
    }
}

#[test]
fn json_and_github_name_the_document_of_each_problem() {
    let plan = PLAN.replace("10000", "100");
    let policy = POLICY.replace("\"v2\": \"b\"", "\"v2\": \"a\"");
    let output = lint(&plan, &policy, &["--json"]);
    assert_eq!((output.status.code(), stderr(&output)), (Some(0), ""));
    let report = json(&output);
    assert_eq!(report["plan"], "plan.json");
    assert_eq!(report["policy"], "sub/policy.json");
    assert_eq!(
        (&report["errors"], &report["warnings"]),
        (&0.into(), &2.into())
    );
    let found: Vec<_> = report["diagnostics"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|diagnostic| (&diagnostic["document"], &diagnostic["code"]))
        .map(|(document, code)| format!("{document} {code}"))
        .collect();
    assert_eq!(
        found,
        ["\"plan\" \"short-bake\"", "\"policy\" \"same-cluster\""]
    );
    let output = lint(&plan, &policy, &["--format", "github"]);
    let commands = String::from_utf8(output.stdout).expect("UTF-8");
    let lines: Vec<&str> = commands.lines().collect();
    assert_eq!(lines.len(), 2, "{commands}");
    assert!(
        lines[0].starts_with("::warning file=plan.json,line=6,"),
        "{commands}"
    );
    assert!(
        lines[1].starts_with("::warning file=sub/policy.json,line=6,"),
        "{commands}"
    );
}

#[test]
fn a_policy_that_cannot_be_read_hides_no_error_of_the_plan() {
    let plan = PLAN.replace("sub/policy.json", "none.json");
    let output = lint(&plan, POLICY, &[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("cannot read none.json"),
        "{}",
        stderr(&output)
    );
    let output = lint(
        &plan.replace("\"version\": 1", "\"version\": 3"),
        POLICY,
        &[],
    );
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("unknown version 3"),
        "{}",
        stderr(&output)
    );
    assert!(
        stderr(&output).ends_with("plan.json: 1 error\n"),
        "{}",
        stderr(&output)
    );
    let output = lint(
        &plan.replace("\"version\": 1", "\"version\": 3"),
        POLICY,
        &["--json"],
    );
    assert_eq!(json(&output)["policy"], Value::Null);
}
