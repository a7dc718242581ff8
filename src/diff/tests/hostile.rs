//! Hostile bodies: nothing panics, nothing takes long, and different bodies are never called equal.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use turnout_diff::{Comparison, OptionUsage, Options, Part, compare};

use super::{bodies, bytes, describe, options, response};

/// Far more than any comparison takes, far less than a quadratic one would take without optimisation.
const LONG: Duration = Duration::from_secs(3);

fn body() -> impl Strategy<Value = Vec<u8>> {
    const PIECES: &[&str] = &[
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"a\"",
        "\"b\":",
        "\"",
        "\\",
        "\\ud800",
        "\\u0061",
        "1",
        "-0",
        "0.10",
        "1e9",
        "e",
        "true",
        "null",
        " ",
        "\n",
        "\u{e9}",
        "[1,2]",
        "{\"a\":1}",
        "[[2,1],[1,2]]",
        "{\"a\":[],\"b\":{}}",
    ];
    let piece = prop_oneof![
        9 => prop::sample::select(PIECES).prop_map(|piece| piece.as_bytes().to_vec()),
        1 => bytes(4),
    ];
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

fn everything() -> Options {
    options(&[
        "ignore /a/a",
        "ignore /*/b",
        "unordered ",
        "unordered /*",
        "unordered /a/* key /a",
        "unordered /*/*/*",
        "absolute /* 1",
        "relative /*/* 0.5",
        "maps /a",
        "maps /*/*",
    ])
}

proptest! {
    #[test]
    fn any_bytes_are_compared(a in body(), b in body(), most in 0..3_usize) {
        for mut options in [options(&[]), everything()] {
            options.limits.findings = most;
            for is_noisy in [false, true] {
                let mut usage = OptionUsage::new(&options);
                let mut run = |v1: &[u8], v2: &[u8]| {
                    let noise = |part, pointer: &str| is_noisy && part == Part::Body && pointer.len() % 3 == 2;
                    match compare(&response(v1), &response(v2), &options, &noise, &mut usage) {
                        Comparison::Equal => (0, None, None),
                        Comparison::NotComparable(why) => (1, None, Some(why)),
                        Comparison::Different(findings) => {
                            assert!(findings.as_slice().len() <= most);
                            let count = findings.as_slice().len() + findings.omitted();
                            assert_eq!(count == 0, findings.severity().is_none());
                            assert_eq!(count == 0, findings.is_only_noise());
                            (2 + count, Some(findings.is_only_noise()), findings.uncompared())
                        }
                    }
                };
                prop_assert_eq!(run(&a, &a).0, 0);
                let (forth, back) = (run(&a, &b), run(&b, &a));
                prop_assert_eq!(forth, back);
            }
        }
    }
}

/// Compares in both directions, with default options and with rules for every list.
fn compared(v1: &[u8], v2: &[u8]) -> Vec<String> {
    let everything = options(&[
        "unordered /l",
        "unordered ",
        "unordered /*",
        "unordered /*/*",
        "unordered /*/*/*",
    ]);
    let keyed = options(&[
        "unordered /l key /id",
        "unordered  key /id",
        "absolute /*/* 0.1",
    ]);
    let mut all = Vec::new();
    for options in [&options(&[]), &everything, &keyed] {
        for is_noisy in [false, true] {
            let start = Instant::now();
            let mut usage = OptionUsage::new(options);
            // Is called for each place, and matches none.
            let noise = |_, pointer: &str| is_noisy && pointer.ends_with("never");
            let comparison = compare(&response(v1), &response(v2), options, &noise, &mut usage);
            let _: Comparison<'_> =
                compare(&response(v2), &response(v1), options, &noise, &mut usage);
            let taken = start.elapsed();
            assert!(taken < LONG, "{taken:?} for {} bytes", v1.len());
            let first = describe(&comparison).swap_remove(0);
            all.push(first.chars().take(40).collect());
        }
    }
    all
}

fn assert_none_equal(v1: &[u8], v2: &[u8]) {
    let all = compared(v1, v2);
    assert!(!all.iter().any(|lines| lines == "equal"), "{all:?}");
    assert_eq!(describe(&bodies(v1, v1, &options(&[]))), ["equal"]);
}

#[test]
fn nesting_is_bounded() {
    for (open, close) in [
        ("[", "]"),
        ("{\"a\":", "}"),
        ("[0,", "]"),
        ("[[],{\"a\":", "}]"),
    ] {
        let deep =
            |depth: usize, core: &str| [&open.repeat(depth), core, &close.repeat(depth)].concat();
        assert_none_equal(deep(100_000, "1").as_bytes(), deep(100_000, "2").as_bytes());
        assert_none_equal(
            deep(100_000, "1").as_bytes(),
            open.repeat(100_000).as_bytes(),
        );
        assert_none_equal(deep(32, "1").as_bytes(), deep(32, "2").as_bytes());
    }
}

#[test]
fn numbers_may_be_of_any_length() {
    let digits = "123456789".repeat(11_112);
    let nines = "9".repeat(100_000);
    for (a, b) in [
        (digits.clone(), format!("{digits}.0000001")),
        (digits.clone(), format!("{digits}1")),
        (format!("1e{nines}"), format!("2e{nines}")),
        (format!("1e{nines}"), format!("1e{digits}")),
        (format!("1e-{nines}"), "0".into()),
        (format!("0.{}1", "0".repeat(100_000)), "0".into()),
    ] {
        assert_none_equal(a.as_bytes(), b.as_bytes());
        assert_none_equal(format!("[{a},1]").as_bytes(), format!("[1,{b}]").as_bytes());
    }
    for (a, b) in [
        (digits.clone(), format!("{digits}.{}", "0".repeat(100_000))),
        (
            format!("1e1{}", "0".repeat(99_999)),
            format!("10e{}", "9".repeat(99_999)),
        ),
        (format!("0e{nines}"), "-0".into()),
        (format!("1{}", "0".repeat(100_000)), "1e100000".into()),
    ] {
        assert_eq!(
            describe(&bodies(a.as_bytes(), b.as_bytes(), &options(&[]))),
            ["equal"]
        );
    }
}

#[test]
fn long_strings_and_broken_ones() {
    let long = "x".repeat(1 << 20);
    let string = |inner: &str| format!("\"{inner}\"");
    assert_none_equal(
        string(&format!("{long}a")).as_bytes(),
        string(&format!("{long}b")).as_bytes(),
    );
    let escaped = "\\ud800".repeat(150_000);
    assert_none_equal(
        string(&escaped).as_bytes(),
        string(&format!("{escaped}\\udc00")).as_bytes(),
    );
    for broken in [
        &b"\"\xff\""[..],
        b"[\"a\xc3\"]",
        b"{\"\xed\xa0\x80\":1}",
        b"[1,2",
        b"[\"\\ud8",
        b"\"",
        b"\xef\xbb\xbf[]",
    ] {
        assert_none_equal(broken, b"[]");
        assert_none_equal(broken, b"\"?\"");
        assert_none_equal(broken, &broken[1..]);
    }
}

/// Joins `count` pieces with commas.
fn joined(count: usize, piece: impl Fn(usize) -> String) -> String {
    (0..count).map(piece).collect::<Vec<_>>().join(",")
}

#[test]
fn many_keys_and_elements_take_no_quadratic_time() {
    let count = 10_000;
    let turned = |n: usize| count - 1 - n;
    let same_but_last = |n: usize| {
        if n + 1 == count {
            "last".to_owned()
        } else {
            format!("k{n}")
        }
    };
    for (a, b) in [
        // The keys in reverse order, and one with another name.
        (
            joined(count, |n| format!("\"k{n}\":0")),
            joined(count, |n| format!("\"{}\":0", same_but_last(turned(n)))),
        ),
        // Every key begins with the same text.
        (
            joined(3_000, |n| format!("\"{}{n}\":0", "p".repeat(100))),
            joined(3_000, |n| format!("\"{}{}\":1", "p".repeat(100), 2_999 - n)),
        ),
    ] {
        assert_none_equal(format!("{{{a}}}").as_bytes(), format!("{{{b}}}").as_bytes());
    }
    for (a, b) in [
        (
            joined(count, |n| n.to_string()),
            joined(count, |n| (turned(n) + 1).to_string()),
        ),
        (
            joined(count, |_| "0".into()),
            joined(count, |n| u8::from(n + 1 == count).to_string()),
        ),
        (
            joined(count, |n| (n % 2).to_string()),
            joined(count, |n| (n % 3).to_string()),
        ),
        (
            joined(3_000, |n| format!("{{\"id\":{n}}}")),
            joined(3_000, |n| format!("{{\"id\":{}}}", 3_000 - n)),
        ),
        (
            joined(3_000, |n| format!("{{\"id\":{n},\"x\":1}}")),
            joined(3_000, |n| format!("{{\"id\":{},\"x\":2}}", 2_999 - n)),
        ),
        (
            joined(3_000, |_| "{\"id\":1}".into()),
            joined(3_000, |n| format!("{{\"id\":{}}}", n % 2)),
        ),
        (
            joined(3_000, |n| format!("[{n},[{n}]]")),
            joined(3_000, |n| format!("[{},[0]]", 2_999 - n)),
        ),
        // Elements that differ only in numbers with a tolerance.
        (
            joined(3_000, |n| format!("[{n}]")),
            joined(3_000, |n| format!("[{}.5]", (2_999 - n) * 3)),
        ),
    ] {
        assert_none_equal(format!("[{a}]").as_bytes(), format!("[{b}]").as_bytes());
        assert_none_equal(
            format!("{{\"l\":[{a}]}}").as_bytes(),
            format!("{{\"l\":[{b}]}}").as_bytes(),
        );
    }
}

#[test]
fn lists_within_lists_take_no_quadratic_time() {
    // Each level has the same elements in another order, and the lowest has many differences.
    let core = |last: usize| joined(6_000, |n| if n == 5_999 { last } else { n }.to_string());
    for (before, after) in [
        ("[1,2,", ",3]"),
        ("[[1],", ",[2]]"),
        ("[", "]"),
        ("[{\"a\":", "}]"),
        ("[{\"a\":1,\"b\":", "},2,[3]]"),
    ] {
        let nest = |before: &str, core: &str, after: &str| {
            [&before.repeat(30), "[", core, "]", &after.repeat(30)].concat()
        };
        let v1 = nest(before, &core(1), after);
        assert_none_equal(v1.as_bytes(), nest(before, &core(2), after).as_bytes());
        let turned = nest(
            &before.replace("1,2", "2,1"),
            &core(2),
            &after.replace('2', "4"),
        );
        assert_none_equal(v1.as_bytes(), turned.as_bytes());
    }
    // Nested pairs, each in reverse order.
    fn tree(depth: usize, seed: usize, turned: bool) -> String {
        if depth == 0 {
            return seed.to_string();
        }
        let (a, b) = (
            tree(depth - 1, seed * 2, turned),
            tree(depth - 1, seed * 2 + 1, turned),
        );
        if turned {
            format!("[{b},{a}]")
        } else {
            format!("[{a},{b}]")
        }
    }
    assert_none_equal(
        tree(13, 1, false).as_bytes(),
        format!("[{},0]", tree(13, 1, true)).as_bytes(),
    );
    assert!(
        compared(tree(13, 1, false).as_bytes(), tree(13, 1, true).as_bytes())[0]
            .starts_with("value")
    );
}

/// Two lists that are equal by exactly one pairing, the farthest from pairing by index.
fn chain(count: usize) -> [String; 2] {
    let v1 = joined(count + 1, |n| (2 * n + 1).to_string());
    let v2 = joined(count, |n| (2 * n + 2).to_string());
    [format!("[{v1}]"), format!("[{v2},0]")]
}

#[test]
fn a_pairing_that_costs_too_much_is_neither_equal_nor_different() {
    let options = options(&["unordered /l", "absolute /l/* 1"]);
    let run = |v1: &str, v2: &str, rest: [&str; 2]| {
        let [v1, v2] = [(v1, rest[0]), (v2, rest[1])]
            .map(|(list, rest)| format!("{{\"l\":{list},\"z\":{rest}}}"));
        let start = Instant::now();
        let compared = describe(&bodies(v1.as_bytes(), v2.as_bytes(), &options));
        assert!(start.elapsed() < LONG, "{:?}", start.elapsed());
        compared
    };
    let [v1, v2] = chain(100);
    assert_eq!(run(&v1, &v2, ["1", "1"]), ["equal"]);
    let [v1, v2] = chain(1_500);
    let refused = ["not comparable: too_many_pairs"];
    assert_eq!(run(&v1, &v2, ["1", "1"]), refused);
    assert_eq!(run(&v2, &v1, ["1", "1"]), refused);
    // A difference in another place is certain.
    assert_eq!(run(&v1, &v2, ["1", "2"]), ["value changed /z /z 1 2"]);
    // Lists that certainly differ are reported as such, whatever their length.
    let far = format!("[{}]", joined(1_501, |n| (2 * n + 100_000).to_string()));
    let found = run(&v1, &far, ["1", "1"]);
    assert!(
        found[0].starts_with("value changed /l/* /l/* "),
        "{}",
        found[0].len()
    );
    let longer = format!("[7,{}", &v2[1..]);
    assert!(run(&v1, &longer, ["1", "1"])[0].starts_with("length changed /l /l "));
    // Inside other lists, ordered and unordered.
    for outer in ["unordered ", "unordered  key /1", "maps "] {
        let options = super::options(&[outer, "unordered /*/0", "absolute /*/0/* 1"]);
        let [v1, v2] = [&v1, &v2].map(|list| format!("[[{list},7],[[5],8]]"));
        let compared = describe(&bodies(v1.as_bytes(), v2.as_bytes(), &options));
        assert_eq!(compared, refused, "{outer}");
    }
}

#[test]
fn long_lists_with_tolerances_in_the_same_order_or_another_are_paired() {
    let options = options(&["unordered ", "absolute /*/x 0.01", "absolute /*/y 0.01"]);
    let element = |n: usize, off: &str| format!("{{\"x\":{},\"y\":{}.{off}}}", n % 97, n % 89);
    let v1 = format!("[{}]", joined(5_000, |n| element(n, "00")));
    let v2 = format!("[{}]", joined(5_000, |n| element(n, "01")));
    assert_eq!(
        describe(&bodies(v1.as_bytes(), v2.as_bytes(), &options)),
        ["equal"]
    );
    let turned = format!("[{}]", joined(5_000, |n| element(4_999 - n, "00")));
    assert_eq!(
        describe(&bodies(v1.as_bytes(), turned.as_bytes(), &options)),
        ["equal"]
    );
}
