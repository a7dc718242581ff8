//! Warnings: the exact texts of the corpus, and properties of any policy.
//!
//! `UPDATE_EXPECT=1 cargo test -p turnout-tests --test core` rewrites the texts of the corpus. A policy with a
//! file `NAME.old.json` beside it is compared with that one.

mod properties;
mod sources;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use expect_test::expect_file;
use support::corpus;
use turnout_core::lint::{Options, lint};
use turnout_core::{Diagnostic, ErrorCode, Plan, Severity, WarningCode};

fn warned() -> Vec<PathBuf> {
    let files = corpus::files("policies/warnings", "json");
    let is_old = |path: &PathBuf| path.to_string_lossy().ends_with(".old.json");
    files.into_iter().filter(|path| !is_old(path)).collect()
}

fn diagnostics_of(path: &PathBuf) -> Vec<Diagnostic> {
    let text = fs::read(path).expect("a readable policy");
    let old = fs::read_to_string(path.with_extension("old.json")).ok();
    let old = old.map(|old| Plan::from_json(&old).expect("a valid older policy"));
    let options = Options {
        against: old.as_ref(),
        allow: &[],
        ..Options::default()
    };
    lint(&text, &options).as_slice().to_vec()
}

fn line(diagnostic: &Diagnostic) -> String {
    let related = match &diagnostic.related {
        Some(related) => format!(
            " (line {}, column {}, {})",
            related.line, related.column, related.pointer
        ),
        None => String::new(),
    };
    let (severity, code) = (diagnostic.severity().as_str(), diagnostic.code());
    format!("{severity}[{code}] {diagnostic}{related}\n")
}

#[test]
fn policies_have_exactly_these_warnings() {
    for path in warned() {
        let lines: String = diagnostics_of(&path).iter().map(line).collect();
        expect_file![path.with_extension("txt")].assert_eq(&lines);
    }
}

#[test]
fn every_kind_of_warning_is_in_the_corpus() {
    let files = warned();
    let found: BTreeSet<&str> = files
        .iter()
        .flat_map(diagnostics_of)
        .filter(|diagnostic| diagnostic.severity() == Severity::Warning)
        .map(|diagnostic| diagnostic.code())
        .collect();
    // Warnings about limits of the analysis have a test below. Warnings about a proxy's routes and filters are not in the corpus.
    let others = [
        "not-examined",
        "rewritten-request",
        "unrouted-rollout",
        "two-turnouts",
    ];
    let known = WarningCode::ALL.map(WarningCode::as_str).into_iter();
    let known: BTreeSet<&str> = known.filter(|code| !others.contains(code)).collect();
    assert_eq!(found, known);
}

#[test]
fn an_allowed_warning_is_not_reported() {
    for path in warned() {
        let text = fs::read(&path).expect("a readable policy");
        for code in WarningCode::ALL {
            let options = Options {
                against: None,
                allow: &[code],
                ..Options::default()
            };
            let all = lint(&text, &Options::default());
            let left = lint(&text, &options);
            let expected = all.as_slice().iter().filter(|d| d.code() != code.as_str());
            assert!(left.as_slice().iter().eq(expected), "{}", path.display());
        }
    }
}

#[test]
fn errors_are_those_of_the_plan() {
    for path in corpus::files("policies/invalid", "json") {
        let text = fs::read_to_string(&path).expect("a readable policy");
        let errors = Plan::from_json(&text).expect_err("an invalid policy");
        let found = lint(text.as_bytes(), &Options::default());
        let found = found.as_slice().iter();
        let found = found.filter(|d| d.severity() == Severity::Error);
        assert!(found.eq(errors.as_slice()), "{}", path.display());
    }
}

/// The codes are a contract: the file in the corpus changes if one is added or removed.
#[test]
fn every_error_code_is_in_the_corpus() {
    /// Errors that no policy of the corpus can have.
    const ELSEWHERE: [ErrorCode; 3] = [
        // The corpus is text; see `what_is_not_utf_8_has_a_place`.
        ErrorCode::NotUtf8,
        // About a name on the command line.
        ErrorCode::UnknownRollout,
        // About the plugin's configuration around the policy.
        ErrorCode::InvalidValue,
    ];
    let files = corpus::files("policies/invalid", "json");
    let found = files.iter().flat_map(diagnostics_of);
    let found = found.filter(|diagnostic| diagnostic.severity() == Severity::Error);
    let found: BTreeSet<&str> = found.map(|diagnostic| diagnostic.code()).collect();
    let codes: String = found.iter().map(|code| format!("{code}\n")).collect();
    expect_file![corpus::folder().join("policies/invalid/codes")].assert_eq(&codes);
    let of_policies = ErrorCode::ALL
        .into_iter()
        .filter(|code| !ELSEWHERE.contains(code));
    let expected: BTreeSet<&str> = of_policies.map(ErrorCode::as_str).collect();
    assert_eq!(found, expected);
}

#[test]
fn the_shipped_policies_are_clean() {
    let files = ["everything", "least", "opaque-split", "ramps-and-regions"];
    let files = files.map(|name| corpus::folder().join(format!("policies/valid/{name}.json")));
    for path in files {
        let mut found = diagnostics_of(&path);
        // The last rollout of `everything` matches everything that misses the others, on purpose.
        found.retain(|found| found.code() != WarningCode::FallThrough.as_str());
        assert!(found.is_empty(), "{}: {found:?}", path.display());
    }
    let text = support::envoy::file("policy.json");
    let found = lint(text.as_bytes(), &Options::default());
    assert!(found.as_slice().is_empty(), "{found}");
}

#[test]
fn a_policy_compared_with_itself_has_no_change_warnings() {
    for path in corpus::files("policies/valid", "json") {
        let text = fs::read_to_string(&path).expect("a readable policy");
        let plan = Plan::from_json(&text).expect("a valid policy");
        let options = Options {
            against: Some(&plan),
            allow: &[],
            ..Options::default()
        };
        let alone = lint(text.as_bytes(), &Options::default());
        assert_eq!(lint(text.as_bytes(), &options), alone, "{}", path.display());
    }
}

#[test]
fn what_is_not_utf_8_has_a_place() {
    let found = lint(b"{\n  \"k\xc3\xa4\": \"\xff\"}", &Options::default());
    let expected = "policy line 2, column 10: the text is not UTF-8; save it as JSON in UTF-8";
    assert_eq!(found.to_string(), expected);
    assert_eq!(found.as_slice()[0].code(), "not-utf8");
}

/// One error, and many warnings of two kinds.
fn flood() -> String {
    let account = format!("\"AC{}\"", "0".repeat(32));
    let accounts = vec![account; 5_000].join(",");
    format!(
        r#"{{"version": 2, "account": {{"from": [{{"header": "a"}}], "format": "sid"}},
            "segments": {{"s": {{"accounts": [{accounts}]}}}},
            "rollouts": [{{"name": "r", "v1": "a", "v2": "a", "mode": "off"}}]}}"#
    )
}

#[test]
fn a_flood_of_warnings_hides_neither_errors_nor_other_warnings() {
    let found = lint(flood().as_bytes(), &Options::default());
    assert_eq!(found.count(Severity::Error), 1);
    assert_eq!(found.count(Severity::Warning), 4_999 + 2);
    let codes: BTreeSet<&str> = found.as_slice().iter().map(Diagnostic::code).collect();
    let expected = [
        "unknown-version",
        "repeated-account",
        "unused-segment",
        "same-cluster",
    ];
    assert_eq!(codes, BTreeSet::from(expected));
    assert!(found.as_slice().len() <= 1_000);
    assert_eq!(found.omitted() + found.as_slice().len(), 5_002);
}

#[test]
fn limits_of_the_analysis_are_reported() {
    let accounts: Vec<String> = (0..1_000)
        .map(|n| format!("\"s{n}\":{{\"accounts\":[\"a{n}\"]}}"))
        .collect();
    let rules: Vec<String> = (0..98)
        .map(|n| {
            format!(
                "{{\"when\":{{\"in\":[\"s{n}\"],\"headers\":{{\"h{n}\":{{\"present\":true}}}}}}}}"
            )
        })
        .collect();
    let rules = [rules.join(","), "{}".into(), "{\"accounts\":1}".into()].join(",");
    let rollouts: Vec<String> = (0..1_000)
        .map(|n| {
            format!(
                r#"{{"name": "r{n}", "match": {{"path": {{"prefix": "/{n}/"}}}}, "v1": "a", "v2": "b",
                    "mode": "dark", "rules": [{rules}]}}"#
            )
        })
        .collect();
    let text = format!(
        r#"{{"version": 1, "account": {{"from": [{{"header": "a"}}], "format": "opaque"}},
            "segments": {{{}}}, "rollouts": [{}]}}"#,
        accounts.join(","),
        rollouts.join(",")
    );
    let found = lint(text.as_bytes(), &Options::default());
    let codes: Vec<&str> = found.as_slice().iter().map(Diagnostic::code).collect();
    assert!(codes.contains(&"not-examined"), "{codes:?}");
    // Warnings found before the limit are reported.
    assert!(codes.contains(&"unreachable-rule"), "{codes:?}");
}
