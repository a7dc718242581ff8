//! Runs `turnout explain`.
#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use expect_test::expect_file;

const POLICY: &str = r#"{
  "version": 1,
  "account": { "from": [{ "header": "x-account-sid" }, { "basic_auth": "username" }], "format": "sid" },
  "segments": { "hvc": { "accounts": ["AC7342e9713fa896e4af00c654c444aada"] } },
  "rollouts": [
    { "name": "calls", "v1": "calls-v1", "v2": "calls-v2", "mode": "on",
      "match": { "path": { "prefix": "/v1/Calls" }, "methods": ["POST", "GET"] } },
    { "name": "chat", "v1": "chat-v1", "v2": "chat-v2", "mode": "split",
      "match": { "hosts": ["chat.example.com"], "path": { "template": "/v1/*/Members/**" },
                 "headers": { "x-beta": { "present": true }, "x-old": { "present": false } } },
      "rules": [
        { "when": { "in": ["hvc"] }, "serve": "v1" },
        { "when": { "headers": { "x-tier": { "exact": "gold" } } } },
        { "accounts": [{ "from": "2026-12-01T09:00:00Z", "percent": 10 },
                       { "from": "2026-12-02T09:00:00Z", "percent": 90 }], "requests": 50 }
      ] },
    { "name": "dark", "v1": "a", "v2": "b", "mode": "dark", "match": { "path": { "exact": "/dark" } },
      "rules": [{ "when": { "regions": ["us-east-1", "us-west-2"] } }, {}] }
  ]
}
"#;
const HVC: &str = "AC7342e9713fa896e4af00c654c444aada";
const EARLY: &str = "AC0b5f1d2c9e8a47639d10c2b7f4e6a815";
const OTHER: &str = "ACf0f19c557067cbbe80c46d1fb6dfbdb0";

/// The command at a fixed time, in a folder with the policy.
fn command(arguments: &[&str]) -> (tempfile::TempDir, Command) {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("policy.json"), POLICY).expect("a policy");
    let mut command = Command::new(env!("CARGO_BIN_EXE_turnout"));
    command
        .current_dir(folder.path())
        .args(["explain", "policy.json"]);
    if !arguments.contains(&"--at") {
        command.args(["--at", "2026-12-01T10:00:00Z"]);
    }
    command.args(arguments);
    (folder, command)
}

fn explain(arguments: &[&str]) -> Output {
    let (_folder, mut command) = command(arguments);
    command.output().expect("the command runs")
}

/// The credentials of `SK7342e9713fa896e4af00c654c444aada`.
const KEY: &str = "authorization:Basic U0s3MzQyZTk3MTNmYTg5NmU0YWYwMGM2NTRjNDQ0YWFkYTpzZWNyZXQ=";

/// Compares the output with a file. Spaces separate the arguments, which may name accounts and keys by their
/// constants. `UPDATE_EXPECT=1` rewrites the files.
fn assert_explained(name: &str, arguments: &str) {
    let arguments = arguments.split(' ').map(|argument| match argument {
        "HVC" => HVC,
        "OTHER" => OTHER,
        "EARLY" => EARLY,
        "KEY" => KEY,
        other => other,
    });
    let output = explain(&arguments.collect::<Vec<_>>());
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    assert_eq!(errors, "");
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/expected/explain");
    let expected = Path::new(folder).join(name).with_extension("txt");
    expect_file![expected].assert_eq(&String::from_utf8(output.stdout).expect("UTF-8"));
}

fn refused(arguments: &[&str]) -> String {
    let output = explain(arguments);
    assert_eq!(output.status.code(), Some(2), "{arguments:?}");
    assert!(output.stdout.is_empty(), "{arguments:?}");
    String::from_utf8(output.stderr).expect("UTF-8")
}

#[test]
fn a_request_that_matches_no_rollout() {
    assert_explained("no_rollout", "--account HVC");
}

#[test]
fn an_account_outside_a_ramp() {
    assert_explained("outside_accounts", "--account OTHER --rollout chat");
    assert_explained(
        "before_the_ramp",
        "--account OTHER --rollout chat --at 2026-11-01T00:00:00Z",
    );
}

#[test]
fn an_account_that_a_later_step_includes() {
    assert_explained("later_step", "--account EARLY --rollout chat");
}

#[test]
fn a_rule_that_holds() {
    assert_explained(
        "rule_v2",
        "--account OTHER --host CHAT.example.com:443 --path /v1/c1/Members?x=1 --header X-Beta:yes --header x-tier:gold --request-id r1",
    );
    assert_explained("rule_v1", "--account HVC --rollout chat");
}

#[test]
fn a_percentage_of_the_requests() {
    assert_explained(
        "no_request_id",
        "--account EARLY --rollout chat --at 2026-12-02T10:00:00+01:00",
    );
    assert_explained(
        "outside_requests",
        "--account EARLY --rollout chat --at 2026-12-02T10:00:00+01:00 --request-id r1",
    );
}

#[test]
fn a_malformed_account_is_explained_and_not_an_error() {
    assert_explained("malformed_account", "--account hello\u{7} --rollout chat");
    assert_explained("no_account", "--rollout chat");
}

#[test]
fn an_api_key_is_explained_as_a_credential_that_names_no_account() {
    assert_explained("api_key", "--header KEY --rollout chat");
}

#[test]
fn a_dark_rollout_shows_its_decision_and_v1_serves() {
    assert_explained("dark", "--account OTHER --path /dark --region eu-west-1");
    assert_explained("no_region", "--account OTHER --path /dark");
}

#[test]
fn a_mode_or_an_earlier_hop_decides_before_any_rule() {
    assert_explained("on", "--rollout calls");
    assert_explained(
        "inbound",
        "--rollout chat --inbound trust --header x-turnout-decision:chat=v2",
    );
}

#[test]
fn a_halt_is_explained_by_what_is_halted() {
    for (field, replaced, scope) in [
        (
            r#""mode": "on","#,
            r#""mode": "on", "halted": true,"#,
            "rollout",
        ),
        (
            r#""version": 1,"#,
            r#""version": 1, "halted": true,"#,
            "policy",
        ),
    ] {
        let halted = POLICY.replacen(field, replaced, 1);
        let explain = |more: &[&str]| {
            let (folder, mut command) = command(&[&["--rollout", "calls"], more].concat());
            fs::write(folder.path().join("policy.json"), &halted).expect("a policy");
            let output = command.output().expect("the command runs").stdout;
            String::from_utf8(output).expect("text")
        };
        let text = explain(&[]);
        let line = text.lines().find(|line| line.contains(" halted "));
        let words: Vec<&str> = line.unwrap_or(&text).split_whitespace().collect();
        let expected = format!("✗ halted yes the {scope} is halted ⇒ v1 (halted)");
        assert_eq!(words.join(" "), expected);
        let json: serde_json::Value = serde_json::from_str(&explain(&["--json"])).expect("JSON");
        assert_eq!(json["steps"][0]["halted_by"], scope);
        // Another rollout goes on, unless everyone is halted.
        let (folder, mut command) = command(&["--account", HVC, "--rollout", "chat", "--json"]);
        fs::write(folder.path().join("policy.json"), &halted).expect("a policy");
        let output = command.output().expect("the command runs").stdout;
        let json: serde_json::Value = serde_json::from_slice(&output).expect("JSON");
        assert_eq!(json["steps"][0]["halted"], scope == "policy");
    }
}

#[test]
fn a_request_of_an_earlier_rollout_is_explained_with_that_one() {
    assert_explained("earlier_rollout", "--rollout dark --path /v1/Calls/1");
}

#[test]
fn json_has_each_step_of_the_decision() {
    assert_explained(
        "json",
        "--account EARLY --rollout chat --request-id r1 --json",
    );
}

/// Compares the output for the policy with a guard of the rollout `chat`.
fn assert_guarded(name: &str, guard: &str, arguments: &[&str]) {
    let guarded = POLICY.replace(
        r#""requests": 50 }
      ] },"#,
        &format!(r#""requests": 10 }} ], "guard": {guard} }},"#),
    );
    assert_ne!(guarded, POLICY);
    let early = ["--account", EARLY, "--rollout", "chat"];
    let later = ["--at", "2026-12-02T10:00:00Z"];
    let (folder, mut command) = command(&[&early[..], &later[..], arguments].concat());
    fs::write(folder.path().join("policy.json"), guarded).expect("a policy");
    let output = command.output().expect("the command runs");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/expected/explain");
    let expected = Path::new(folder).join(name).with_extension("txt");
    expect_file![expected].assert_eq(&String::from_utf8(output.stdout).expect("UTF-8"));
}

#[test]
fn a_guard_says_whether_it_compares_the_request() {
    assert_guarded("guarded_v1", "{}", &["--request-id", "r1"]);
    assert_guarded("guarded_v2", "{}", &["--request-id", "r17"]);
    assert_guarded("guarded_no_id", r#"{ "action": "report" }"#, &[]);
    let limit = r#"{ "limit": { "error_percent": 2 } }"#;
    assert_guarded(
        "guarded_limit",
        limit,
        &["--header", "x-tier:gold", "--request-id", "r1"],
    );
    assert_guarded("guarded_json", "{}", &["--request-id", "r17", "--json"]);
}

#[test]
fn a_bad_request_is_an_error_that_says_what_to_write() {
    for (arguments, sentence) in [
        (
            &["--rollout", "chatt"][..],
            "turnout: policy.json: no rollout `chatt`; did you mean `chat`?",
        ),
        (
            &["--rollout", "nothing-like-it"],
            "turnout: policy.json: no rollout `nothing-like-it`; write one of `calls`, `chat`, `dark`",
        ),
        (
            &["--at", "yesterday"],
            "expected an RFC 3339 time; write date, time and time zone, as in `2026-12-01T09:00:00Z`",
        ),
        (&["--at", "2026-02-30T00:00:00Z"], "no such date or time; "),
        (
            &["--header", "x-beta"],
            "expected NAME:VALUE, for example x-beta:yes",
        ),
        (&["--header", ":path:/x"], "expected NAME:VALUE"),
        (&["--header", "x-a:b\nc"], "remove the control characters"),
        (
            &["--header", "host:a"],
            "turnout: --header host:… does not set the host; use --host",
        ),
        (&["--path", "v1"], "expected a path that begins with `/`"),
        (&["--method", "G T"], "expected a method, for example POST"),
        (&["--inbound", "maybe"], "[possible values: strip, trust]"),
        (
            &["--request-id", "a", "--header", "x-request-id:b"],
            "turnout: --request-id and --header x-request-id:… both set the request id; keep one",
        ),
        (
            &["--account", HVC, "--header", "x-account-sid:AC"],
            "turnout: the header x-account-sid of the request has the account `AC`, and the policy reads it first; \
             remove --account, or change the request",
        ),
        (
            &["--account", "a:\nb"],
            "turnout: the account cannot be placed where the policy looks for it (header x-account-sid, \
             user name of Basic authentication); remove --account",
        ),
    ] {
        let errors = refused(arguments);
        assert!(errors.contains(sentence), "{arguments:?}: {errors}");
    }
}

#[test]
fn a_bad_policy_is_shown() {
    let (folder, mut command) = command(&[]);
    let bad = POLICY.replace("split", "spilt");
    fs::write(folder.path().join("policy.json"), bad).expect("a policy");
    let output = command.output().expect("the command runs");
    assert_eq!(output.status.code(), Some(2));
    let errors = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(errors.contains("error: unknown mode `spilt`"), "{errors}");
    fs::remove_file(folder.path().join("policy.json")).expect("the file");
    let output = command.output().expect("the command runs");
    assert_eq!(output.status.code(), Some(2));
    let errors = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(
        errors.starts_with("turnout: cannot read policy.json: "),
        "{errors}"
    );
}

#[test]
fn marks_have_colours_on_request_only() {
    let (_folder, mut command) = command(&["--account", HVC]);
    let coloured = command
        .env("CLICOLOR_FORCE", "1")
        .output()
        .expect("the command runs");
    assert!(coloured.stdout.starts_with(b"\x1b[1mv1: no rollout"));
    let plain = command.env("NO_COLOR", "1").env_remove("CLICOLOR_FORCE");
    let plain = plain.output().expect("the command runs");
    assert!(!plain.stdout.contains(&0x1b));
}

#[test]
fn a_closed_pipe_is_no_error() {
    let (_folder, mut command) = command(&["--account", HVC, "--json"]);
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command starts");
    drop(child.stdout.take());
    let mut errors = String::new();
    let mut stderr = child.stderr.take().expect("standard error");
    stderr.read_to_string(&mut errors).expect("UTF-8");
    assert!(child.wait().expect("the command ends").success());
    assert_eq!(errors, "");
}

/// As with `--region "$REGION"` when the variable is not set.
#[test]
fn an_empty_region_is_an_unknown_region() {
    let explained = |arguments: &[&str]| {
        let (_folder, mut command) = command(arguments);
        command.output().expect("the command ends").stdout
    };
    let path = ["--path", "/dark", "--account", HVC];
    let empty = explained(&[&path[..], &["--region", ""]].concat());
    assert_eq!(empty, explained(&path));
}
