//! Reports on whole logs.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

mod counters_or_records;
mod forged_records;
mod inputs;
mod log_formats;
mod output;

use turnout_report::{ErrorBudget, Report, Totals};

/// A line of Envoy's log.
fn logged(record: &str) -> String {
    format!(
        "[2026-11-21 03:00:00.000][12][info][wasm] \
         [source/extensions/common/wasm/context.cc:1137] wasm log turnout: turnout: {record}\n"
    )
}

/// A summary of one rollout, one segment and one route.
fn summary(rollout: &str, outcomes: &str) -> String {
    format!(
        r#"{{"turnout":"summary","time_ms":1795232340000,"rollout":"{rollout}","segment":"-","route":"-","outcomes":{{{outcomes}}},"findings":[],"v1_us":[],"v2_us":[]}}"#
    )
}

fn totals_of(texts: &[&str]) -> Totals {
    let mut totals = Totals::default();
    for (index, text) in texts.iter().enumerate() {
        let name = format!("input {index}");
        totals.read(&name, text.as_bytes()).expect("bytes are read");
    }
    totals
}

fn report_of(texts: &[&str]) -> Report {
    Report::new(&totals_of(texts), ErrorBudget::default(), None).expect("all rollouts")
}

fn json_of(texts: &[&str]) -> serde_json::Value {
    serde_json::from_str(&report_of(texts).to_json()).expect("JSON")
}
