//! Status, headers, encodings, noise and limits.

use turnout_diff::{
    Comparison, FindingKind, Limits, NotComparable, OptionUsage, Options, Part, Response, Severity,
    compare,
};

use super::{bodies, describe, describe_bodies, noisy, options};

type Pairs<'a> = &'a [(&'a [u8], &'a [u8])];

fn compare_responses<'a>(
    v1: (u16, Pairs<'a>, &'a str),
    v2: (u16, Pairs<'a>, &'a str),
    noise: &[(Part, &str)],
) -> Comparison<'a> {
    let [v1, v2] = [v1, v2].map(|(status, headers, body)| Response {
        status,
        headers,
        body: body.as_bytes(),
    });
    let options = Options {
        headers: vec!["content-type".into(), "x-many".into()],
        ..Options::default()
    };
    let is_noisy = |part, pointer: &str| noise.contains(&(part, pointer));
    compare(
        &v1,
        &v2,
        &options,
        &is_noisy,
        &mut OptionUsage::new(&options),
    )
}

#[test]
fn a_status_of_another_class_is_breaking() {
    for (v1, v2, expected) in [
        (200, 200, "equal"),
        (200, 201, "value changed - - 200 201"),
        (200, 404, "value breaking - - 200 404"),
        (500, 404, "value breaking - - 500 404"),
    ] {
        let lines = describe(&compare_responses((v1, &[], ""), (v2, &[], ""), &[]));
        assert_eq!(lines, [expected], "{v1} {v2}");
    }
    // A change within the class may be noise. A change of class never is.
    let noise = [(Part::Status, "")];
    assert_eq!(
        describe(&compare_responses((200, &[], ""), (201, &[], ""), &noise)),
        ["noisy 1"]
    );
    assert_eq!(
        describe(&compare_responses((200, &[], ""), (500, &[], ""), &noise)).len(),
        1
    );
}

#[test]
fn chosen_headers_are_compared_by_all_their_values() {
    let json: Pairs = &[(b"content-type", b"application/json")];
    let text: Pairs = &[(b"content-type", b"text/plain"), (b"x-other", b"1")];
    let many: Pairs = &[
        (b"x-many", b"a"),
        (b"content-type", b"text/plain"),
        (b"x-many", b"b"),
    ];
    let joined: Pairs = &[(b"content-type", b"text/plain"), (b"x-many", b"a, b")];
    for (v1, v2, expected) in [
        (json, json, "equal"),
        (
            json,
            text,
            "value changed /content-type /content-type application/json text/plain",
        ),
        (
            json,
            &[],
            "missing breaking /content-type /content-type application/json -",
        ),
        (
            &[],
            json,
            "extra additive /content-type /content-type - application/json",
        ),
        (many, joined, "equal"),
        (text, many, "extra additive /x-many /x-many - a, b"),
    ] {
        assert_eq!(
            describe(&compare_responses((200, v1, ""), (200, v2, ""), &[])),
            [expected]
        );
    }
    let noise = [(Part::Header, "/content-type")];
    assert_eq!(
        describe(&compare_responses((200, json, ""), (200, text, ""), &noise)),
        ["noisy 1"]
    );
}

#[test]
fn encoded_bodies_are_compared_by_their_bytes_alone() {
    let gzip: Pairs = &[(b"content-encoding", b"gzip")];
    let identity: Pairs = &[(b"content-encoding", b"Identity")];
    for (v1, a, v2, b, expected) in [
        (gzip, "[1]", gzip, "[1]", "equal"),
        (gzip, "[1]", gzip, "[1.0]", "not comparable: encoded"),
        (gzip, "[1]", &[], "[1]", "not comparable: encoded"),
        (gzip, "", &[], "", "equal"),
        (identity, "[1]", &[], "[1.0]", "equal"),
    ] {
        assert_eq!(
            describe(&compare_responses((200, v1, a), (200, v2, b), &[])),
            [expected],
            "{a} {b}"
        );
    }
    // A difference in another part is certain.
    let Comparison::Different(findings) = compare_responses((200, gzip, "x"), (500, &[], "y"), &[])
    else {
        panic!("expected findings");
    };
    assert_eq!(findings.uncompared(), Some(NotComparable::Encoded));
    assert_eq!(findings.severity(), Some(Severity::Breaking));
}

#[test]
fn noise_is_counted_and_only_values_are_noise() {
    let plain = options(&[]);
    let run = |v1, v2, noise: &[&str]| describe(&noisy(v1, v2, &plain, noise));
    assert_eq!(
        run(r#"{"at":1,"b":2}"#, r#"{"at":2,"b":2}"#, &["/at"]),
        ["noisy 1"]
    );
    assert_eq!(
        run(r#"{"at":1,"b":2}"#, r#"{"at":2,"b":3}"#, &["/at"]),
        ["value changed /b /b 2 3", "noisy 1"]
    );
    assert_eq!(
        run(r#"{"at":1}"#, "{}", &["/at"]),
        ["missing breaking /at /at 1 -"]
    );
    assert_eq!(
        run("{}", r#"{"at":1}"#, &["/at"]),
        ["extra additive /at /at - 1"]
    );
    assert_eq!(
        run(r#"{"at":1}"#, r#"{"at":"1"}"#, &["/at"]),
        ["type breaking /at /at 1 \"1\""]
    );
    assert_eq!(run(r#"{"l":[1]}"#, r#"{"l":[1,2]}"#, &["/l"]), ["noisy 1"]);
    assert_eq!(
        run(r#"{"l":[1,2]}"#, r#"{"l":[2,1]}"#, &["/l"]),
        ["noisy 1"]
    );
    assert_eq!(run("abc", "xyz", &[""]), ["noisy 1"]);
    let Comparison::Different(findings) = noisy("[1]", "[2]", &plain, &["/*"]) else {
        panic!("equal");
    };
    assert!(findings.is_only_noise() && findings.severity().is_none());
}

#[test]
fn lists_are_matched_as_if_noise_were_equal() {
    let (v1, v2) = (
        r#"[{"id":1,"at":5},{"id":2,"at":6}]"#,
        r#"[{"id":2,"at":8},{"id":1,"at":9}]"#,
    );
    let ordered = describe(&noisy(v1, v2, &options(&[]), &["/*/at"]));
    assert!(ordered[0].starts_with("order changed - - "), "{ordered:?}");
    for words in ["unordered ", "unordered  key /id"] {
        let lines = describe(&noisy(v1, v2, &options(&[words]), &["/*/at"]));
        assert_eq!(lines, ["noisy 2"], "{words}");
    }
    let lines = describe(&noisy(
        v1,
        &v2.replace("8", "\"8\""),
        &options(&["unordered "]),
        &["/*/at"],
    ));
    assert_eq!(lines, [r#"type breaking /*/at /1/at 6 "8""#, "noisy 1"]);
}

#[test]
fn limits_make_bodies_not_comparable_and_never_equal() {
    let small = Options {
        limits: Limits {
            depth: 3,
            values: 6,
            findings: 2,
        },
        ..options(&[])
    };
    let run = |v1: &str, v2: &str| describe(&bodies(v1.as_bytes(), v2.as_bytes(), &small));
    assert_eq!(run("[[[1]]]", "[[[2]]]").len(), 1);
    assert_eq!(run("[[[1]]]", "[[[1]] ]"), ["equal"]);
    assert_eq!(run("[[[[1]]]]", "[[[[1]]] ]"), ["not comparable: too_deep"]);
    assert_eq!(run("[[[[1]]]]", "[[[[1]]]]"), ["equal"], "the same bytes");
    assert_eq!(run("[1,2,3,4,5]", "[ 1,2,3,4,5]"), ["equal"]);
    assert_eq!(
        run("[1,2,3,4,5,6]", "[ 1,2,3,4,5,6]"),
        ["not comparable: too_many_values"]
    );
    assert_eq!(
        run(r#"{"a":1,"a":1}"#, "{}"),
        ["not comparable: repeated_key"]
    );
    assert_eq!(
        run("{}", r#"{"b":{"a":1,"x":0,"\u0061":1}}"#),
        ["not comparable: repeated_key"]
    );
    assert_eq!(
        run(r#"{"a":1,"a":1}"#, r#"{"a":1,"a":1}"#),
        ["equal"],
        "the same bytes"
    );
    assert_eq!(
        run("oops", r#"{"a":1,"a":1}"#),
        ["not comparable: repeated_key"]
    );

    let Comparison::Different(findings) = bodies(br#"[1,2,3,{}]"#, br#"[4,5,{},3]"#, &small) else {
        panic!("expected findings");
    };
    assert_eq!((findings.as_slice().len(), findings.omitted()), (2, 2));
    assert!(
        findings
            .as_slice()
            .iter()
            .all(|finding| finding.kind == FindingKind::Value)
    );
    assert_eq!(
        findings.severity(),
        Some(Severity::Breaking),
        "of an omitted one"
    );
}

#[test]
fn repeated_keys_are_found_among_many() {
    let members: Vec<String> = (0..5_000).map(|n| format!("\"k{n}\":0")).collect();
    let object = |more: &str| format!("{{{}{more}}}", members.join(","));
    assert_eq!(describe_bodies(&object(""), &object(" "), &[]), ["equal"]);
    assert_eq!(
        describe_bodies(&object(",\"k17\":0"), &object(""), &[]),
        ["not comparable: repeated_key"]
    );
}
