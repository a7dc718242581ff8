//! Wrappers that are JSON objects.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::Value;
use serde_json::value::RawValue;

use crate::wrapper::Wrapper;
use crate::{Inner, Layer, logger};

/// The length at which Docker and containerd split lines, in bytes.
const CUT: usize = 16 << 10;

/// The fields in which collectors put the original line, the most reliable first.
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

/// The objects in which collectors put the fields of a line that is JSON.
const INSIDE: [&str; 7] = [
    "jsonPayload",
    "body",
    "log",
    "message",
    "_source",
    "result",
    "fields",
];

/// The fields that lead to the log records of OpenTelemetry, from the outside in.
const OTLP: [&str; 4] = [
    "resourceLogs",
    "scopeLogs",
    "instrumentationLibraryLogs",
    "logRecords",
];

/// The other signals in the files of an OpenTelemetry collector.
const OTHER_SIGNALS: [&str; 3] = ["resourceSpans", "resourceMetrics", "resourceProfiles"];

/// The fields of a JSON object, with unparsed values.
pub(crate) type Fields<'a> = BTreeMap<String, &'a RawValue>;

/// Parses a line that is a JSON object.
pub(crate) fn fields(line: &[u8]) -> Option<Fields<'_>> {
    serde_json::from_slice(line).ok()
}

/// Returns the text of a field.
pub(crate) fn string(fields: &Fields<'_>, name: &str) -> Option<String> {
    let raw = fields.get(name)?.get();
    raw.starts_with('"')
        .then(|| serde_json::from_str(raw).ok())
        .flatten()
}

/// Removes one wrapper from a line.
pub(crate) fn peel(line: &[u8]) -> Option<Layer<'_>> {
    let fields = fields(line)?;
    let mut otlp_names = OTLP.iter().chain(&OTHER_SIGNALS);
    if otlp_names.any(|name| fields.contains_key(*name)) {
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

/// Removes the wrapper of Docker: `{"log":"…\n","stream":"stdout","time":"…"}`, and `attrs` if
/// labels are logged.
fn docker(fields: &Fields<'_>) -> Option<Layer<'static>> {
    let known = ["log", "stream", "time", "attrs"];
    let is_docker = fields.contains_key("time")
        && fields.contains_key("stream")
        && fields.keys().all(|name| known.contains(&name.as_str()));
    let log = string(fields, "log").filter(|_| is_docker)?;
    let continues = log.len() >= CUT && !log.ends_with('\n');
    Some(Layer {
        continues,
        is_stdout: is_stdout(fields),
        stream: string(fields, "stream")?.into_bytes(),
        ..layer(Wrapper::Docker, log)
    })
}

/// Removes the wrapper of `journalctl -o json`, which writes a text with unprintable bytes as a
/// list of numbers.
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

/// Removes the wrapper of Fluent Bit, Fluentd, Vector, Filebeat, Loki, Cloud Logging, CloudWatch or
/// Splunk.
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
            is_stdout: is_stdout(fields),
            stream: stream.flat_map(|raw| raw.get().bytes()).collect(),
            ..layer(Wrapper::Collector, text)
        });
    }
    // The original line was JSON, and the collector has parsed it.
    let inside = INSIDE.iter().find_map(|name| {
        let raw = fields.get(*name)?.get();
        raw.starts_with('{').then(|| raw.to_owned())
    })?;
    Some(Layer {
        is_stdout: is_stdout(fields),
        ..layer(Wrapper::Collector, inside)
    })
}

/// Whether a field marks the line as standard output.
fn is_stdout(fields: &Fields<'_>) -> bool {
    let is_it = |name: &str| {
        string(fields, name).is_some_and(|value| value == "stdout" || value.ends_with("/stdout"))
    };
    let is_label = || {
        let raw = fields.get("labels").map(|raw| raw.get().as_bytes());
        let labels = raw.and_then(self::fields);
        labels.is_some_and(|labels| string(&labels, "stream").is_some_and(|it| it == "stdout"))
    };
    ["stream", "logName", "iostream", "log.iostream"]
        .into_iter()
        .any(is_it)
        || is_label()
}

/// Returns the bodies of all log records of a batch.
fn otlp(line: &[u8]) -> Option<Layer<'static>> {
    let batch: Value = serde_json::from_slice(line).ok()?;
    let mut layer = Layer::new(Wrapper::Otlp, Vec::new());
    layer.texts.clear();
    records(&batch, false, &mut layer.texts);
    Some(layer)
}

fn records(value: &Value, is_exported: bool, texts: &mut Vec<Inner<'static>>) {
    // The filter sets the scope of its records. A client cannot set it.
    let scope = value.pointer("/scope/name").and_then(Value::as_str);
    let is_exported = is_exported || scope == Some("turnout");
    for name in OTLP {
        let Some(items) = value.get(name).and_then(Value::as_array) else {
            continue;
        };
        for item in items {
            let body = item.pointer("/body/stringValue").and_then(Value::as_str);
            match body {
                Some(body) => texts.push(Inner {
                    text: Cow::Owned(body.as_bytes().to_vec()),
                    is_exported,
                    is_stdout: is_of_stdout(item),
                }),
                None => records(item, is_exported, texts),
            }
        }
    }
}

/// Whether an attribute of a log record marks the line as standard output.
fn is_of_stdout(record: &Value) -> bool {
    let attributes = record.get("attributes").and_then(Value::as_array);
    attributes.into_iter().flatten().any(|attribute| {
        let text = |pointer| attribute.pointer(pointer).and_then(Value::as_str);
        let is_stream = |name: &str| name.ends_with("iostream") || name == "stream";
        text("/key").is_some_and(is_stream) && text("/value/stringValue") == Some("stdout")
    })
}
