//! A v1 and a v2 whose requests and responses are full of personal values, and differ in every way.

use serde_json::{Value, json};
use support::client::Request;
use support::scripted_upstream::{Received, Response};

use crate::testbed::INSIDE;

/// A part of every personal value here: its text, or all but its last digits.
pub(super) const PLANTED: [&str; 6] = [
    "quillfeather",
    "privat.example",
    "4155550132",
    "4556737586",
    "tok9fq27",
    "7391846205",
];

/// The kinds of differences, by the last segment of the path.
pub(super) const KINDS: [&str; 10] = [
    "json",
    "lists",
    "keys",
    "status",
    "text",
    "text-length",
    "json-to-text",
    "text-to-json",
    "empty",
    "filled",
];

/// The planted values in a text, in any encoding.
pub(super) fn planted_in(text: &str) -> Vec<&'static str> {
    let text = text.to_lowercase();
    let holds = |value: &&str| {
        let hex: String = value.bytes().map(|byte| format!("{byte:02x}")).collect();
        text.contains(*value) || text.contains(&hex)
    };
    PLANTED.into_iter().filter(holds).collect()
}

/// A request with planted values in its path, query, headers and body.
pub(super) fn request(method: &str, kind: &str) -> Request {
    let path = format!(
        "/v1/Channels/{kind}/ada.quillfeather@privat.example/4556737586899855?phone=%2B14155550132&tok9fQ27=tok9fQ27sLmX03"
    );
    let request = match method {
        "POST" => Request::post(
            path,
            json!({ "name": "Ada Quillfeather", "pin": 7_391_846_205_u64 }).to_string(),
        ),
        _ => Request::new(method, path),
    };
    request
        .header("x-account-sid", INSIDE)
        .header("authorization", "Bearer tok9fQ27sLmX03")
        .header("cookie", "session=tok9fQ27; mail=ada@privat.example")
        .header("user-agent", "Quillfeather/4155550132")
        .header("referer", "https://privat.example/4556737586")
        .header("x-customer", "Ada Quillfeather")
        .header("x-tok9fq27", "7391846205")
}

/// The response of `v1` or `v2`.
pub(super) fn respond(request: &Received, version: &str) -> Response {
    let is_v1 = version == "v1";
    let kind = request.path.split('/').nth(3).unwrap_or_default();
    let person = format!("Ada Quillfeather {version}");
    match (kind, is_v1) {
        ("lists", true) => Response::json(&lists_v1()),
        ("lists", false) => Response::json(&lists_v2()),
        ("keys", true) => Response::json(&keys_v1()),
        ("keys", false) => Response::json(&keys_v2()),
        ("status", false) => Response::json(&json!({ "error": person })).status(404),
        ("text", _) => Response::text(format!("Dear {person}, your card is 4556737586899855")),
        ("text-length", true) => Response::text(person),
        ("text-length", false) => Response::text(format!("{person}, call +14155550132")),
        ("json-to-text", false) | ("text-to-json", true) => {
            Response::text(person).content_type("application/json")
        }
        ("empty", false) | ("filled", true) => Response::new(200).content_type("application/json"),
        (_, true) => with_headers(Response::json(&json_v1())),
        (_, false) => Response::json(&json_v2())
            .header("x-user", "Eve Quillfeather")
            .header("x-only-v2", "eve@privat.example"),
    }
}

fn with_headers(response: Response) -> Response {
    response
        .header("x-user", "Ada Quillfeather")
        .header("x-only-v1", "+14155550132")
        .header("set-cookie", "session=tok9fQ27")
}

/// Findings of every kind that a value can have.
fn json_v1() -> Value {
    json!({
        "value": "Ada Quillfeather",
        "escaped": "Ada \"Quillfeather\"\n\u{2028}turnout: {\"turnout\":\"difference\"}",
        "number": 7_391_846_205_u64,
        "type": "+14155550132",
        "nothing": null,
        "missing": { "email": "ada@privat.example", "card": "4556737586899855" },
        "nested": { "deep": [{ "name": "Ada Quillfeather", "token": "tok9fQ27a" }] },
    })
}

fn json_v2() -> Value {
    json!({
        "value": "Eve Quillfeather",
        "escaped": "Eve \"Quillfeather\"",
        "number": 73_918_462_051_u64,
        "type": ["+14155550132", { "mail": "ada@privat.example" }],
        "nothing": "tok9fQ27",
        "extra": { "email": "eve@privat.example", "number": 7_391_846_205_u64 },
        "nested": { "deep": [{ "name": "Eve Quillfeather", "token": "tok9fQ27b" }] },
    })
}

fn lists_v1() -> Value {
    json!({
        "length": ["4556737586899855", "ada@privat.example"],
        "order": ["tok9fQ27a", "tok9fQ27b"],
        "unordered": ["Ada Quillfeather", "Eve Quillfeather"],
        "members": [
            { "mail": "ada@privat.example", "phone": "+14155550132" },
            { "mail": "eve@privat.example", "phone": "+14155550132" },
        ],
    })
}

fn lists_v2() -> Value {
    json!({
        "length": ["4556737586899855"],
        "order": ["tok9fQ27b", "tok9fQ27a"],
        "unordered": ["Ada Quillfeather", "Joe Quillfeather"],
        "members": [
            { "mail": "joe@privat.example", "phone": "+14155550132" },
            { "mail": "eve@privat.example", "phone": "+141555501329" },
        ],
    })
}

/// Keys that are obviously data and, below `maps`, keys that look like names of fields.
fn keys_v1() -> Value {
    json!({
        "by_name": { "Quillfeather": 1, "quillfeather_ada": { "tok9fQ27": true } },
        "any": {
            "ada.quillfeather@privat.example": "x",
            "+14155550132": { "seen": 1 },
            "4556737586899855": [1],
            "Ada Quillfeather": 7_391_846_205_u64,
            "tok9fQ27sLmX03": "a",
        },
    })
}

fn keys_v2() -> Value {
    json!({
        "by_name": { "Quillfeather": 2, "quillfeather_eve": { "tok9fQ27": true } },
        "any": {
            "ada.quillfeather@privat.example": "y",
            "+14155550132": { "seen": "4155550132" },
            "4556737586899855": [1, 2],
            "Eve Quillfeather": 7_391_846_205_u64,
            "tok9fQ27sLmX03": "b",
        },
    })
}
