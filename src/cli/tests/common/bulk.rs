//! A policy, a list of accounts and a log for `simulate` and `plan`.

use std::fs;

use crate::common::turnout;

pub(crate) const POLICY: &str = r#"{
  "version": 1,
  "account": { "from": [{ "header": "x-account" }], "format": "opaque" },
  "segments": { "hvc": { "accounts": ["a1", "a2"] }, "big": { "accounts": ["a3"] } },
  "rollouts": [{
    "name": "chat", "match": { "path": { "prefix": "/chat" } }, "v1": "c1", "v2": "c2", "mode": "split",
    "rules": [{ "when": { "not_in": ["hvc", "big"] }, "accounts": 50, "requests": 10 }]
  }]
}
"#;
pub(crate) const LOG: &str = r#"{"start_time":"2026-11-21T00:00:00.000Z","account":"a9","path":"/chat/1","request_id":"i-1","treatment":"v1","reason":"outside_requests"}
[2026-11-21T06:00:00.000Z] "GET /chat/2 HTTP/1.1" 200 - 0 154 3 2 "-" "curl/8.5" "i-2" "flex.example.com" "127.0.0.1:8001"
what is this

{"start_time":"2026-11-21T12:00:00.000Z","account":"a9","path":"/other","request_id":"i-3"}
{"start_time":"2026-11-21T12:00:00.000Z","account":"a1","path":"/chat/4","request_id":"i-4","treatment":"v2","reason":"rule"}
{"start_time":"2026-11-21T12:00:00.000Z","account":"a10","path":"/chat/5","treatment":"v2","reason":"rule"}
"#;

/// Ten requests a second of the rollout, half of which take v2 with [`guarded`].
pub(crate) fn busy_log() -> String {
    let line = |(number, account): (u32, u32)| {
        let (second, tenth) = (number / 10, number % 10);
        let (minute, second) = (second / 60, second % 60);
        format!(
            "{{\"start_time\":\"2026-11-21T00:{minute:02}:{second:02}.{tenth}00Z\",\"account\":\"a{account}\",\
             \"path\":\"/chat/{number}\",\"request_id\":\"i-{number}\"}}\n"
        )
    };
    (0..3_000).zip((3..=12).cycle()).map(line).collect()
}

/// The policy with a guard.
pub(crate) fn guarded() -> String {
    POLICY.replace(
        r#""accounts": 50, "requests": 10 }]"#,
        r#""accounts": 100, "requests": 50 }], "guard": {}"#,
    )
}

pub(crate) fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let accounts: String = (1..=12).map(|n| format!("a{n}\n")).collect();
    let new = POLICY.replace(r#"["hvc", "big"]"#, r#"["hvc"]"#);
    let new = new.replace(
        r#""accounts": 50, "requests": 10"#,
        r#""accounts": 70, "requests": 50"#,
    );
    for (name, text) in [
        ("policy.json", POLICY),
        ("new.json", &new),
        ("dark.json", &POLICY.replace("split", "dark")),
        ("accounts.txt", &accounts),
        ("accounts.csv", "id,account\n1,a1\n2,\"a7\"\n3\n"),
        ("envoy.log", LOG),
        ("guarded.json", &guarded()),
        ("busy.log", &busy_log()),
        ("empty", ""),
        ("blank", "\n \n"),
    ] {
        fs::write(folder.path().join(name), text).expect("a file");
    }
    folder
}

pub(crate) fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("UTF-8")
}

/// Runs the command in a new folder, at a fixed time.
pub(crate) fn run(arguments: &str) -> (Option<i32>, String, String) {
    let folder = folder();
    let mut words: Vec<&str> = arguments.split(' ').collect();
    words.extend(["--at", "2026-12-01T09:00:00Z"]);
    let output = turnout(folder.path(), &words, b"");
    (
        output.status.code(),
        text(&output.stdout).to_owned(),
        text(&output.stderr).to_owned(),
    )
}
