//! Runs `turnout bucket`.
#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

use std::io::{Read, Write};
use std::process::{Command, Output, Stdio};
use std::thread;

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_turnout"));
    command
        .arg("bucket")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn bucket(arguments: &[&str], input: &[u8]) -> Output {
    let mut child = command(arguments).spawn().expect("the command starts");
    let mut stdin = child.stdin.take().expect("standard input");
    let input = input.to_vec();
    // A command that rejects its arguments does not read.
    let writer = thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().expect("the command ends");
    writer.join().expect("the writer ends");
    output
}

fn stdout(arguments: &[&str], input: &[u8]) -> String {
    let output = bucket(arguments, input);
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    assert!(output.stderr.is_empty(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

const SID: &str = "AC7342e9713fa896e4af00c654c444aada";

/// Positions from the tools' own public tests and from `tests/corpus/buckets.csv`.
#[test]
fn shows_the_position_of_the_tool_and_the_percentage_that_first_includes_the_key() {
    for (arguments, expected) in [
        (&["--salt", "s", SID][..], "3923795582502244624\t21.270939"),
        (
            &[
                "--hash",
                "split",
                "--seed",
                "467569525",
                "aUfEsdPN1twuEjff9Sl",
            ],
            "52\t52",
        ),
        (&["--hash", "unleash", "--group-id", "gr1", "123"], "73\t73"),
        (
            &[
                "--hash",
                "unleash",
                "--group-id",
                "gr1",
                "--v2",
                "last",
                "123",
            ],
            "73\t28",
        ),
        (
            &[
                "--hash",
                "launchdarkly",
                "--flag-key",
                "hashKey",
                "--salt",
                "saltyA",
                "userKeyA",
            ],
            "0.42157587\t42.158",
        ),
        (
            &["--hash", "launchdarkly", "--seed", "61", "userKeyB"],
            "0.14483777\t14.484",
        ),
        (
            &[
                "--hash",
                "growthbook",
                "--seed",
                "seed",
                "--version",
                "2",
                "--rule",
                "rollout",
                "a",
            ],
            "0.0505\t5.05",
        ),
        (
            &[
                "--hash",
                "growthbook",
                "--seed",
                "seed",
                "--version",
                "2",
                "--rule",
                "experiment",
                "a",
            ],
            "0.0505\t5.06",
        ),
        (
            &[
                "--hash",
                "flagd",
                "--flag-key",
                "",
                "--version",
                "2",
                "--total-weight",
                "100",
                "SI7p-",
            ],
            "49\t50",
        ),
    ] {
        let key = arguments.last().expect("a key");
        assert_eq!(stdout(arguments, b""), format!("{key}\t{expected}\n"));
    }
}

#[test]
fn shows_whether_a_percentage_includes_the_key() {
    let arguments = [
        "--hash",
        "unleash",
        "--group-id",
        "gr1",
        "123",
        "--percentage",
    ];
    for (percentage, expected) in [("72", "out"), ("73", "in"), ("0", "out"), ("100.0", "in")] {
        let printed = stdout(&[&arguments[..], &[percentage]].concat(), b"");
        assert_eq!(printed, format!("123\t73\t73\t{expected}\n"));
    }
}

#[test]
fn a_key_outside_the_traffic_or_the_namespace_is_never_included() {
    let split = ["--hash", "split", "--seed=-5", "--traffic-allocation", "0"];
    let arguments = [&split[..], &["--traffic-allocation-seed", "-1", "a"]].concat();
    assert_eq!(stdout(&arguments, b""), "a\tnever\t100\n");
    // From the corpus: `1` is outside this range of `namespace1`, and inside the other.
    let growthbook = [
        "--hash",
        "growthbook",
        "--seed",
        "chat",
        "--version",
        "2",
        "--rule",
        "rollout",
    ];
    for (from, to, is_never) in [("0", "40", true), ("40", "100", false)] {
        let namespace = ["1", "--namespace", "namespace1", from, to];
        let printed = stdout(&[&growthbook[..], &namespace].concat(), b"");
        assert_eq!(printed.contains("\tnever\t100\n"), is_never, "{printed}");
    }
}

#[test]
fn accounts_requests_shadow_and_noise_have_buckets_of_their_own() {
    let id = "2b9dba03-eeb9-caf3-cc60-86ed95e6b0cd";
    let mut lines: Vec<String> = ["accounts", "requests", "shadow", "noise"]
        .map(|purpose| stdout(&["--salt", "chat", "--of", purpose, id], b""))
        .into();
    assert_eq!(stdout(&["--salt", "chat", id], b""), lines[0]);
    lines.sort();
    lines.dedup();
    assert_eq!(lines.len(), 4, "{lines:?}");
}

#[test]
fn reads_one_key_per_line_from_standard_input() {
    let salt = ["--salt", "chat"];
    let expected = stdout(&[&salt[..], &["alice", "", "käthe"]].concat(), b"");
    assert_eq!(stdout(&salt, "alice\r\n\nkäthe".as_bytes()), expected);
    let mixed = [&salt[..], &["alice", "-"]].concat();
    assert_eq!(stdout(&mixed, "\nkäthe\n".as_bytes()), expected);
    assert_eq!(stdout(&salt, b""), "");
    // Invalid UTF-8 is a key like any other.
    let lines = stdout(&salt, b"\xff\n\xfe\n");
    let positions: Vec<_> = lines.lines().map(|line| line.split('\t').nth(1)).collect();
    assert_eq!(positions.len(), 2);
    assert_ne!(positions[0], positions[1]);
}

#[test]
fn each_position_is_printed_before_the_next_key_is_read() {
    let mut child = command(&["--salt", "chat"])
        .spawn()
        .expect("the command starts");
    let mut stdin = child.stdin.take().expect("standard input");
    let mut stdout = child.stdout.take().expect("standard output");
    for key in ["alice", "bob"] {
        writeln!(stdin, "{key}").expect("a key");
        let mut printed = [0; 6];
        let shown = key.len().min(3);
        stdout.read_exact(&mut printed[..shown]).expect("a line");
        assert_eq!(&printed[..shown], &key.as_bytes()[..shown]);
        let mut byte = [0];
        while byte != *b"\n" {
            stdout.read_exact(&mut byte).expect("its end");
        }
    }
    drop(stdin);
    assert!(child.wait().expect("the command ends").success());
}

#[test]
fn a_line_that_is_too_long_is_an_error_with_its_number_after_the_positions_of_earlier_lines() {
    let longest = "k".repeat(65_536);
    let input = format!("alice\n{longest}\r\n{longest}k\nbob\n");
    let output = bucket(&["--salt", "chat"], input.as_bytes());
    assert_eq!(output.status.code(), Some(2));
    let printed = String::from_utf8(output.stdout).expect("UTF-8");
    assert_eq!(printed.lines().count(), 2);
    assert_eq!(
        String::from_utf8(output.stderr).expect("UTF-8"),
        "turnout: standard input, line 3: the key is longer than 65536 bytes; write one key per line\n"
    );
}

#[test]
fn a_closed_pipe_is_no_error() {
    let mut child = command(&["--salt", "chat"])
        .spawn()
        .expect("the command starts");
    drop(child.stdout.take());
    let mut stdin = child.stdin.take().expect("standard input");
    let _ = stdin.write_all("alice\n".repeat(100_000).as_bytes());
    drop(stdin);
    let output = child.wait_with_output().expect("the command ends");
    assert!(output.status.success(), "{output:?}");
    assert!(output.stderr.is_empty(), "{output:?}");
}

#[test]
fn json_has_one_object_for_each_key() {
    let arguments = ["--json", "--hash", "split", "--seed", "467569525"];
    let keys = ["aUfEsdPN1twuEjff9Sl", "a \"key\""];
    assert_eq!(
        stdout(
            &[&arguments[..], &keys, &["--percentage", "51"]].concat(),
            b""
        ),
        "{\"key\":\"aUfEsdPN1twuEjff9Sl\",\"hash\":\"split\",\"position\":\"52\",\"enters_at_percent\":52,\"percent\":51,\"includes\":false}\n\
         {\"key\":\"a \\\"key\\\"\",\"hash\":\"split\",\"position\":\"7\",\"enters_at_percent\":7,\"percent\":51,\"includes\":true}\n"
    );
    let never = [
        "--traffic-allocation",
        "0",
        "--traffic-allocation-seed",
        "1",
        "a",
    ];
    assert_eq!(
        stdout(&[&arguments[..], &never].concat(), b""),
        "{\"key\":\"a\",\"hash\":\"split\",\"position\":null,\"enters_at_percent\":100}\n"
    );
}

#[test]
fn options_of_another_tool_are_errors_that_list_the_valid_ones() {
    for (arguments, sentence) in [
        (&[SID][..], "--hash turnout needs --salt"),
        (
            &["--salt", "s", "--seed", "1"],
            "--hash turnout has no --seed; it takes --salt, --of",
        ),
        (&["--hash", "split"], "--hash split needs --seed"),
        (
            &["--hash", "split", "--seed", "1", "--of", "noise"],
            "--hash split has no --of; it takes --seed, --traffic-allocation, --traffic-allocation-seed, --v2",
        ),
        (
            &["--hash", "launchdarkly", "--salt", "abc"],
            "--hash launchdarkly needs --flag-key and --salt, or --seed",
        ),
        (
            &["--hash", "growthbook", "--seed", "chat"],
            "--hash growthbook needs --seed, --version and --rule",
        ),
        (
            &[
                "--hash",
                "split",
                "--seed",
                "1",
                "--traffic-allocation-seed",
                "1",
            ],
            "--traffic-allocation-seed: `traffic_allocation_seed` has no effect without `traffic_allocation`; remove it, or add `traffic_allocation`",
        ),
        (
            &["--hash", "split", "--seed", "one"],
            "--seed one: expected a number",
        ),
        (
            &["--hash", "split", "--seed", "4294967296"],
            "--seed: 4294967296 is out of range; write a whole number from -2147483648 to 4294967295",
        ),
        (
            &[
                "--hash",
                "flagd",
                "--flag-key",
                "c",
                "--version",
                "3",
                "--total-weight",
                "100",
            ],
            "--version: 3 is out of range; write a whole number from 1 to 2",
        ),
        (
            &["--hash", "unleash", "--group-id", "c", "--v2", "second"],
            "--v2: unknown position of v2 `second`; write one of `first`, `last`",
        ),
        (
            &["--hash", "split", "--seed", "1", "--percentage", "12.5"],
            "--percentage: `split` divides accounts into 100 buckets, and 12.5 % is not a whole number of them; write 12 or 13",
        ),
        (
            &["--salt", "s", "--percentage", "half"],
            "--percentage half: expected a number from 0 to 100 with at most 6 decimals",
        ),
    ] {
        let output = bucket(arguments, b"key\n");
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
        let error = String::from_utf8(output.stderr).expect("UTF-8");
        assert_eq!(error, format!("turnout: {sentence}\n"));
    }
}

#[test]
fn each_bad_option_has_its_own_line() {
    let arguments = "A --hash growthbook --seed a --version 7 --rule zz";
    let output = bucket(&arguments.split(' ').collect::<Vec<_>>(), b"");
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(
        String::from_utf8(output.stderr).expect("UTF-8"),
        "turnout: --version: 7 is out of range; write a whole number from 1 to 2\n\
         turnout: --rule: unknown rule type `zz`; write one of `rollout`, `experiment`\n"
    );
    // A line end inside an argument begins no line of the output.
    let output = bucket(&["A", "--hash", "split", "--seed", "1\nturnout: x"], b"");
    assert_eq!(
        String::from_utf8(output.stderr).expect("UTF-8"),
        "turnout: --seed 1\\nturnout: x: expected a number\n"
    );
}

#[test]
fn each_line_has_three_columns_whatever_the_key() {
    let printed = stdout(&["--salt", "chat"], b"a\tb\nc\x1b[2J\n");
    let lines: Vec<Vec<&str>> = printed
        .lines()
        .map(|line| line.split('\t').collect())
        .collect();
    assert!(lines.iter().all(|parts| parts.len() == 3), "{printed:?}");
    assert_eq!((lines[0][0], lines[1][0]), ("a\\tb", "c\\u{1b}[2J"));
}

#[test]
fn a_salt_that_a_policy_cannot_have_is_an_error() {
    for length in [0, 129] {
        let output = bucket(&["--salt", &"s".repeat(length), "a"], b"");
        let sentence = format!("turnout: --salt: expected 1 to 128 bytes, found {length}\n");
        assert_eq!(output.status.code(), Some(2));
        assert_eq!(String::from_utf8(output.stderr).expect("UTF-8"), sentence);
    }
}
