//! Plugin configurations in Envoy's configuration dump, at any depth.
//!
//! A dump can have tens of megabytes. It is read once as a stream, and only one configuration is kept in
//! memory at a time.

use std::borrow::Cow;
use std::fmt;
use std::io::{BufReader, Read};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// The fields with configurations that Envoy does not use yet or any more.
const UNUSED: [&str; 4] = [
    "warming_state",
    "draining_state",
    "error_state",
    "default_config",
];
/// The initial value of [`Walk::nested`].
const NESTED: u8 = 2;
const BYTES: &str = "type.googleapis.com/google.protobuf.BytesValue";

/// The configuration of a plugin.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct PluginConfig {
    pub(crate) text: String,
    /// Whether the configuration is a `Struct`, from which Envoy generates the text. The order of the
    /// members may differ from that text.
    pub(crate) is_struct: bool,
    /// Whether Envoy uses it: its listener or filter is not warming, draining or rejected.
    pub(crate) is_used: bool,
}

/// Calls `give` with every text that may be a configuration of Turnout.
///
/// # Errors
/// If the dump is not JSON, is cut off, or is nested deeper than 128 levels.
pub(crate) fn read_plugin_configs(
    dump: impl Read,
    give: &mut dyn FnMut(PluginConfig),
) -> Result<(), serde_json::Error> {
    let mut json = serde_json::Deserializer::from_reader(BufReader::new(dump));
    let walk = Walk {
        is_used: true,
        nested: NESTED,
        give,
    };
    walk.deserialize(&mut json)?;
    json.end()
}

struct Walk<'g> {
    is_used: bool,
    /// How many levels of nested configurations to search. Each level is parsed once more.
    nested: u8,
    give: &'g mut dyn FnMut(PluginConfig),
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
                self.take(&fields.next_value::<Box<RawValue>>()?);
                continue;
            }
            fields.next_value_seed(Walk {
                is_used: self.is_used && !UNUSED.contains(&name.as_str()),
                nested: self.nested,
                give: &mut *self.give,
            })?;
        }
        Ok(())
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut items: S) -> Result<(), S::Error> {
        while items
            .next_element_seed(Walk {
                is_used: self.is_used,
                nested: self.nested,
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
    fn take(&mut self, configuration: &RawValue) {
        let envelope = serde_json::from_str::<Envelope<'_>>(configuration.get());
        let (text, is_struct) = match envelope {
            Ok(Envelope { kind, value }) => {
                let value = value.get();
                let is_struct = value.starts_with('{');
                let text = match is_struct {
                    true => Some(value.to_owned()),
                    false => serde_json::from_str(value).ok(),
                };
                let is_bytes = kind.as_deref() == Some(BYTES);
                (
                    text.and_then(|text| if is_bytes { decoded(&text) } else { Some(text) }),
                    is_struct,
                )
            }
            Err(_) => (None, false),
        };
        // Other filters also have a `configuration`.
        let text = text.filter(|text| text.contains("\"policy\""));
        if let Some(text) = text {
            (self.give)(PluginConfig {
                text,
                is_struct,
                is_used: self.is_used,
            });
            return;
        }
        // Another filter may contain Turnout, for example a composite filter.
        if let Some(nested) = self.nested.checked_sub(1) {
            let walk = Walk {
                is_used: self.is_used,
                nested,
                give: &mut *self.give,
            };
            let mut json = serde_json::Deserializer::from_str(configuration.get());
            let _ = walk.deserialize(&mut json);
        }
    }
}

/// A protobuf `Any`.
#[derive(Deserialize)]
struct Envelope<'t> {
    #[serde(rename = "@type", borrow, default)]
    kind: Option<Cow<'t, str>>,
    #[serde(borrow)]
    value: &'t RawValue,
}

fn decoded(encoded: &str) -> Option<String> {
    String::from_utf8(STANDARD.decode(encoded).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(dump: &str) -> (Vec<String>, bool) {
        let mut texts = Vec::new();
        let read = read_plugin_configs(dump.as_bytes(), &mut |found| texts.push(found.text));
        (texts, read.is_ok())
    }

    #[test]
    fn a_configuration_inside_of_another_is_found() {
        let inner = r#"{"configuration": {"value": "{\"policy\": 1}"}}"#;
        let dump = format!(r#"[{{"configuration": {{"value": {{"inner": [{inner}]}}}}}}]"#);
        assert_eq!(texts(&dump), (vec!["{\"policy\": 1}".to_owned()], true));
    }

    #[test]
    fn what_is_hostile_costs_its_length() {
        let deep = r#"{"configuration":"#.repeat(1_000_000);
        assert_eq!(texts(&deep), (Vec::new(), false));
        let closed = format!("{deep}1{}", "}".repeat(1_000_000));
        assert_eq!(texts(&closed), (Vec::new(), true));
        let wide = format!(r#"{{"configuration": [{}0]}}"#, "0,".repeat(1_000_000));
        assert_eq!(texts(&wide), (Vec::new(), true));
        for text in [
            r#"{"configuration": {"value": 7}}"#,
            r#"{"configuration": {}}"#,
            "\"\u{1b}[2J\"",
            "1e999999",
        ] {
            assert_eq!(texts(text).0, Vec::<String>::new());
        }
    }
}
