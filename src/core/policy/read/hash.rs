//! Reads a rollout's `hash`: a word, or an object that contains the object of one tool.

use crate::diagnostics::problem::Expected;
use crate::policy::document::{HashFields, HashValue};
use crate::policy::json::{Located, Node, Reader};

use super::{expected, located};

/// A field that an object may have.
struct FieldSpec {
    name: &'static str,
    expected: Expected,
    kind: FieldKind,
}

#[derive(Clone, Copy)]
enum FieldKind {
    Text,
    Number,
    /// A number, or a string of its digits.
    LargeNumber,
    Object(&'static [FieldSpec]),
}

const fn text(name: &'static str, expected: Expected) -> FieldSpec {
    let kind = FieldKind::Text;
    FieldSpec {
        name,
        expected,
        kind,
    }
}

const fn number(name: &'static str, expected: Expected) -> FieldSpec {
    let kind = FieldKind::Number;
    FieldSpec {
        name,
        expected,
        kind,
    }
}

const fn large_number(name: &'static str, expected: Expected) -> FieldSpec {
    let kind = FieldKind::LargeNumber;
    FieldSpec {
        name,
        expected,
        kind,
    }
}

const fn object(name: &'static str, expected: Expected, fields: &'static [FieldSpec]) -> FieldSpec {
    let kind = FieldKind::Object(fields);
    FieldSpec {
        name,
        expected,
        kind,
    }
}

const HASH: &[FieldSpec] = &[
    object("split", expected::SPLIT, SPLIT),
    object("unleash", expected::UNLEASH, UNLEASH),
    object("launchdarkly", expected::LAUNCHDARKLY, LAUNCHDARKLY),
    object("growthbook", expected::GROWTHBOOK, GROWTHBOOK),
    object("flagd", expected::FLAGD, FLAGD),
];

const SPLIT: &[FieldSpec] = &[
    number("seed", expected::SEED),
    number("algo", expected::ALGO),
    number("traffic_allocation", expected::PERCENTAGE),
    number("traffic_allocation_seed", expected::SEED),
    text("v2", expected::END),
];

const UNLEASH: &[FieldSpec] = &[
    text("group_id", expected::HASHED),
    text("v2", expected::END),
];

const LAUNCHDARKLY: &[FieldSpec] = &[
    text("flag_key", expected::HASHED),
    text("salt", expected::HASHED),
    large_number("seed", expected::SEED),
    text("v2", expected::END),
];

const GROWTHBOOK: &[FieldSpec] = &[
    text("seed", expected::HASHED),
    number("version", expected::FORMULA),
    text("rule", expected::HASH_RULE),
    number("start", expected::PERCENTAGE),
    object("namespace", expected::NAMESPACE, NAMESPACE),
    text("v2", expected::END),
];

const NAMESPACE: &[FieldSpec] = &[
    text("id", expected::HASHED),
    number("from", expected::PERCENTAGE),
    number("to", expected::PERCENTAGE),
];

const FLAGD: &[FieldSpec] = &[
    text("flag_key", expected::HASHED),
    number("version", expected::FORMULA),
    number("total_weight", expected::TOTAL_WEIGHT),
    text("v2", expected::END),
];

pub(crate) fn hash<'a>(reader: &mut Reader<'a>, node: Node<'a, '_>) -> Option<HashValue<'a>> {
    let kind = match node.raw().starts_with('"') {
        true => FieldKind::Text,
        false => FieldKind::Object(HASH),
    };
    value(reader, node, expected::HASH, kind)
}

fn value<'a>(
    reader: &mut Reader<'a>,
    node: Node<'a, '_>,
    expected: Expected,
    kind: FieldKind,
) -> Option<HashValue<'a>> {
    match kind {
        FieldKind::Text => reader.text(node, expected).map(HashValue::Text),
        FieldKind::LargeNumber if node.raw().starts_with('"') => {
            reader.text(node, expected).map(HashValue::Text)
        }
        FieldKind::LargeNumber | FieldKind::Number => {
            reader.number(node, expected).map(HashValue::Number)
        }
        FieldKind::Object(known) => fields(reader, node, expected, known).map(HashValue::Object),
    }
}

fn fields<'a>(
    reader: &mut Reader<'a>,
    node: Node<'a, '_>,
    expected: Expected,
    known: &'static [FieldSpec],
) -> Option<Located<HashFields<'a>>> {
    let mut object = reader.object(node, expected)?;
    let mut fields = Vec::with_capacity(known.len());
    for field in known {
        let read = |reader: &mut Reader<'a>, node: Node<'a, '_>| {
            value(reader, node, field.expected, field.kind)
        };
        fields.push((field.name, object.field(reader, field.name, &read)));
    }
    object.finish(reader);
    Some(located(node, HashFields(fields)))
}
