//! Exact matchers for the frames of Envoy's Wasm logger.
//!
//! A client's text can be anywhere in an access log line, so a similar frame is not enough. Each of these frames
//! begins at the first byte of the line, and has nothing that an access log could have there.

use std::fmt;

use serde::de::{Deserializer as _, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::logger::is_level;
use crate::timestamp::{digits, pattern, rfc3339};

/// Istio's scope for messages of Wasm plugins.
const SCOPE: &[u8] = b"envoy wasm";
/// The source file that logs for plugins, as it is in Envoy's source location.
const SOURCE: &[u8] = b"wasm/context.cc";

/// Returns the rest of a line after the frame of Envoy's default format,
/// `[2026-11-21 03:38:00.000][12][info][wasm] [source/….cc:1137] `. With `--enable-fine-grain-logging` the name of
/// the logger is missing.
pub(crate) fn envoy(line: &[u8]) -> Option<&[u8]> {
    let rest = pattern(line, b"[dddd-dd-dd dd:dd:dd.ddd][")?;
    let thread = digits(rest);
    let rest = match thread.len() < rest.len() {
        true => thread.strip_prefix(b"][")?,
        false => return None,
    };
    let (level, rest) = group(rest)?;
    let rest = rest.strip_prefix(b"[wasm]").unwrap_or(rest);
    let is_named = line.strip_suffix(rest)?.ends_with(b"[wasm]");
    let (place, rest) = group(rest.strip_prefix(b" [")?)?;
    let number = place.iter().rposition(|byte| *byte == b':')?;
    let (source, number) = place.split_at_checked(number)?;
    let number = number.get(1..)?;
    let is_place = !number.is_empty() && digits(number).is_empty() && !source.contains(&b' ');
    let is_wasm = is_named || source.ends_with(SOURCE);
    let rest = rest.strip_prefix(b" ")?;
    (is_level(level) && is_place && is_wasm).then_some(rest)
}

/// Splits at the next closing bracket.
fn group(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = text.iter().position(|byte| *byte == b']')?;
    let (inside, rest) = text.split_at_checked(end)?;
    Some((inside, rest.get(1..)?))
}

/// Whether a line has Istio's text format: `2026-…Z\tinfo\tenvoy wasm source/….cc:1151\t…`.
pub(crate) fn istio(line: &[u8]) -> bool {
    let columns = || {
        let (_, rest) = rfc3339(line)?;
        let mut columns = rest.strip_prefix(b"\t")?.splitn(3, |byte| *byte == b'\t');
        let (level, scope) = (columns.next()?, columns.next()?);
        columns.next()?;
        Some((level, scope))
    };
    columns().is_some_and(|(level, scope)| is_level(level) && is_scope(scope))
}

/// Whether a scope is `envoy wasm`, with an optional source location.
fn is_scope(scope: &[u8]) -> bool {
    match scope.strip_prefix(SCOPE) {
        Some(b"") => true,
        Some(place) => place
            .strip_prefix(b" ")
            .is_some_and(|place| !place.contains(&b' ')),
        None => false,
    }
}

/// Whether a line is Istio's JSON:
/// `{"level":"info","time":"…","scope":"envoy wasm","msg":"…","caller":"…","thread":"27"}`.
///
/// Requires these fields in this order, each once. In a handwritten JSON access log without escaping, clients can
/// add fields, but they cannot remove the fields at the beginning of the line.
pub(crate) fn json(line: &[u8]) -> bool {
    const FIRST: [&str; 4] = ["level", "time", "scope", "msg"];
    const OTHERS: [&str; 2] = ["caller", "thread"];
    let Some(fields) = ordered(line) else {
        return false;
    };
    let Some((first, others)) = fields.split_at_checked(FIRST.len()) else {
        return false;
    };
    let mut names = first.iter().zip(FIRST);
    let is_first = names.all(|((name, _), wanted)| name == wanted);
    let mut names = others.iter().map(|(name, _)| name.as_str());
    let is_rest = others.len() <= OTHERS.len() && names.all(|name| OTHERS.contains(&name));
    let scope = first
        .get(2)
        .and_then(|(_, scope)| serde_json::from_str::<String>(scope).ok());
    is_first && is_rest && scope.is_some_and(|scope| is_scope(scope.as_bytes()))
}

/// The fields of an object in order. A duplicate field is an error.
fn ordered(line: &[u8]) -> Option<Vec<(String, String)>> {
    struct Ordered;

    impl<'de> Visitor<'de> for Ordered {
        type Value = Vec<(String, String)>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut fields = Vec::new();
            while let Some((name, value)) = map.next_entry::<String, &RawValue>()? {
                if fields.iter().any(|(known, _)| *known == name) {
                    return Err(A::Error::custom("duplicate field"));
                }
                fields.push((name, value.get().to_owned()));
            }
            Ok(fields)
        }
    }

    let mut json = serde_json::Deserializer::from_slice(line);
    let fields = json.deserialize_map(Ordered).ok()?;
    json.end().ok()?;
    Some(fields)
}
