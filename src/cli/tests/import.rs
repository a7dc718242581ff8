//! Runs `turnout import`.
#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

mod common;

use std::fs;
use std::path::Path;
use std::process::Output;

const FEATURES: &str = r#"{ "version": 2, "features": [
  { "name": "chat", "enabled": true, "strategies": [
    { "name": "userWithId", "constraints": [], "parameters": { "userIds": "ann,bob" } },
    { "name": "flexibleRollout", "constraints": [], "parameters": { "rollout": "35", "stickiness": "default", "groupId": "chat" } } ] },
  { "name": "mail", "enabled": true, "strategies": [
    { "name": "flexibleRollout", "constraints": [], "parameters": { "rollout": "35", "stickiness": "random", "groupId": "mail" } } ] } ] }"#;

const POLICY: &str = r#"{
  "version": 1,
  "account": {
    "from": [
      {
        "header": "x-account-sid"
      }
    ],
    "format": "opaque"
  },
  "segments": {
    "chat-accounts": {
      "accounts": [
        "ann",
        "bob"
      ]
    }
  },
  "rollouts": [
    {
      "name": "chat",
      "v1": "channels-v1",
      "v2": "channels-v2",
      "mode": "split",
      "hash": {
        "unleash": {
          "group_id": "chat"
        }
      },
      "rules": [
        {
          "when": {
            "in": [
              "chat-accounts"
            ]
          },
          "accounts": 100
        },
        {
          "accounts": 35
        }
      ]
    }
  ]
}
"#;

fn turnout(folder: &Path, arguments: &[&str], input: &str) -> Output {
    let arguments = [&["import"], arguments].concat();
    common::turnout(folder, &arguments, input)
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("features.json"), FEATURES).expect("an export");
    folder
}

fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).expect("UTF-8")
}

fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).expect("UTF-8")
}

const CLUSTERS: [&str; 4] = ["--v1", "channels-v1", "--v2", "channels-v2"];

#[test]
fn a_flag_becomes_a_policy_that_renders() {
    let folder = folder();
    let arguments = [&["unleash", "-", "--flag", "chat"], &CLUSTERS[..]].concat();
    let output = turnout(folder.path(), &arguments, FEATURES);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(stdout(&output), POLICY);
    assert_eq!(stderr(&output), "");
}

#[test]
fn losses_are_reported_and_exit_with_1() {
    let folder = folder();
    let arguments = [
        &["unleash", "features.json", "--flag", "mail"],
        &CLUSTERS[..],
    ]
    .concat();
    let output = turnout(folder.path(), &arguments, "");
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout(&output).contains("\"mode\": \"off\""));
    assert_eq!(
        stderr(&output),
        "features.json: lost at /features/1/strategies/0: accounts are bucketed by `random`, but the account is \
         `userId`, so the rollout is `off` and every account takes v1; write its rules by hand\n\
         features.json: the policy does not express the whole flag\n"
    );
}

#[test]
fn json_has_the_policy_and_the_notes() {
    let folder = folder();
    let arguments = ["unleash", "features.json", "--flag", "mail", "--json"];
    let output = turnout(folder.path(), &arguments, "");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(stderr(&output), "");
    let json: serde_json::Value = serde_json::from_str(stdout(&output)).expect("JSON");
    assert_eq!(json["policy"]["rollouts"][0]["mode"], "off");
    assert_eq!(json["notes"][0]["pointer"], "/features/1/strategies/0");
    assert_eq!(json["notes"][0]["severity"], "lost");
    assert_eq!(json["notes"][1]["pointer"], "");
    assert_eq!(json["notes"][1]["severity"], "note");
    assert_eq!(
        json["notes"][1]["message"],
        "the clusters are named `mail-v1` and `mail-v2`"
    );
    assert_eq!(json["omitted_notes"], 0);
}

#[test]
fn errors_are_reported_and_nothing_is_written() {
    let folder = folder();
    for (arguments, sentence) in [
        (
            &["unleash", "features.json"][..],
            "turnout: features.json: the file has 2 flags: `chat`, `mail`; select one with --flag NAME\n",
        ),
        (
            &["unleash", "features.json", "--flag", "chta"],
            "turnout: features.json: --flag: the file has no flag `chta`; use one of `chat`, `mail`\n",
        ),
        (
            &["split", "features.json"],
            "turnout: features.json: `splits` is missing; pass the file as the tool exports it\n",
        ),
        (&["flagd", "none.json"], "turnout: cannot read none.json: "),
        (
            &["flagd", "-"],
            "turnout: standard input: line 1, column 0: invalid JSON: ",
        ),
        (
            &[
                "unleash",
                "features.json",
                "--flag",
                "chat",
                "--formula",
                "1",
            ],
            "turnout: --formula applies only to flagd; remove it\n",
        ),
        (
            &[
                "unleash",
                "features.json",
                "--flag",
                "chat",
                "--account",
                "x-account-sid",
            ],
            "error: invalid value 'x-account-sid' for '--account <SOURCE>': expected header:NAME, ",
        ),
        (
            &[
                "unleash",
                "features.json",
                "--flag",
                "chat",
                "--name",
                "Chat",
            ],
            "turnout: features.json: --name: ",
        ),
        (
            &["optimizely", "features.json"],
            "error: invalid value 'optimizely' for '<TOOL>'\n",
        ),
    ] {
        let output = turnout(folder.path(), arguments, "");
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert_eq!(stdout(&output), "", "{arguments:?}");
        assert!(stderr(&output).starts_with(sentence), "{}", stderr(&output));
    }
}
