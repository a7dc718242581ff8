//! The policies of the corpus: valid ones, and invalid ones with the exact text of every diagnostic.
//!
//! `UPDATE_EXPECT=1 cargo test -p turnout-tests --test core` rewrites the diagnostics.

mod all_errors;
mod guard;
mod hostile;

use std::fs;

use expect_test::expect_file;
use support::corpus;
use turnout_core::{Configuration, EmittedHeaders, Inbound, Plan, Proxy, RecordLevel};

#[test]
fn valid_policies_have_no_errors() {
    for path in corpus::files("policies/valid", "json") {
        let text = fs::read_to_string(&path).expect("a readable policy");
        if let Err(diagnostics) = Plan::from_json(&text) {
            panic!("{}:\n{diagnostics}", path.display());
        }
    }
}

#[test]
fn the_shipped_policies_are_valid() {
    let text = support::envoy::file("policy.json");
    assert!(Plan::from_json(&text).is_ok());
}

#[test]
fn invalid_policies_have_exactly_these_errors() {
    for path in corpus::files("policies/invalid", "json") {
        let text = fs::read_to_string(&path).expect("a readable policy");
        let diagnostics = Plan::from_json(&text)
            .err()
            .unwrap_or_else(|| panic!("{} is valid", path.display()));
        expect_file![path.with_extension("txt")].assert_eq(&format!("{diagnostics}\n"));
    }
}

#[test]
fn fifty_rollouts_with_one_error_each_have_fifty_errors() {
    let diagnostics = Plan::from_json(&fifty_errors()).expect_err("fifty problems");
    assert_eq!(diagnostics.as_slice().len(), 50);
    for (index, diagnostic) in diagnostics.as_slice().iter().enumerate() {
        assert_eq!(diagnostic.line, index + 4);
        assert_eq!(diagnostic.pointer, format!("/rollouts/{index}/mode"));
    }
}

fn fifty_errors() -> String {
    let rollouts: Vec<String> = (0..50)
        .map(|n| format!(r#"{{"name": "r{n}", "v1": "a", "v2": "b", "mode": "spilt"}}"#))
        .collect();
    format!(
        "{{\"version\": 1,\n\"account\": {{\"from\": [{{\"header\": \"a\"}}], \"format\": \"sid\"}},\n\"rollouts\": [\n{}\n]}}",
        rollouts.join(",\n")
    )
}

#[test]
fn a_flood_of_errors_is_counted_and_not_kept() {
    let accounts = vec!["\"AC\""; 100_000].join(",");
    let text = format!(
        r#"{{"version": 1, "account": {{"from": [{{"header": "a"}}], "format": "sid"}},
            "segments": {{"s": {{"accounts": [{accounts}]}}}}, "rollouts": []}}"#
    );
    let diagnostics = Plan::from_json(&text).expect_err("many problems");
    assert_eq!(diagnostics.as_slice().len(), 1_000);
    assert_eq!(diagnostics.omitted(), 99_000);
    assert!(diagnostics.to_string().ends_with("\nand 99000 more"));
}

#[test]
fn configuration_errors_are_separate_from_policy_errors() {
    let problems = |text: &[u8]| {
        let diagnostics = Configuration::from_json(text).expect_err("a bad configuration");
        diagnostics.to_string()
    };
    let good = support::envoy::file("policy.json");
    assert!(Configuration::from_json(format!("{{\"policy\": {good}}}").as_bytes()).is_ok());
    assert_eq!(
        problems(b""),
        "configuration line 1, column 1: the text is empty; write a configuration, for example { \"policy\": { … }, \"inbound\": \"strip\" }"
    );
    assert_eq!(
        problems(b"{}"),
        "configuration line 1, column 1: `policy` is missing; add a policy, for example \"policy\": { \"version\": 1, … }"
    );
    assert_eq!(
        problems(b"{\"policy\": \"\xff\"}"),
        "configuration line 1, column 13: the text is not UTF-8; write JSON in UTF-8; in Envoy, use a StringValue"
    );
    let text = format!("{{\"polcy\": 1, \"inbound\": \"strap\", \"policy\": {good}}}");
    assert_eq!(
        problems(text.as_bytes()),
        "configuration line 1, column 2, at /polcy: unknown field `polcy`; did you mean `policy`?\n\
         configuration line 1, column 25, at /inbound: unknown inbound `strap`; did you mean `strip`?"
    );
}

#[test]
fn a_configuration_sets_the_emitted_headers() {
    let policy = support::envoy::file("policy.json");
    let read = |headers: &str| {
        let text = format!("{{\"headers\": {headers}, \"policy\": {policy}}}");
        let read = Configuration::from_json(text.as_bytes());
        read.map(|read| read.headers.words().collect::<Vec<_>>())
            .map_err(|problems| problems.to_string())
    };
    assert_eq!(read(r#"["cluster"]"#).unwrap(), ["cluster"]);
    assert_eq!(
        read(r#"["decision", "treatment"]"#).unwrap(),
        ["treatment", "decision"]
    );
    for (headers, problem) in [
        (
            r#"["clusters"]"#,
            "column 14, at /headers/0: unknown header `clusters`",
        ),
        (
            r#"["decision"]"#,
            "column 13, at /headers: without `cluster` or `treatment`, no route can follow a decision; \
             add the one that the routes of this proxy read",
        ),
        ("[]", "column 13, at /headers: without `cluster`"),
        ("7", "column 13, at /headers: "),
        ("[7]", "column 14, at /headers/0: "),
    ] {
        let found = read(headers).expect_err(headers);
        assert!(found.contains(problem), "{headers}: {found}");
    }

    for written in [
        EmittedHeaders::ALL,
        EmittedHeaders {
            treatment: false,
            ..EmittedHeaders::ALL
        },
        EmittedHeaders {
            cluster: false,
            ..EmittedHeaders::ALL
        },
    ] {
        let proxy = Proxy {
            headers: written,
            inbound: Inbound::Trust,
            ..Proxy::default()
        };
        let text = Configuration::to_json(&policy, proxy);
        let read = Configuration::from_json(text.as_bytes()).expect("a configuration");
        assert_eq!((read.headers, read.inbound), (written, Inbound::Trust));
        assert_eq!(text.contains("headers\":["), written != EmittedHeaders::ALL);
    }
}

#[test]
fn the_level_of_records_is_one_of_the_known_words_and_info_by_default() {
    let policy = support::envoy::file("policy.json");
    let read = |level: &str| {
        let text = format!("{{\"record_level\": {level}, \"policy\": {policy}}}");
        let read = Configuration::from_json(text.as_bytes());
        read.map(|read| read.record_level)
            .map_err(|problems| problems.to_string())
    };
    for level in RecordLevel::ALL {
        assert_eq!(read(&format!("\"{}\"", level.as_str())), Ok(level));
        let proxy = Proxy {
            record_level: level,
            ..Proxy::default()
        };
        let text = Configuration::to_json(&policy, proxy);
        let again = Configuration::from_json(text.as_bytes()).expect("a configuration");
        assert_eq!(again.record_level, level);
        assert_eq!(text.contains("record_level"), level != RecordLevel::Info);
    }
    let unnamed = format!("{{\"policy\": {policy}}}");
    let unnamed = Configuration::from_json(unnamed.as_bytes()).expect("a configuration");
    assert_eq!(unnamed.record_level, RecordLevel::Info);
    for (level, problem) in [
        (
            "\"warning\"",
            "unknown record level `warning`; write one of `trace`, `debug`, `info`, `warn`, `error`, `critical`",
        ),
        (
            "\"WARN\"",
            "unknown record level `WARN`; write one of `trace`, `debug`, `info`, `warn`, `error`, `critical`",
        ),
        (
            "\"wran\"",
            "unknown record level `wran`; did you mean `warn`?",
        ),
        (
            "\"off\"",
            "unknown record level `off`; write one of `trace`, `debug`, `info`, `warn`, `error`, `critical`",
        ),
        (
            "3",
            "expected a word, found a number; for example, write \"warn\"",
        ),
        (
            "null",
            "expected a word, found null; for example, write \"warn\"",
        ),
    ] {
        let found = read(level).expect_err(level);
        let expected = format!("configuration line 1, column 18, at /record_level: {problem}");
        assert_eq!(found, expected);
    }
    let misspelt = format!("{{\"record_levels\": \"warn\", \"policy\": {policy}}}");
    let problems = Configuration::from_json(misspelt.as_bytes()).expect_err("an unknown field");
    assert!(
        problems
            .to_string()
            .contains("unknown field `record_levels`; did you mean `record_level`?"),
        "{problems}"
    );
}

#[test]
fn positions_in_a_policy_are_those_of_its_own_file() {
    let text = "\n\n  {\n\"version\": 2, \"account\": 1, \"rollouts\": []}\n";
    let alone = Plan::from_json(text).expect_err("a bad policy").to_string();
    let configuration = Configuration::to_json(text, Proxy::default());
    let wrapped = Configuration::from_json(configuration.as_bytes()).expect_err("a bad policy");
    assert_eq!(wrapped.to_string(), alone);
    assert!(
        alone.starts_with("policy line 4, column 12, at /version: "),
        "{alone}"
    );
}

#[test]
fn a_position_is_never_inside_a_character() {
    let diagnostics = Plan::from_json("{\"version\": é}").expect_err("no JSON");
    assert_eq!(diagnostics.as_slice()[0].span, 12..14);
}

#[test]
fn deep_nesting_is_an_error_and_no_crash() {
    let deep = 1_000_000;
    let nested = format!("{{\"deep\": {}{}}}", "[".repeat(deep), "]".repeat(deep));
    let unclosed = "[".repeat(deep);
    for (text, sentence) in [(nested, "unknown field `deep`"), (unclosed, "not JSON: ")] {
        let diagnostics = Plan::from_json(&text).expect_err("no policy");
        assert!(diagnostics.to_string().contains(sentence), "{diagnostics}");
    }
}
