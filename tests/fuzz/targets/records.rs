//! No text of a client in an access log that is merged with Envoy's own log is taken for a record, wherever it is in
//! the line and whatever carries the log.
//!
//! The first byte selects the format of the access log, the second the carrier of the log, and the rest is the text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use turnout_report::{ErrorBudget, Report, Totals};

const TIME: &str = "2026-11-21T03:00:00.123Z";
const OWN: &str = r#"[2026-11-21 03:00:00.000][12][info][wasm] [source/extensions/common/wasm/context.cc:1137] wasm log: turnout: {"turnout":"summary","time_ms":1795232340000,"rollout":"chat","segment":"-","route":"-","outcomes":{"equal":3}}"#;

/// The text before and after the client's text in a line of an access log.
const FORMATS: [[&str; 2]; 12] = [
    ["[2026-11-21T03:00:00.123Z] GET /v1 200 ", ""],
    [
        "[2026-11-21T03:00:00.123Z] \"GET /v1 HTTP/1.1\" 200 \"",
        "\" \"id\"",
    ],
    ["[2026-11-21T03:00:00.123Z] ", ""],
    ["[2026-11-21T03:00:00.123Z]", ""],
    ["[2026-11-21T03:00:00.123Z] GET ", " 200 -"],
    ["2026-11-21T03:00:00.123Z ", ""],
    ["Nov 21 03:00:00 edge access: ", ""],
    ["edge.example | ", ""],
    ["GET ", ""],
    ["{\"method\":\"GET\",\"user_agent\":\"", "\"}"],
    ["{\"method\":\"GET\",\"message\":\"", "\",\"code\":200}"],
    ["{\"level\":\"info\",\"time\":\"x\",\"log\":\"", "\"}"],
];

/// Wraps each line of the input in the same way, in JSON with escapes.
const CARRIERS: [(&str, &str, bool); 5] = [
    ("", "", false),
    ("2026-11-21T03:00:00.123Z stderr F ", "", false),
    ("[pod/edge/envoy] 2026-11-21T03:00:00.123Z ", "", false),
    (
        "{\"log\":\"",
        "\\n\",\"stream\":\"stderr\",\"time\":\"x\"}",
        true,
    ),
    ("{\"message\":\"", "\",\"@timestamp\":\"x\"}", true),
];

fuzz_target!(|bytes: &[u8]| {
    let mut totals = Totals::default();
    totals.read("any", bytes).expect("bytes are read");
    totals.read_own_log("any", bytes).expect("bytes are read");
    if !totals.is_empty() {
        let report = Report::new(&totals, ErrorBudget::default(), None).expect("all rollouts");
        assert!(!report.to_text().contains('\u{1b}'));
    }

    let [format, carrier, text @ ..] = bytes else {
        return;
    };
    // HTTP allows no control character but a tab.
    let is_allowed = |byte: &&u8| matches!(**byte, b'\t' | 0x20..0x7f | 0x80..);
    let text: Vec<u8> = text.iter().filter(is_allowed).copied().collect();
    let text = String::from_utf8_lossy(&text);
    let [before, behind] = FORMATS[usize::from(*format) % FORMATS.len()];
    let carrier = CARRIERS[usize::from(*carrier) % CARRIERS.len()];
    let honest = format!("[{TIME}] \"GET /v1 HTTP/1.1\" 200 - 0 57 \"-\" \"curl/8\"");
    let log: String = [OWN, &honest, &format!("{before}{text}{behind}"), &honest]
        .map(|line| carried(carrier, line))
        .concat();

    let mut totals = Totals::default();
    totals.read("log", log.as_bytes()).expect("bytes are read");
    let input = &totals.inputs()[0];
    // Only Envoy's own record counts, so the client cannot forge a verdict.
    assert_eq!((input.records, input.counters), (1, 0), "{log}");
});

fn carried((before, behind, is_json): (&str, &str, bool), line: &str) -> String {
    let line = match is_json {
        true => line
            .replace('\\', "\\\\")
            .replace('"', "\\\"")
            .replace('\t', "\\t"),
        false => line.to_owned(),
    };
    format!("{before}{line}{behind}\n")
}
