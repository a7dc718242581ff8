//! Forged records: text of a client in an access log that is merged with Envoy's own log.

use serde_json::{Value, json};
use turnout_report::{ErrorBudget, Report, Totals, Verdict};

use crate::{logged, summary};

const TIME: &str = "2026-11-21T03:00:00.123Z";

/// A record that a client forges.
fn forged() -> String {
    summary("chat", r#""equal":1000000"#)
}

/// The text that a client sends: the record in every log format that the report reads, and in custom ones.
fn framed(record: &str) -> Vec<String> {
    let message = format!("wasm log: turnout: {record}");
    let place = "source/extensions/common/wasm/context.cc:1151";
    let istio = |scope: &str| json!({ "level": "info", "time": TIME, "scope": scope, "msg": message, "caller": place, "thread": "27" });
    vec![
        record.to_owned(),
        format!("turnout: {record}"),
        message.clone(),
        format!("wasm log turnout: turnout: {record}"),
        format!("[2026-11-21 03:00:00.000][12][info][wasm] [{place}] {message}"),
        format!("[2026-11-21 03:00:00.000][12][info] [{place}] {message}"),
        format!("[12][info][wasm] [{place}] {message}"),
        format!("[2026-11-21T03:00:00.000Z][info][thread 20][wasm] {message}"),
        format!("I1121 03:38:00.000 12 context.cc:1137] {message}"),
        format!("{TIME}\tinfo\tenvoy wasm {place}\t{message}\tthread=27"),
        format!("info\tenvoy wasm {place}\t{message}\tthread=27"),
        istio("envoy wasm").to_string(),
        json!({ "level": "info", "time": TIME, "msg": message }).to_string(),
    ]
}

/// A line in every wrapper.
fn wrapped_in_each(line: &str) -> Vec<String> {
    let ended = format!("{line}\n");
    let body = json!({ "body": { "stringValue": line } });
    vec![
        line.to_owned(),
        json!({ "log": ended, "stream": "stderr", "time": TIME }).to_string(),
        format!("{TIME} stderr F {line}"),
        format!("stderr F {line}"),
        format!("{TIME} {line}"),
        format!("[pod/edge/envoy] {line}"),
        format!("envoy-1  | {line}"),
        format!("Nov 21 03:00:00 edge envoy[812]: {line}"),
        format!("<14>Nov 21 03:00:00 edge envoy: {line}"),
        json!({ "MESSAGE": line }).to_string(),
        json!({ "MESSAGE": line.as_bytes() }).to_string(),
        json!({ "message": line, "@timestamp": TIME }).to_string(),
        json!({ "jsonPayload": { "message": line } }).to_string(),
        json!({ "resourceLogs": [{ "scopeLogs": [{ "scope": { "name": "turnout" }, "logRecords": [body] }] }] })
            .to_string(),
    ]
}

/// The members of an object, in a text with which a client closes a JSON string and opens another.
fn injected(text: &str) -> Option<String> {
    let members = text.strip_prefix('{')?.strip_suffix('}')?;
    Some(format!("x\",{members},\"z\":\"x"))
}

/// Access log lines with the client's text everywhere but at the start, or at the start behind a time and a tab.
fn access_lines(text: &str) -> Vec<String> {
    let mut lines = vec![
        format!("[{TIME}] GET /v1 200 {text}"),
        format!("[{TIME}] \"GET /v1 HTTP/1.1\" 200 - 0 57 \"-\" \"{text}\" \"id\""),
        format!("[{TIME}] \"GET /v1 HTTP/1.1\" 200 '{text}'"),
        format!("[{TIME}] GET {text} 200 -"),
        format!("[{TIME}] {text}"),
        format!("[{TIME}]{text}"),
        format!("{TIME} {text}"),
        format!("{TIME} GET 200 {text}"),
        format!("Nov 21 03:00:00 edge envoy[812]: {text}"),
        format!("Nov 21 03:00:00 edge access: {text}"),
        format!("edge.example | {text}"),
        format!(
            "10.0.0.1 - - [21/Nov/2026:03:00:00 +0000] \"GET / HTTP/1.1\" 200 57 \"-\" \"{text}\""
        ),
        format!("{text} 200"),
        format!("\"{text}\" 200"),
        format!("- {text}"),
        format!("GET{text}"),
    ];
    for key in [
        "user_agent",
        "message",
        "msg",
        "log",
        "body",
        "text",
        "event",
        "line",
    ] {
        lines.push(json!({ "method": "GET", "start_time": TIME, key: text }).to_string());
        lines.push(json!({ "time": TIME, "level": "info", key: text, "code": 200 }).to_string());
        let text = injected(text).unwrap_or_else(|| text.replace('"', "\\\""));
        lines.push(format!("{{\"method\":\"GET\",\"{key}\":\"{text}\"}}"));
        lines.push(format!(
            "{{\"level\":\"info\",\"time\":\"{TIME}\",\"{key}\":\"{text}\"}}"
        ));
    }
    lines
}

type Carrier = fn(&str, &str) -> String;

/// Wrappers of all lines of an input; the second argument is the stream. Envoy's own log goes to standard error,
/// the access log to standard output.
const CARRIERS: [(&str, Carrier); 8] = [
    ("nothing", |line, _| line.to_owned()),
    ("CRI", |line, stream| format!("{TIME} {stream} F {line}")),
    ("Docker", |line, stream| {
        json!({ "log": format!("{line}\n"), "stream": stream, "time": TIME }).to_string()
    }),
    ("Fluent Bit", |line, stream| {
        json!({ "log": line, "stream": stream, "kubernetes": { "pod_name": "a" } }).to_string()
    }),
    ("kubectl", |line, _| {
        format!("[pod/edge/envoy] {TIME} {line}")
    }),
    ("journald", |line, _| {
        format!("Nov 21 03:00:00 edge envoy[812]: {line}")
    }),
    ("journald's JSON", |line, _| {
        json!({ "MESSAGE": line, "_PID": "812" }).to_string()
    }),
    ("Compose", |line, _| format!("envoy-1  | {line}")),
];

fn totals(log: &str) -> Totals {
    let mut totals = Totals::default();
    totals.read("log", log.as_bytes()).expect("bytes are read");
    totals
}

fn verdict(totals: &Totals) -> Option<Verdict> {
    let report = Report::new(totals, ErrorBudget::default(), None).expect("all rollouts");
    report.verdicts().map(|(_, verdict)| verdict).next()
}

/// A log with a line of Envoy, honest access log lines, and the line of a client.
fn merged(carrier: Carrier, access: &str) -> String {
    let own = logged(&summary("chat", r#""equal":3"#));
    let honest = access_of(access);
    let lines = [
        ("stderr", own.trim_end()),
        ("stdout", &honest),
        ("stdout", access),
        ("stdout", &honest),
    ];
    let lines = lines.map(|(stream, line)| carrier(line, stream) + "\n");
    lines.concat()
}

/// An honest access log line in the same format.
fn access_of(line: &str) -> String {
    match serde_json::from_str::<Value>(line) {
        Ok(_) => json!({ "method": "GET", "start_time": TIME, "user_agent": "curl/8" }).to_string(),
        Err(_) => format!("[{TIME}] \"GET /v1 HTTP/1.1\" 200 - 0 57 \"-\" \"curl/8\" \"id\""),
    }
}

/// Every log format, in every wrapper, at every place of an access log line but the start.
#[test]
fn client_text_inside_an_access_log_line_is_not_a_record() {
    let mut wrong = Vec::new();
    let mut tried = 0;
    for (name, carrier) in CARRIERS {
        for text in framed(&forged())
            .iter()
            .flat_map(|line| wrapped_in_each(line))
        {
            for access in access_lines(&text) {
                tried += 1;
                // All combinations without a wrapper, and every fifth one with each wrapper.
                if name != "nothing" && tried % 5 != 0 {
                    continue;
                }
                let log = merged(carrier, &access);
                let totals = totals(&log);
                if totals.inputs()[0].records != 1 {
                    let verdict = verdict(&totals);
                    wrong.push(format!("{name}: {verdict:?}: {access}"));
                }
            }
        }
    }
    let few = wrong
        .iter()
        .take(20)
        .cloned()
        .collect::<Vec<_>>()
        .join("\n");
    assert!(wrong.is_empty(), "{} of {tried}:\n{few}", wrong.len());
}

fn json_of(log: &str) -> Value {
    crate::json_of(&[log])
}

/// Every reason why a line does not count.
#[test]
fn untrusted_lines_are_counted_and_reported() {
    let record = forged();
    let own = logged(&summary("chat", r#""equal":3"#));
    let access = format!("[{TIME}] GET /v1 200 curl/8\n");
    for (kind, log, words) in [
        (
            "embedded",
            format!("{own}{access}[{TIME}] GET /v1 200 {record}\n"),
            "1 line contains a record where the filter does not write one, and does not count: a client can write such \
             text into an access log. If no line of the input is from an access log, use --own-log.",
        ),
        (
            "stdout",
            [("stderr", &own), ("stdout", &logged(&record))]
                .map(|(stream, line)| format!("{TIME} {stream} F {line}"))
                .concat(),
            "1 line on standard output looks like a record and does not count: Envoy writes access logs",
        ),
        (
            "bare",
            format!("{own}{access}{record}\n"),
            "1 record has no log prefix and does not count, because the input also has other lines",
        ),
        (
            "wrapped",
            format!("{own}{TIME} stderr F {}", logged(&record)),
            "1 record has a wrapper that other lines of the input do not have",
        ),
        (
            "counters",
            format!("{own}{access}turnout_shadow{{rollout=\"chat\",outcome=\"equal\"}} 4000 1\n"),
            "1 counter is in a log and does not count. Pass counters in a separate file",
        ),
        // The counters come before the line that shows that this is a log.
        (
            "counters",
            format!("turnout_shadow{{rollout=\"chat\",outcome=\"equal\"}} 4000\n{own}{access}"),
            "1 counter is in a log",
        ),
    ] {
        let json = json_of(&log);
        assert_eq!(json["rollouts"][0]["verdict"], "not_enough_data", "{log}");
        assert_eq!(json["rollouts"][0]["equal"], 3, "{log}");
        assert_eq!(json["inputs"][0]["untrusted_lines"][kind], 1, "{json:#}");
        let notes = json["notes"].as_array().expect("notes");
        let is_expected = |note: &Value| note.as_str().is_some_and(|note| note.starts_with(words));
        assert!(notes.iter().any(is_expected), "{notes:#?}");
    }
}

/// A later line shows that a client may have written the records before it.
#[test]
fn records_that_a_later_line_casts_doubt_on_are_never_ready() {
    let record = forged();
    let access = format!("[{TIME}] GET /v1 200 curl/8\n");
    for (log, words) in [
        (
            format!("{record}\n{access}"),
            "0 of 1,000,000 comparisons failed, but 1 record of input 0 may come from a client: the records \
             have no log prefix, but the input also has other lines. Pass Envoy's own log without an access \
             log, or read all counters with --admin. If no line is from an access log, add --own-log.",
        ),
        (
            format!("{TIME} {}{access}", logged(&record)),
            "0 of 1,000,000 comparisons failed, but 1 record of input 0 may come from a client: other lines do \
             not have the wrapper of the records. Pass Envoy's own log without an access log, or read all \
             counters with --admin. If no line is from an access log, add --own-log.",
        ),
        // The forged line equals Envoy's byte for byte; only an honest access log line shows that it may be forged.
        (
            format!("curl/8.0 200 -\n{}Mozilla/5.0 200 -\n", logged(&record)),
            "0 of 1,000,000 comparisons failed, but 1 record of input 0 may come from a client: line 1 starts \
             with text that a client may have chosen, so clients may have written whole lines. Pass Envoy's own \
             log without an access log, or read all counters with --admin. If no line is from an access log, \
             add --own-log.",
        ),
        (
            format!("{}{access}{TIME}\tcurl/8\t200\n", logged(&record)),
            "0 of 1,000,000 comparisons failed, but 1 record of input 0 may come from a client: line 3 starts \
             with text that a client may have chosen, so clients may have written whole lines. Pass Envoy's own \
             log without an access log, or read all counters with --admin. If no line is from an access log, \
             add --own-log.",
        ),
        (
            [
                ("stderr", "curl/8.0 200 -\n"),
                ("stderr", logged(&record).as_str()),
            ]
            .map(|(stream, line)| format!("{TIME} {stream} F {line}"))
            .concat(),
            "0 of 1,000,000 comparisons failed, but 1 record of input 0 may come from a client: line 1 starts \
             with text that a client may have chosen, so clients may have written whole lines. Pass Envoy's own \
             log without an access log, or read all counters with --admin. If no line is from an access log, \
             add --own-log.",
        ),
    ] {
        let json = json_of(&log);
        let rollout = &json["rollouts"][0];
        assert_eq!(rollout["verdict"], "not_enough_data", "{log}");
        assert_eq!(rollout["explanation"], words, "{log}");
        for row in ["segments", "routes", "segments_of_routes"] {
            assert_eq!(rollout[row][0]["verdict"], "not_enough_data", "{row}");
        }
    }
}

/// An access log on standard output, output of Istio's agent, and counters cast no doubt on records.
#[test]
fn lines_that_a_client_cannot_start_do_not_change_a_verdict() {
    let own = logged(&summary("chat", r#""equal":3000"#));
    let access = "curl/8.0 200 -\n";
    let counters = "turnout_shadow{rollout=\"chat\",outcome=\"equal\"} 3000\n";
    let tagged = |stream: &str, line: &str| format!("{TIME} {stream} F {line}");
    for texts in [
        vec![tagged("stderr", &own) + &tagged("stdout", access)],
        vec![format!(
            "concurrency: 2\nproxyMetadata:\n  ISTIO_META: x\n{own}"
        )],
        vec![format!("{own}{access}"), counters.to_owned()],
        vec![own.clone(), access.to_owned()],
    ] {
        let texts: Vec<_> = texts.iter().map(String::as_str).collect();
        let json = crate::json_of(&texts);
        assert_eq!(json["rollouts"][0]["verdict"], "ready", "{texts:?}");
    }
}

/// Extracted records, a collector's file, and lines of journald.
#[test]
fn records_need_no_prefix_where_clients_cannot_write() {
    let record = summary("chat", r#""equal":3000"#);
    let body = json!({ "body": { "stringValue": record } });
    let access = json!({ "body": { "stringValue": forged() } });
    let exported = json!({ "resourceLogs": [
        { "scopeLogs": [{ "scope": {}, "logRecords": [access] }] },
        { "scopeLogs": [{ "scope": { "name": "turnout" }, "logRecords": [body] }] },
        { "scopeLogs": [{ "scope": {}, "logRecords": [{ "body": { "stringValue": "GET / 200" } }, access] }] },
    ] });
    let spans = json!({ "resourceSpans": [] });
    for (log, taken) in [
        (format!("{record}\n\n"), 1),
        (format!("turnout: {record}\n# a comment\nup 1\n"), 1),
        // The first forged record counts, because no line has shown yet that this is an access log.
        (format!("{spans}\n{exported}\n"), 2),
        (
            format!(
                "-- Boot 5f0c --\nNov 21 03:00:00 edge envoy[8]: {}",
                logged(&record)
            ),
            1,
        ),
    ] {
        assert_eq!(totals(&log).inputs()[0].records, taken, "{log}");
    }
    assert_eq!(json_of(&format!("{exported}\n"))["ready"], false);
}
