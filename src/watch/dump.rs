//! The configurations of plugins in a dump of Envoy's configuration, wherever in it they are.
//!
//! A dump can have tens of megabytes. It is read once, from front to back, and only one configuration
//! is kept at a time.

use std::fmt;
use std::io::{BufReader, Read};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

/// Where Envoy keeps what it does not use, or not any more.
const UNUSED: [&str; 4] = [
    "warming_state",
    "draining_state",
    "error_state",
    "default_config",
];
const BYTES: &str = "type.googleapis.com/google.protobuf.BytesValue";

/// The text that a plugin is given.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Configuration {
    pub(crate) text: String,
    /// Envoy writes the text out of a `Struct`; its members may be in another order there.
    pub(crate) is_struct: bool,
    /// It is no version of a listener or filter that waits, ends, or was refused.
    pub(crate) is_used: bool,
}

/// Gives every text that may be a configuration of Turnout. JSON that is read is at most 128 levels
/// deep.
///
/// # Errors
/// Where the dump is no JSON, or ends too soon.
pub(crate) fn configurations(
    dump: impl Read,
    give: &mut dyn FnMut(Configuration),
) -> Result<(), serde_json::Error> {
    let mut json = serde_json::Deserializer::from_reader(BufReader::new(dump));
    let walk = Walk {
        is_used: true,
        give,
    };
    walk.deserialize(&mut json)?;
    json.end()
}

struct Walk<'g> {
    is_used: bool,
    give: &'g mut dyn FnMut(Configuration),
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<M: MapAccess<'de>>(mut self, mut fields: M) -> Result<(), M::Error> {
        while let Some(name) = fields.next_key::<String>()? {
            if name == "configuration" {
                self.take(fields.next_value()?);
                continue;
            }
            fields.next_value_seed(Walk {
                is_used: self.is_used && !UNUSED.contains(&name.as_str()),
                give: &mut *self.give,
            })?;
        }
        Ok(())
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut items: S) -> Result<(), S::Error> {
        while items
            .next_element_seed(Walk {
                is_used: self.is_used,
                give: &mut *self.give,
            })?
            .is_some()
        {}
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

impl Walk<'_> {
    fn take(&mut self, configuration: Value) {
        let is_bytes = configuration.get("@type").is_some_and(|it| it == BYTES);
        let (text, is_struct) = match configuration.get("value") {
            Some(Value::String(encoded)) if is_bytes => (decoded(encoded), false),
            Some(Value::String(text)) => (Some(text.clone()), false),
            Some(Value::Object(fields)) => (serde_json::to_string(fields).ok(), true),
            _ => (None, false),
        };
        // Other filters have a `configuration` too.
        let text = text.filter(|text| text.contains("\"policy\""));
        if let Some(text) = text {
            (self.give)(Configuration {
                text,
                is_struct,
                is_used: self.is_used,
            });
            return;
        }
        // A filter of another kind may hold one of Turnout in there.
        let walk = Walk {
            is_used: self.is_used,
            give: &mut *self.give,
        };
        let _ = walk.deserialize(configuration);
    }
}

fn decoded(encoded: &str) -> Option<String> {
    String::from_utf8(STANDARD.decode(encoded).ok()?).ok()
}
