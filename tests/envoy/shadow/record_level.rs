//! The level of the records in Envoy's log.

use serde_json::{Value, json};
use turnout_core::{Configuration, Proxy, RecordLevel};

use super::records_testbed::{
    RecordsTestbed, always, of_kind, outcomes, shadow, summarised_requests, until,
};
use crate::testbed::{INSIDE, request_of};

/// An Envoy with the log level `warning`, as in Istio, that has compared one pair of responses.
async fn at_warning(record_level: RecordLevel) -> RecordsTestbed {
    let proxy = Proxy {
        record_level,
        ..Proxy::default()
    };
    let configuration = Configuration::to_json(&shadow(&json!({})).to_string(), proxy);
    let [v1, v2] = ["a", "b"].map(|name| always(&json!({ "name": name })));
    let testbed = RecordsTestbed::hiding(&configuration, v1, v2, "warning").await;
    testbed.send([request_of(INSIDE)]).await;
    assert_eq!(testbed.settled(1).await, outcomes([("different", 1)]));
    // The record of the difference, the summary, and the use of the options.
    until("three lines are written", async || {
        testbed.stat("records.logged").await >= 3
    })
    .await;
    testbed
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_at_warn_are_in_the_log_of_an_envoy_that_runs_at_warning() {
    let testbed = at_warning(RecordLevel::Warn).await;
    let records: Vec<Value> = testbed.summarised(1).await;
    assert_eq!(summarised_requests(&records), 1);
    assert_eq!(of_kind(&records, "difference").len(), 1, "{records:#?}");
    let log = testbed.envoy.settled_log().await;
    let ours = log.iter().filter(|line| line.contains("turnout: {"));
    for line in ours {
        assert!(line.contains("[warning][wasm]"), "{line}");
    }
    let mut totals = turnout_report::Totals::default();
    let text = log.join("\n");
    totals.read("the log", text.as_bytes()).expect("text");
    let input = &totals.inputs()[0];
    assert_eq!(input.records, records.len() as u64);
    assert_eq!(input.unreadable, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_at_the_default_level_are_not_in_that_log() {
    let testbed = at_warning(RecordLevel::default()).await;
    assert_eq!(testbed.lines().await, [""; 0]);
}
