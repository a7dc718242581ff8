//! `turnout simulate` and `turnout plan`, as a person runs them.
#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

mod common;

use std::fs;
use std::io::Read;
use std::process::{Command, Stdio};

use serde_json::Value;

use common::turnout;

const POLICY: &str = r#"{
  "version": 1,
  "account": { "from": [{ "header": "x-account" }], "format": "opaque" },
  "segments": { "hvc": { "accounts": ["a1", "a2"] }, "big": { "accounts": ["a3"] } },
  "rollouts": [{
    "name": "chat", "match": { "path": { "prefix": "/chat" } }, "v1": "c1", "v2": "c2", "mode": "split",
    "rules": [{ "when": { "not_in": ["hvc", "big"] }, "accounts": 50, "requests": 10 }]
  }]
}
"#;
const LOG: &str = r#"{"start_time":"2026-11-21T00:00:00.000Z","account":"a9","path":"/chat/1","request_id":"i-1","treatment":"v1","reason":"outside_requests"}
[2026-11-21T06:00:00.000Z] "GET /chat/2 HTTP/1.1" 200 - 0 154 3 2 "-" "curl/8.5" "i-2" "flex.example.com" "127.0.0.1:8001"
what is this

{"start_time":"2026-11-21T12:00:00.000Z","account":"a9","path":"/other","request_id":"i-3"}
{"start_time":"2026-11-21T12:00:00.000Z","account":"a1","path":"/chat/4","request_id":"i-4","treatment":"v2","reason":"rule"}
{"start_time":"2026-11-21T12:00:00.000Z","account":"a10","path":"/chat/5","treatment":"v2","reason":"rule"}
"#;

fn folder() -> tempfile::TempDir {
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
        ("empty", ""),
        ("blank", "\n \n"),
    ] {
        fs::write(folder.path().join(name), text).expect("a file");
    }
    folder
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("UTF-8")
}

/// Runs in a folder of its own, at one moment.
fn run(arguments: &str) -> (Option<i32>, String, String) {
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

/// The exact texts are in files: `UPDATE_EXPECT=1` writes them.
#[test]
fn what_is_printed_is_exact() {
    for (name, arguments) in [
        ("accounts", "simulate policy.json --accounts accounts.txt"),
        ("log", "simulate policy.json --log envoy.log"),
        (
            "accounts_json",
            "simulate policy.json --accounts accounts.txt --json",
        ),
        ("log_json", "simulate policy.json --log envoy.log --json"),
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
            "{}/tests/expected/many/{name}.txt",
            env!("CARGO_MANIFEST_DIR")
        );
        let found = format!("{err}exit {}\n{out}", code.unwrap_or(-1));
        expect_test::expect_file![path].assert_eq(&found);
    }
}

#[test]
fn what_is_forbidden_ends_with_1() {
    for (arguments, code, error) in [
        ("--forbid hvc", 0, ""),
        (
            "--forbid big",
            1,
            "turnout: chat: 1 account of `big` newly takes v2, and --forbid big is given\n",
        ),
        ("--max-new 4", 0, ""),
        (
            "--max-new 0",
            1,
            "turnout: 4 accounts newly on v2, and --max-new 0 is given\n",
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
fn a_forbidden_segment_is_watched_whatever_the_list_has() {
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
        text(&output.stdout).contains("and 1 account of the segments to watch, not in the list\n")
    );
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
    let (_, out, _) = run("simulate dark.json --accounts accounts.txt");
    assert!(
        out.contains("chat (dark: v1 serves everyone; this is what split would do)\n"),
        "{out}"
    );
}

#[test]
fn json_says_what_the_text_says() {
    let json = |arguments: &str| -> Value {
        let (_, out, _) = run(&format!("{arguments} --json"));
        serde_json::from_str(&out).expect("JSON")
    };
    let census = json("simulate policy.json --accounts accounts.txt");
    assert_eq!(census["at"], "2026-12-01T09:00:00Z");
    assert_eq!(census["rollouts"][0]["total"]["accounts"], 12);
    assert_eq!(census["rollouts"][0]["segments"][0]["segment"], "hvc");
    assert_eq!(
        census["rollouts"][0]["rules"][0]["requests_millionths"],
        10_000_000
    );
    let traffic = json("simulate policy.json --log envoy.log");
    assert_eq!(traffic["log"]["unreadable"]["first"][0]["line"], 3);
    assert_eq!(traffic["log"]["span"]["first"], "2026-11-21T00:00:00Z");
    assert_eq!(traffic["lacks"][0]["what"], "request_id");
    let change = json("plan policy.json new.json --accounts accounts.txt");
    let moves = change["rollouts"][0]["moves"].as_array().expect("a list");
    let newly = moves.iter().filter(|moved| moved["to"] == "v2").count();
    assert_eq!(change["newly_v2"], newly);
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
fn a_column_is_named_or_numbered() {
    for column in ["account", "2"] {
        let (code, out, err) = run(&format!(
            "simulate policy.json --accounts accounts.csv --column {column}"
        ));
        assert_eq!(code, Some(0), "{err}");
        // An opaque header is an account, unless it is called by its name.
        let count = if column == "2" { 3 } else { 2 };
        assert!(
            out.starts_with(&format!("{count} accounts, 1 malformed line;")),
            "{out}"
        );
        assert_eq!(err, "turnout: accounts.csv:4: there is no column 2\n");
    }
}

#[test]
fn what_is_of_no_use_is_refused() {
    for (arguments, error) in [
        (
            "simulate policy.json --accounts empty",
            "turnout: empty has no accounts: it is empty; write one account per line\n",
        ),
        (
            "simulate policy.json --accounts blank",
            "turnout: blank has no accounts: it is empty; write one account per line\n",
        ),
        (
            "simulate policy.json --log empty",
            "turnout: empty has no requests: it is empty\n",
        ),
        (
            "simulate policy.json --accounts accounts.csv --column acount",
            "turnout: cannot read accounts.csv: the first line has no column `acount` among its 2 names; write a name \
             as it is there, or a number; --show-lines shows the names\n",
        ),
        (
            "simulate policy.json --accounts accounts.csv --column acount --show-lines",
            "turnout: cannot read accounts.csv: the first line has no column `acount`; did you mean `account`?\n",
        ),
        (
            "simulate policy.json --accounts accounts.txt --rollout chta",
            "turnout: policy.json: no rollout `chta`; did you mean `chat`?\n",
        ),
        (
            "simulate policy.json --log envoy.log --field acount=x",
            "turnout: --field acount=x: no part `acount` of a request; did you mean `account`?\n",
        ),
        (
            "simulate - --log -",
            "turnout: standard input can be read only once; use `-` for one input\n",
        ),
    ] {
        let (code, out, err) = run(arguments);
        assert_eq!(
            (code, out.as_str(), err.as_str()),
            (Some(2), "", error),
            "{arguments}"
        );
    }
    let (code, _, err) = run("simulate policy.json --log accounts.txt");
    assert_eq!(code, Some(2));
    assert!(
        err.ends_with(
            "turnout: accounts.txt has no requests: all 12 lines are unreadable; use JSON lines or Envoy's \
             default text format\n"
        ),
        "{err}"
    );
}

#[test]
fn a_packed_log_is_unpacked_and_standard_input_is_read() {
    let folder = folder();
    let mut packed = Vec::new();
    let mut encoder = flate2::read::GzEncoder::new(LOG.as_bytes(), flate2::Compression::fast());
    encoder.read_to_end(&mut packed).expect("it is packed");
    let simulate = |input: &[u8], threads| {
        let arguments = [
            "simulate",
            "policy.json",
            "--log",
            "-",
            "--threads",
            threads,
            "--json",
            "--at",
            "2026-12-01T09:00:00Z",
        ];
        text(&turnout(folder.path(), &arguments, input).stdout).to_owned()
    };
    let plain = simulate(LOG.as_bytes(), "1");
    assert!(plain.contains("\"requests\": 5"), "{plain}");
    assert_eq!(simulate(&packed, "1"), plain);
    assert_eq!(simulate(&packed, "3"), plain);
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

/// What goes wrong is not made worse where it cannot be told.
#[test]
fn standard_error_that_takes_nothing_is_no_panic() {
    let full = fs::File::options().write(true).open("/dev/full");
    let full = full.expect("Linux has it");
    let folder = folder();
    for (arguments, code) in [
        (&["simulate", "policy.json", "--log", "envoy.log"][..], 0),
        (&["simulate", "policy.json", "--accounts", "-"], 2),
        (&["simulate", "none.json", "--accounts", "accounts.txt"], 2),
    ] {
        let status = Command::new(env!("CARGO_BIN_EXE_turnout"))
            .current_dir(folder.path())
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(full.try_clone().expect("a file"))
            .status()
            .expect("the command ends");
        assert_eq!(status.code(), Some(code), "{arguments:?}");
    }
}

#[test]
fn so_many_threads_are_none() {
    for threads in ["0", "257", "20000", "18446744073709551615", "x"] {
        let (code, out, err) = run(&format!(
            "simulate policy.json --log envoy.log --threads {threads}"
        ));
        assert_eq!((code, out.as_str()), (Some(2), ""), "{threads}");
        assert!(err.contains("expected a number from 1 to 256"), "{err}");
    }
}

#[test]
fn a_file_that_is_read_is_not_replaced() {
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

/// Nothing is left out silently: a number of a column says nothing of the first line.
#[test]
fn a_first_line_that_is_no_account_is_told() {
    let folder = folder();
    let sid = "AC7342e9713fa896e4af00c654c444aada";
    fs::write(
        folder.path().join("sid.json"),
        POLICY
            .replace("opaque", "sid")
            .replace(r#""accounts": ["a1", "a2"]"#, r#""accounts": []"#)
            .replace(r#""accounts": ["a3"]"#, r#""accounts": []"#),
    )
    .expect("a policy");
    fs::write(folder.path().join("sid.csv"), format!("AC73,1\n{sid},2\n")).expect("a list");
    let arguments = [
        "simulate",
        "sid.json",
        "--accounts",
        "sid.csv",
        "--column",
        "1",
    ];
    let output = turnout(folder.path(), &arguments, b"");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(
        text(&output.stderr),
        "turnout: sid.csv:1: the first line is not an account; treated as a header\n"
    );
    let output = turnout(
        folder.path(),
        &[&arguments[..], &["--show-lines"]].concat(),
        b"",
    );
    assert_eq!(
        text(&output.stderr),
        "turnout: sid.csv:1: `AC73` is not an account; treated as a header\n"
    );
}

/// Editors of another system write it before a text.
#[test]
fn a_byte_order_mark_is_no_part_of_an_account() {
    let folder = folder();
    fs::write(folder.path().join("marked"), "\u{feff}a1\na2\n").expect("a list");
    for more in [&[][..], &["--column", "1"]] {
        let arguments = [
            &["simulate", "policy.json", "--accounts", "marked", "--json"],
            more,
        ]
        .concat();
        let output = turnout(folder.path(), &arguments, b"");
        let found: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!(
            found["rollouts"][0]["segments"][0]["accounts"], 2,
            "{found}"
        );
    }
}
