//! Compares the differ with a short, slow oracle that tries every pairing of every list and was written
//! from the description of the options.

use proptest::prelude::*;
use serde_json::{Value, json};
use turnout_diff::{Comparison, Finding};

use super::{bodies, describe, options};

/// One option, parsed from its words.
#[derive(Clone, Debug)]
enum Rule {
    Ignore,
    Unordered(Option<String>),
    Absolute(i64),
    Relative(i64),
}

/// The options: paths as steps, and what applies there.
struct Oracle {
    rules: Vec<(Vec<String>, Rule)>,
}

/// A step of a path: a key, an index, or an element of an unordered list.
#[derive(Clone)]
enum Step {
    Key(String),
    Index(usize),
    Any,
}

impl Oracle {
    fn new(words: &[String]) -> Self {
        let steps = |path: &str| path.split('/').skip(1).map(str::to_owned).collect();
        let rules = words.iter().filter_map(|line| {
            let words: Vec<&str> = line.split(' ').collect();
            let hundredths = |text: &str| {
                let amount: f64 = text.parse().expect("an amount");
                (amount * 100.0).round() as i64
            };
            let rule = match words[..] {
                ["ignore", _] => Rule::Ignore,
                ["unordered", _] => Rule::Unordered(None),
                ["unordered", _, "key", key] => Rule::Unordered(Some(key.to_owned())),
                ["absolute", _, by] => Rule::Absolute(hundredths(by)),
                ["relative", _, by] => Rule::Relative(hundredths(by)),
                ["maps", _] => return None,
                _ => panic!("{line}"),
            };
            Some((steps(words[1]), rule))
        });
        Self {
            rules: rules.collect(),
        }
    }

    fn at(&self, way: &[Step]) -> Vec<&Rule> {
        let agrees = |pattern: &Vec<String>| {
            pattern.len() == way.len()
                && pattern.iter().zip(way).all(|(name, step)| match step {
                    _ if name == "*" => true,
                    Step::Key(key) => key == name,
                    Step::Index(index) => *name == index.to_string(),
                    Step::Any => false,
                })
        };
        let rules = self.rules.iter().filter(|(pattern, _)| agrees(pattern));
        rules.map(|(_, rule)| rule).collect()
    }

    fn is_ignored(&self, way: &[Step]) -> bool {
        self.at(way).iter().any(|rule| matches!(rule, Rule::Ignore))
    }

    /// Whether two values are equal. `None` is a missing value.
    fn equal(&self, a: Option<&Value>, b: Option<&Value>, way: &[Step]) -> bool {
        if self.is_ignored(way) {
            return true;
        }
        let then = |step: Step| [way, &[step]].concat();
        match (a, b) {
            (None, None) => true,
            (Some(Value::Object(a)), Some(Value::Object(b))) => {
                let keys = a.keys().chain(b.keys());
                keys.into_iter()
                    .all(|key| self.equal(a.get(key), b.get(key), &then(Step::Key(key.clone()))))
            }
            (Some(Value::Array(a)), Some(Value::Array(b))) => {
                let unordered = self.at(way).into_iter().find_map(|rule| match rule {
                    Rule::Unordered(key) => Some(key),
                    _ => None,
                });
                let Some(key) = unordered else {
                    let longest = a.len().max(b.len());
                    return (0..longest)
                        .all(|n| self.equal(a.get(n), b.get(n), &then(Step::Index(n))));
                };
                let inside = then(Step::Any);
                // Ignored elements do not count.
                if self.is_ignored(&inside) {
                    return true;
                }
                let keys = key
                    .as_ref()
                    .and_then(|key| Some((keys(a, key)?, keys(b, key)?)));
                match keys {
                    Some((ours, theirs)) => {
                        let partner =
                            |key: &Value| theirs.iter().position(|other| same(key, other));
                        a.len() == b.len()
                            && ours.iter().zip(a).all(|(key, element)| {
                                let partner = partner(key).and_then(|at| b.get(at));
                                partner.is_some_and(|other| {
                                    self.equal(Some(element), Some(other), &inside)
                                })
                            })
                    }
                    None => a.len() == b.len() && self.some_order_is_equal(a, b, &inside),
                }
            }
            (Some(Value::Number(a)), Some(Value::Number(b))) => {
                let tolerance = self
                    .at(way)
                    .into_iter()
                    .find(|rule| matches!(rule, Rule::Absolute(_) | Rule::Relative(_)));
                // All numbers and tolerances here are hundredths.
                let [a, b] = [a, b]
                    .map(|number| (number.as_f64().expect("a number") * 100.0).round() as i64);
                let apart = (a - b).abs();
                match tolerance {
                    Some(Rule::Absolute(most)) => apart <= *most,
                    Some(Rule::Relative(most)) => apart * 100 <= a.abs().max(b.abs()) * most,
                    _ => apart == 0,
                }
            }
            (Some(a), Some(b)) => a == b,
            _ => false,
        }
    }

    /// Whether the first of `a` has a partner that leaves partners for all others.
    fn some_order_is_equal(&self, a: &[Value], b: &[Value], inside: &[Step]) -> bool {
        let Some((first, rest)) = a.split_first() else {
            return b.is_empty();
        };
        (0..b.len()).any(|at| {
            let mut others = b.to_vec();
            let partner = others.remove(at);
            self.equal(Some(first), Some(&partner), inside)
                && self.some_order_is_equal(rest, &others, inside)
        })
    }
}

fn same(a: &Value, b: &Value) -> bool {
    match (a.as_f64(), b.as_f64()) {
        (Some(a), Some(b)) => a == b,
        _ => a == b,
    }
}

/// The keys of a list's elements, if every element has its own key and each key is a plain value.
fn keys(list: &[Value], key: &str) -> Option<Vec<Value>> {
    let keys = list.iter().map(|element| {
        let found = element.pointer(key)?;
        (!found.is_object() && !found.is_array()).then(|| found.clone())
    });
    let keys: Vec<Value> = keys.collect::<Option<_>>()?;
    let repeated = |at: usize| keys[..at].iter().any(|other| same(other, &keys[at]));
    (!(0..keys.len()).any(repeated)).then_some(keys)
}

/// Small documents with few distinct values, so that many are nearly equal.
fn document() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        4 => (0..6_i64).prop_map(Value::from),
        3 => (0..300_i64).prop_map(|n| json!(n as f64 / 100.0)),
        3 => prop::sample::select(vec![json!(1.0), json!(1.01), json!(1.02), json!(0.99), json!(-1)]),
        1 => Just(Value::Null),
        1 => any::<bool>().prop_map(Value::from),
        2 => prop::sample::select(vec![json!(""), json!("a"), json!("1")]),
    ];
    leaf.prop_recursive(3, 14, 4, |inner| {
        let key = prop::sample::select(vec!["a", "b", "id"]);
        prop_oneof![
            3 => prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            2 => prop::collection::vec((key, inner), 0..3).prop_map(|members| {
                Value::Object(members.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
            }),
        ]
    })
}

/// The document with small changes: numbers slightly off, lists reordered, elements and members removed
/// or added.
fn changed(value: &Value, taste: &mut dyn FnMut() -> u8) -> Value {
    match value {
        Value::Array(items) => {
            let mut items: Vec<Value> = items.iter().map(|item| changed(item, taste)).collect();
            for at in (1..items.len()).rev() {
                if taste().is_multiple_of(2) {
                    items.swap(at, usize::from(taste()) % (at + 1));
                }
            }
            match taste() % 12 {
                0 => drop(items.pop()),
                1 => items.push(json!(1)),
                _ => {}
            }
            Value::from(items)
        }
        Value::Object(members) => {
            let mut changes = serde_json::Map::new();
            for (key, value) in members {
                if !taste().is_multiple_of(16) {
                    changes.insert(key.clone(), changed(value, taste));
                }
            }
            if taste().is_multiple_of(16) {
                changes.insert("a".into(), json!(1.01));
            }
            Value::Object(changes)
        }
        Value::Number(number) => {
            let hundredths = (number.as_f64().expect("a number") * 100.0).round() as i64;
            let by = [0, 0, 0, 0, 1, -1, 1, -1, 2, -2, 30][usize::from(taste()) % 11];
            json!((hundredths + by) as f64 / 100.0)
        }
        other => other.clone(),
    }
}

fn words() -> impl Strategy<Value = Vec<String>> {
    let step = prop::sample::select(vec!["/*", "/*", "/*", "/a", "/b", "/id", "/0", "/1"]);
    let path = prop::collection::vec(step, 0..4).prop_map(|steps| steps.concat());
    let word = (
        path,
        0..14_u8,
        prop::sample::select(vec!["0.01", "0.02", "0.3"]),
    )
        .prop_map(|(path, which, by)| match which {
            0 | 1 => format!("ignore {path}"),
            2..=5 => format!("unordered {path}"),
            6 => format!("unordered {path} key /id"),
            7 => format!("unordered {path} key /a"),
            8 => format!("unordered {path} key "),
            9..=11 => format!("absolute {path} {by}"),
            12 => format!("relative {path} {by}"),
            _ => format!("maps {path}"),
        });
    prop::collection::vec(word, 0..7)
}

/// Whether a finding names a value of v1 that differs by the oracle.
fn names_a_difference(oracle: &Oracle, finding: &Finding<'_>, v1: &Value) -> bool {
    let read = |side: &Option<turnout_diff::Value<'_>>| {
        let raw = side
            .as_ref()
            .map(|side| serde_json::from_slice::<Value>(&side.raw));
        raw.map(|value| value.expect("JSON"))
    };
    let (a, b) = (read(&finding.v1), read(&finding.v2));
    // The exact pointer leads to the value of v1, unless the elements cannot be paired. A value that
    // only v2 has is inside the partner of its element.
    let is_there = a.is_none()
        || finding.exact.split('/').any(|step| step == "*")
        || v1.pointer(&finding.exact) == a.as_ref();
    // Without the options below, because places that differ only in an index share them.
    let way: Vec<Step> = finding
        .exact
        .split('/')
        .skip(1)
        .map(|_| Step::Any)
        .collect();
    let is_different =
        a.is_none() || b.is_none() || a != b || oracle.equal(a.as_ref(), b.as_ref(), &way);
    is_there && is_different
}

fn check(v1: &Value, v2: &Value, words: &[String]) {
    let oracle = Oracle::new(words);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let options = options(&words);
    let expected = oracle.equal(Some(v1), Some(v2), &[]);
    for (v1, v2) in [(v1, v2), (v2, v1)] {
        let (a, b) = (v1.to_string(), v2.to_string());
        let compared = bodies(a.as_bytes(), b.as_bytes(), &options);
        match &compared {
            Comparison::Equal => assert!(expected, "equal, and should not be: {a} {b} {words:?}"),
            Comparison::Different(findings) => {
                assert!(!expected, "{:?}: {a} {b} {words:?}", describe(&compared));
                for finding in findings.as_slice() {
                    assert!(
                        names_a_difference(&oracle, finding, v1),
                        "{finding:?}: {a} {b} {words:?}"
                    );
                }
            }
            Comparison::NotComparable(why) => panic!("{why:?}: {a} {b} {words:?}"),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: std::env::var("PROPTEST_CASES")
        .ok().and_then(|cases| cases.parse().ok()).unwrap_or(3_000), ..ProptestConfig::default() })]

    #[test]
    fn documents_are_equal_when_some_pairing_makes_them_so(
        value in document(), other in document(), taste in prop::collection::vec(any::<u8>(), 1..60), words in words(),
    ) {
        let mut turn = taste.into_iter().cycle();
        let near = changed(&value, &mut || turn.next().unwrap_or_default());
        check(&value, &near, &words);
        check(&value, &other, &words);
    }

    #[test]
    fn lists_of_nearly_equal_elements_are_paired_as_well_as_they_can_be(
        rows in prop::collection::vec((0..4_i64, 0..4_i64, 0..3_i64), 1..6),
        taste in prop::collection::vec(any::<u8>(), 1..60), keyed in 0..4_u8,
    ) {
        // Two numbers of close hundredths, so that each element has several possible partners.
        let element = |x: i64, y: i64, id: i64| json!({"id": id, "x": x as f64 / 100.0, "y": [y as f64 / 100.0]});
        let mut turn = taste.into_iter().cycle();
        let mut taste = || i64::from(turn.next().unwrap_or_default());
        let v1: Vec<Value> = rows.iter().map(|(x, y, id)| element(*x, *y, *id)).collect();
        let mut v2: Vec<Value> = rows.iter()
            .map(|(x, y, id)| element(x + taste() % 3 - 1, y + taste() % 3 - 1, if taste() % 8 == 0 { 0 } else { *id }))
            .collect();
        let by = usize::try_from(taste()).expect("small") % v2.len();
        v2.rotate_left(by);
        let list = match keyed { 0 => "unordered  key /id", 1 => "unordered  key /y/0", _ => "unordered " };
        let words = [list, "absolute /*/x 0.01", "absolute /*/y/* 0.01", "unordered /*/y", "ignore /*/id"];
        let mut words: Vec<String> = words.map(str::to_owned).to_vec();
        if taste() < 128 { words.pop(); }
        check(&Value::from(v1), &Value::from(v2), &words);
    }
}

#[test]
fn lists_in_the_same_order_are_equal_with_two_tolerant_numbers_in_an_element() {
    let words = ["unordered ", "absolute /*/x 0.01", "absolute /*/y 0.01"];
    let words: Vec<String> = words.map(str::to_owned).to_vec();
    let oracle = Oracle::new(&words);
    let (one, two) = (
        [json!(1), json!(1.01), json!(0.99)],
        [json!(2), json!(2.01), json!(1.99)],
    );
    let v1 = json!([{"x": 1, "y": 2}, {"x": 2, "y": 1}]);
    for (a, b) in one.iter().flat_map(|a| two.iter().map(move |b| (a, b))) {
        for (c, d) in one.iter().flat_map(|c| two.iter().map(move |d| (c, d))) {
            let v2 = json!([{"x": a, "y": b}, {"x": d, "y": c}]);
            assert!(oracle.equal(Some(&v1), Some(&v2), &[]));
            check(&v1, &v2, &words);
            check(&v1, &json!([v2[1], v2[0]]), &words);
        }
    }
}
