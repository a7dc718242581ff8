//! Wrappers that are JSON objects.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::Value;
use serde_json::value::RawValue;

use crate::wrapper::Wrapper;
use crate::{Layer, logger};

/// Where Docker and containerd cut lines, in bytes.
const CUT: usize = 16 << 10;

/// Fields in which collectors put the line that they were given, the surest first.
const LINE: [&str; 13] = [
    "log",
    "message",
    "msg",
    "@message",
    "_raw",
    "textPayload",
    "line",
    "body",
    "stringValue",
    "text",
    "content",
    "event",
    "Message",
];

/// Objects in which collectors put the fields of the line's own object.
const INSIDE: [&str; 7] = [
    "jsonPayload",
    "body",
    "log",
    "message",
    "_source",
    "result",
    "fields",
];

/// Where OpenTelemetry keeps log records, from the outside to the inside.
const OTLP: [&str; 4] = [
    "resourceLogs",
    "scopeLogs",
    "instrumentationLibraryLogs",
    "logRecords",
];

/// The fields of a JSON object, of which most are never looked at.
pub(crate) type Fields<'a> = BTreeMap<String, &'a RawValue>;

/// The fields of a line that is a JSON object.
pub(crate) fn fields(line: &[u8]) -> Option<Fields<'_>> {
    serde_json::from_slice(line).ok()
}

/// The text of a field.
pub(crate) fn string(fields: &Fields<'_>, name: &str) -> Option<String> {
    let raw = fields.get(name)?.get();
    raw.starts_with('"')
        .then(|| serde_json::from_str(raw).ok())
        .flatten()
}

/// Takes one wrapper off a line.
pub(crate) fn peel(line: &[u8]) -> Option<Layer<'_>> {
    let fields = fields(line)?;
    if OTLP.iter().any(|name| fields.contains_key(*name)) {
        return otlp(line);
    }
    if fields.contains_key("MESSAGE") {
        return journal(&fields);
    }
    if let Some(layer) = docker(&fields) {
        return Some(layer);
    }
    if logger::is_own(&fields) {
        return None;
    }
    collector(&fields)
}

fn layer<'a>(wrapper: Wrapper, text: String) -> Layer<'a> {
    Layer::new(wrapper, text.into_bytes())
}

fn is_set(fields: &Fields<'_>, name: &str) -> bool {
    fields
        .get(name)
        .is_some_and(|value| matches!(value.get(), "true" | "\"true\"" | "\"1\"" | "1"))
}

/// `{"log":"…\n","stream":"stdout","time":"…"}`, and `attrs` where labels are logged.
fn docker(fields: &Fields<'_>) -> Option<Layer<'static>> {
    let known = ["log", "stream", "time", "attrs"];
    let is_docker = fields.contains_key("time")
        && fields.contains_key("stream")
        && fields.keys().all(|name| known.contains(&name.as_str()));
    let log = string(fields, "log").filter(|_| is_docker)?;
    let continues = log.len() >= CUT && !log.ends_with('\n');
    Some(Layer {
        continues,
        stream: string(fields, "stream")?.into_bytes(),
        ..layer(Wrapper::Docker, log)
    })
}

/// `journalctl -o json`, which writes bytes as numbers where they are not printable.
fn journal(fields: &Fields<'_>) -> Option<Layer<'static>> {
    let raw = fields.get("MESSAGE")?.get();
    let message: Vec<u8> = match raw.starts_with('[') {
        true => serde_json::from_str(raw).ok()?,
        false => string(fields, "MESSAGE")?.into_bytes(),
    };
    let stream = ["_SYSTEMD_UNIT", "CONTAINER_ID", "_PID"];
    let stream = stream.iter().filter_map(|name| string(fields, name));
    Some(Layer {
        continues: is_set(fields, "CONTAINER_PARTIAL_MESSAGE"),
        stream: stream.collect::<Vec<_>>().join("/").into_bytes(),
        ..Layer::new(Wrapper::Journal, message)
    })
}

/// An object of Fluent Bit, Fluentd, Vector, Filebeat, Loki, Cloud Logging, CloudWatch or Splunk.
fn collector(fields: &Fields<'_>) -> Option<Layer<'static>> {
    let text = LINE.iter().find_map(|name| string(fields, name));
    if let Some(text) = text {
        let tag = ["logtag", "_p"];
        let is_part = tag
            .iter()
            .any(|name| string(fields, name).as_deref() == Some("P"));
        let stream = ["stream", "kubernetes", "container_id", "tag", "file"];
        let stream = stream.iter().filter_map(|name| fields.get(*name));
        return Some(Layer {
            continues: is_part || is_set(fields, "partial_message"),
            stream: stream.flat_map(|raw| raw.get().bytes()).collect(),
            ..layer(Wrapper::Collector, text)
        });
    }
    // The line was itself JSON, and the collector has taken it apart.
    let inside = INSIDE.iter().find_map(|name| {
        let raw = fields.get(*name)?.get();
        raw.starts_with('{').then(|| raw.to_owned())
    })?;
    Some(layer(Wrapper::Collector, inside))
}

/// The bodies of all log records of a batch.
fn otlp(line: &[u8]) -> Option<Layer<'static>> {
    let batch: Value = serde_json::from_slice(line).ok()?;
    let mut texts = Vec::new();
    records(&batch, &mut texts);
    Some(Layer {
        wrapper: Wrapper::Otlp,
        texts,
        continues: false,
        stream: Vec::new(),
    })
}

fn records(value: &Value, texts: &mut Vec<Cow<'static, [u8]>>) {
    for name in OTLP {
        let Some(items) = value.get(name).and_then(Value::as_array) else {
            continue;
        };
        for item in items {
            let body = item.pointer("/body/stringValue").and_then(Value::as_str);
            match body {
                Some(body) => texts.push(Cow::Owned(body.as_bytes().to_vec())),
                None => records(item, texts),
            }
        }
    }
}
