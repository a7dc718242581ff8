//! Hashes JSON values: equal values have equal hashes, however they are written.
//!
//! White space, the order of an object's fields, escapes in strings, and the notation of numbers make no difference,
//! because tools between the author and the proxy may change them. The order of a list does.
//!
//! The recursion is as deep as the text, whose depth `serde_json` has limited to 128.

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::policy::decimal::Decimal;

use super::raw_values::{split_items, unescape};

/// The kinds of values, as the seeds of their hashes.
const OBJECT: u64 = 1;
const LIST: u64 = 2;
const TEXT: u64 = 3;
const NUMBER: u64 = 4;
const WORD: u64 = 5;

/// Hashes an object, given as text, without one of its fields.
pub(super) fn hash_object(object: &str, without: Option<&str>) -> u64 {
    let without = without.map(|name| xxh3_64_with_seed(name.as_bytes(), TEXT));
    let parts = split_items(object).unwrap_or_default();
    let (fields, _) = parts.as_chunks();
    let mut sum = 0_u64;
    for [name, value] in fields {
        let name = hash(name);
        if Some(name) != without {
            sum = sum.wrapping_add(combine(name, hash(value)));
        }
    }
    combine(OBJECT, sum)
}

fn hash(value: &str) -> u64 {
    match value.as_bytes() {
        [b'{', ..] => hash_object(value, None),
        [b'[', ..] => {
            let items = split_items(value).unwrap_or_default();
            items
                .into_iter()
                .fold(LIST, |before, item| combine(before, hash(item)))
        }
        [b'"', inside @ .., b'"'] => {
            let unescaped = value.contains('\\').then(|| {
                let inside = std::str::from_utf8(inside).unwrap_or_default();
                unescape(inside)
            });
            let unescaped = unescaped.flatten();
            let text = unescaped.as_ref().map_or(inside, String::as_bytes);
            xxh3_64_with_seed(text, TEXT)
        }
        [b'-' | b'0'..=b'9', ..] => {
            let number = Decimal::parse(value);
            let digits = xxh3_64_with_seed(number.digits.as_bytes(), NUMBER);
            let sign = u64::from(number.is_negative);
            combine(combine(digits, number.shift.cast_unsigned()), sign)
        }
        word => xxh3_64_with_seed(word, WORD),
    }
}

fn combine(a: u64, b: u64) -> u64 {
    xxh3_64_with_seed(&b.to_le_bytes(), a)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> u64 {
        hash_object(text, Some("halted"))
    }

    #[test]
    fn equal_values_have_equal_hashes() {
        let value = of(r#"{"name": "a/é", "list": [1, 0.5, "x"], "in": {"a": true, "b": null}}"#);
        for same in [
            r#"{"in":{"b":null,"a":true},"list":[1,0.5,"x"],"name":"a/é"}"#,
            r#"{ "n\u0061me": "a\/\u00e9", "list": [ 1.0, 5e-1, "\u0078" ], "in": { "a": true, "b": null } }"#,
            r#"{"halted": true, "name": "a/é", "list": [1, 0.5, "x"], "in": {"a": true, "b": null}}"#,
            r#"{"name": "a/é", "list": [1, 0.5, "x"], "in": {"a": true, "b": null}, "h\u0061lted": false}"#,
        ] {
            assert_eq!(of(same), value, "{same}");
        }
    }

    #[test]
    fn different_values_have_different_hashes() {
        let texts = [
            r#"{}"#,
            r#"{"a": {}}"#,
            r#"{"a": []}"#,
            r#"{"a": [[]]}"#,
            r#"{"a": ""}"#,
            r#"{"a": "1"}"#,
            r#"{"a": 1}"#,
            r#"{"a": -1}"#,
            r#"{"a": 10}"#,
            r#"{"a": 0.1}"#,
            r#"{"a": 0}"#,
            r#"{"a": true}"#,
            r#"{"a": "true"}"#,
            r#"{"a": null}"#,
            r#"{"b": 1}"#,
            r#"{"a": 1, "b": 1}"#,
            r#"{"a": 1, "b": 2}"#,
            r#"{"a": 2, "b": 1}"#,
            r#"{"a": "b"}"#,
            r#"{"b": "a"}"#,
            r#"{"a": [1, 2]}"#,
            r#"{"a": [2, 1]}"#,
            r#"{"a": [12]}"#,
            r#"{"a": [[1], 2]}"#,
            r#"{"a": [1, [2]]}"#,
            r#"{"a": {"b": 1}, "c": {"b": 2}}"#,
            r#"{"a": {"b": 2}, "c": {"b": 1}}"#,
            r#"{"a": {"halted": true}}"#,
            r#"{"a": {"halted": false}}"#,
        ];
        let hashes: std::collections::BTreeSet<u64> = texts.iter().map(|text| of(text)).collect();
        assert_eq!(hashes.len(), texts.len());
    }
}
