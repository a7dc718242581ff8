//! Records as OTLP/HTTP JSON logs, for `POST /v1/logs`: the JSON mapping of the protobuf message
//! `ExportLogsServiceRequest`, in which 64-bit numbers are strings.

use turnout_diff::Severity;
use turnout_text::json_string;

use super::json_writer::{Object, list};

/// Returns a batch of lines, each with its time in milliseconds since 1970 and, for a difference, its
/// severity.
#[must_use]
pub fn export<'a>(lines: impl IntoIterator<Item = (u64, Option<Severity>, &'a str)>) -> String {
    let records = lines.into_iter().map(record);
    let name = attribute("service.name", "turnout");
    let resource = Object::new().json("attributes", &list([name])).end();
    let scope = Object::new()
        .text("name", b"turnout")
        .text("version", env!("CARGO_PKG_VERSION").as_bytes())
        .end();
    let logs = Object::new()
        .json("scope", &scope)
        .json("logRecords", &list(records))
        .end();
    let resource_logs = Object::new()
        .json("resource", &resource)
        .json("scopeLogs", &list([logs]))
        .end();
    Object::new()
        .json("resourceLogs", &list([resource_logs]))
        .end()
}

fn record((time_ms, severity, line): (u64, Option<Severity>, &str)) -> String {
    let nanoseconds = time_ms.saturating_mul(1_000_000).to_string();
    // SEVERITY_NUMBER_ERROR, _WARN and _INFO.
    let (number, text) = match severity {
        Some(Severity::Breaking) => (17, "ERROR"),
        Some(Severity::Changed) => (13, "WARN"),
        Some(Severity::Additive) | None => (9, "INFO"),
    };
    let body = Object::new().text("stringValue", line.as_bytes()).end();
    let kind = match severity {
        Some(_) => "difference",
        None => "summary",
    };
    Object::new()
        .text("timeUnixNano", nanoseconds.as_bytes())
        .text("observedTimeUnixNano", nanoseconds.as_bytes())
        .number("severityNumber", number)
        .text("severityText", text.as_bytes())
        .json("body", &body)
        .json("attributes", &list([attribute("turnout.record", kind)]))
        .end()
}

fn attribute(key: &str, value: &str) -> String {
    let value = Object::new().text("stringValue", value.as_bytes()).end();
    let value = value.as_str();
    format!("{{\"key\":{},\"value\":{value}}}", json_string(key))
}
