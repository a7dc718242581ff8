//! Envoy's warnings when it runs the configurations of the folder `envoy/`.

use std::collections::BTreeMap;

use serde_json::json;
use support::client::Request;
use support::envoy::files;

use crate::testbed::{INSIDE, Testbed, policy, request_of, strip};

/// Expected warnings, by words of the line.
const KNOWN: &[&str] = &[
    // The control plane of xds-policy.yaml does not run in this test.
    "DeltaAggregatedResources gRPC config stream to control-plane closed",
    "gRPC config: initial fetch timed out for type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig",
];

#[tokio::test]
async fn envoy_logs_no_warning_about_the_shipped_files() {
    let configuration = strip(&policy(&json!({
        "shadow": { "requests": 100 },
        "rules": [{ "accounts": 50, "requests": 50 }],
    })));
    let mut complaints: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for file in files(".yaml") {
        let text = support::envoy::file(&file);
        let testbed = if text.contains("ads: {}") {
            Testbed::without_a_control_plane(&file).await
        } else if text.contains("@TURNOUT_CONFIGURATION@") {
            Testbed::of(&file, &configuration, |b| b).await
        } else {
            Testbed::discovering(&file, &configuration).await
        };
        for _ in 0..20 {
            assert_eq!(testbed.client().send(request_of(INSIDE)).await.status, 200);
        }
        testbed.client().send(Request::get("/other")).await;
        testbed.envoy.admin().settled_prometheus().await;
        let lines = testbed.envoy.settled_log().await;
        let level = |line: &String| {
            ["[warning]", "[error]", "[critical]"]
                .iter()
                .any(|level| line.contains(level))
        };
        let bad = lines.into_iter().filter(level);
        let bad = bad.filter(|line| !KNOWN.iter().any(|known| line.contains(known)));
        complaints.insert(file, bad.collect());
    }
    complaints.retain(|_, lines| !lines.is_empty());
    assert!(complaints.is_empty(), "{complaints:#?}");
}
