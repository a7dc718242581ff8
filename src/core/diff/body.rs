//! Two bodies: by structure where both are JSON, by their bytes where neither is.

use std::borrow::Cow;

use super::finding::{Kind, NotComparable, Part, Value, ValueType};
use super::options::Options;
use super::parse::{Unread, parse};
use super::rules::{Rule, What};
use super::sink::Sink;
use super::tape::Tape;
use super::trail::Trail;
use super::usage::Usage;
use super::walk::Walker;

/// Eight bytes at a time: where this runs in WebAssembly, the library's comparison takes them one by
/// one, and most answers are compared no further than this.
fn same_bytes(a: &[u8], b: &[u8]) -> bool {
    let ((a_words, a_rest), (b_words, b_rest)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    let words = a_words.iter().zip(b_words);
    let mut same = words.map(|(a, b)| u64::from_ne_bytes(*a) == u64::from_ne_bytes(*b));
    a.len() == b.len() && same.all(|same| same) && a_rest == b_rest
}

/// A body and its content encoding, if it has one.
pub(super) struct Body<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) encoding: Option<Cow<'a, [u8]>>,
}

/// Tells the sink of all differences.
///
/// # Errors
/// When nobody can tell whether the bodies are equal.
pub(super) fn compare<'a>(
    v1: &Body<'a>,
    v2: &Body<'a>,
    options: &Options,
    sink: &mut Sink<'_, 'a>,
    usage: &mut Usage,
) -> Result<(), NotComparable> {
    let are_equal = same_bytes(v1.bytes, v2.bytes);
    // An answer to HEAD names an encoding and has no body.
    if are_equal && (v1.encoding == v2.encoding || v1.bytes.is_empty()) {
        return Ok(());
    }
    let rules = Rule::table(options);
    let whole = |rule: &Rule<'_>| matches!(rule.what, What::Ignore) && rule.steps.is_empty();
    if let Some(rule) = rules.iter().position(whole) {
        usage.count(rule);
        return Ok(());
    }
    if v1.encoding.is_some() || v2.encoding.is_some() {
        return Err(NotComparable::Encoded);
    }
    match (v1.bytes, v2.bytes) {
        (_, []) => found(sink, Kind::Missing, Some(as_bytes(v1)), None),
        ([], _) => found(sink, Kind::Extra, None, Some(as_bytes(v2))),
        _ => match (
            parse(v1.bytes, options.limits),
            parse(v2.bytes, options.limits),
        ) {
            (Err(Unread::NotComparable(a)), Err(Unread::NotComparable(b))) => return Err(a.min(b)),
            (Err(Unread::NotComparable(why)), _) | (_, Err(Unread::NotComparable(why))) => {
                return Err(why);
            }
            (Ok(left), Ok(right)) => {
                let tapes = [&left, &right];
                let trail = Trail::new(&rules, tapes);
                let mut walker = Walker::new(tapes, trail, sink, usage, options.limits.steps());
                walker.walk(0, 0);
                if walker.is_uncompared {
                    return Err(NotComparable::TooManyPairs);
                }
            }
            (Ok(left), Err(Unread::NotJson)) => {
                found(sink, Kind::Type, Some(as_json(&left)), Some(as_bytes(v2)));
            }
            (Err(Unread::NotJson), Ok(right)) => {
                found(sink, Kind::Type, Some(as_bytes(v1)), Some(as_json(&right)));
            }
            (Err(Unread::NotJson), Err(Unread::NotJson)) => {
                let kind = if v1.bytes.len() == v2.bytes.len() {
                    Kind::Value
                } else {
                    Kind::Length
                };
                found(sink, kind, Some(as_bytes(v1)), Some(as_bytes(v2)));
            }
        },
    }
    Ok(())
}

/// A finding about a body as a whole.
fn found<'a>(sink: &mut Sink<'_, 'a>, kind: Kind, v1: Option<Value<'a>>, v2: Option<Value<'a>>) {
    let severity = kind.severity();
    if !sink.is_noise(severity, Part::Body, |_| {}) {
        sink.push(Part::Body, Default::default(), kind, severity, v1, v2);
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
