//! Finds the HTTP filter chains of a proxy with two enabled Turnout filters, in its configuration dump.
//!
//! Whatever is malformed, or does not prove that both filters see the same requests, is skipped: a warning
//! has to be true.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::Value;
use turnout_core::Configuration;
use turnout_core::lint::{ChainFilter, TwoTurnouts};

const WASM: &str = "/envoy.extensions.filters.http.wasm.v3.Wasm";
const BYTES: &str = "/google.protobuf.BytesValue";
/// Filters whose settings are a `Struct`, under this name and an older one.
const TYPED_STRUCT: [&str; 2] = ["/xds.type.v3.TypedStruct", "/udpa.type.v1.TypedStruct"];

/// Finds the chains with two Turnout filters in the listeners that a proxy uses.
///
/// A filter with `disabled: true`, or one that any route disables, does not count.
pub(crate) fn two_turnouts(dump: &[u8]) -> Vec<TwoTurnouts> {
    // `routes` reports a dump that is not JSON.
    let Ok(Dump { configs }) = serde_json::from_slice(dump) else {
        return Vec::new();
    };
    let mut turnouts = Turnouts::default();
    for part in &configs {
        turnouts.discover(&part.ecds_filters);
    }
    let listeners = configs.iter().flat_map(Part::listeners);
    let mut found = Vec::new();
    for (listener, number) in listeners.zip(1_usize..) {
        for filters in http_filters(listener) {
            turnouts.pairs(listener, number, filters, &mut found);
        }
    }
    if !found.is_empty() {
        // The whole dump is parsed only here, because the routes may have many megabytes.
        let Ok(dump) = serde_json::from_slice::<Value>(dump) else {
            return Vec::new();
        };
        let mut disabled = BTreeSet::new();
        disabled_by_routes(&dump, &mut disabled);
        let is_disabled = |filter: &ChainFilter| disabled.contains(filter.name.as_str());
        found.retain(|two| !is_disabled(&two.earlier) && !is_disabled(&two.later));
    }
    found
}

#[derive(Deserialize)]
struct Dump {
    configs: Vec<Part>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Part {
    static_listeners: Value,
    dynamic_listeners: Value,
    ecds_filters: Value,
}

impl Part {
    /// Returns the listeners that accept requests: not those that are warming, draining or rejected.
    fn listeners(&self) -> impl Iterator<Item = &Value> {
        let fixed = items(Some(&self.static_listeners));
        let fixed = fixed.iter().filter_map(|given| given.get("listener"));
        let dynamic = items(Some(&self.dynamic_listeners)).iter();
        fixed.chain(dynamic.filter_map(|given| given.pointer("/active_state/listener")))
    }
}

/// Returns the HTTP filters of each connection manager of a listener.
fn http_filters(listener: &Value) -> impl Iterator<Item = &[Value]> {
    let chains = items(listener.get("filter_chains")).iter();
    let chains = chains.chain(listener.get("default_filter_chain"));
    let filters = chains.flat_map(|chain| items(chain.get("filters")));
    filters.map(|filter| items(filter.pointer("/typed_config/http_filters")))
}

/// The Turnout filters that a proxy discovers.
#[derive(Default)]
struct Turnouts {
    /// The plugin's name by filter name; `None` for another kind of filter.
    discovered: BTreeMap<String, Option<String>>,
}

impl Turnouts {
    fn discover(&mut self, filters: &Value) {
        for given in items(Some(filters)) {
            let Some(filter) = given.get("ecds_filter") else {
                continue;
            };
            let plugin = filter.get("typed_config").and_then(plugin_of_turnout);
            let known = self.discovered.entry(text(filter, "name").to_owned());
            // Two sources may have a filter of the same name. If both are Turnout, it does not matter which
            // one a chain uses.
            let known = known.or_insert_with(|| plugin.clone());
            if plugin.is_none() {
                *known = None;
            }
        }
    }

    /// Adds each Turnout filter of a chain together with the previous one.
    fn pairs(
        &self,
        listener: &Value,
        number: usize,
        filters: &[Value],
        found: &mut Vec<TwoTurnouts>,
    ) {
        let mut earlier: Option<ChainFilter> = None;
        for (filter, place) in filters.iter().zip(1_usize..) {
            if filter.get("disabled") == Some(&Value::Bool(true)) {
                continue;
            }
            let Some(plugin) = self.plugin(filter) else {
                continue;
            };
            let later = ChainFilter {
                place,
                name: text(filter, "name").to_owned(),
                plugin,
            };
            if let Some(earlier) = earlier.replace(later.clone()) {
                found.push(TwoTurnouts {
                    listener: name_of(listener, number),
                    earlier,
                    later,
                });
            }
        }
    }

    /// Returns the plugin's name if the filter is Turnout.
    fn plugin(&self, filter: &Value) -> Option<String> {
        if let Some(discovery) = filter.get("config_discovery") {
            // Until a configuration is delivered, the default applies.
            return match self.discovered.get(text(filter, "name")) {
                Some(plugin) => plugin.clone(),
                None => discovery.get("default_config").and_then(plugin_of_turnout),
            };
        }
        filter.get("typed_config").and_then(plugin_of_turnout)
    }
}

/// Returns the plugin's name of a Wasm filter whose configuration is valid for Turnout.
fn plugin_of_turnout(typed_config: &Value) -> Option<String> {
    let kind = text(typed_config, "@type");
    let config = match kind.ends_with(WASM) {
        true => typed_config.get("config"),
        false
            if TYPED_STRUCT.iter().any(|known| kind.ends_with(known))
                && text(typed_config, "type_url").ends_with(WASM) =>
        {
            typed_config.pointer("/value/config")
        }
        false => None,
    }?;
    let configuration = config.get("configuration")?;
    let given = match configuration.get("value")? {
        Value::String(given) if text(configuration, "@type").ends_with(BYTES) => {
            Cow::Owned(STANDARD.decode(given).ok()?)
        }
        Value::String(given) => Cow::Borrowed(given.as_bytes()),
        Value::Object(given) => Cow::Owned(serde_json::to_vec(given).ok()?),
        _ => return None,
    };
    let is_turnout = Configuration::from_json(&given).is_ok();
    is_turnout.then(|| text(config, "name").to_owned())
}

/// Collects the names of filters that any route in a dump disables.
fn disabled_by_routes<'d>(part: &'d Value, disabled: &mut BTreeSet<&'d str>) {
    match part {
        Value::Array(items) => {
            for item in items {
                disabled_by_routes(item, disabled);
            }
        }
        Value::Object(fields) => {
            for (name, value) in fields {
                if let ("typed_per_filter_config", Value::Object(filters)) = (name.as_str(), value)
                {
                    let is_disabled = |config: &Value| config.get("disabled") == Some(&true.into());
                    let filters = filters.iter().filter(|(_, config)| is_disabled(config));
                    disabled.extend(filters.map(|(name, _)| name.as_str()));
                }
                disabled_by_routes(value, disabled);
            }
        }
        _ => {}
    }
}

/// Returns the name of a listener, or else its address.
fn name_of(listener: &Value, number: usize) -> String {
    let name = text(listener, "name");
    if !name.is_empty() {
        return name.to_owned();
    }
    let socket = listener.pointer("/address/socket_address");
    let port = socket.and_then(|socket| socket.get("port_value"));
    match (socket, port) {
        (Some(socket), Some(port)) => format!("{}:{port}", text(socket, "address")),
        _ => format!("number {number}"),
    }
}

fn text<'v>(value: &'v Value, field: &str) -> &'v str {
    let text = value.get(field).and_then(Value::as_str);
    text.unwrap_or_default()
}

fn items(value: Option<&Value>) -> &[Value] {
    let items = value.and_then(Value::as_array);
    items.map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests;
