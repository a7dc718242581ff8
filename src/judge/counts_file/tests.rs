use turnout_core::Plan;

use super::read_counts;
use crate::judged_rollout::JudgedRollout;

/// Reads counts, and returns each counter with its value, or the errors.
fn read(text: &str, known: Option<&[JudgedRollout]>) -> Vec<String> {
    match read_counts(text, known) {
        Ok(counts) => counts
            .iter()
            .map(|(counter, count)| {
                let name = counter.to_string();
                format!(
                    "{} {count}",
                    name.trim_start_matches("wasmcustom.turnout.guard.")
                )
            })
            .collect(),
        Err(errors) => errors
            .iter()
            .map(|error| format!("error {error}"))
            .collect(),
    }
}

fn line(rollout: &str, requests: &str, arm: &str, rest: &str) -> String {
    format!(r#"{{"rollout":"{rollout}","requests":{requests},"arm":"{arm}",{rest}}}"#)
}

fn policy(guard: &str) -> Vec<JudgedRollout> {
    let policy = format!(
        r#"{{ "version": 1, "account": {{ "from": [ {{ "header": "a" }} ], "format": "opaque" }}, "rollouts": [
            {{ "name": "chat", "v1": "a", "v2": "b", "mode": "split", "rules": [ {{ "requests": 10 }} ], "guard": {guard} }} ] }}"#
    );
    let plan = Plan::from_json(&policy).unwrap();
    let rollouts = plan.rollouts().iter();
    rollouts
        .filter_map(|rollout| JudgedRollout::of_policy(&plan, rollout))
        .collect()
}

#[test]
fn lines_of_the_same_key_add_up_in_any_notation() {
    let text = [
        line("chat", "10", "v2", r#""all":5,"errors":1,"slow":2"#),
        String::new(),
        line("chat", "10.0", "v2", r#""errors":2,"all":7"#),
        line("chat", "10", "v1", r#""all":9007199254740992,"errors":0"#),
        line("chat", "0.50", "v1", r#""all":1,"errors":1"#),
        line("chat-2", "100", "v2", r#""all":1,"errors":0"#),
    ];
    assert_eq!(
        read(&text.join("\r\n"), None),
        [
            "chat.0_5.v1.all 1",
            "chat.0_5.v1.errors 1",
            "chat.10.v1.all 9007199254740992",
            "chat.10.v1.errors 0",
            "chat.10.v2.all 12",
            "chat.10.v2.errors 3",
            "chat.10.v2.slow 2",
            "chat-2.100.v2.all 1",
            "chat-2.100.v2.errors 0",
        ]
    );
}

#[test]
fn an_error_says_what_to_write_instead() {
    let good = r#""all":5,"errors":1"#;
    for (text, expected) in [
        (
            line("chat", "10", "v2", r#""all":5,"errors":6"#),
            "`errors` is 6, but `all` is only 5",
        ),
        (
            line("chat", "10", "v2", r#""all":5,"errors":0,"slow":6"#),
            "`slow` is 6, but `all` is only 5",
        ),
        (
            line("chat", "10", "v2", r#""all":-5,"errors":0"#),
            "integer `-5`, expected a whole number from 0 to 9007199254740992 (column",
        ),
        (
            line("chat", "10", "v2", r#""all":5.5,"errors":0"#),
            "floating point `5.5`, expected a whole number",
        ),
        (
            line("chat", "10", "v2", r#""all":"5","errors":0"#),
            "string \"5\", expected a whole number",
        ),
        (
            line(
                "chat",
                "10",
                "v2",
                r#""all":18446744073709551616,"errors":0"#,
            ),
            "expected a whole number",
        ),
        (
            line("chat", "10", "v2", r#""all":9007199254740993,"errors":0"#),
            "expected a whole number",
        ),
        (
            line("chat", "10", "v2", r#""all":5,"all":6,"errors":0"#),
            "duplicate field `all`",
        ),
        (
            line("chat", "10", "v2", r#""all":5"#),
            "missing field `errors`",
        ),
        (
            line("chat", "10", "v2", r#""all":5,"errors":0,"error":1"#),
            "unknown field `error`, expected one of",
        ),
        (
            line("chat", "10", "V2", good),
            "`arm`: expected `v1` or `v2`, found `V2`; did you mean `v2`?",
        ),
        (
            line("chat", "10", "control", good),
            "`arm`: expected `v1` or `v2`, found `control`",
        ),
        (
            line("chat", "0", "v2", good),
            "`requests`: expected the percentage of requests that take v2, above 0",
        ),
        (line("chat", "101", "v2", good), "found `101`"),
        (line("chat", "\"10\"", "v2", good), "found `\"10\"`"),
        (
            line("chat", "0.0000001", "v2", good),
            "at most six decimals",
        ),
        (
            line("Chat", "10", "v2", good),
            "expected the name of a rollout, such as `chat`, found `Chat`",
        ),
        (line(r"a\u001b[2J", "10", "v2", good), r"found `a\u{1b}[2J`"),
        (
            line("chat", "10", "v2", good).replace('}', ""),
            "the line is cut off",
        ),
        (
            line("chat", "10", "v2", good).replace("1}", ""),
            "the line is cut off",
        ),
        (
            "rollout,requests\n".into(),
            "expected a JSON object such as {",
        ),
        ("[]".into(), "expected a JSON object"),
        ("\u{feff}{}".into(), "expected a JSON object"),
        ("{\"rollout\": 7}".into(), "expected a string (column"),
        ("[".repeat(100_000), "expected a JSON object"),
    ] {
        let found = read(&text, None);
        let part = format!("error line 1: {expected}");
        let is_there =
            found.len() == 1 && (found[0].starts_with(&part) || found[0].contains(expected));
        assert!(is_there, "{text:.200}: {found:?}");
    }
    for empty in ["", "\n\n", " "] {
        assert!(
            read(empty, None)[0].starts_with("error the file has no counts; write lines such as")
        );
    }
}

#[test]
fn every_line_is_checked_and_a_few_errors_are_shown() {
    let bad = line("chat", "10", "v3", r#""all":5,"errors":0"#);
    let text = [
        line("chat", "10", "v2", r#""all":5,"errors":0"#),
        bad.clone(),
    ]
    .join("\n");
    let found = read(&text, None);
    assert_eq!(found.len(), 1);
    assert!(found[0].starts_with("error line 2: "), "{found:?}");
    assert_eq!(read(&[bad.as_str(); 1_000].join("\n"), None).len(), 10);
}

#[test]
fn a_policy_knows_the_rollouts_and_what_they_compare() {
    let known = policy("{}");
    let good = r#""all":5,"errors":1"#;
    assert_eq!(read(&line("chat", "10", "v2", good), Some(&known)).len(), 2);
    for (name, expected) in [
        (
            "chta",
            "has no guarded rollout `chta`; did you mean `chat`?",
        ),
        ("billing", "has no guarded rollout `billing`; it has chat"),
    ] {
        let found = read(&line(name, "10", "v2", good), Some(&known));
        assert!(found[0].contains(expected), "{found:?}");
    }
    let known = policy(r#"{ "slow": { "over_ms": 500, "ratio": 1.5 } }"#);
    let found = read(&line("chat", "10", "v2", good), Some(&known));
    assert!(found[0].contains("`slow` is missing"), "{found:?}");
}

#[test]
fn a_policy_without_a_guard_has_nothing_to_count() {
    let text = line("chat", "10", "v1", r#""all":1,"errors":0"#);
    let errors = read(&text, Some(&[]));
    let expected = "error line 1: no rollout of the policy has a guard that compares requests; add";
    assert!(
        errors.iter().all(|error| error.starts_with(expected)),
        "{errors:?}"
    );
}
