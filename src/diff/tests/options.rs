//! The effect of each option.

use turnout_diff::{Comparison, OptionUsage, Pattern, PatternError, compare};

use super::{describe_bodies, options, response};

#[test]
fn what_is_ignored_may_be_anything_or_nothing() {
    for (word, v1, v2) in [
        ("ignore /at", r#"{"at":1}"#, r#"{"at":[2]}"#),
        ("ignore /at", r#"{"at":1}"#, "{}"),
        ("ignore /at", "{}", r#"{"at":1}"#),
        (
            "ignore /meta",
            r#"{"meta":{"a":[1,2]}}"#,
            r#"{"meta":{"a":[1]}}"#,
        ),
        ("ignore /*/at", r#"[{"at":1},{}]"#, r#"[{},{"at":2}]"#),
        ("ignore /0", "[1,2]", "[3,2]"),
        ("ignore /l/*", r#"{"l":[1,2]}"#, r#"{"l":[3]}"#),
        (
            "ignore /a~1b/~0",
            r#"{"a/b":{"~":1}}"#,
            r#"{"a/b":{"~":2}}"#,
        ),
        ("ignore /é", r#"{"\u00e9":1}"#, r#"{"é":2}"#),
        ("ignore ", "[1]", "oops"),
        ("ignore /", r#"{"":1}"#, r#"{"":2}"#),
    ] {
        assert_eq!(
            describe_bodies(v1, v2, &[word]),
            ["equal"],
            "{word} {v1} {v2}"
        );
        assert_eq!(
            describe_bodies(v2, v1, &[word]),
            ["equal"],
            "{word} {v2} {v1}"
        );
    }
    for (word, v1, v2) in [
        ("ignore /at", r#"{"b":{"at":1}}"#, r#"{"b":{"at":2}}"#),
        ("ignore /b/at", r#"{"b":{"at":1}}"#, "{}"),
        ("ignore /1", "[1,2]", "[3,2]"),
        ("ignore /l", r#"[{"l":1}]"#, r#"[{"l":2}]"#),
    ] {
        assert_eq!(
            describe_bodies(v1, v2, &[word]).len(),
            1,
            "{word} {v1} {v2}"
        );
        assert_ne!(
            describe_bodies(v1, v2, &[word]),
            ["equal"],
            "{word} {v1} {v2}"
        );
    }
}

#[test]
fn lists_without_an_order() {
    for (v1, v2, expected) in [
        ("[1,2,2,3]", "[3,2,1,2]", "equal"),
        ("[1,2,2]", "[1,1,2]", "value changed /* /2 2 1"),
        ("[1,2]", "[2,1,1]", "length changed - - [1,2] [2,1,1]"),
        (
            r#"[{"a":1,"b":2},7]"#,
            r#"[7,{"b":3,"a":1}]"#,
            "value changed /*/b /0/b 2 3",
        ),
        (
            r#"[{"a":1},7]"#,
            r#"[7,{}]"#,
            "missing breaking /*/a /0/a 1 -",
        ),
    ] {
        assert_eq!(
            describe_bodies(v1, v2, &["unordered "]),
            [expected],
            "{v1} {v2}"
        );
    }
    let several = describe_bodies("[1,2,3]", "[4,3,5]", &["unordered "]);
    assert_eq!(several.len(), 1);
    assert!(
        several[0].starts_with("value changed /* /* "),
        "{several:?}"
    );
    // Nested in each other.
    let both = ["unordered /*", "unordered "];
    assert_eq!(
        describe_bodies("[[1,2],[3,4]]", "[[4,3],[2,1]]", &both),
        ["equal"]
    );
    let outer = describe_bodies("[[1,2],[3,4]]", "[[4,3],[2,1]]", &["unordered "]);
    assert_eq!(outer.len(), 1, "the inner lists have an order: {outer:?}");
    // The option is for another place.
    let word = ["unordered /a"];
    assert_eq!(
        describe_bodies(r#"{"a":[1,2],"b":1}"#, r#"{"a":[2,1],"b":1.0}"#, &word),
        ["equal"]
    );
    assert_eq!(
        describe_bodies(r#"{"b":[1,2]}"#, r#"{"b":[2,1]}"#, &word),
        ["order changed /b /b [1,2] [2,1]"]
    );
}

#[test]
fn ignored_elements_of_a_list_without_an_order_do_not_count() {
    for (words, v1, v2) in [
        (&["unordered ", "ignore /*"][..], r#"["x"]"#, "[]"),
        (&["unordered  key /id", "ignore /*"], r#"["x"]"#, "[]"),
        (
            &["unordered  key /id", "ignore /*"],
            r#"[{"id":1},{"id":2}]"#,
            r#"[{"id":3}]"#,
        ),
        (
            &["unordered /l", "ignore /l/*"],
            r#"{"l":[1,[2]]}"#,
            r#"{"l":[{}]}"#,
        ),
        (
            &["unordered ", "unordered /*", "ignore /*/*"],
            r#"[["x"],[]]"#,
            r#"[[],[1,2]]"#,
        ),
        (
            &["unordered ", "unordered /*/l key ", "ignore /*/l/*"],
            r#"[{"l":[1]},{"l":[]}]"#,
            r#"[{"l":[]},{"l":[2,3]}]"#,
        ),
        (&["unordered /*", "ignore /*/*"], r#"[["x"]]"#, "[[]]"),
    ] {
        assert_eq!(
            describe_bodies(v1, v2, words),
            ["equal"],
            "{words:?} {v1} {v2}"
        );
        assert_eq!(
            describe_bodies(v2, v1, words),
            ["equal"],
            "{words:?} {v2} {v1}"
        );
    }
    // An index selects nothing in an unordered list, and a value inside an element is not the element.
    for words in [
        &["unordered ", "ignore /0"][..],
        &["unordered ", "ignore /*/a"],
    ] {
        assert_eq!(
            describe_bodies(r#"[{"a":1}]"#, "[]", words),
            [r#"length changed - - [{"a":1}] []"#]
        );
    }
    let options = options(&["unordered /l", "ignore /l/*"]);
    let mut usage = OptionUsage::new(&options);
    let (v1, v2) = (response(br#"{"l":["x"]}"#), response(br#"{"l":[]}"#));
    let _: Comparison<'_> = compare(&v1, &v2, &options, &|_, _| false, &mut usage);
    assert!(usage.iter().all(|(_, _, count)| count == 1), "{usage:?}");
}

#[test]
fn elements_are_paired_by_their_keys() {
    let word = ["unordered /u key /id"];
    let u = |items: &str| format!(r#"{{"u":[{items}]}}"#);
    for (v1, v2, expected) in [
        (
            r#"{"id":1,"n":1},{"id":"1"}"#,
            r#"{"id":"1"},{"id":1.0,"n":1}"#,
            vec!["equal"],
        ),
        (
            r#"{"id":1,"n":1},{"id":2,"n":1}"#,
            r#"{"id":2,"n":2},{"id":1,"n":3}"#,
            vec![
                "value changed /u/*/n /u/0/n 1 3",
                "value changed /u/*/n /u/1/n 1 2",
            ],
        ),
        (
            r#"{"id":1},{"id":2}"#,
            r#"{"id":3},{"id":1}"#,
            vec![
                r#"extra additive /u/* /u/0 - {"id":3}"#,
                r#"missing breaking /u/* /u/1 {"id":2} -"#,
            ],
        ),
        // Without keys, or with a repeated one, the option has no effect.
        (
            r#"{"id":1,"n":1},{"n":2}"#,
            r#"{"n":2},{"id":1,"n":1}"#,
            vec!["equal"],
        ),
        (
            r#"{"id":1,"n":1},{"id":1,"n":2}"#,
            r#"{"id":1,"n":2},{"id":1,"n":3}"#,
            vec!["value changed /u/*/n /u/0/n 1 3"],
        ),
        (
            r#"{"id":[1]},{"id":[2]}"#,
            r#"{"id":[2]},{"id":[1]}"#,
            vec!["equal"],
        ),
    ] {
        let mut lines = describe_bodies(&u(v1), &u(v2), &word);
        lines.sort();
        assert_eq!(lines, expected, "{v1} {v2}");
    }
    let deep = ["unordered  key /a/0"];
    assert_eq!(
        describe_bodies(
            r#"[{"a":[1],"b":1},{"a":[2]}]"#,
            r#"[{"a":[2]},{"a":[1],"b":2}]"#,
            &deep
        ),
        ["value changed /*/b /0/b 1 2"]
    );
    let itself = ["unordered  key "];
    let mut lines = describe_bodies("[1,2,3]", "[3,4,1]", &itself);
    lines.sort();
    assert_eq!(
        lines,
        ["extra additive /* /1 - 4", "missing breaking /* /1 2 -"]
    );
}

#[test]
fn numbers_within_a_tolerance_are_equal() {
    for (word, v1, v2, expected) in [
        (
            "absolute /p 0.01",
            r#"{"p":1.00}"#,
            r#"{"p":1.01}"#,
            "equal",
        ),
        (
            "absolute /p 0.01",
            r#"{"p":1.00}"#,
            r#"{"p":1.0101}"#,
            "value changed /p /p 1.00 1.0101",
        ),
        (
            "absolute /p 0.01",
            r#"{"p":1}"#,
            r#"{"p":"1"}"#,
            "type breaking /p /p 1 \"1\"",
        ),
        (
            "absolute /p 1",
            r#"{"q":1}"#,
            r#"{"q":2}"#,
            "value changed /q /q 1 2",
        ),
        ("relative /p 0.01", r#"{"p":-100}"#, r#"{"p":-99}"#, "equal"),
        (
            "relative /p 0.01",
            r#"{"p":100}"#,
            r#"{"p":98.9}"#,
            "value changed /p /p 100 98.9",
        ),
        (
            "absolute /p 1",
            r#"{"p":1e999999999999}"#,
            r#"{"p":2e999999999999}"#,
            "value changed /p /p 1e999999999999 2e999999999999",
        ),
    ] {
        assert_eq!(
            describe_bodies(v1, v2, &[word]),
            [expected],
            "{word} {v1} {v2}"
        );
    }
    let words = ["unordered ", "absolute /*/p 0.01"];
    assert_eq!(
        describe_bodies(
            r#"[{"p":1},{"p":2},{"p":-3}]"#,
            r#"[{"p":-3},{"p":2.01},{"p":0.995}]"#,
            &words
        ),
        ["equal"]
    );
    let words = ["absolute /*/p 0.01"];
    let lines = describe_bodies(r#"[{"p":1},{"p":2}]"#, r#"[{"p":2.01},{"p":1}]"#, &words);
    assert!(lines[0].starts_with("order changed"), "{lines:?}");
}

#[test]
fn keys_of_maps_are_folded() {
    assert_eq!(
        describe_bodies(
            r#"{"by":{"alice":{"n":1}}}"#,
            r#"{"by":{"alice":{"n":2}}}"#,
            &["maps /by"]
        ),
        ["value changed /by/*/n /by/alice/n 1 2"]
    );
}

#[test]
fn usage_counts_what_is_named_on_either_side() {
    let words = [
        "ignore /at",
        "ignore /none",
        "unordered /l",
        "absolute /*/p 1",
        "maps /m",
        "ignore /l/*/x",
    ];
    let options = options(&words);
    let mut usage = OptionUsage::new(&options);
    let mut run = |v1: &str, v2: &str| {
        let _: Comparison<'_> = compare(
            &response(v1.as_bytes()),
            &response(v2.as_bytes()),
            &options,
            &|_, _| false,
            &mut usage,
        );
        let counts: Vec<String> = usage
            .iter()
            .map(|(what, path, n)| format!("{what} {path} {n}"))
            .collect();
        usage.clear();
        counts
    };
    assert_eq!(
        run(
            r#"{"at":1,"l":[{"x":1},{"x":2},{}],"m":{},"q":{"p":1},"r":{"p":1}}"#,
            r#"{"l":[{"y":1},{"x":3},{}],"m":{},"q":{"p":1.5},"r":{"p":"1"}}"#
        ),
        [
            "ignore /at 1",
            "ignore /none 0",
            "ignore /l/*/x 2",
            "unordered /l 1",
            "tolerance /*/p 2",
            "maps /m 1"
        ]
    );
    assert_eq!(
        run("{}", "{}").last().map(String::as_str),
        Some("maps /m 0")
    );
}

#[test]
fn each_bad_pattern_has_its_own_error() {
    for (text, expected) in [
        ("a", PatternError::NoSlash),
        ("/a*", PatternError::StarInText),
        ("/**", PatternError::StarInText),
        ("/~", PatternError::Tilde),
        ("/~2", PatternError::Tilde),
    ] {
        assert_eq!(Pattern::parse(text), Err(expected), "{text}");
        assert!(!expected.what().is_empty() && !expected.help().is_empty());
    }
    assert_eq!(Pattern::parse_key("/a/*"), Err(PatternError::StarInKey));
    assert_eq!(
        Pattern::parse("/a~1b/*/0").expect("a path").to_string(),
        "/a~1b/*/0"
    );
}
