//! A rollout's `hash`, as it is written: a word, or an object with the object of one tool.

use crate::diagnostics::problem::Expected;
use crate::policy::document::{Fields, Value};
use crate::policy::json::{Located, Node, Reader};

use super::{expected, located};

/// A field that an object may have.
struct Known {
    name: &'static str,
    expected: Expected,
    kind: Kind,
}

#[derive(Clone, Copy)]
enum Kind {
    Text,
    Number,
    /// A number, or its digits as a text.
    LargeNumber,
    Object(&'static [Known]),
}

const fn text(name: &'static str, expected: Expected) -> Known {
    let kind = Kind::Text;
    Known {
        name,
        expected,
        kind,
    }
}

const fn number(name: &'static str, expected: Expected) -> Known {
    let kind = Kind::Number;
    Known {
        name,
        expected,
        kind,
    }
}

const fn large_number(name: &'static str, expected: Expected) -> Known {
    let kind = Kind::LargeNumber;
    Known {
        name,
        expected,
        kind,
    }
}

const fn object(name: &'static str, expected: Expected, fields: &'static [Known]) -> Known {
    let kind = Kind::Object(fields);
    Known {
        name,
        expected,
        kind,
    }
}

const HASH: &[Known] = &[
    object("split", expected::SPLIT, SPLIT),
    object("unleash", expected::UNLEASH, UNLEASH),
    object("launchdarkly", expected::LAUNCHDARKLY, LAUNCHDARKLY),
    object("growthbook", expected::GROWTHBOOK, GROWTHBOOK),
    object("flagd", expected::FLAGD, FLAGD),
];

const SPLIT: &[Known] = &[
    number("seed", expected::SEED),
    number("algo", expected::ALGO),
    number("traffic_allocation", expected::PERCENTAGE),
    number("traffic_allocation_seed", expected::SEED),
    text("v2", expected::END),
];

const UNLEASH: &[Known] = &[
    text("group_id", expected::HASHED),
    text("v2", expected::END),
];

const LAUNCHDARKLY: &[Known] = &[
    text("flag_key", expected::HASHED),
    text("salt", expected::HASHED),
    large_number("seed", expected::SEED),
    text("v2", expected::END),
];

const GROWTHBOOK: &[Known] = &[
    text("seed", expected::HASHED),
    number("version", expected::FORMULA),
    text("rule", expected::HASH_RULE),
    number("start", expected::PERCENTAGE),
    object("namespace", expected::NAMESPACE, NAMESPACE),
    text("v2", expected::END),
];

const NAMESPACE: &[Known] = &[
    text("id", expected::HASHED),
    number("from", expected::PERCENTAGE),
    number("to", expected::PERCENTAGE),
];

const FLAGD: &[Known] = &[
    text("flag_key", expected::HASHED),
    number("version", expected::FORMULA),
    number("total_weight", expected::TOTAL_WEIGHT),
    text("v2", expected::END),
];

pub(crate) fn hash<'a>(reader: &mut Reader<'a>, node: Node<'a, '_>) -> Option<Value<'a>> {
    let kind = match node.raw().starts_with('"') {
        true => Kind::Text,
        false => Kind::Object(HASH),
    };
    value(reader, node, expected::HASH, kind)
}

fn value<'a>(
    reader: &mut Reader<'a>,
    node: Node<'a, '_>,
    expected: Expected,
    kind: Kind,
) -> Option<Value<'a>> {
    match kind {
        Kind::Text => reader.text(node, expected).map(Value::Text),
        Kind::LargeNumber if node.raw().starts_with('"') => {
            reader.text(node, expected).map(Value::Text)
        }
        Kind::LargeNumber | Kind::Number => reader.number(node, expected).map(Value::Number),
        Kind::Object(known) => fields(reader, node, expected, known).map(Value::Object),
    }
}

fn fields<'a>(
    reader: &mut Reader<'a>,
    node: Node<'a, '_>,
    expected: Expected,
    known: &'static [Known],
) -> Option<Located<Fields<'a>>> {
    let mut object = reader.object(node, expected)?;
    let mut fields = Vec::with_capacity(known.len());
    for field in known {
        let read = |reader: &mut Reader<'a>, node: Node<'a, '_>| {
            value(reader, node, field.expected, field.kind)
        };
        fields.push((field.name, object.field(reader, field.name, &read)));
    }
    object.finish(reader);
    Some(located(node, Fields(fields)))
}
