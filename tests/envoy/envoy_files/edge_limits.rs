//! The table in `docs/edge.md` has the values that each file of the folder `envoy/` sets.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;

use crate::envoy_files::bootstraps;

/// Fields of the connection manager that limit nothing and have no row.
const OF_NO_CONCERN: &[&str] = &[
    "@type",
    "access_log",
    "early_header_mutation_extensions",
    "generate_request_id",
    "http_filters",
    "preserve_external_request_id",
    "request_id_extension",
    "route_config",
    "stat_prefix",
];

/// The value for all files without a value of their own; `None` if such a file does not set it.
struct Row {
    setting: String,
    value: Option<String>,
    exceptions: BTreeMap<String, String>,
}

impl Row {
    fn value_in(&self, file: &str) -> Option<&String> {
        self.exceptions.get(file).or(self.value.as_ref())
    }
}

/// The rows of the table: in the cell `the files`, a value or `none`, and pairs of a file and its value.
fn rows() -> Vec<Row> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/edge.md");
    let page = std::fs::read_to_string(page).expect("the page");
    let (_, table) = page.split_once("| setting |").expect("the table");
    let (table, _) = table.split_once("\n\n").expect("its end");
    let row = |line: &str| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let setting = cells[1].trim_matches('`').to_owned();
        let mut codes = cells[3].split('`').skip(1).step_by(2).map(str::to_owned);
        let is_none = cells[3].starts_with("none");
        let value = if is_none { None } else { codes.next() };
        let codes: Vec<String> = codes.collect();
        let pairs = codes
            .chunks(2)
            .map(|pair| (pair[0].clone(), pair[1].clone()));
        Row {
            setting,
            value,
            exceptions: pairs.collect(),
        }
    };
    table.lines().skip(2).map(row).collect()
}

/// The values of a file, by the names of the table. If clusters differ, the value is one that no row
/// has.
fn settings(text: &str) -> BTreeMap<String, String> {
    let file: Value = yaml_serde::from_str(text).expect("YAML");
    let mut all = BTreeMap::new();
    let mut add = |name: &str, value: &Value| {
        let value = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        if let Some(before) = all.insert(name.to_owned(), value.clone())
            && before != value
        {
            all.insert(name.to_owned(), format!("{before} and {value}"));
        }
    };
    let admin = &file["admin"];
    add(
        "admin.address",
        &admin["address"]["socket_address"]["address"],
    );
    add(
        "admin.ignore_global_conn_limit",
        &admin["ignore_global_conn_limit"],
    );

    let overload = &file["overload_manager"];
    add("overload.refresh_interval", &overload["refresh_interval"]);
    for monitor in list(&overload["resource_monitors"]) {
        for (key, value) in fields(&monitor["typed_config"]) {
            if key != "@type" {
                add(&format!("overload.{key}"), value);
            }
        }
    }
    for action in list(&overload["actions"]) {
        let name = action["name"].as_str().expect("a name");
        let name = name.replace("envoy.overload_actions.", "overload.");
        let timers = &action["typed_config"]["timer_scale_factors"];
        let value = match timers.as_array() {
            Some(timers) => &timers[0]["min_timeout"],
            None => &action["triggers"][0]["threshold"]["value"],
        };
        add(&name, value);
    }

    let listener = &file["static_resources"]["listeners"][0];
    let chain = &listener["filter_chains"][0];
    let buffer = "per_connection_buffer_limit_bytes";
    add(&format!("listener.{buffer}"), &listener[buffer]);
    let handshake = "transport_socket_connect_timeout";
    add(&format!("listener.{handshake}"), &chain[handshake]);
    for (key, value) in fields(&chain["filters"][0]["typed_config"]) {
        if key == "common_http_protocol_options" || key == "http2_protocol_options" {
            for (key, value) in fields(value) {
                add(&format!("http.{key}"), value);
            }
        } else if !OF_NO_CONCERN.contains(&key.as_str()) {
            add(&format!("http.{key}"), value);
        }
    }

    for cluster in list(&file["static_resources"]["clusters"]) {
        let kind = match cluster["name"].as_str().expect("a name") {
            "channels-v1" | "channels-v2" => "cluster",
            "channels-v1-shadow" | "channels-v2-shadow" => "shadow",
            _ => continue,
        };
        add(&format!("{kind}.{buffer}"), &cluster[buffer]);
        for (key, value) in fields(&cluster["circuit_breakers"]["thresholds"][0]) {
            add(&format!("{kind}.{key}"), value);
        }
    }
    all
}

fn list(value: &Value) -> &Vec<Value> {
    value
        .as_array()
        .unwrap_or_else(|| panic!("no list: {value}"))
}

fn fields(value: &Value) -> &serde_json::Map<String, Value> {
    value
        .as_object()
        .unwrap_or_else(|| panic!("no fields: {value}"))
}

#[test]
fn the_table_of_limits_has_the_values_of_each_file() {
    let rows = rows();
    assert!(rows.len() > 30, "only {} rows", rows.len());
    for (file, text) in bootstraps() {
        let found = settings(&text);
        for row in &rows {
            let found = found.get(&row.setting);
            assert_eq!(found, row.value_in(&file), "{file}: {}", row.setting);
        }
        let known: BTreeSet<&String> = rows.iter().map(|row| &row.setting).collect();
        let unknown: Vec<_> = found.keys().filter(|name| !known.contains(name)).collect();
        assert!(unknown.is_empty(), "{file}: no row for {unknown:?}");
    }
}
