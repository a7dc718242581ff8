//! Any two bodies can be compared: a body equals itself, and the order of the bodies does not matter for
//! equality.
//!
//! The input is two bodies with a zero byte between them.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use turnout_diff::{
    Margin, Amount, Response, Comparison, Options, Pattern, Tolerance, Unordered, OptionUsage, compare,
};

static OPTIONS: LazyLock<[Options; 2]> = LazyLock::new(|| {
    let path = |text| Pattern::parse(text).expect("a path");
    let unordered = |at, key: Option<&str>| Unordered {
        path: path(at),
        key: key.map(|key| Pattern::parse_key(key).expect("a key")),
    };
    let amount = Amount::parse("0.5").expect("an amount");
    let tolerance = |at, allowed| Tolerance {
        path: path(at),
        allowed,
    };
    let everything = Options {
        ignore: vec![path("/i"), path("/*/i")],
        unordered: vec![
            unordered("/a", None),
            unordered("/k", Some("/id")),
            unordered("/*/*", None),
        ],
        tolerance: vec![
            tolerance("/t", Margin::Absolute(amount)),
            tolerance("/*/*", Margin::Relative(amount)),
        ],
        maps: vec![path("/m")],
        ..Options::default()
    };
    [Options::default(), everything]
});

fuzz_target!(|bytes: &[u8]| {
    let split = bytes
        .iter()
        .position(|byte| *byte == 0)
        .unwrap_or(bytes.len());
    let (a, b) = bytes.split_at(split);
    let b = b.get(1..).unwrap_or_default();
    for options in OPTIONS.iter() {
        let mut usage = OptionUsage::new(options);
        let mut run = |v1, v2| {
            let [v1, v2] = [v1, v2].map(|body| Response {
                status: 200,
                headers: &[],
                body,
            });
            let is_noisy = |_, pointer: &str| pointer.ends_with("/n");
            match compare(&v1, &v2, options, &is_noisy, &mut usage) {
                Comparison::Equal => None,
                Comparison::Different(findings) => {
                    let count = findings.as_slice().len();
                    assert!(count <= options.limits.findings);
                    assert_eq!(findings.is_only_noise(), findings.severity().is_none());
                    assert_eq!(findings.is_only_noise(), count == 0);
                    for finding in findings.as_slice() {
                        assert!(finding.v1.is_some() || finding.v2.is_some());
                        let steps = |pointer: &str| pointer.matches('/').count();
                        assert_eq!(steps(&finding.pointer), steps(&finding.exact));
                    }
                    Some(findings.is_only_noise())
                }
                Comparison::NotComparable(_) => Some(false),
            }
        };
        assert_eq!(run(a, a), None);
        let forth = run(a, b);
        assert_eq!(forth, run(b, a));
    }
});
