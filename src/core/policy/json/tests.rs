//! Compares the reader with serde_json: both accept or refuse the same texts, and find the same values at the same
//! locations.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::string_slice,
    reason = "a test that overflows or cuts a character has failed"
)]

use std::collections::BTreeSet;
use std::fmt;

use proptest::prelude::*;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{Node, Reader};
use crate::diagnostics::Document;
use crate::policy::read::expected::ACCOUNTS as ANYTHING;

/// The start and the end of a value, and the value.
type At = (usize, usize, Tree);

#[derive(Clone, Debug, PartialEq)]
enum Tree {
    /// A number, `true`, `false` or `null`, as written.
    Literal(String),
    /// `None` if an escape is half of a surrogate pair.
    Text(Option<String>),
    List(Vec<At>),
    /// Contains only the first value of a repeated field.
    Object(Vec<(String, At)>),
}

fn ours(text: &str) -> Option<At> {
    let mut reader = Reader::new(Document::Policy, text);
    let root = reader.root(ANYTHING)?;
    tree(&mut reader, root)
}

/// Reads any value; always `Some`, because the tree holds what is wrong with it.
fn tree<'a>(reader: &mut Reader<'a>, node: Node<'a, '_>) -> Option<At> {
    let tree = match node.raw.as_bytes()[0] {
        b'"' => {
            let text = reader.text(node, ANYTHING);
            Tree::Text(text.map(|text| text.value.into_owned()))
        }
        b'[' => {
            let items = reader.list(node, ANYTHING, &tree)?.value.into_iter();
            Tree::List(items.collect::<Option<_>>()?)
        }
        b'{' => {
            let fields = reader.map(node, ANYTHING, &tree)?.0.into_iter();
            let fields = fields.map(|(key, tree)| Some((key.value.into_owned(), tree?)));
            Tree::Object(fields.collect::<Option<_>>()?)
        }
        _ => Tree::Literal(node.raw.to_owned()),
    };
    Some((node.span.start, node.span.end, tree))
}

fn theirs(text: &str) -> Option<At> {
    let raw: &RawValue = serde_json::from_str(text).ok()?;
    Some(their_tree(text, raw))
}

fn their_tree(text: &str, raw: &RawValue) -> At {
    let raw = raw.get();
    let start = raw.as_ptr().addr() - text.as_ptr().addr();
    let tree = match raw.as_bytes()[0] {
        b'"' => Tree::Text(serde_json::from_str(raw).ok()),
        b'[' => {
            let items: Vec<&RawValue> = serde_json::from_str(raw).expect("a list");
            Tree::List(
                items
                    .into_iter()
                    .map(|item| their_tree(text, item))
                    .collect(),
            )
        }
        b'{' => {
            let Fields(fields) = serde_json::from_str(raw).expect("an object");
            let mut seen = BTreeSet::new();
            let mut kept = Vec::new();
            for (key, value) in fields {
                let Ok(key) = serde_json::from_str::<String>(key.get()) else {
                    continue;
                };
                if seen.insert(key.clone()) {
                    kept.push((key, their_tree(text, value)));
                }
            }
            Tree::Object(kept)
        }
        _ => Tree::Literal(raw.to_owned()),
    };
    (start, start + raw.len(), tree)
}

/// The fields of an object in order, repeated fields included, with raw keys and values.
struct Fields<'a>(Vec<(&'a RawValue, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;

        impl<'de> Visitor<'de> for InOrder {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Fields(fields))
            }
        }

        deserializer.deserialize_map(InOrder)
    }
}

/// Tokens of JSON, and texts that look like them.
const PIECES: [&str; 49] = [
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\\",
    "\\\"",
    "\\\\",
    "\\/",
    "\\b",
    "\\u",
    "\\u0041",
    "\\u0000",
    "\\ud83d",
    "\\ude00",
    "\\ud83d\\ude00",
    "\\uD83D\\u0041",
    "\\u+123",
    "\\x",
    "0",
    "00",
    "-0",
    "-",
    "1.5",
    "1.",
    ".5",
    "1e5",
    "1E+999",
    "1e",
    "123456789012345678901234567890",
    "true",
    "false",
    "null",
    "nul",
    "NaN",
    " ",
    "\t",
    "\n",
    "\r",
    "\u{b}",
    "\u{c}",
    "\u{a0}",
    "\u{feff}",
    "\0",
    "\u{1f}",
    "é😀",
    "a",
];

fn pieces(most: usize) -> impl Strategy<Value = String> {
    let piece = prop::sample::select(PIECES.as_slice());
    prop::collection::vec(piece, 0..most).prop_map(|pieces| pieces.concat())
}

fn blank() -> impl Strategy<Value = &'static str> {
    prop::sample::select(["", "", "", " ", "\t", "\r\n", "  \n"].as_slice())
}

fn string() -> impl Strategy<Value = String> {
    // Few different strings, so that fields are repeated, also with different escapes.
    let inside = prop_oneof![
        4 => prop::sample::select(["a", "\\u0061", "b", "", "]", "}", ",", ":", "\\\"", "\\\\", "\\ud83d\\ude00"].as_slice())
            .prop_map(str::to_owned),
        1 => prop::sample::select(["\\ud83d", "\\ude00", "\\ud83d\\n", "\\ude00\\ud83d", "é😀\u{7f}\u{2028}"].as_slice())
            .prop_map(str::to_owned),
        1 => pieces(4),
    ];
    prop::collection::vec(inside, 0..3).prop_map(|inside| format!("\"{}\"", inside.concat()))
}

/// Generates a text that is mostly valid JSON.
fn json() -> impl Strategy<Value = String> {
    let literal = prop::sample::select(
        [
            "0",
            "-0",
            "1.5e-3",
            "1E999",
            "123456789012345678901234567890",
            "true",
            "false",
            "null",
            "01",
        ]
        .as_slice(),
    );
    let leaf = prop_oneof![literal.prop_map(str::to_owned), string()];
    leaf.prop_recursive(5, 40, 5, |value| {
        let item = (blank(), value, blank())
            .prop_map(|(a, value, b)| format!("{a}{value}{b}"))
            .boxed();
        let field = (blank(), string(), blank(), item.clone())
            .prop_map(|(a, key, b, value)| format!("{a}{key}{b}:{value}"));
        prop_oneof![
            (prop::collection::vec(item, 0..5), blank()).prop_map(|(items, a)| {
                if items.is_empty() {
                    format!("[{a}]")
                } else {
                    format!("[{}]", items.join(","))
                }
            }),
            (prop::collection::vec(field, 0..5), blank()).prop_map(|(fields, a)| {
                if fields.is_empty() {
                    format!("{{{a}}}")
                } else {
                    format!("{{{}}}", fields.join(","))
                }
            }),
        ]
    })
}

fn alike(text: &str) -> Result<(), TestCaseError> {
    prop_assert_eq!(ours(text), theirs(text), "{:?}", text);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2_000) })]

    #[test]
    fn what_may_be_json_is_read_as_serde_json_reads_it(text in pieces(14)) {
        alike(&text)?;
    }

    #[test]
    fn json_is_read_as_serde_json_reads_it(before in blank(), text in json(), after in blank()) {
        alike(&[before, &text, after].concat())?;
    }

    /// Replaces a piece of a valid text by other tokens.
    #[test]
    fn damaged_json_is_refused_as_serde_json_refuses_it(
        text in json(),
        place in any::<prop::sample::Index>(),
        taken in 0_usize..3,
        piece in pieces(2),
    ) {
        let characters: Vec<char> = text.chars().collect();
        let start = place.index(characters.len());
        let end = (start + taken).min(characters.len());
        let mut damaged: String = characters[..start].iter().collect();
        damaged.push_str(&piece);
        damaged.extend(&characters[end..]);
        alike(&damaged)?;
    }
}

/// Neither reader recurses once per bracket.
#[test]
fn deep_json_is_read_as_any_other() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let deep = [open.repeat(100_000), "0".into(), close.repeat(100_000)].concat();
        let mut reader = Reader::new(Document::Policy, &deep);
        let root = reader.root(ANYTHING).expect("JSON");
        assert_eq!(root.raw.len(), deep.len());
        assert!(crate::Plan::from_json(&deep).is_err());
        let configuration = format!("{{\"policy\":{deep}}}");
        assert!(crate::Configuration::from_json(configuration.as_bytes()).is_err());
        // One bracket is missing.
        let mut reader = Reader::new(Document::Policy, &deep[..deep.len() - 1]);
        assert!(reader.root(ANYTHING).is_none());
    }
}

/// Invalid bytes are refused at every position, also inside packed accounts and in the middle of a character.
#[test]
fn what_is_not_utf_8_is_refused() {
    let good = "{\"policy\": {\"segments\": {\"é\": {\"accounts_packed\": \"AAAA\"}}}}";
    for at in 0..=good.len() {
        for bytes in [&b"\xff"[..], b"\xc3", b"\xed\xa0\xbd", b"\xc0\x80"] {
            let mut bad = good.as_bytes()[..at].to_vec();
            bad.extend(bytes);
            bad.extend(&good.as_bytes()[at..]);
            assert!(std::str::from_utf8(&bad).is_err(), "{bad:?}");
            let refused = crate::Configuration::from_json(&bad).expect_err("no UTF-8");
            let [diagnostic] = refused.as_slice() else {
                panic!("{bad:?}: {refused:?}")
            };
            assert!(
                diagnostic.to_string().contains("UTF-8"),
                "{bad:?}: {diagnostic}"
            );
        }
    }
}
