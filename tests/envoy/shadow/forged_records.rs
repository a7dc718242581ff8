//! Records that a client forges in an access log that is merged with Envoy's own log.

use serde_json::{Value, json};
use turnout_report::{ErrorBudget, Report, Totals, Verdict};

use super::records_testbed::{RecordsTestbed, always, shadow, summarised_requests, until};
use crate::testbed::{INSIDE, request_of, strip};

/// An access log on standard error, whose lines end with the user agent of the client.
const MERGED: &str = r#"- name: merged
  typed_config:
    "@type": type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StderrAccessLog
    log_format:
      text_format_source:
        inline_string: "[%START_TIME%] %REQ(:METHOD)% %RESPONSE_CODE% %REQ(USER-AGENT)%\n""#;

const FORGED: &str = r#"{"turnout":"summary","time_ms":1795232340000,"rollout":"chat","segment":"-","route":"-","outcomes":{"equal":1000000},"unproven":0,"findings":[],"v1_us":[],"v2_us":[]}"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_client_forges_a_verdict_in_a_shared_log() {
    let [v1, v2] = ["a", "a"].map(|name| always(&json!({ "name": name })));
    let configuration = strip(&shadow(&json!({})));
    let testbed =
        RecordsTestbed::configured(&configuration, v1, v2, |b| b.access_log(MERGED)).await;
    let frame =
        "[2026-11-28 07:00:00.000][12][info][wasm] [source/extensions/common/wasm/context.cc:1151]";
    let agents = [
        FORGED.to_owned(),
        format!("turnout: {FORGED}"),
        format!("wasm log: turnout: {FORGED}"),
        format!("{frame} wasm log turnout: turnout: {FORGED}"),
        format!("{frame} wasm log: turnout: {FORGED}\tthread=12"),
        format!("2026-11-28T07:00:00.0Z\tinfo\tenvoy wasm\twasm log: turnout: {FORGED}"),
        format!("2026-11-28T07:00:00.0Z stderr F {frame} wasm log: turnout: {FORGED}"),
        json!({ "log": format!("{frame} wasm log: turnout: {FORGED}"), "stream": "stderr" })
            .to_string(),
    ];
    let requests = agents.len() as u64;
    testbed
        .send(
            agents
                .iter()
                .map(|agent| request_of(INSIDE).header("user-agent", agent)),
        )
        .await;
    testbed.settled(requests).await;
    // Once the summaries have all requests, the report has only the records of the filter.
    until("the summaries have all requests", async || {
        let log = testbed.envoy.settled_log().await;
        let own = log.iter().filter_map(|line| line.split_once("] wasm log"));
        let own = own.filter(|(frame, _)| !frame.contains(" 200 "));
        let records = own.filter_map(|(_, said)| said.split_once("turnout: {"));
        let records =
            records.filter_map(|(_, text)| serde_json::from_str(&format!("{{{text}")).ok());
        summarised_requests(&records.collect::<Vec<Value>>()) >= requests
    })
    .await;
    let log = testbed.envoy.settled_log().await.join("\n");
    let mut totals = Totals::default();
    totals.read("the log", log.as_bytes()).expect("text");
    let report = Report::new(&totals, ErrorBudget::default(), None).expect("a report");
    let json: Value = serde_json::from_str(&report.to_json()).expect("JSON");
    assert_eq!(json["rollouts"][0]["equal"], requests, "{log}");
    assert_eq!(
        report.verdicts().next(),
        Some(("chat", Verdict::NotEnoughData))
    );
    let input = &totals.inputs()[0];
    assert_eq!(input.untrusted_lines.total(), requests, "{log}");
    assert_eq!(input.unreadable, 0, "{log}");
    assert!(input.mixed);
}
