//! Which differences between two bodies are found, and of what kind.

use super::describe_bodies;

#[test]
fn bodies_with_equal_values_are_equal_in_any_notation() {
    for (v1, v2) in [
        ("{}", " { } "),
        (
            r#"{"a":1,"b":[true,null]}"#,
            "{ \"b\" : [ true ,\n null ],\t\"a\": 1 }",
        ),
        ("[1,1.0,1e0,10e-1]", "[1.0,1,1E+0,0.1e1]"),
        ("-0", "0"),
        (r#""\u0041\/\u00e9\ud83d\ude00""#, "\"A/é😀\""),
        (r#"{"\u0061":1}"#, r#"{"a":1}"#),
        (r#""\ud800""#, r#" "\uD800""#),
    ] {
        assert_eq!(describe_bodies(v1, v2, &[]), ["equal"], "{v1} {v2}");
        assert_eq!(describe_bodies(v2, v1, &[]), ["equal"], "{v2} {v1}");
    }
}

#[test]
fn each_kind_of_difference_has_its_place_and_severity() {
    for (v1, v2, expected) in [
        ("1", "2", "value changed - - 1 2"),
        (r#"{"a":1}"#, r#"{"a":2}"#, "value changed /a /a 1 2"),
        (r#"{"a":1}"#, "{}", "missing breaking /a /a 1 -"),
        ("{}", r#"{"a":[1]}"#, "extra additive /a /a - [1]"),
        (r#"{"a":1}"#, r#"{"a":"1"}"#, r#"type breaking /a /a 1 "1""#),
        (r#"{"a":null}"#, r#"{"a":0}"#, "type breaking /a /a null 0"),
        (
            r#"{"a":true}"#,
            r#"{"a":false}"#,
            "value changed /a /a true false",
        ),
        (r#"{"a":{}}"#, r#"{"a":[]}"#, "type breaking /a /a {} []"),
        (
            r#"{"a":[1,2]}"#,
            r#"{"a":[1]}"#,
            "length changed /a /a [1,2] [1]",
        ),
        (
            r#"{"a":[1,2,3]}"#,
            r#"{"a":[3,1,2]}"#,
            "order changed /a /a [1,2,3] [3,1,2]",
        ),
        (
            r#"{"a":[1,2,3]}"#,
            r#"{"a":[1,2,4]}"#,
            "value changed /a/* /a/2 3 4",
        ),
        (
            r#"[{"n":{"x":"a"}}]"#,
            r#"[{"n":{"x":"b"}}]"#,
            r#"value changed /*/n/x /0/n/x "a" "b""#,
        ),
        (
            r#""\ud800""#,
            r#""\ud801""#,
            r#"value changed - - "\ud800" "\ud801""#,
        ),
        (
            "9007199254740993",
            "9007199254740992",
            "value changed - - 9007199254740993 9007199254740992",
        ),
        ("1e400", "1e401", "value changed - - 1e400 1e401"),
        (r#"{"a":1}"#, "oops", r#"type breaking - - {"a":1} oops"#),
        ("oops", "[]", "type breaking - - oops []"),
        ("oops", "oopsi", "length changed - - oops oopsi"),
        ("oops", "opps", "value changed - - oops opps"),
        ("", "x", "extra additive - - - x"),
        ("[1]", "", "missing breaking - - [1] -"),
    ] {
        assert_eq!(describe_bodies(v1, v2, &[]), [expected], "{v1} {v2}");
    }
}

#[test]
fn several_differences_are_all_reported() {
    let mut lines = describe_bodies(
        r#"{"a":1,"b":2,"c":[1,{"x":1}],"d":0}"#,
        r#"{"e":0,"c":["1",{"x":2}],"b":2,"a":3}"#,
        &[],
    );
    lines.sort();
    assert_eq!(
        lines,
        [
            "extra additive /e /e - 0",
            "missing breaking /d /d 0 -",
            "type breaking /c/* /c/0 1 \"1\"",
            "value changed /a /a 1 3",
            "value changed /c/*/x /c/1/x 1 2",
        ]
    );
}

#[test]
fn an_order_is_one_finding_only_where_the_elements_are_the_same() {
    assert_eq!(
        describe_bodies("[[1,2],[3,4]]", "[[3,4],[1,2]]", &[]),
        ["order changed - - [[1,2],[3,4]] [[3,4],[1,2]]"]
    );
    assert_eq!(
        describe_bodies("[[1,2],[3,4]]", "[[2,1],[3,4]]", &[]),
        ["order changed /* /0 [1,2] [2,1]"]
    );
    // The element with another index is equal by value, not by bytes.
    assert_eq!(
        describe_bodies(r#"[{"a":1,"b":1},2]"#, r#"[2,{"b":1.0,"a":1}]"#, &[]),
        [r#"order changed - - [{"a":1,"b":1},2] [2,{"b":1.0,"a":1}]"#]
    );
    assert_eq!(
        describe_bodies("[1,2,3]", "[3,1,4]", &[]),
        [
            "value changed /* /0 1 3",
            "value changed /* /1 2 1",
            "value changed /* /2 3 4"
        ]
    );
    assert_eq!(
        describe_bodies("[1,1,2]", "[1,2,2]", &[]),
        ["value changed /* /1 1 2"]
    );
}

#[test]
fn keys_that_look_like_data_are_folded() {
    for (key, pointer, exact) in [
        ("name", "/name", "/name"),
        ("sha256", "/sha256", "/sha256"),
        ("user_1234", "/*", "/user_1234"),
        ("alice@example.com", "/*", "/alice@example.com"),
        ("a/b~c", "/*", "/a~1b~0c"),
        ("é", "/*", "/é"),
        ("", "/*", "/"),
        ("*", "/*", "/*"),
        (r"\ud800x", "/*", r"/\ud800x"),
        (r"n\u0061me", "/name", "/name"),
    ] {
        let v1 = format!(r#"{{"{key}":1}}"#);
        let expected = format!("missing breaking {pointer} {exact} 1 -");
        assert_eq!(describe_bodies(&v1, "{}", &[]), [expected], "{key}");
    }
}

#[test]
fn a_body_that_parsers_read_differently_is_not_json() {
    for text in [
        "{\"a\":1,}",
        "[1,]",
        "[01]",
        "[1.]",
        "[.5]",
        "[+1]",
        "[1e]",
        "[- 1]",
        "['a']",
        "{a:1}",
        "[1] 2",
        "nul",
        "[nulll]",
        "[true false]",
        "[\"a\nb\"]",
        "[\"\\x\"]",
        "[\"\\u12g4\"]",
        "[\"\\u12\"]",
        "[\"a]",
        "[1}",
        "{\"a\"}",
        "{\"a\":}",
        "{1:2}",
        "[",
        "{",
        "\"",
        "-",
        "\u{feff}[]",
        "[NaN]",
        "[1//\n]",
        " ",
        "[,1]",
    ] {
        let lines = describe_bodies(text, "[]", &[]);
        assert_eq!(lines, [format!("type breaking - - {text} []")], "{text}");
    }
}
