use serde_json::json;

use super::*;

const RECORD: &str = r#"{"turnout":"summary","rollout":"chat"}"#;
const ACCESS: &str = r#"[2026-01-24T01:34:36.743Z] "GET /v1 HTTP/1.1" 200 - 0 57 3 2 "-" "curl/8" "id" "host" "10.0.0.1:80""#;

fn envoy() -> String {
    format!(
        "[2026-11-21 03:38:00.000][12][info][wasm] [source/extensions/common/wasm/context.cc:1137] \
         wasm log turnout: turnout: {RECORD}"
    )
}

fn istio() -> String {
    format!(
        "2026-11-28T02:18:02.489795Z\tinfo\tenvoy wasm source/extensions/common/wasm/context.cc:1151\t\
         wasm log: turnout: {RECORD}\tthread=27143"
    )
}

fn istio_json() -> String {
    let line = json!({ "level": "info", "time": "2026-11-28T02:18:02.489795Z", "scope": "envoy wasm",
        "msg": format!("wasm log: turnout: {RECORD}"),
        "caller": "source/extensions/common/wasm/context.cc:1151", "thread": "27143" });
    line.to_string()
}

/// Every way to carry a line, with what carries it.
fn carried(line: &str) -> Vec<(Wrapper, String)> {
    let ended = format!("{line}\n");
    let json = |value: serde_json::Value| value.to_string();
    vec![
        (
            Wrapper::Docker,
            json(json!({ "log": ended, "stream": "stderr", "time": "2020-12-15T23:00:20.8Z" })),
        ),
        (
            Wrapper::Docker,
            json(
                json!({ "attrs": { "tag": "edge" }, "log": ended, "stream": "stderr",
                "time": "2020-12-15T23:00:20.8Z" }),
            ),
        ),
        (
            Wrapper::Cri,
            format!("2026-11-21T03:00:00.123456789Z stdout F {line}"),
        ),
        (
            Wrapper::Cri,
            format!("2026-11-21T03:00:00.123456789+01:00 stderr F:x {line}\r"),
        ),
        (
            Wrapper::Kubectl,
            format!("[pod/edge-7f9c/istio-proxy] {line}"),
        ),
        (
            Wrapper::Timestamps,
            format!("2026-11-21T03:00:00.123456789Z {line}"),
        ),
        (Wrapper::Compose, format!("envoy-1  | {line}")),
        (
            Wrapper::Journal,
            format!("Nov 21 03:00:00 edge envoy[812]: {line}"),
        ),
        (
            Wrapper::Journal,
            format!("Nov  1 03:00:00.123456 edge envoy[812]: {line}"),
        ),
        (
            Wrapper::Journal,
            format!("2026-11-21T03:00:00+0000 edge envoy[812]: {line}"),
        ),
        (
            Wrapper::Journal,
            format!("2026-11-21T03:00:00.123456+01:00 edge envoy[812]: {line}"),
        ),
        (
            Wrapper::Journal,
            format!("Sat 2026-11-21 03:00:00 UTC edge envoy[812]: {line}"),
        ),
        (
            Wrapper::Journal,
            format!("[ 1234.567890] edge envoy[812]: {line}"),
        ),
        (
            Wrapper::Journal,
            format!("1795232300.123456 edge envoy[812]: {line}"),
        ),
        (
            Wrapper::Journal,
            format!("<14>Nov 21 03:00:00 edge envoy: {line}"),
        ),
        (
            Wrapper::Journal,
            format!("<14>1 2026-11-21T03:00:00Z edge envoy 812 - - {line}"),
        ),
        (
            Wrapper::Journal,
            json(json!({ "MESSAGE": line, "PRIORITY": "6", "_SYSTEMD_UNIT": "envoy.service" })),
        ),
        (
            Wrapper::Journal,
            json(json!({ "MESSAGE": line.as_bytes(), "PRIORITY": "6" })),
        ),
        (
            Wrapper::Collector,
            json(
                json!({ "log": ended, "stream": "stderr", "time": "2020-12-15T23:00:20.8Z",
                "kubernetes": { "pod_name": "edge" } }),
            ),
        ),
        (
            Wrapper::Collector,
            json(json!({ "@timestamp": "2026-11-21T03:00:00Z", "message": line, "host": {} })),
        ),
        (
            Wrapper::Collector,
            json(json!({ "textPayload": line, "severity": "INFO" })),
        ),
        (
            Wrapper::Collector,
            json(json!({ "labels": {}, "line": line, "timestamp": "1" })),
        ),
        (
            Wrapper::Collector,
            json(json!({ "_source": { "message": line } })),
        ),
        (
            Wrapper::Otlp,
            json(
                json!({ "resourceLogs": [{ "resource": {}, "scopeLogs": [{ "logRecords": [
                { "body": { "stringValue": line } }] }] }] }),
            ),
        ),
    ]
}

fn text(unwrapped: &Unwrapped<'_>) -> String {
    String::from_utf8(unwrapped.text.to_vec()).unwrap()
}

fn message(line: &str) -> Option<String> {
    let unwrapped = unwrap_line(line.as_bytes());
    wasm_message(&unwrapped).map(|message| String::from_utf8(message.to_vec()).unwrap())
}

#[test]
fn an_access_log_line_is_found_in_each_wrapper() {
    let json = json!({ "method": "GET", "path": "/v1", "message": 7 }).to_string();
    for line in [ACCESS, &json] {
        let bare = unwrap_line(line.as_bytes());
        assert_eq!(text(&bare), line);
        assert!(bare.wrappers.is_empty() && bare.logger.is_none());
        for (wrapper, carried) in carried(line) {
            let unwrapped = unwrap_line(carried.as_bytes());
            assert_eq!(text(&unwrapped), line, "{carried}");
            assert!(unwrapped.wrappers.contains(wrapper), "{carried}");
            assert_eq!(
                (unwrapped.logger, unwrapped.continues),
                (None, false),
                "{carried}"
            );
        }
    }
}

#[test]
fn a_message_is_found_in_each_frame_in_each_wrapper() {
    for (line, logger) in [
        (envoy(), Logger::Envoy),
        (istio(), Logger::IstioText),
        (istio_json(), Logger::Json),
    ] {
        let each = carried(&line).into_iter().map(|(_, line)| line);
        for carried in [line.clone()].into_iter().chain(each) {
            let unwrapped = unwrap_line(carried.as_bytes());
            assert_eq!(unwrapped.logger, Some(logger), "{carried}");
            let message = wasm_message(&unwrapped).unwrap();
            assert_eq!(
                message,
                format!("turnout: {RECORD}").as_bytes(),
                "{carried}"
            );
        }
    }
}

fn plugin_message_of(line: &str) -> Option<String> {
    let unwrapped = unwrap_line(line.as_bytes());
    plugin_message(&unwrapped).map(|message| String::from_utf8(message.to_vec()).unwrap())
}

#[test]
fn a_frame_is_that_of_the_wasm_logger_byte_by_byte() {
    let said = format!("turnout: {RECORD}");
    let message = format!("wasm log turnout root vm: {said}");
    let place = "source/extensions/common/wasm/context.cc:1137";
    let json = |fields: &str| format!("{{{fields}}}");
    let quoted = serde_json::Value::from(message.as_str());
    let istio = format!(
        r#""level":"info","time":"2026-11-28T02:18:02.4Z","scope":"envoy wasm","msg":{quoted}"#
    );
    for line in [
        envoy(),
        format!("[2026-11-21 03:38:00.000][12][warning][wasm] [{place}] {message}"),
        // With --enable-fine-grain-logging.
        format!("[2026-11-21 03:38:00.000][12][info] [{place}] {message}"),
        self::istio(),
        format!("2026-11-28T02:18:02.489795Z\tinfo\tenvoy wasm\t{message}"),
        json(&istio),
        json(&format!(r#"{istio},"caller":"{place}","thread":27"#)),
    ] {
        assert_eq!(
            plugin_message_of(&line).as_deref(),
            Some(said.as_str()),
            "{line}"
        );
    }
    for line in [
        message.clone(),
        format!(" [2026-11-21 03:38:00.000][12][info][wasm] [{place}] {message}"),
        format!("[2026-11-21T03:38:00.000Z][12][info][wasm] [{place}] {message}"),
        format!("[2026-11-21 03:38:00.000] [12][info][wasm] [{place}] {message}"),
        format!("[2026-11-21 03:38:00.000][][info][wasm] [{place}] {message}"),
        format!("[2026-11-21 03:38:00.000][12][chat][wasm] [{place}] {message}"),
        format!("[2026-11-21 03:38:00.000][12][info][http] [{place}] {message}")
            .replace("wasm/context", "http"),
        format!("[2026-11-21 03:38:00.000][12][info] [source/a.cc:7] {message}"),
        format!("[2026-11-21 03:38:00.000][12][info][wasm] [{place}] script {message}"),
        format!("[2026-11-21 03:38:00.000][12][info][wasm] {message}"),
        format!("2026-11-28T02:18:02.489795Z\tinfo\tenvoy http\t{message}"),
        format!("2026-11-28T02:18:02.489795Z\tinfo\tenvoy wasm a b\t{message}"),
        format!("2026-11-28T02:18:02.489795Z\tinfo\t{message}"),
        json(&istio.replace("envoy wasm", "envoy http")),
        json(&format!(r#"{istio},"user_agent":"x""#)),
        json(&format!(r#""user_agent":"x",{istio}"#)),
        json(&format!(r#"{istio},"msg":{quoted}"#)),
        json(&istio.replace(r#""scope":"envoy wasm","#, "")),
    ] {
        assert_eq!(plugin_message_of(&line), None, "{line}");
    }
}

#[test]
fn wrappers_say_which_stream_and_whose_record_a_line_is() {
    let line = envoy();
    let is_stdout = |line: String| unwrap_line(line.as_bytes()).is_stdout;
    for stream in ["stdout", "stderr"] {
        let expected = stream == "stdout";
        for line in [
            format!("2026-11-21T03:00:00.1Z {stream} F {line}"),
            json!({ "log": line, "stream": stream, "time": "x" }).to_string(),
            json!({ "log": line, "stream": stream, "kubernetes": {} }).to_string(),
            json!({ "line": line, "labels": { "stream": stream } }).to_string(),
            json!({ "textPayload": line, "logName": format!("projects/p/logs/{stream}") }).to_string(),
            json!({ "resourceLogs": [{ "scopeLogs": [{ "logRecords": [{ "body": { "stringValue": line },
                "attributes": [{ "key": "log.iostream", "value": { "stringValue": stream } }] }] }] }] })
            .to_string(),
        ] {
            assert_eq!(is_stdout(line.clone()), expected, "{line}");
            // What the line has inside does not change it.
            let inside = format!("2026-11-21T03:00:00.1Z stderr F {line}");
            assert_eq!(is_stdout(inside), expected, "{line}");
        }
    }
    for (scope, expected) in [("turnout", true), ("other", false)] {
        let batch = json!({ "resourceLogs": [{ "scopeLogs": [{ "scope": { "name": scope },
            "logRecords": [{ "body": { "stringValue": RECORD } }] }] }] });
        assert_eq!(
            unwrap_line(batch.to_string().as_bytes()).is_exported,
            expected
        );
        // Nor does the line of another process become the filter's because it looks like a batch.
        let inside = json!({ "log": batch.to_string() }).to_string();
        let unwrapped = unwrap_line(inside.as_bytes());
        assert_eq!(unwrapped.wrappers.iter().count(), 2);
    }
}

#[test]
fn wrappers_begin_with_those_around_them() {
    let wrappers = |line: &str| unwrap_line(line.as_bytes()).wrappers;
    let [none, cri, both] = [
        "x",
        "2026-11-21T03:00:00.1Z stdout F x",
        "[pod/a/b] 2026-11-21T03:00:00.1Z stdout F x",
    ]
    .map(wrappers);
    assert!(cri.starts_with(none) && cri.starts_with(cri) && none.starts_with(none));
    assert!(!none.starts_with(cri) && !both.starts_with(cri) && !cri.starts_with(both));
}

#[test]
fn wrappers_are_taken_off_one_after_the_other() {
    let cri = format!("2026-11-21T03:00:00.123456789Z stdout F {}", istio());
    let prefixed = format!("[pod/edge-7f9c/istio-proxy] {cri}");
    let collected = json!({ "message": prefixed, "host": "a" }).to_string();
    let unwrapped = unwrap_line(collected.as_bytes());
    assert_eq!(unwrapped.logger, Some(Logger::IstioText));
    let wrappers: Vec<_> = unwrapped.wrappers.iter().map(Wrapper::as_str).collect();
    assert_eq!(wrappers, ["CRI", "kubectl --prefix", "a collector"]);
}

#[test]
fn what_custom_log_formats_write_around_a_message_is_no_trouble() {
    for line in [
        format!("wasm log: turnout: {RECORD}"),
        format!(
            "[2026-11-21T03:38:00.000Z][info][thread 20][wasm] wasm log chat turnout vm: turnout: {RECORD}"
        ),
        format!(
            "[2026-11-21 03:38:00.000][12][info] [source/context.cc:1] wasm log: turnout: {RECORD}"
        ),
        format!(
            "[Envoy (Epoch 0)] [2026-11-21 03:38:00.000][12][info][wasm] wasm log: turnout: {RECORD}"
        ),
        format!("I1121 03:38:00.000 12 context.cc:1137] wasm log: turnout: {RECORD}"),
        format!("2026-11-28T02:18:02.489795Z\tinfo\tenvoy wasm\twasm log: turnout: {RECORD}"),
        json!({ "Timestamp": "2026-11-21T03:38:00", "Level": "info", "Message":
            format!("wasm log: turnout: {RECORD}") })
        .to_string(),
    ] {
        assert_eq!(
            message(&line).unwrap(),
            format!("turnout: {RECORD}"),
            "{line}"
        );
    }
    for (line, behind) in [
        (
            format!("wasm log: turnout: {RECORD} (thread 12)"),
            " (thread 12)",
        ),
        (
            format!(r#"{{"level":"info","msg":"wasm log: turnout: {RECORD}"}}"#),
            r#""}"#,
        ),
    ] {
        assert_eq!(
            message(&line).unwrap(),
            format!("turnout: {RECORD}{behind}"),
            "{line}"
        );
    }
}

#[test]
fn what_a_client_chooses_is_no_message() {
    let forged = format!("wasm log: turnout: {RECORD}");
    for line in [
        format!(
            r#"[2026-01-24T01:34:36.743Z] "GET / HTTP/1.1" 200 - 0 57 3 2 "-" "{forged}" "id""#
        ),
        format!(r#"[2026-01-24T01:34:36.743Z] "GET / HTTP/1.1" 200 {forged}"#),
        json!({ "method": "GET", "user_agent": forged }).to_string(),
        json!({ "method": "GET", "headers": { "message": forged } }).to_string(),
        format!("[2026-11-21 03:38:00.000][12][info][http] [source/a.cc:7] \"{forged}\""),
    ] {
        assert_eq!(message(&line), None, "{line}");
    }
}

#[test]
fn lines_of_the_proxys_own_log_are_none_of_the_access_log() {
    for line in [
        r#"{"level":"info","time":"2026-01-24T01:34:30.000000Z","scope":"envoy main","msg":"starting main dispatch loop","caller":"server.cc:990","thread":"21"}"#,
        r#"{"level":"info","time":"2026-01-24T01:34:30.000000Z","msg":"Envoy proxy is ready"}"#,
        "2026-01-24T01:34:30.000000Z\tinfo\tEnvoy proxy is ready",
        "[2026-01-24 01:34:30.000][1][info][main] [source/server/server.cc:1062] starting main dispatch loop",
    ] {
        let unwrapped = unwrap_line(line.as_bytes());
        assert!(unwrapped.logger.is_some(), "{line}");
        assert!(!text(&unwrapped).contains("2026"), "{line}");
    }
}

#[test]
fn parts_of_a_line_are_joined_in_their_streams() {
    let lines = [
        "2026-11-21T03:00:00.1Z stdout P [2026-11-21 03:38:00.000][12][info][wasm] ".to_owned(),
        "2026-11-21T03:00:00.1Z stderr F another".to_owned(),
        "2026-11-21T03:00:00.1Z stdout P wasm log: ".to_owned(),
        format!("2026-11-21T03:00:00.2Z stdout F turnout: {RECORD}"),
        "2026-11-21T03:00:00.1Z stdout F alone".to_owned(),
        "2026-11-21T03:00:00.1Z stdout P without end".to_owned(),
    ];
    let mut unwrapper = Unwrapper::default();
    let mut seen = Vec::new();
    for line in &lines {
        unwrapper.line(line.as_bytes(), &mut |line| {
            seen.push((text(line), line.logger));
        });
    }
    let whole = format!("wasm log: turnout: {RECORD}");
    let expected = [
        ("another".to_owned(), None),
        (whole, Some(Logger::Envoy)),
        ("alone".to_owned(), None),
    ];
    assert_eq!(seen, expected);
    assert!(unwrapper.has_open_lines());
    assert_eq!(unwrapper.dropped(), 1);
    assert!(unwrap_line(lines[0].as_bytes()).continues);
}

/// Docker cuts at 16 KiB, and its last part ends with a newline.
#[test]
fn parts_of_docker_are_joined() {
    let whole = format!("{} end", "x".repeat(40_000));
    let ended = format!("{whole}\n");
    let mut unwrapper = Unwrapper::default();
    let mut seen = Vec::new();
    for part in ended.as_bytes().chunks(16 << 10) {
        let part = std::str::from_utf8(part).unwrap();
        let line = json!({ "log": part, "stream": "stdout", "time": "2020-12-15T23:00:20Z" });
        unwrapper.line(line.to_string().as_bytes(), &mut |line| {
            seen.push(text(line));
        });
    }
    assert_eq!(seen, [whole]);
}

#[test]
fn a_batch_has_many_lines() {
    let body = |text: &str| json!({ "body": { "stringValue": text } });
    let batch = json!({ "resourceLogs": [
        { "scopeLogs": [{ "logRecords": [body("one"), body("two")] }] },
        { "scopeLogs": [{ "logRecords": [body("three")] }] },
    ] });
    let mut seen = Vec::new();
    let batch = batch.to_string();
    Unwrapper::default().line(batch.as_bytes(), &mut |line| {
        seen.push(text(line));
    });
    assert_eq!(seen, ["one", "two", "three"]);
    assert_eq!(text(&unwrap_line(batch.as_bytes())), batch);
}

#[test]
fn no_line_is_too_broken() {
    let mut lines: Vec<String> = carried(&envoy())
        .into_iter()
        .map(|(_, line)| line)
        .collect();
    lines.extend([envoy(), istio(), istio_json(), ACCESS.to_owned()]);
    for line in lines {
        for end in 0..line.len() {
            let mut changed = line.as_bytes()[..end].to_vec();
            let _ = wasm_message(&unwrap_line(&changed));
            changed.extend([0xff, b'\t', b'[']);
            let _ = wasm_message(&unwrap_line(&changed));
            Unwrapper::default().line(&changed, &mut |_| {});
        }
    }
    for deep in ["[".repeat(100_000), "{\"log\":".repeat(100_000)] {
        assert_eq!(text(&unwrap_line(deep.as_bytes())), deep);
    }
}
