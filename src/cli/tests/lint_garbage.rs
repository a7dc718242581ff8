//! `turnout lint` on files that are not policies: large, binary, in another encoding.
#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

mod common;
#[path = "common/linted.rs"]
mod linted;

use std::fs;
use std::path::Path;
use std::time::Instant;

use common::turnout;
use linted::{CLEAN, json, lint, stderr};

/// Texts of 10 MB that are not policies, or barely resemble one.
fn garbage() -> Vec<(&'static str, Vec<u8>)> {
    const SIZE: usize = 10_000_000;
    let repeat = |part: &str| part.repeat(SIZE.div_ceil(part.len())).into_bytes();
    let mut seed: u64 = 1;
    let random = (0..SIZE).map(|_| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        seed.to_be_bytes()[0]
    });
    let wrapped = |part: &str, open: &str, close: &str| {
        let list = vec![part; SIZE.div_ceil(part.len())].join(",");
        format!(
            "{{\"version\":1,\"account\":{{\"from\":[{{\"header\":\"a\"}}],\"format\":\"sid\"}},{open}{list}{close}}}"
        )
        .into_bytes()
    };
    let mut late = vec![b' '; SIZE];
    late.push(0xff);
    vec![
        ("random bytes", random.collect()),
        ("zeros", vec![0; SIZE]),
        ("not UTF-8 at its end", late),
        ("brackets", repeat("[")),
        ("braces", repeat("{\"a\":1,")),
        ("nested objects", repeat("{\"a\":")),
        ("a string", repeat("a")),
        ("an open string", [b"\"".to_vec(), repeat("a")].concat()),
        (
            "a closed string",
            [b"\"".to_vec(), repeat("é"), b"\"".to_vec()].concat(),
        ),
        ("lines", repeat("\n")),
        ("control characters", repeat("\u{1b}[31m")),
        ("unknown fields", wrapped("\"a\":1", "", "")),
        (
            "bad rollouts",
            wrapped(
                "{\"name\":\"A-name-of-many-letters\",\"v1\":\"a\",\"v2\":\"a\",\"mode\":\"slow-and-steady\",\"match\":[]}",
                "\"rollouts\":[",
                "]",
            ),
        ),
        (
            "bad accounts",
            wrapped(
                "\"AC\"",
                "\"rollouts\":[],\"segments\":{\"s\":{\"accounts\":[",
                "]}}",
            ),
        ),
        (
            "one account",
            wrapped(
                "\"AC7342e9713fa896e4af00c654c444aada\"",
                "\"rollouts\":[],\"segments\":{\"s\":{\"accounts\":[",
                "]}}",
            ),
        ),
        (
            "a long name",
            wrapped(
                "aaaaaaa",
                "\"rollouts\":[{\"name\":\"",
                "\",\"v1\":\"a\",\"v2\":\"a\",\"mode\":\"off\"}]",
            ),
        ),
    ]
}

#[test]
#[expect(
    clippy::disallowed_macros,
    reason = "a test prints for whoever looks at it"
)]
fn megabytes_of_garbage_cause_a_few_lines_of_errors() {
    for (what, bytes) in garbage() {
        // The output is bounded in each format, so one huge policy suffices for all.
        let formats = match what {
            "bad accounts" => &["text", "json", "github"][..],
            _ => &["text"],
        };
        for format in formats {
            let start = Instant::now();
            let output = turnout(Path::new("."), &["lint", "-", "--format", format], &bytes);
            eprintln!("{what}, {format}: {:?}", start.elapsed());
            let printed = output.stdout.len().saturating_add(output.stderr.len());
            assert!(printed < 2_000_000, "{what}, {format}: {printed} bytes");
            assert!(printed > 20, "{what}, {format}: {printed} bytes");
            assert!(
                !stderr(&output).contains("panicked"),
                "{what}: {}",
                stderr(&output)
            );
            let is_valid = ["one account"].contains(&what);
            let expected = if is_valid { 0 } else { 2 };
            assert_eq!(output.status.code(), Some(expected), "{what}, {format}");
        }
    }
}

#[test]
fn a_file_that_is_too_large_is_not_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = fs::File::create(folder.path().join("large.json")).expect("a file");
    file.set_len(100 * 1024 * 1024).expect("its length");
    let output = turnout(folder.path(), &["lint", "large.json"], b"");
    assert_eq!(output.status.code(), Some(2));
    let sentence =
        "turnout: cannot read large.json: it is larger than 64 MiB; use a smaller file\n";
    assert_eq!(stderr(&output), sentence);
}

#[test]
fn invalid_utf_8_is_reported_with_its_line_and_column() {
    let output = turnout(
        Path::new("."),
        &["lint", "-"],
        b"{\n  \"name\": \"\xff\xfe\"\n}",
    );
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains(" --> standard input:2:12\n"),
        "{}",
        stderr(&output)
    );
    assert!(
        stderr(&output).contains("error: the text is not UTF-8"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn only_a_part_of_a_long_line_is_shown() {
    let policy = CLEAN.replace('\n', " ").replace("split", "spilt");
    let policy = policy.replace("\"version\"", &format!("{}\"version\"", " ".repeat(1_000)));
    let output = lint(&policy, &[]);
    let shown = stderr(&output).lines().map(str::len).max();
    assert!(
        shown.is_some_and(|longest| longest < 500),
        "{}",
        stderr(&output)
    );
    let column = policy
        .find("\"spilt\"")
        .expect("the mode")
        .saturating_add(1);
    let place = format!(" --> standard input:1:{column}\n");
    assert!(stderr(&output).contains(&place), "{}", stderr(&output));
}

#[test]
fn a_byte_order_mark_is_named_in_the_error() {
    let output = lint(&["\u{feff}", CLEAN].concat(), &["--json"]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(
        json(&output)["diagnostics"][0]["message"],
        "not JSON: the text begins with a byte order mark; save it as UTF-8 without one"
    );
}
