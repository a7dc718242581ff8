//! A policy's errors are all reported at once: an error in one field does not hide errors in other
//! fields.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use turnout_core::Plan;

/// Policies that together have every field.
const POLICIES: [&str; 5] = [
    include_str!("../../corpus/policies/valid/everything.json"),
    include_str!("../../corpus/policies/valid/shadow.json"),
    include_str!("../../corpus/policies/valid/guard.json"),
    include_str!("../../corpus/policies/valid/hashes.json"),
    include_str!("../../corpus/policies/valid/ramps-and-regions.json"),
];

/// The position of an error, and its message.
type Found = BTreeSet<(String, &'static str)>;

fn problems(policy: &Value) -> Found {
    match Plan::from_json(&policy.to_string()) {
        Ok(_) => Found::new(),
        Err(found) => {
            assert_eq!(found.omitted(), 0, "{policy}");
            let found = found.as_slice().iter();
            found
                .map(|found| (found.pointer.clone(), found.code()))
                .collect()
        }
    }
}

/// The policy with an error in every part.
fn with_mistakes(mut policy: Value) -> Value {
    let fields = policy.as_object_mut().expect("an object");
    fields.insert("unknown".into(), json!(1));
    let segments = fields.entry("segments").or_insert(json!({}));
    segments["Bad Name"] = json!({ "accounts": ["AC123"], "more": 1 });
    segments["none"] = json!({});
    let sources = fields["account"]["from"].as_array_mut().expect("a list");
    sources.push(json!({ "basic_auth": "password", "path": "no-slash" }));
    let rollouts = fields["rollouts"].as_array_mut().expect("a list");
    rollouts.push(json!({
        "name": "Bad Name", "v1": " a", "mode": "later", "salt": "",
        "match": { "hosts": ["a:80"], "methods": ["get"], "path": { "exact": "x", "prefix": "y" },
            "headers": { "a b": { "exact": "x" } } },
        "hash": { "split": { "seed": 1, "traffic_allocation": 101, "traffic_allocation_seed": 1.5 } },
        "rules": [
            { "when": { "in": [], "not_in": ["nobody"] }, "accounts": 101, "requests": -1 },
            { "accounts": [{ "from": "today", "percent": 101 }] },
            { "serve": "v3" }
        ],
        "shadow": { "requests": 101, "timeout_ms": 0, "methods": ["get"], "routes": ["x"],
            "compare": { "ignore": ["x"], "headers": ["a b"], "unordered": [{ "key": "x" }],
                "tolerance": [{ "path": "x", "absolute": -1, "relative": -1 }] },
            "noise": {}, "reveal": ["x"] },
        "guard": { "slow": { "ratio": 0 }, "limit": { "error_percent": 50 }, "alpha": 1, "settle_seconds": 0,
            "action": "stop", "accounts": { "false_ejections": 0 }, "rearmed": -1 }
    }));
    policy
}

fn pointers(value: &Value, at: &str, all: &mut Vec<String>) {
    all.push(at.to_owned());
    let escaped = |name: &str| name.replace('~', "~0").replace('/', "~1");
    match value {
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                pointers(item, &format!("{at}/{index}"), all);
            }
        }
        Value::Object(fields) => {
            for (name, item) in fields {
                pointers(item, &format!("{at}/{}", escaped(name)), all);
            }
        }
        _ => {}
    }
}

/// Whether an error is found independently of the value at `bad`.
fn is_independent(problem: &(String, &'static str), bad: &str) -> bool {
    let (at, code) = problem;
    // Another value at `bad` has other errors of its own, and its missing fields may be
    // others.
    let is_inside = at == bad
        || at.starts_with(&format!("{bad}/"))
        || bad.rsplit_once('/').is_some_and(|(parent, _)| parent == at);
    let is_unsaid = match *code {
        // Without the format and the segments, accounts and segment names cannot be checked.
        "malformed-account" => ["/account", "/account/format"].contains(&bad),
        "unknown-segment" => bad == "/segments",
        _ => false,
    };
    !is_inside && !is_unsaid
}

#[test]
fn an_error_in_one_place_hides_no_others() {
    let wrong = [
        json!(null),
        json!(true),
        json!(7),
        json!(-0.5),
        json!("x"),
        json!([]),
        json!({}),
        json!([{}]),
        json!([[]]),
        json!([null]),
        json!({ "x": {} }),
        json!({ "header": "x-a" }),
    ];
    let mut tried = 0;
    for text in POLICIES {
        let valid: Value = serde_json::from_str(text).expect("JSON");
        assert_eq!(problems(&valid), Found::new());
        let policy = with_mistakes(valid);
        let planted = problems(&policy);
        assert!(planted.len() > 30, "{planted:#?}");
        let mut all = Vec::new();
        pointers(&policy, "", &mut all);
        for bad in all.iter().filter(|at| !at.is_empty()) {
            for value in &wrong {
                let mut policy = policy.clone();
                *policy.pointer_mut(bad).expect("a place") = value.clone();
                let found = problems(&policy);
                let expected = planted
                    .iter()
                    .filter(|problem| is_independent(problem, bad));
                let hidden: Vec<_> = expected
                    .filter(|problem| !found.contains(*problem))
                    .collect();
                assert!(hidden.is_empty(), "{bad} = {value} hides {hidden:#?}");
                tried += 1;
            }
        }
    }
    assert!(tried > 5_000, "{tried}");
}

#[test]
fn an_object_in_place_of_the_sources_hides_no_account() {
    let policy = json!({
        "version": 1,
        "account": { "from": { "header": "x-account-sid" }, "format": "sid" },
        "segments": { "hvc": { "accounts": ["AC1", "AC2", "AC3", "AC4", "AC5", "AC6", "AC7"] } },
        "rollouts": [{ "name": "a", "v1": "a", "v2": "b", "mode": "splitt" }]
    });
    assert_eq!(problems(&policy).len(), 9, "{:#?}", problems(&policy));
}

#[test]
fn text_that_is_not_json_is_named_and_located() {
    for (text, place, expected) in [
        ("version: 1\naccount: {}\n", (1, 1), "this is YAML"),
        ("---\nversion: 1\n", (1, 1), "this is YAML"),
        ("- a\n- b\n", (1, 1), "this is YAML"),
        ("account,name\nAC1,x\n", (1, 1), "this is CSV"),
        ("a;b\n", (1, 1), "this is CSV"),
        ("version = 1\n[account]\n", (1, 1), "this is TOML"),
        ("[[rollouts]]\nname = 'a'\n", (1, 2), "this is TOML"),
        ("<!doctype html><html>", (1, 1), "this is HTML"),
        ("// c\n{}", (1, 1), "a comment begins here"),
        (
            "{\"version\": 1, // one\n}",
            (1, 16),
            "a comment begins here",
        ),
        (
            "{\n  /* one */ \"version\": 1}",
            (2, 3),
            "a comment begins here",
        ),
        ("{\"version\": 1 # one\n}", (1, 15), "a comment begins here"),
        ("{\"version\": 1} // end", (1, 16), "a comment begins here"),
        ("# c\n{\"version\": 1}", (1, 1), "a comment begins here"),
        ("{\"version\": 1,}", (1, 15), "there is a trailing comma"),
        (
            "{\"rollouts\": [1, ]}",
            (1, 18),
            "there is a trailing comma",
        ),
        ("{'version': 1}", (1, 2), "a string in single quotes"),
        ("{version: 1}", (1, 2), "a name without quotes"),
        ("{\0\"\0v\0", (1, 2), "the text is UTF-16"),
        ("", (1, 1), "the text is empty"),
        ("<<<<<<< HEAD\n{}\n", (1, 1), "a merge conflict"),
        (
            "{\n<<<<<<< HEAD\n\"version\": 1\n=======\n\"version\": 2\n>>>>>>> next\n}",
            (2, 1),
            "a merge conflict",
        ),
        (
            "{\"version\": 1}\n{\"version\": 1}\n",
            (2, 1),
            "the policy ends before this",
        ),
        ("{} }", (1, 4), "the policy ends before this"),
        (
            "{\u{201c}version\u{201d}: 1}",
            (1, 2),
            "this is a typographic quotation mark",
        ),
        ("{\"a\": NaN}", (1, 7), "`NaN` is not a JSON value"),
        ("{\"a\": True}", (1, 7), "`True` is not a JSON value"),
        (
            "AC00000000000000000000000000000000\n",
            (1, 1),
            "this is a list of accounts",
        ),
        // The text with an error inserted is still JSON.
        ("{\"a\" 1}", (1, 6), "not JSON: expected `:`"),
        ("[1, 2", (1, 5), "not JSON: EOF"),
        ("{\"a\": tru}", (1, 10), "not JSON: expected"),
    ] {
        let found = Plan::from_json(text).expect_err("no policy");
        let [found] = found.as_slice() else {
            panic!("{text}: {found:?}")
        };
        assert!(found.to_string().contains(expected), "{text}: {found}");
        // For another format, the first line is the best position.
        let is_whole = expected.starts_with("this is") || expected.starts_with("the text");
        let column = if is_whole { place.1 } else { found.column };
        assert_eq!((found.line, column), place, "{text}: {found}");
    }
}
