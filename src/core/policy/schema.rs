//! The JSON Schema (2020-12) of the policy, and of other documents, generated from their wire types.
//!
//! The schema describes only the form. Only [`Plan::from_json`](crate::Plan::from_json) checks meaning, for example
//! whether a segment exists or a path template is valid.

mod hash;

use std::borrow::Cow;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::Value;

use crate::policy::document::{RawPolicy, RawRule};
use crate::policy::json::{Field, List, Located, Map, Number};

/// The path of an account file, or an object with the path and a column.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "a schema is made of the types, and of no value")]
pub(crate) enum AccountsFrom {
    /// A text file with one account per line.
    Lines(#[schemars(length(min = 1))] String),
    /// A CSV file with the accounts in one column.
    Column(crate::policy::document::RawAccountsFrom<'static>),
}

/// Returns the schema of policies as a JSON document.
#[must_use]
pub fn schema() -> Value {
    schema_of::<RawPolicy<'_>>("Turnout policy")
}

/// Stands for the rules of a rollout in the schema of another document.
pub struct RulesSchema;

impl JsonSchema for RulesSchema {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Rules".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        List::<RawRule<'_>>::json_schema(generator)
    }
}

/// Returns the schema of a document, generated from its wire type.
#[must_use]
pub fn schema_of<T: JsonSchema>(title: &str) -> Value {
    let generator = SchemaSettings::draft2020_12().into_generator();
    let mut schema = generator.into_root_schema_for::<T>();
    schema.insert("title".into(), title.into());
    let mut schema = schema.to_value();
    join_lines(&mut schema);
    schema
}

/// Joins the lines of each description. The source wraps them, but an editor wraps them itself.
fn join_lines(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::String(text) if name == "description" => *text = text.replace('\n', " "),
                    value => join_lines(value),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(join_lines),
        _ => {}
    }
}

/// Gives a wrapper of the wire types the schema of the value inside it.
macro_rules! as_inside {
    ($around:ident, $is_optional:literal) => {
        impl<T: JsonSchema> JsonSchema for $around<T> {
            fn inline_schema() -> bool {
                T::inline_schema()
            }

            fn schema_name() -> Cow<'static, str> {
                T::schema_name()
            }

            fn schema_id() -> Cow<'static, str> {
                T::schema_id()
            }

            fn json_schema(generator: &mut SchemaGenerator) -> Schema {
                T::json_schema(generator)
            }

            fn _schemars_private_is_option() -> bool {
                $is_optional
            }
        }
    };
}

as_inside!(Field, true);
as_inside!(Located, false);

impl<T: JsonSchema> JsonSchema for List<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        Vec::<T>::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Vec::<T>::json_schema(generator)
    }
}

impl<T: JsonSchema> JsonSchema for Map<'_, T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Map_of_{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let value = generator.subschema_for::<T>();
        json_schema!({ "type": "object", "additionalProperties": value })
    }
}

impl JsonSchema for Number<'_> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Number".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "number" })
    }
}
