//! Lists of accounts and logs as `turnout simulate` and `turnout plan` read them.
#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

#[path = "common/bulk.rs"]
mod bulk;
mod common;

use std::fs;
use std::io::Read;
use std::process::{Command, Stdio};

use serde_json::Value;

use bulk::{LOG, POLICY, folder, run, text};
use common::turnout;

#[test]
fn a_column_is_named_or_numbered() {
    for column in ["account", "2"] {
        let (code, out, err) = run(&format!(
            "simulate policy.json --accounts accounts.csv --column {column}"
        ));
        assert_eq!(code, Some(0), "{err}");
        // With opaque accounts the header line is an account, unless --column names the column.
        let count = if column == "2" { 3 } else { 2 };
        assert!(
            out.starts_with(&format!("{count} accounts, 1 malformed line;")),
            "{out}"
        );
        assert_eq!(err, "turnout: accounts.csv:4: there is no column 2\n");
    }
}

#[test]
fn an_unusable_input_is_an_error() {
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
             exactly as in the file, or a number; use --show-lines to show the names\n",
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
            "turnout: --field acount=x: unknown property `acount`; did you mean `account`?\n",
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
fn a_compressed_log_is_decompressed_and_standard_input_is_read() {
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

/// An error that cannot be printed causes no further error.
#[test]
fn a_closed_standard_error_causes_no_panic() {
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

/// No line is skipped silently: a column number does not distinguish a header line from an account.
#[test]
fn a_first_line_that_is_not_an_account_is_reported() {
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

/// Editors on Windows write it at the start of a file.
#[test]
fn a_byte_order_mark_is_not_part_of_an_account() {
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
