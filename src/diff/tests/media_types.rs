//! Media types in headers are compared by their meaning (RFC 9110).

use turnout_diff::{Comparison, OptionUsage, Options, Response, compare};

/// Whether two values of a header are equal, in both directions.
fn are_equal(header: &str, v1: &str, v2: &str) -> bool {
    let options = Options {
        headers: vec![header.into()],
        ..Options::default()
    };
    let is_equal = |a: &str, b: &str| {
        let [a, b] = [a, b].map(|value| [(header.as_bytes(), value.as_bytes())]);
        let [a, b] = [&a, &b].map(|pairs| Response {
            status: 200,
            headers: pairs,
            body: b"{}",
        });
        let compared = compare(
            &a,
            &b,
            &options,
            &|_, _| false,
            &mut OptionUsage::new(&options),
        );
        compared == Comparison::Equal
    };
    let forth = is_equal(v1, v2);
    assert_eq!(forth, is_equal(v2, v1), "{v1} {v2}");
    forth
}

#[test]
fn content_types_that_mean_the_same_are_equal() {
    for same in [
        &[
            "application/json;charset=UTF-8",
            "application/json; charset=utf-8",
            "application/json ;\tCharset=\"utf-8\"",
            "Application/JSON; CHARSET=\"U\\tF-8\"",
            " application/json;charset=Utf-8 ",
            "application/json;;charset=utf-8;",
            "application/json; charset=utf-8 ; ",
        ][..],
        &[
            "application/problem+json",
            "application/Problem+JSON",
            "application/problem+json;",
        ],
        &[
            "text/plain; charset=utf-8; format=flowed",
            "text/plain; format=flowed; charset=UTF-8",
            "text/plain;Format=\"flowed\";charset=utf-8",
        ],
        &[
            "multipart/mixed; boundary=\"a b;c=\\\"d\\\"\"",
            "Multipart/Mixed;BOUNDARY=\"a b;c=\\\"d\\\"\"",
        ],
        &["text/plain; note=\"\"", "text/plain;note=\"\""],
        &["text/html; x=\"caf\u{e9}\"", "TEXT/html;X=\"caf\u{e9}\""],
    ] {
        for a in same {
            for b in same {
                assert!(are_equal("content-type", a, b), "{a} {b}");
            }
        }
    }
}

#[test]
fn content_types_that_mean_something_else_are_different() {
    for (a, b) in [
        ("application/json", "application/jsonp"),
        ("application/json", "text/json"),
        ("application/json", "application/json; charset=utf-8"),
        ("text/plain; charset=utf-8", "text/plain; charset=utf8"),
        ("text/plain; charset=utf-8", "text/plain; charset=latin1"),
        (
            "text/plain; charset=utf-8",
            "text/plain; charset=\" utf-8\"",
        ),
        ("text/plain; charset=utf-8", "text/plain; charsets=utf-8"),
        ("multipart/mixed; boundary=a", "multipart/mixed; boundary=A"),
        ("text/plain; format=flowed", "text/plain; format=Flowed"),
        ("text/plain; a=1; b=2", "text/plain; a=2; b=1"),
        ("text/plain; a=1; b=2", "text/plain; a=1; c=2"),
    ] {
        assert!(!are_equal("content-type", a, b), "{a} {b}");
    }
}

#[test]
fn malformed_content_types_are_compared_by_their_bytes() {
    for (a, b) in [
        // A parameter twice: it is ambiguous which one counts.
        (
            "text/plain; charset=utf-8; charset=latin1",
            "text/plain; charset=UTF-8; charset=latin1",
        ),
        // No white space is allowed around `=` and `/`.
        ("text/plain; charset =utf-8", "text/plain; charset =UTF-8"),
        ("text/plain; charset= utf-8", "text/plain; charset= UTF-8"),
        ("text /plain", "Text /plain"),
        ("text/ plain", "Text/ plain"),
        ("text", "TEXT"),
        ("text/", "TEXT/"),
        ("", " "),
        (";charset=utf-8", ";charset=UTF-8"),
        ("text/plain charset=utf-8", "text/plain charset=UTF-8"),
        ("text/plain, text/html", "Text/plain, text/html"),
        ("text/plain; charset=", "Text/plain; charset="),
        ("text/plain; charset=\"utf-8", "text/plain; charset=\"UTF-8"),
        ("text/plain; charset=\"a\\", "Text/plain; charset=\"a\\"),
        (
            "text/plain; charset=\"utf-8\"x",
            "text/plain; charset=\"UTF-8\"x",
        ),
        (
            "text/plain; charset=\"a\u{1}\"",
            "Text/plain; charset=\"a\u{1}\"",
        ),
        (
            "text/plain; charset='utf-8' x",
            "text/plain; charset='UTF-8' x",
        ),
        ("text/pl\u{e9}in", "Text/pl\u{e9}in"),
        ("text/a/b", "Text/a/b"),
    ] {
        assert!(!are_equal("content-type", a, b), "{a} {b}");
        assert!(are_equal("content-type", a, a), "{a}");
    }
    let many = |name: &str| -> String {
        let parameters = (0..20_000).map(|n| format!(";{name}{n}=1"));
        format!("a/b{}", parameters.collect::<String>())
    };
    assert!(!are_equal("content-type", &many("x"), &many("X")));
}

#[test]
fn lists_of_media_types_are_compared_one_by_one_and_other_headers_by_their_bytes() {
    for header in ["accept", "accept-patch", "accept-post"] {
        for (a, b, expected) in [
            (
                "text/html, application/json;q=0.5",
                "Text/HTML ,, application/json; q=\"0.5\",",
                true,
            ),
            ("*/*", "*/*;", true),
            ("text/*;x=\"a,b\"", "TEXT/*; x=\"a,b\"", true),
            ("text/html, text/css", "text/css, text/html", false),
            ("text/html", "text/html, text/css", false),
            ("text/html, x", "Text/html, x", false),
        ] {
            assert_eq!(are_equal(header, a, b), expected, "{header}: {a} {b}");
        }
    }
    for header in ["x-type", "content-disposition", "etag"] {
        assert!(!are_equal(header, "text/html", "Text/html"), "{header}");
        assert!(!are_equal(header, "a; b=1", "a;b=1"), "{header}");
    }
}
