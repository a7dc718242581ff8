//! Records in log formats and in the wrappers of collectors.

use serde_json::json;

use turnout_report::Totals;

use crate::{json_of, logged, summary, totals_of};

const ISTIO: &str = include_str!("fixtures/istio.log");

fn records_in(text: &str) -> (u64, u64) {
    let totals = totals_of(&[text]);
    let input = &totals.inputs()[0];
    (input.records, input.unreadable)
}

#[test]
fn every_record_of_istios_text_log_is_read() {
    assert_eq!(records_in(ISTIO), (3, 0));
    let json = json_of(&[ISTIO]);
    let rollout = &json["rollouts"][0];
    assert_eq!(
        (&rollout["name"], &rollout["different"]),
        (&json!("chat"), &json!(30))
    );
}

#[test]
fn a_record_is_read_whatever_level_it_is_logged_at() {
    let line = logged(&summary("chat", r#""equal":3"#));
    assert!(line.contains("[info][wasm]"), "{line}");
    // Envoy's names of its six levels.
    for level in ["trace", "debug", "info", "warning", "error", "critical"] {
        let envoy = line.replace("[info][wasm]", &format!("[{level}][wasm]"));
        assert_eq!(records_in(&envoy), (1, 0), "{envoy}");
        let istio = ISTIO.replace("\tinfo\t", &format!("\t{level}\t"));
        assert_eq!(records_in(&istio), (3, 0), "{istio}");
    }
}

#[test]
fn every_record_of_istios_json_log_is_read() {
    let lines: String = ISTIO
        .lines()
        .map(|line| {
            let columns: Vec<_> = line.split('\t').collect();
            // Istio's `--log-format`, in the order of its fields.
            format!(
                "{{\"level\":\"{}\",\"time\":\"{}\",\"scope\":\"envoy wasm\",\"msg\":{},\"caller\":\"context.cc:1151\",\"thread\":27143}}\n",
                columns[1], columns[0], json!(columns[3])
            )
        })
        .collect();
    assert_eq!(records_in(&lines), (3, 0));
}

#[test]
fn records_are_read_in_every_wrapper() {
    let record = summary("chat", r#""equal":3"#);
    let lines = [logged(&record), ISTIO.to_owned()].concat();
    let each = |wrap: &dyn Fn(&str) -> String| -> String {
        lines.lines().map(|line| wrap(line) + "\n").collect()
    };
    for text in [
        each(&|line| format!("2026-11-21T03:00:00.123456789Z stderr F {line}")),
        each(&|line| format!("[pod/edge-7f9c/istio-proxy] {line}")),
        each(&|line| format!("[pod/edge-7f9c/istio-proxy] 2026-11-21T03:00:00.1Z {line}")),
        each(&|line| format!("Nov 21 03:00:00 edge envoy[812]: {line}")),
        each(&|line| format!("envoy-1  | {line}")),
        each(&|line| {
            json!({ "log": format!("{line}\n"), "stream": "stderr", "time": "2026-11-21T03:00:00Z" }).to_string()
        }),
        each(&|line| json!({ "MESSAGE": line, "_SYSTEMD_UNIT": "envoy.service" }).to_string()),
        each(&|line| json!({ "MESSAGE": line.as_bytes() }).to_string()),
        each(&|line| json!({ "jsonPayload": { "message": line } }).to_string()),
    ] {
        assert_eq!(records_in(&text), (4, 0), "{text}");
    }
}

#[test]
fn a_record_that_a_container_runtime_has_split_is_read() {
    let line = logged(&summary("chat", r#""equal":3"#));
    let (first, rest) = line.trim_end().split_at(150);
    let (second, third) = rest.split_at(40);
    let stamp = "2026-11-21T03:00:00.123456789Z";
    let text = format!(
        "{stamp} stderr P {first}\n{stamp} stdout F GET / 200\n{stamp} stderr P {second}\n{stamp} stderr F {third}\n"
    );
    assert_eq!(records_in(&text), (1, 0));
    let without_end = format!("{stamp} stderr P {first}\n");
    assert_eq!(records_in(&without_end), (0, 1));
}

/// In a mixed log, a client can have written each of these lines.
#[test]
fn custom_formats_and_bare_records_are_read_only_in_envoys_own_log() {
    let found_in = |text: &str| {
        let mut totals = Totals::default();
        let access = "[2026-11-21T03:00:00.123Z] GET /v1 200 curl/8";
        let mixed = format!("{access}\n{text}\n");
        totals
            .read("mixed", mixed.as_bytes())
            .expect("bytes are read");
        let input = &totals.inputs()[0];
        assert_eq!((input.records, input.unreadable), (0, 0), "{text}");
        assert_eq!(input.untrusted_lines.total(), 1, "{text}");
        totals
            .read_own_log("own", text.as_bytes())
            .expect("bytes are read");
        let input = &totals.inputs()[1];
        (input.records, input.unreadable)
    };
    let record = summary("chat", r#""equal":3"#);
    for (text, found) in [
        (format!("wasm log: turnout: {record}"), (1, 0)),
        (format!("I1121 03:38:00 12 context.cc:1137] wasm log chat: turnout: {record} (thread 12)"), (1, 0)),
        (format!(r#"{{"l":"info","m":"wasm log: turnout: {record}"}}"#), (1, 0)),
        (json!({ "Level": "info", "Time": "x", "Message": format!("wasm log: turnout: {record}") }).to_string(), (1, 0)),
        // An access log with text of a client.
        (format!(r#""GET / HTTP/1.1" 200 "wasm log: turnout: {record}""#), (0, 1)),
        (format!(r#"GET 200 wasm log: turnout: {record} "https://referer""#), (0, 1)),
        (format!(r#"wasm log: turnout: {record}{record}"#), (0, 1)),
        (json!({ "method": "GET", "ua": format!("wasm log: turnout: {record}") }).to_string(), (0, 0)),
        (record.clone(), (1, 0)),
        (format!("2026-11-21T03:00:00.1Z stdout F turnout: {record}"), (1, 0)),
    ] {
        assert_eq!(found_in(&text), found, "{text}");
    }
}
