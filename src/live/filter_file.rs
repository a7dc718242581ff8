//! Writes and reads `filter.json`, the file that Envoy watches.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;
use turnout_core::render::discovery;
use turnout_core::{
    Configuration, EmittedHeaders, Inbound, MaxHeldBytes, Proxy, RecordLevel, Revision,
};
use xxhash_rust::xxh3::xxh3_128;

use crate::{serde_emitted_headers, serde_max_held_bytes, serde_record_level};

/// The settings of a plugin besides its policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plugin {
    /// The path of the filter on the proxies.
    pub wasm: String,
    /// Whether the proxies trust the `x-turnout-*` headers of requests.
    pub inbound: Inbound,
    /// The headers that the proxies write.
    pub headers: EmittedHeaders,
    /// The level of the proxies' records in Envoy's log.
    pub record_level: RecordLevel,
    /// The limit of bytes that one worker holds.
    pub max_held_bytes: MaxHeldBytes,
}

/// New settings of a plugin. `None` keeps the current setting.
#[derive(Clone, Copy, Debug, Default)]
pub struct PluginOverrides<'a> {
    /// The path of the filter on the proxies.
    pub wasm: Option<&'a str>,
    /// Whether the proxies trust the `x-turnout-*` headers of requests.
    pub inbound: Option<Inbound>,
    /// The headers that the proxies write.
    pub headers: Option<EmittedHeaders>,
    /// The level of the proxies' records in Envoy's log.
    pub record_level: Option<RecordLevel>,
    /// The limit of bytes that one worker holds.
    pub max_held_bytes: Option<MaxHeldBytes>,
}

impl PluginOverrides<'_> {
    /// Applies the overrides to the current settings. Returns `None` if the path of the filter is unknown.
    pub(crate) fn apply_to(self, known: Option<&Plugin>) -> Option<Plugin> {
        let Self {
            wasm,
            inbound,
            headers,
            record_level,
            max_held_bytes,
        } = self;
        let inbound = inbound.or(known.map(|known| known.inbound));
        let headers = headers.or(known.map(|known| known.headers));
        let record_level = record_level.or(known.map(|known| known.record_level));
        let max_held_bytes = max_held_bytes.or(known.map(|known| known.max_held_bytes));
        Some(Plugin {
            wasm: wasm.or(known.map(|known| known.wasm.as_str()))?.to_owned(),
            inbound: inbound.unwrap_or_default(),
            headers: headers.unwrap_or_default(),
            record_level: record_level.unwrap_or_default(),
            max_held_bytes: max_held_bytes.unwrap_or_default(),
        })
    }
}

impl Plugin {
    pub(crate) fn proxy(&self) -> Proxy {
        Proxy {
            inbound: self.inbound,
            headers: self.headers,
            record_level: self.record_level,
            max_held_bytes: self.max_held_bytes,
        }
    }
}

/// The contents of a `filter.json`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FilterFile {
    pub(crate) policy: String,
    pub(crate) plugin: Plugin,
    /// The sequence number of its entry in the history, see [`mark`], or 0.
    pub(crate) mark: u64,
}

/// Returns a hash that identifies a text.
pub(crate) fn fingerprint(text: &[u8]) -> String {
    format!("{:032x}", xxh3_128(text))
}

/// Returns the text of `filter.json`.
pub(crate) fn file(policy: &str, revision: &Revision, plugin: &Plugin, sequence: u64) -> String {
    let mut configuration = Configuration::to_json(policy, plugin.proxy());
    configuration.push_str(&mark(sequence));
    discovery(&configuration, revision.as_str(), &plugin.wasm)
}

/// Encodes the sequence number of the entry as spaces and tabs, which follow the configuration and have no
/// meaning in JSON.
///
/// They make each file unique, because Envoy does not load the same configuration again. If it has
/// rejected that configuration, it either reports it as active, or rejects it again without asking the
/// filter, and so without reasons.
fn mark(sequence: u64) -> String {
    let mut bits: Vec<char> = Vec::new();
    let mut rest = sequence;
    while rest > 0 {
        bits.push(if rest & 1 == 1 { '\t' } else { ' ' });
        rest >>= 1;
    }
    bits.into_iter().rev().collect()
}

fn read_mark(configuration: &str) -> u64 {
    let end = configuration.trim_end_matches([' ', '\t']).len();
    let mark = configuration.get(end..).unwrap_or_default();
    if mark.len() > 64 {
        return 0;
    }
    let bit = |c| u64::from(c == '\t');
    mark.chars().fold(0, |number, c| (number << 1) | bit(c))
}

/// Parses a `filter.json` from any writer. The error says what is wrong with it.
pub(crate) fn read(text: &[u8]) -> Result<FilterFile, String> {
    let file: File<'_> = serde_json::from_slice(text)
        .map_err(|error| format!("not a discovered filter: {error}"))?;
    let [resource] = file.resources.as_slice() else {
        return Err(format!(
            "expected one resource, found {}",
            file.resources.len()
        ));
    };
    let plugin = &resource.typed_config.config;
    let configuration = plugin.configuration.value.as_ref();
    let envelope: Envelope<'_> = serde_json::from_str(configuration)
        .map_err(|error| format!("not a configuration of Turnout: {error}"))?;
    let inbound = match envelope.inbound.as_deref() {
        None | Some("strip") => Inbound::Strip,
        Some("trust") => Inbound::Trust,
        Some(_) => return Err("not a configuration of Turnout: no such `inbound`".into()),
    };
    Ok(FilterFile {
        policy: envelope.policy.get().to_owned(),
        plugin: Plugin {
            wasm: plugin.vm_config.code.local.filename.to_string(),
            inbound,
            headers: envelope.headers,
            record_level: envelope.record_level,
            max_held_bytes: envelope.max_held_bytes,
        },
        mark: read_mark(configuration),
    })
}

#[derive(Deserialize)]
struct File<'t> {
    #[serde(borrow)]
    resources: Vec<Resource<'t>>,
}

#[derive(Deserialize)]
struct Resource<'t> {
    #[serde(borrow)]
    typed_config: Wasm<'t>,
}

#[derive(Deserialize)]
struct Wasm<'t> {
    #[serde(borrow)]
    config: PluginConfig<'t>,
}

#[derive(Deserialize)]
struct PluginConfig<'t> {
    #[serde(borrow)]
    vm_config: VmConfig<'t>,
    #[serde(borrow)]
    configuration: StringValue<'t>,
}

#[derive(Deserialize)]
struct VmConfig<'t> {
    #[serde(borrow)]
    code: Code<'t>,
}

#[derive(Deserialize)]
struct Code<'t> {
    #[serde(borrow)]
    local: Local<'t>,
}

#[derive(Deserialize)]
struct Local<'t> {
    #[serde(borrow)]
    filename: Cow<'t, str>,
}

#[derive(Deserialize)]
struct StringValue<'t> {
    #[serde(borrow)]
    value: Cow<'t, str>,
}

#[derive(Deserialize)]
struct Envelope<'t> {
    #[serde(borrow)]
    policy: &'t RawValue,
    #[serde(borrow, default)]
    inbound: Option<Cow<'t, str>>,
    #[serde(default, with = "serde_emitted_headers")]
    headers: EmittedHeaders,
    #[serde(default, with = "serde_record_level")]
    record_level: RecordLevel,
    #[serde(default, with = "serde_max_held_bytes")]
    max_held_bytes: MaxHeldBytes,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let plugin = Plugin {
            wasm: "/etc/\"envoy\"/é.wasm".into(),
            inbound: Inbound::Trust,
            headers: EmittedHeaders::from_words(["treatment"]).unwrap(),
            record_level: RecordLevel::Warn,
            max_held_bytes: MaxHeldBytes::new(20_000_000).unwrap(),
        };
        let policy = "{ \"a\\n\": \"\\u0001 €\" }";
        let mut seen = std::collections::BTreeSet::new();
        for sequence in [1, 2, 3, 100, 65_536, u64::MAX] {
            let text = file(
                policy,
                &Revision::from_name("r1").unwrap(),
                &plugin,
                sequence,
            );
            let installed = read(text.as_bytes()).unwrap();
            assert_eq!(installed.policy, policy);
            assert_eq!(installed.plugin, plugin);
            assert_eq!(installed.mark, sequence);
            assert!(seen.insert(fingerprint(text.as_bytes())));
        }
    }

    #[test]
    fn settings_are_read_from_the_configuration_or_have_their_defaults() {
        let read = |rest: &str| {
            let configuration = format!("{{{rest}\"policy\":{{}}}}");
            let text = discovery(&configuration, "r1", "/f.wasm");
            read(text.as_bytes()).map(|installed| installed.plugin)
        };
        let plain = Plugin {
            wasm: "/f.wasm".into(),
            inbound: Inbound::Strip,
            headers: EmittedHeaders::ALL,
            record_level: RecordLevel::Info,
            max_held_bytes: MaxHeldBytes::default(),
        };
        assert_eq!(read(""), Ok(plain.clone()));
        let some = r#""headers":["decision","cluster"],"#;
        let headers = EmittedHeaders::from_words(["cluster", "decision"]).unwrap();
        let some_headers = Plugin {
            headers,
            ..plain.clone()
        };
        assert_eq!(read(some), Ok(some_headers));
        for record_level in RecordLevel::ALL {
            let level = format!("\"record_level\":\"{}\",", record_level.as_str());
            let at_level = Plugin {
                record_level,
                ..plain.clone()
            };
            assert_eq!(read(&level), Ok(at_level));
        }
        for (bad, words) in [
            (r#""inbound":"strap","#, "no such `inbound`"),
            (r#""headers":["clusters"],"#, "no such `headers`"),
            (r#""headers":["decision"],"#, "no such `headers`"),
            (r#""headers":[],"#, "no such `headers`"),
            (r#""headers":"cluster","#, "expected a sequence"),
            (r#""headers":null,"#, "expected a sequence"),
            (r#""headers":[1],"#, "expected a string"),
            (r#""record_level":"warning","#, "no such `record_level`"),
            (r#""record_level":null,"#, "expected a string"),
            (r#""record_level":3,"#, "expected a string"),
            (r#""max_held_bytes":1,"#, "`max_held_bytes` is out of range"),
            (r#""max_held_bytes":null,"#, "expected u32"),
            (r#""max_held_bytes":"67108864","#, "expected u32"),
        ] {
            let error = read(bad).unwrap_err();
            let start = "not a configuration of Turnout: ";
            assert!(error.starts_with(start) && error.contains(words), "{error}");
        }
    }

    #[test]
    fn what_others_wrote_is_refused_by_a_sentence() {
        for text in [
            "",
            "garbage",
            "{}",
            "{\"resources\":[]}",
            "{\"resources\":[{\"typed_config\":{}}]}",
            "[1",
            "\u{0}",
        ] {
            assert!(read(text.as_bytes()).is_err(), "{text}");
        }
        assert!(read(b"\xff").is_err());
        assert_eq!(read_mark(&" ".repeat(1_000)), 0);
        assert_eq!(read_mark("{}"), 0);
    }
}
