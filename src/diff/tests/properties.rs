//! Properties of any two bodies.

use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Map, Value, json};
use turnout_diff::{Comparison, Options};

use super::{bodies, describe, options};

/// Any JSON body of small depth.
fn body() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (0..4_i64).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[a-c]{0,2}".prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        let key = prop_oneof![3 => "[a-d]{1,2}", 1 => any::<String>()];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((key, inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// The same body in another notation: white space, key order, escapes, number literals. `taste`
/// supplies the choices.
fn rewritten(value: &Value, taste: &mut dyn FnMut() -> u8) -> String {
    let mut text = String::new();
    write(value, taste, &mut text);
    text
}

fn tastes(tastes: Vec<u8>) -> impl FnMut() -> u8 {
    let mut turn = tastes.into_iter().cycle();
    move || turn.next().unwrap_or_default()
}

fn write(value: &Value, taste: &mut dyn FnMut() -> u8, text: &mut String) {
    let space = |taste: &mut dyn FnMut() -> u8, text: &mut String| {
        text.push_str(["", "", " ", "\n\t", "\r\n  "][usize::from(taste() % 5)]);
    };
    space(taste, text);
    match value {
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            if !members.is_empty() {
                let by = usize::from(taste()) % members.len();
                members.rotate_left(by);
            }
            text.push('{');
            for (index, (key, value)) in members.into_iter().enumerate() {
                text.push_str(if index == 0 { "" } else { "," });
                space(taste, text);
                write_string(key, taste, text);
                space(taste, text);
                text.push(':');
                write(value, taste, text);
            }
            space(taste, text);
            text.push('}');
        }
        Value::Array(items) => {
            text.push('[');
            for (index, value) in items.iter().enumerate() {
                text.push_str(if index == 0 { "" } else { "," });
                write(value, taste, text);
            }
            space(taste, text);
            text.push(']');
        }
        Value::String(string) => write_string(string, taste, text),
        Value::Number(number) => text.push_str(&another_literal(&number.to_string(), taste)),
        other => text.push_str(&other.to_string()),
    }
    space(taste, text);
}

fn write_string(string: &str, taste: &mut dyn FnMut() -> u8, text: &mut String) {
    text.push('"');
    for c in string.chars() {
        if taste().is_multiple_of(3) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                text.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            let quoted = json!(c.to_string()).to_string();
            text.push_str(&quoted[1..quoted.len() - 1]);
        }
    }
    text.push('"');
}

/// The same number with its point moved and zeros added.
fn another_literal(literal: &str, taste: &mut dyn FnMut() -> u8) -> String {
    let (sign, literal) = match literal.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", literal),
    };
    let (mantissa, exponent) = literal.split_once(['e', 'E']).unwrap_or((literal, "0"));
    let exponent: i64 = exponent.parse().expect("an exponent");
    let (whole, decimals) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{decimals}");
    let digits = match digits.trim_start_matches('0') {
        "" => "0",
        digits => digits,
    };
    let exponent = exponent - i64::try_from(decimals.len()).expect("short");
    let zeros = taste() % 4;
    let more = "0".repeat(zeros.into());
    let plus = ["", "+", "+00"][usize::from(taste() % 3)];
    match taste() % 3 {
        0 if digits != "0" => format!("{sign}{digits}{more}E{}", exponent - i64::from(zeros)),
        1 => {
            let (first, rest) = digits.split_at(1);
            let exponent = exponent + i64::try_from(rest.len()).expect("short");
            let plus = if exponent < 0 { "" } else { plus };
            format!("{sign}{first}.{rest}0{more}e{plus}{exponent}")
        }
        _ => {
            let places = i64::try_from(digits.len()).expect("short") + i64::from(zeros);
            format!("{sign}0.{more}{digits}e{}", exponent + places)
        }
    }
}

fn pointers(value: &Value, at: &str) -> Vec<String> {
    let escaped = |name: &str| name.replace('~', "~0").replace('/', "~1");
    let inner = match value {
        Value::Array(items) => items
            .iter()
            .enumerate()
            .flat_map(|(index, item)| pointers(item, &format!("{at}/{index}")))
            .collect(),
        Value::Object(fields) => fields
            .iter()
            .flat_map(|(name, item)| pointers(item, &format!("{at}/{}", escaped(name))))
            .collect(),
        _ => Vec::new(),
    };
    [vec![at.to_owned()], inner].concat()
}

fn findings(v1: &str, v2: &str, options: &Options) -> Vec<[String; 4]> {
    match bodies(v1.as_bytes(), v2.as_bytes(), options) {
        Comparison::Equal => Vec::new(),
        Comparison::NotComparable(why) => panic!("{why:?}"),
        Comparison::Different(findings) => {
            assert_eq!(findings.omitted(), 0);
            let kept = findings.as_slice().iter();
            kept.map(|finding| {
                let exact = finding.exact.clone();
                let severity = finding.severity.as_str().to_owned();
                [
                    exact,
                    finding.kind.as_str().to_owned(),
                    severity,
                    finding.pointer.clone(),
                ]
            })
            .collect()
        }
    }
}

fn many() -> Options {
    let mut options = options(&[]);
    options.limits.findings = 10_000;
    options
}

/// Whether two trees are equal, comparing numbers by value.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter()
                    .all(|(key, value)| b.get(key).is_some_and(|other| same(value, other)))
        }
        (a, b) => a == b,
    }
}

proptest! {
    #[test]
    fn a_body_is_equal_to_itself_however_it_is_written(
        value in body(),
        one in prop::collection::vec(any::<u8>(), 1..60),
        two in prop::collection::vec(any::<u8>(), 1..60),
    ) {
        let v1 = rewritten(&value, &mut tastes(one));
        let v2 = rewritten(&value, &mut tastes(two));
        let found = describe(&bodies(v1.as_bytes(), v2.as_bytes(), &options(&[])));
        prop_assert_eq!(found, ["equal"], "{} {}", v1, v2);
    }

    #[test]
    fn two_bodies_are_equal_only_if_they_are(a in body(), b in body()) {
        let (v1, v2) = (a.to_string(), b.to_string());
        let found = findings(&v1, &v2, &many());
        prop_assert_eq!(found.is_empty(), same(&a, &b), "{} {} {:?}", v1, v2, found);
    }

    #[test]
    fn the_other_way_round_missing_is_extra(a in body(), b in body()) {
        let (v1, v2) = (a.to_string(), b.to_string());
        let turned = |kind: &str| match kind {
            "missing" => "extra",
            "extra" => "missing",
            kind => kind,
        }.to_owned();
        let mut forth: Vec<_> = findings(&v1, &v2, &many())
            .into_iter().map(|[exact, kind, _, pointer]| [exact, turned(&kind), pointer]).collect();
        let mut back: Vec<_> = findings(&v2, &v1, &many())
            .into_iter().map(|[exact, kind, _, pointer]| [exact, kind, pointer]).collect();
        forth.sort();
        back.sort();
        prop_assert_eq!(forth, back, "{} {}", v1, v2);
    }

    #[test]
    fn a_planted_change_is_found_where_it_is(
        value in body(), at: Index, inner: Index, taste in prop::collection::vec(any::<u8>(), 1..60), which in 0..5_u8,
    ) {
        // Whether the values along a pointer are objects and lists.
        let all = pointers(&value, "");
        let at = at.get(&all);
        let mut v2 = value.clone();
        let place = v2.pointer_mut(at).expect("a place");
        let key = |fields: &Map<String, Value>| inner.get(&fields.keys().cloned().collect::<Vec<_>>()).clone();
        let escaped = |name: &str| name.replace('~', "~0").replace('/', "~1");
        let expected = match (which, place) {
            (0, place @ (Value::String(_) | Value::Number(_))) => {
                *place = match &*place {
                    Value::String(text) => Value::from(format!("{text}!")),
                    number => Value::from(if *number == json!(123_456) { 7 } else { 123_456 }),
                };
                (at.clone(), "value", "changed")
            }
            (1, place) => {
                *place = if place.is_object() { json!([1]) } else { json!({"a": 1}) };
                (at.clone(), "type", "breaking")
            }
            (2, Value::Object(fields)) if !fields.is_empty() => {
                let key = key(fields);
                fields.remove(&key);
                (format!("{at}/{}", escaped(&key)), "missing", "breaking")
            }
            (3, Value::Object(fields)) => {
                fields.insert("planted".into(), json!([{}]));
                (format!("{at}/planted"), "extra", "additive")
            }
            (4, Value::Array(items)) if !items.is_empty() => {
                items.remove(inner.index(items.len()));
                (at.clone(), "length", "changed")
            }
            (_, Value::Array(items)) if items.len() > 1 && !same(&items[0], &items[items.len() - 1]) => {
                let last = items.len() - 1;
                items.swap(0, last);
                (at.clone(), "order", "changed")
            }
            _ => return Ok(()),
        };
        let (v1, v2) = (value.to_string(), rewritten(&v2, &mut tastes(taste)));
        let found = findings(&v1, &v2, &options(&[]));
        prop_assert_eq!(found.len(), 1, "{} {} {:?}", v1, v2, found);
        let [exact, kind, severity, pointer] = &found[0];
        // A change in one of two elements can turn the list into a reordering.
        if (&expected.0, expected.1) != (exact, kind) {
            prop_assert!(kind == "order" && expected.0.starts_with(exact.as_str()), "{} {} {:?}", v1, v2, found);
        } else {
            prop_assert_eq!(severity, expected.2);
            prop_assert_eq!(pointer.matches('/').count(), exact.matches('/').count());
        }
    }

    #[test]
    fn without_an_order_any_order_is_equal(
        (one, two) in prop::collection::vec(body(), 0..8)
            .prop_flat_map(|items| (Just(items.clone()).prop_shuffle(), Just(items).prop_shuffle())),
        taste in prop::collection::vec(any::<u8>(), 1..60),
    ) {
        let (v1, v2) = (json!({"l": one}), json!({"l": two}));
        let (v1, v2) = (v1.to_string(), rewritten(&v2, &mut tastes(taste)));
        let found = describe(&bodies(v1.as_bytes(), v2.as_bytes(), &options(&["unordered /l"])));
        prop_assert_eq!(found, ["equal"], "{} {}", v1, v2);
    }

    #[test]
    fn no_order_changes_what_is_found(
        (a, a_shuffled) in prop::collection::vec(body(), 0..6)
            .prop_flat_map(|items| (Just(items.clone()), Just(items).prop_shuffle())),
        (b, b_shuffled) in prop::collection::vec(body(), 0..6)
            .prop_flat_map(|items| (Just(items.clone()), Just(items).prop_shuffle())),
        (common, common_shuffled) in prop::collection::vec(body(), 0..6)
            .prop_flat_map(|items| (Just(items.clone()), Just(items).prop_shuffle())),
        keyed: bool,
    ) {
        let keys = |items: Vec<Value>| -> Vec<Value> {
            // Most of them are distinct, so that most lists are paired by them.
            let keyed = items.into_iter().map(|item| json!({"id": item.to_string(), "item": item.to_string().len() % 3}));
            keyed.collect()
        };
        let list = |own: &Vec<Value>, common: &Vec<Value>| {
            let items = [own.clone(), common.clone()].concat();
            Value::from(if keyed { keys(items) } else { items }).to_string()
        };
        let words = if keyed { "unordered  key /id" } else { "unordered " };
        let mut options = options(&[words]);
        options.limits.findings = 10_000;
        let run = |a: &str, b: &str| {
            let mut found: Vec<_> = findings(a, b, &options)
                .into_iter().map(|[_, kind, severity, pointer]| [kind, severity, pointer]).collect();
            found.sort();
            found
        };
        let straight = run(&list(&a, &common), &list(&b, &common));
        let shuffled = run(&list(&common_shuffled, &a_shuffled), &list(&b_shuffled, &common_shuffled));
        prop_assert_eq!(straight, shuffled);
    }

    #[test]
    fn a_number_is_equal_to_itself_however_it_is_written(
        digits in "[0-9]{1,60}", exponent in prop_oneof![any::<i32>().prop_map(i64::from), -5..5_i64], negative: bool,
        one in prop::collection::vec(any::<u8>(), 3..9),
        two in prop::collection::vec(any::<u8>(), 3..9),
    ) {
        let sign = if negative { "-" } else { "" };
        let literal = format!("{sign}{digits}e{exponent}");
        let (a, b) = (another_literal(&literal, &mut tastes(one)), another_literal(&literal, &mut tastes(two)));
        prop_assert_eq!(describe(&bodies(a.as_bytes(), b.as_bytes(), &options(&[]))), ["equal"], "{} {}", a, b);
        // A larger last digit is another number.
        let other = a.replacen('e', "1e", 1).replacen('E', ".1E", 1);
        prop_assert_ne!(describe(&bodies(a.as_bytes(), other.as_bytes(), &options(&[]))), ["equal"], "{} {}", a, other);
    }
}
