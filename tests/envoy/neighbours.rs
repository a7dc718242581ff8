//! Two plugins of the filter in one Envoy.

use serde_json::{Value, json};
use support::wasm::Build;
use turnout_core::{Inbound, Revision};

use crate::testbed::{INSIDE, Testbed, policy, request_of, strip, version};

/// A policy with this revision and one rollout, which gives everyone under the path v2.
pub(crate) fn named(revision: &str, rollout: &str, path: &str) -> Value {
    let changes = json!({ "name": rollout, "mode": "on", "match": { "path": { "prefix": path } } });
    let mut policy = policy(&changes);
    policy["revision"] = json!(revision);
    policy
}

fn number(revision: &str) -> u64 {
    Revision::from_name(revision).expect("a revision").number()
}

/// An item of the list of HTTP filters.
pub(crate) fn filter(plugin: &str, policy: &Value) -> String {
    let configuration = turnout_core::Configuration::to_json(&policy.to_string(), Inbound::Strip);
    format!(
        r#"- name: {plugin}
  typed_config:
    "@type": type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm
    config:
      name: {plugin}
      failure_policy: FAIL_OPEN
      vm_config:
        runtime: envoy.wasm.runtime.v8
        code: {{ local: {{ filename: {} }} }}
      configuration:
        "@type": type.googleapis.com/google.protobuf.StringValue
        value: {}
"#,
        json!(Build::Whole.artifact()),
        json!(configuration)
    )
}

#[tokio::test]
async fn two_filters_in_one_chain_cause_a_warning_and_each_has_its_revision() {
    let earlier = filter("edge.first", &named("r1", "first", "/v1/Channels"));
    let later = strip(&named("r2", "second", "/v1/Calls"));
    let testbed = Testbed::of("cluster-header.yaml", &later, |b| {
        b.filter_before(&earlier).concurrency(2)
    })
    .await;
    // The consequence that the warning describes: the earlier filter decides v2, but v1 responds.
    let response = testbed.client().send(request_of(INSIDE)).await;
    assert_eq!(version(&response), "v1");

    // Both filters count the request.
    let mut stats = testbed.envoy.admin().settled_stats(r"^wasmcustom\.").await;
    while stats["wasmcustom.turnout.decisions.first.v2.on"] == 0 {
        stats = testbed.envoy.admin().settled_stats(r"^wasmcustom\.").await;
    }
    assert_eq!(stats["wasmcustom.turnout.decisions.first.v2.on"], 1);
    assert_eq!(
        stats["wasmcustom.turnout.revision.edge_first"],
        number("r1")
    );
    assert_eq!(stats["wasmcustom.turnout.revision.turnout"], number("r2"));
    let prometheus = testbed.envoy.admin().settled_prometheus().await;
    for (plugin, revision) in [("edge_first", "r1"), ("turnout", "r2")] {
        let line = format!(
            "turnout_revision{{plugin=\"{plugin}\"}} {}",
            number(revision)
        );
        assert!(prometheus.lines().any(|found| found == line), "{line}");
    }

    let words = "the plugins \"edge.first\" and \"turnout\" of this proxy are both Turnout";
    let log = testbed.envoy.settled_log().await;
    let warned = log.iter().filter(|line| line.contains(words)).count();
    // Once by each worker, and once by the main thread.
    assert_eq!(warned, 3, "{log:#?}");
}
