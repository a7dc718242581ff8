//! Compares two bodies: by structure if both are JSON, byte for byte if neither is.

use std::borrow::Cow;

use crate::finding::{FindingKind, NotComparable, Part, Value, ValueType};
use crate::finding_collector::FindingCollector;
use crate::option_rules::{OptionEffect, OptionRule};
use crate::option_usage::OptionUsage;
use crate::options::Options;
use crate::parse::{ParseFailure, parse};
use crate::path_cursor::PathCursor;
use crate::tape::Tape;
use crate::walk::Walker;

/// Whether two byte strings are equal, eight bytes at a time. In WebAssembly the standard library
/// compares byte by byte, and most bodies need no other comparison.
fn same_bytes(a: &[u8], b: &[u8]) -> bool {
    let ((a_words, a_rest), (b_words, b_rest)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    let words = a_words.iter().zip(b_words);
    let mut same = words.map(|(a, b)| u64::from_ne_bytes(*a) == u64::from_ne_bytes(*b));
    a.len() == b.len() && same.all(|same| same) && a_rest == b_rest
}

/// A body and its content encoding, if it has one.
pub(crate) struct Body<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) encoding: Option<Cow<'a, [u8]>>,
}

/// Passes every difference between two bodies to the collector.
///
/// # Errors
/// If the bodies cannot be compared.
pub(crate) fn compare<'a>(
    v1: &Body<'a>,
    v2: &Body<'a>,
    options: &Options,
    collector: &mut FindingCollector<'_, 'a>,
    usage: &mut OptionUsage,
) -> Result<(), NotComparable> {
    let are_equal = same_bytes(v1.bytes, v2.bytes);
    // The response to a HEAD request names an encoding and has no body.
    if are_equal && (v1.encoding == v2.encoding || v1.bytes.is_empty()) {
        return Ok(());
    }
    let rules = OptionRule::table(options);
    let whole = |rule: &OptionRule<'_>| {
        matches!(rule.effect, OptionEffect::Ignore) && rule.steps.is_empty()
    };
    if let Some(rule) = rules.iter().position(whole) {
        usage.count(rule);
        return Ok(());
    }
    if v1.encoding.is_some() || v2.encoding.is_some() {
        return Err(NotComparable::Encoded);
    }
    match (v1.bytes, v2.bytes) {
        (_, []) => found(collector, FindingKind::Missing, Some(as_bytes(v1)), None),
        ([], _) => found(collector, FindingKind::Extra, None, Some(as_bytes(v2))),
        _ => match (
            parse(v1.bytes, options.limits),
            parse(v2.bytes, options.limits),
        ) {
            (Err(ParseFailure::NotComparable(a)), Err(ParseFailure::NotComparable(b))) => {
                return Err(a.min(b));
            }
            (Err(ParseFailure::NotComparable(why)), _)
            | (_, Err(ParseFailure::NotComparable(why))) => {
                return Err(why);
            }
            (Ok(left), Ok(right)) => {
                let tapes = [&left, &right];
                let cursor = PathCursor::new(&rules, tapes);
                let mut walker =
                    Walker::new(tapes, cursor, collector, usage, options.limits.steps());
                walker.walk(0, 0);
                if walker.is_uncompared {
                    return Err(NotComparable::TooManyPairs);
                }
            }
            (Ok(left), Err(ParseFailure::NotJson)) => {
                found(
                    collector,
                    FindingKind::Type,
                    Some(as_json(&left)),
                    Some(as_bytes(v2)),
                );
            }
            (Err(ParseFailure::NotJson), Ok(right)) => {
                found(
                    collector,
                    FindingKind::Type,
                    Some(as_bytes(v1)),
                    Some(as_json(&right)),
                );
            }
            (Err(ParseFailure::NotJson), Err(ParseFailure::NotJson)) => {
                let kind = if v1.bytes.len() == v2.bytes.len() {
                    FindingKind::Value
                } else {
                    FindingKind::Length
                };
                found(collector, kind, Some(as_bytes(v1)), Some(as_bytes(v2)));
            }
        },
    }
    Ok(())
}

/// Reports a finding about a body as a whole.
fn found<'a>(
    collector: &mut FindingCollector<'_, 'a>,
    kind: FindingKind,
    v1: Option<Value<'a>>,
    v2: Option<Value<'a>>,
) {
    let severity = kind.severity();
    if !collector.is_noise(severity, Part::Body, |_| {}) {
        collector.push(Part::Body, Default::default(), kind, severity, v1, v2);
    }
}

fn as_bytes<'a>(body: &Body<'a>) -> Value<'a> {
    Value {
        kind: ValueType::Bytes,
        raw: Cow::Borrowed(body.bytes),
    }
}

fn as_json<'a>(tape: &Tape<'a>) -> Value<'a> {
    let whole = tape.node(0);
    Value {
        kind: whole.kind.value_type(),
        raw: Cow::Borrowed(tape.raw(whole)),
    }
}
