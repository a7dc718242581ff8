//! Policies from hostile or careless authors: invalid numbers, duplicate keys, other encodings, text around the
//! JSON, names with a special meaning. Each is valid or has exactly the errors in
//! `tests/corpus/policies/hostile.txt`.
//!
//! `UPDATE_EXPECT=1 cargo test -p turnout-tests --test core` rewrites the file.

use std::fmt::Write as _;

use expect_test::expect_file;
use support::corpus;
use turnout_core::lint::{Options, lint};
use turnout_core::{Configuration, Inbound, Severity};

const GOOD: &str = r#"{
  "version": 1,
  "account": { "from": [{ "header": "a" }], "format": "opaque" },
  "rollouts": [
    { "name": "r", "v1": "one", "v2": "two", "mode": "split", "rules": [{ "accounts": 50 }] }
  ]
}"#;
/// Longer lines of an error are truncated in the file.
const LONGEST: usize = 400;

/// The file has only the first errors of a case.
const MOST_LINES: usize = 4;

/// A change of the valid policy, and the resulting text.
type Case = (String, Vec<u8>);

#[test]
fn hostile_policies_have_exactly_these_errors() {
    let cases = cases();
    assert!(cases.len() >= 110, "{}", cases.len());
    let mut all = String::new();
    for (what, text) in cases {
        let found = lint(&text, &Options::default()).to_string();
        let _ = writeln!(all, "{what}");
        match found.as_str() {
            "" => all.push_str("  clean\n"),
            found => {
                let lines: Vec<&str> = found.lines().collect();
                for line in lines.iter().take(MOST_LINES) {
                    let cut: String = line.chars().take(LONGEST).collect();
                    let dots = if cut.len() < line.len() { "…" } else { "" };
                    let _ = writeln!(all, "  {cut}{dots}");
                }
                if let Some(more @ 1..) = lines.len().checked_sub(MOST_LINES) {
                    let _ = writeln!(all, "  ({more} more lines)");
                }
            }
        }
        assert!(found.len() < 300_000, "{what}: {} bytes", found.len());
        no_terminal_obeys(&what, &found);
        is_rejected_by_the_filter_too(&what, &text);
    }
    let file = corpus::folder().join("policies/hostile.txt");
    expect_file![file].assert_eq(&all);
}

#[track_caller]
fn no_terminal_obeys(what: &str, found: &str) {
    let is_obeyed = |c: char| c.is_control() && c != '\n' || ('\u{202a}'..='\u{202e}').contains(&c);
    assert_eq!(found.chars().find(|c| is_obeyed(*c)), None, "{what}");
}

/// A policy with errors is rejected by a proxy too, if it is text at all.
#[track_caller]
fn is_rejected_by_the_filter_too(what: &str, text: &[u8]) {
    let found = lint(text, &Options::default());
    let Ok(text) = std::str::from_utf8(text) else {
        return;
    };
    let configured =
        Configuration::from_json(Configuration::to_json(text, Inbound::Strip).as_bytes());
    assert_eq!(
        configured.is_err(),
        found.count(Severity::Error) > 0,
        "{what}"
    );
}

fn cases() -> Vec<Case> {
    let cases = [
        numbers(),
        keys(),
        strings(),
        names(),
        shapes(),
        around(),
        encodings(),
    ];
    cases.into_iter().flatten().collect()
}

fn edited(old: &str, new: &str) -> Vec<u8> {
    assert_eq!(GOOD.matches(old).count(), 1, "{old}");
    GOOD.replace(old, new).into_bytes()
}

/// The name of a long text.
fn named(text: &str) -> String {
    let shown: String = text.chars().take(40).collect();
    let more = if shown.len() < text.len() { "…" } else { "" };
    format!("{}{more}", shown.escape_debug())
}

fn numbers() -> Vec<Case> {
    let zeros = "0".repeat(100_000);
    let long = [
        format!("5{zeros}"),
        format!("0.{zeros}1"),
        format!("50.{zeros}"),
        format!("{zeros}50"),
        format!("-{zeros}"),
        format!("1e{zeros}1"),
        format!("1e-{zeros}1"),
    ];
    let short = [
        "NaN",
        "nan",
        "Infinity",
        "-Infinity",
        "-0",
        "-0.0",
        "0",
        "+5",
        "05",
        "5.",
        ".5",
        "5e0",
        "5E+1",
        "5e-1",
        "1e400",
        "-1e400",
        "1e-400",
        "1e2",
        "1.01e2",
        "0x10",
        "0b1",
        "1_000",
        "5,0",
        "--1",
        "-1",
        "1e1e1",
        "1.2.3",
        "99.999999",
        "99.9999999",
        "100",
        "100.0",
        "100.000001",
        "1e",
        "18446744073709551616",
        "340282366920938463463374607431768211456",
        "\u{ff15}\u{ff10}",
        "5 0",
        "\"50\"",
        "\"50%\"",
        "true",
        "null",
        "[50]",
        "{}",
        "50%",
    ];
    let all = short.into_iter().map(str::to_owned).chain(long);
    let mut cases: Vec<Case> = all
        .map(|number| {
            let what = format!("accounts: {}", named(&number));
            (
                what,
                edited("\"accounts\": 50", &format!("\"accounts\": {number}")),
            )
        })
        .collect();
    for version in [
        "1.0",
        "1e0",
        "\"1\"",
        "-1",
        "0",
        "2",
        "01",
        "true",
        "1.00000000000000000001",
    ] {
        let text = edited("\"version\": 1", &format!("\"version\": {version}"));
        cases.push((format!("version: {version}"), text));
    }
    cases
}

fn keys() -> Vec<Case> {
    let long = "k".repeat(100_000);
    let fields = [
        r#""mode": "on", "#.to_owned(),
        r#""mo\u0064e": "on", "#.to_owned(),
        r#""\u006d\u006f\u0064\u0065": "split", "#.to_owned(),
        r#""Mode": "on", "#.to_owned(),
        r#""mode ": "on", "#.to_owned(),
        r#""mode\u0000": "on", "#.to_owned(),
        "\"m\u{43e}de\": \"on\", ".to_owned(),
        "\"mo\u{200b}de\": \"on\", ".to_owned(),
        "\"\u{feff}mode\": \"on\", ".to_owned(),
        r#""": "on", "#.to_owned(),
        r#""__proto__": {"mode": "on"}, "#.to_owned(),
        r#""$ref": "/etc/passwd", "#.to_owned(),
        r#""\u001b[2J": "on", "#.to_owned(),
        "\"\u{9b}2J\u{202e}\": 1, ".to_owned(),
        r#"mode: "on", "#.to_owned(),
        r#"'mode': "on", "#.to_owned(),
        r#"1: "on", "#.to_owned(),
        format!("\"{long}\": 1, "),
        r#""v1": "one", "v1": "one", "#.to_owned(),
    ];
    let add = |field: String| {
        let text = edited("\"name\": \"r\", ", &format!("\"name\": \"r\", {field}"));
        (format!("rollout with {}", named(&field)), text)
    };
    let mut cases: Vec<Case> = fields.map(add).into();
    let many = (0..5_000).fold(String::new(), |mut many, _| {
        many.push_str("\"mode\": \"on\", ");
        many
    });
    cases.push(add(many));
    cases
}

fn strings() -> Vec<Case> {
    let modes = [
        r#""spl\u0069t""#.to_owned(),
        r#""SPLIT""#.to_owned(),
        r#"" split""#.to_owned(),
        r#""split\n""#.to_owned(),
        r#""split\u0000""#.to_owned(),
        r#""\ud800""#.to_owned(),
        r#""\udc00\ud800""#.to_owned(),
        r#""\ud83d\ude00""#.to_owned(),
        r#""\u12""#.to_owned(),
        r#""\x41""#.to_owned(),
        r#""\u{41}""#.to_owned(),
        "\"split\nnew line\"".to_owned(),
        "\"split\ttab\"".to_owned(),
        "\"split\0\"".to_owned(),
        "\"\u{7f}\u{1b}[2J\"".to_owned(),
        "\"\u{202e}tilps\"".to_owned(),
        "\"split".to_owned(),
        "split".to_owned(),
        format!("\"{}\"", "s".repeat(100_000)),
        format!("\"{}\"", "\\u0073".repeat(20_000)),
    ];
    modes
        .map(|mode| {
            let text = edited("\"mode\": \"split\"", &format!("\"mode\": {mode}"));
            (format!("mode: {}", named(&mode)), text)
        })
        .into()
}

/// Names appear in counters, headers and the access log.
fn names() -> Vec<Case> {
    let names = [
        "",
        ".",
        "..",
        "a.b",
        "a/b",
        "../../etc/passwd",
        "a b",
        "a=v2,b",
        "a\\r\\nx-turnout-cluster: two",
        "a\\u0000b",
        "\\u001b[2J",
        "A",
        "\u{e4}",
        "\u{1f600}",
        "a_b",
        "-",
        "-a",
        "%s%n",
        "${jndi:x}",
        "<script>",
        "a\\\"b",
    ];
    let mut cases: Vec<Case> = names
        .iter()
        .map(|name| {
            let text = edited("\"name\": \"r\"", &format!("\"name\": \"{name}\""));
            (format!("name: {}", named(name)), text)
        })
        .collect();
    for cluster in [
        "",
        "two\\r\\nx: y",
        "tw\\u0000o",
        "t\u{f6}w",
        "one",
        "two two",
        "{v2}",
    ] {
        let text = edited("\"v2\": \"two\"", &format!("\"v2\": \"{cluster}\""));
        cases.push((format!("v2: {}", named(cluster)), text));
    }
    for header in [
        "",
        ":path",
        "x a",
        "x\\r\\ny",
        "X-A",
        "\u{e4}",
        "host",
        "x-turnout-cluster",
    ] {
        let text = edited("\"header\": \"a\"", &format!("\"header\": \"{header}\""));
        cases.push((format!("header: {}", named(header)), text));
    }
    let long = "n".repeat(100_000);
    let text = edited("\"name\": \"r\"", &format!("\"name\": \"{long}\""));
    cases.push((format!("name: {}", named(&long)), text));
    cases
}

fn shapes() -> Vec<Case> {
    let deep = |open: &str, close: &str| [open.repeat(100_000), close.repeat(100_000)].concat();
    let rules = [
        "null".to_owned(),
        "{}".to_owned(),
        "[]".to_owned(),
        "[null]".to_owned(),
        "[[]]".to_owned(),
        "[{}]".to_owned(),
        "[{},]".to_owned(),
        "[,]".to_owned(),
        "[{} {}]".to_owned(),
        "[{}}".to_owned(),
        "[{]".to_owned(),
        "[".to_owned(),
        deep("[", "]"),
        deep("{\"a\":", "}"),
        deep("[{\"when\":", "}]"),
        "[".repeat(100_000),
        format!("[{}]", ["{}"; 5_000].join(",")),
        format!("[{}]", ["{\"accounts\": 101}"; 2_000].join(",")),
    ];
    rules
        .map(|rules| {
            let text = edited(
                "\"rules\": [{ \"accounts\": 50 }]",
                &format!("\"rules\": {rules}"),
            );
            (format!("rules: {}", named(&rules)), text)
        })
        .into()
}

/// The policy with something before it, after it or in its place.
fn around() -> Vec<Case> {
    let around = [
        ("\u{feff}", ""),
        ("\u{feff}\u{feff}", ""),
        ("\u{a0}", ""),
        ("\u{c}", ""),
        ("\u{2028}", ""),
        ("// a comment\n", ""),
        ("/* a comment */", ""),
        ("# a comment\n", ""),
        (")]}'\n", ""),
        ("---\n", ""),
        ("{", "}"),
        ("[", "]"),
        ("\"", "\""),
        ("", "}"),
        ("", ","),
        ("", "\0"),
        ("", "{}"),
        ("", "\n\n\t "),
        ("", "\u{1a}"),
        ("", "\n# a comment"),
        ("\0", ""),
    ];
    let mut cases: Vec<Case> = around
        .iter()
        .map(|(before, behind)| {
            let what = format!("\"{}\" before, \"{}\" behind", named(before), named(behind));
            (what, format!("{before}{GOOD}{behind}").into_bytes())
        })
        .collect();
    for instead in [
        "",
        " ",
        "\n\n",
        "null",
        "true",
        "0",
        "\"\"",
        "[]",
        "{}",
        "{",
        "}",
        "version: 1",
        "<xml/>",
        "{\"version\": 1",
        "undefined",
        "{'version': 1}",
        "{version: 1}",
    ] {
        cases.push((format!("only {}", named(instead)), instead.into()));
    }
    for (what, from, to) in [
        ("CR and LF end lines", "\n", "\r\n"),
        ("CR ends lines", "\n", "\r"),
        ("tabs for blanks", "  ", "\t"),
        ("a form feed ends lines", "\n", "\u{c}"),
        ("typographic quotes", "\"r\"", "\u{201c}r\u{201d}"),
    ] {
        cases.push((what.to_owned(), GOOD.replace(from, to).into_bytes()));
    }
    cases
}

fn encodings() -> Vec<Case> {
    let wide = |mark: bool, order: fn(u16) -> [u8; 2]| {
        let mark = mark.then_some(0xfeff);
        let units = mark.into_iter().chain(GOOD.encode_utf16());
        units.flat_map(order).collect::<Vec<u8>>()
    };
    let with = |bytes: &[u8]| {
        let (before, behind) = GOOD.split_once("split").expect("a mode");
        [before.as_bytes(), bytes, behind.as_bytes()].concat()
    };
    let utf32 = GOOD.chars().flat_map(|c| u32::from(c).to_le_bytes());
    [
        ("UTF-16, little end first", wide(true, u16::to_le_bytes)),
        ("UTF-16, big end first", wide(true, u16::to_be_bytes)),
        (
            "UTF-16 without a mark, little end first",
            wide(false, u16::to_le_bytes),
        ),
        (
            "UTF-16 without a mark, big end first",
            wide(false, u16::to_be_bytes),
        ),
        ("UTF-32", utf32.collect()),
        ("Latin-1", with(b"spl\xeft")),
        ("a byte alone", with(b"\xff")),
        ("too long a form of a slash", with(b"\xc0\xaf")),
        ("half a surrogate", with(b"\xed\xa0\x80")),
        ("beyond the last character", with(b"\xf4\x90\x80\x80")),
        (
            "cut off amid a character",
            [GOOD.as_bytes(), b"\xe2\x82"].concat(),
        ),
        ("gzip", b"\x1f\x8b\x08\0\0\0\0\0".to_vec()),
        ("a wasm module", b"\0asm\x01\0\0\0".to_vec()),
        ("an ELF file", b"\x7fELF\x02\x01\x01\0".to_vec()),
    ]
    .map(|(what, text)| (what.to_owned(), text))
    .into()
}
