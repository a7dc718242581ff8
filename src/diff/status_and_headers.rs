//! Compares what comes before the body: the status and the headers.

use std::borrow::Cow;

use crate::Headers;
use crate::finding::{FindingKind, Part, Severity, Value, ValueType};
use crate::finding_collector::FindingCollector;
use crate::media_type;

pub(crate) fn status(v1: u16, v2: u16, collector: &mut FindingCollector<'_, '_>) {
    if v1 == v2 {
        return;
    }
    let severity = if v1 / 100 == v2 / 100 {
        Severity::Changed
    } else {
        Severity::Breaking
    };
    if collector.is_noise(severity, Part::Status, |_| {}) {
        return;
    }
    let [v1, v2] = [v1, v2].map(|status| {
        Some(Value {
            kind: ValueType::Status,
            raw: Cow::Owned(status.to_string().into_bytes()),
        })
    });
    collector.push(
        Part::Status,
        Default::default(),
        FindingKind::Value,
        severity,
        v1,
        v2,
    );
}

pub(crate) fn header<'a>(
    name: &str,
    v1: Headers<'a>,
    v2: Headers<'a>,
    collector: &mut FindingCollector<'_, 'a>,
) {
    let (left, right) = (joined(name, v1), joined(name, v2));
    let kind = match (&left, &right) {
        (left, right) if left == right => return,
        (Some(_), None) => FindingKind::Missing,
        (None, _) => FindingKind::Extra,
        (Some(left), Some(right)) if media_type::are_equal(name, left, right) => return,
        (Some(_), Some(_)) => FindingKind::Value,
    };
    let severity = kind.severity();
    let pointer = ["/", name].concat();
    if collector.is_noise(severity, Part::Header, |place| place.push_str(&pointer)) {
        return;
    }
    let [v1, v2] = [left, right].map(|raw| {
        raw.map(|raw| Value {
            kind: ValueType::Header,
            raw,
        })
    });
    collector.push(
        Part::Header,
        [pointer.clone(), pointer],
        kind,
        severity,
        v1,
        v2,
    );
}

/// Returns the content encoding, unless it is `identity`.
pub(crate) fn encoding<'a>(headers: Headers<'a>) -> Option<Cow<'a, [u8]>> {
    let encoding = joined("content-encoding", headers)?;
    let name = encoding.trim_ascii();
    let is_none = name.is_empty() || name.eq_ignore_ascii_case(b"identity");
    (!is_none).then_some(encoding)
}

/// Returns all values of a header, joined by `, `.
fn joined<'a>(name: &str, headers: Headers<'a>) -> Option<Cow<'a, [u8]>> {
    let values = headers
        .iter()
        .filter(|(found, _)| *found == name.as_bytes());
    values
        .map(|(_, value)| Cow::Borrowed(*value))
        .reduce(|mut all, value| {
            let joined = all.to_mut();
            joined.extend_from_slice(b", ");
            joined.extend_from_slice(&value);
            all
        })
}
