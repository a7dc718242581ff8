//! Tests of the differ: rules by table, properties of any two bodies, and hostile bodies.
#![expect(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::expect_used,
    clippy::float_arithmetic,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    reason = "a test that cannot go on has failed"
)]

mod bodies;
mod hostile;
mod media_types;
mod options;
mod oracle;
mod properties;
mod responses;

use proptest::prelude::*;
use turnout_diff::{
    Amount, Comparison, Finding, Margin, OptionUsage, Options, Part, Pattern, Response, Tolerance,
    Unordered, compare,
};

/// Random bytes, many of them meaningful to a parser.
fn bytes(most: usize) -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![
        any::<u8>(),
        prop::sample::select(b"{}[]\",:\\/%*=.-+eE0123456789 \n\0:#?AC".to_vec()),
    ];
    prop::collection::vec(byte, 0..most)
}

fn path(text: &str) -> Pattern {
    Pattern::parse(text).unwrap_or_else(|problem| panic!("{text}: {problem:?}"))
}

/// Parses options from words: `ignore /a`, `unordered /items`, `unordered /users key /id`, `maps /m`,
/// `absolute /price 0.01`, `relative /x 0.001`.
fn options(words: &[&str]) -> Options {
    let mut options = Options::default();
    let amount = |text| Amount::parse(text).expect("an amount");
    for line in words {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["ignore", at] => options.ignore.push(path(at)),
            ["maps", at] => options.maps.push(path(at)),
            ["unordered", at] => options.unordered.push(Unordered {
                path: path(at),
                key: None,
            }),
            ["unordered", at, "key", key] => options.unordered.push(Unordered {
                path: path(at),
                key: Some(Pattern::parse_key(key).expect("a key")),
            }),
            ["absolute", at, by] => options.tolerance.push(Tolerance {
                path: path(at),
                allowed: Margin::Absolute(amount(by)),
            }),
            ["relative", at, by] => options.tolerance.push(Tolerance {
                path: path(at),
                allowed: Margin::Relative(amount(by)),
            }),
            _ => panic!("{line}"),
        }
    }
    options
}

fn response<'a>(body: &'a [u8]) -> Response<'a> {
    Response {
        status: 200,
        headers: &[],
        body,
    }
}

/// Compares two bodies with the same status and without noise.
fn bodies<'a>(v1: &'a [u8], v2: &'a [u8], options: &Options) -> Comparison<'a> {
    let mut usage = OptionUsage::new(options);
    compare(
        &response(v1),
        &response(v2),
        options,
        &|_, _| false,
        &mut usage,
    )
}

/// Like [`bodies`], with values at some folded pointers known to vary.
fn noisy<'a>(v1: &'a str, v2: &'a str, options: &Options, noise: &[&str]) -> Comparison<'a> {
    let mut usage = OptionUsage::new(options);
    let is_noisy = |part, pointer: &str| part == Part::Body && noise.contains(&pointer);
    let (v1, v2) = (response(v1.as_bytes()), response(v2.as_bytes()));
    compare(&v1, &v2, options, &is_noisy, &mut usage)
}

/// Formats each finding as one line: `kind severity pointer exact v1 v2`, with `-` for an empty place
/// or side.
fn describe(comparison: &Comparison<'_>) -> Vec<String> {
    match comparison {
        Comparison::Equal => vec!["equal".into()],
        Comparison::NotComparable(why) => vec![format!("not comparable: {}", why.as_str())],
        Comparison::Different(findings) => {
            let mut lines: Vec<String> = findings.as_slice().iter().map(line).collect();
            for (what, count) in [("noisy", findings.noisy()), ("omitted", findings.omitted())] {
                if count > 0 {
                    lines.push(format!("{what} {count}"));
                }
            }
            lines
        }
    }
}

fn line(finding: &Finding<'_>) -> String {
    let side = |side: &Option<turnout_diff::Value<'_>>| match side {
        Some(value) => String::from_utf8_lossy(&value.raw).into_owned(),
        None => "-".into(),
    };
    let dash = |place: &str| {
        if place.is_empty() {
            "-".to_owned()
        } else {
            place.to_owned()
        }
    };
    format!(
        "{} {} {} {} {} {}",
        finding.kind.as_str(),
        finding.severity.as_str(),
        dash(&finding.pointer),
        dash(&finding.exact),
        side(&finding.v1),
        side(&finding.v2)
    )
}

/// Compares two bodies and formats the findings.
fn describe_bodies(v1: &str, v2: &str, words: &[&str]) -> Vec<String> {
    describe(&bodies(v1.as_bytes(), v2.as_bytes(), &options(words)))
}
