//! Envoy chooses a route before the first filter runs, and filters before ours may look at it. The request still goes
//! where the policy decides.

use serde_json::json;
use support::envoy::{Bootstrap, Swap};

use crate::testbed::{
    INSIDE, OUTSIDE, Testbed, headers_of, policy, request_of, strip, turnout_headers, version,
};

/// Both read the route: one its metadata, the other its CORS policy.
const ROUTE_READERS: &str = r#"- name: early-lua
  typed_config:
    "@type": type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua
    default_source_code:
      inline_string: |
        function envoy_on_request(handle)
          handle:metadata():get("anything")
        end
- name: early-cors
  typed_config:
    "@type": type.googleapis.com/envoy.extensions.filters.http.cors.v3.Cors
"#;

/// A filter in place of ours that only sets our header.
const ONLY_A_HEADER: &str = r#"{ "resources": [ {
  "@type": "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig",
  "name": "turnout",
  "typed_config": {
    "@type": "type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutation",
    "mutations": { "request_mutations": [
      { "append": { "header": { "key": "x-turnout-cluster", "value": "channels-v2" } } }
    ] }
  }
} ] }"#;

fn behind_route_readers(bootstrap: Bootstrap) -> Bootstrap {
    bootstrap.filter_before(ROUTE_READERS)
}

#[tokio::test]
async fn a_cluster_is_set_after_other_filters_have_seen_the_route() {
    accounts_are_routed("cluster-header.yaml").await;
}

#[tokio::test]
async fn a_route_that_other_filters_have_seen_is_replaced() {
    accounts_are_routed("treatment-header.yaml").await;
}

async fn accounts_are_routed(file: &str) {
    let testbed = Testbed::of(file, &strip(&policy(&json!({}))), behind_route_readers).await;
    for (account, served) in [(INSIDE, "v2"), (OUTSIDE, "v1")] {
        let response = testbed.client().send(request_of(account)).await;
        assert_eq!(version(&response), served);
        assert_eq!(turnout_headers(&response.json()), headers_of(served));
    }
}

/// A route that is chosen by a forged header, before our filter removes the header.
#[tokio::test]
async fn a_route_chosen_by_a_forged_header_is_discarded() {
    let testbed = Testbed::of("cluster-header.yaml", &strip(&policy(&json!({}))), |b| {
        behind_route_readers(b).without_native_strip()
    })
    .await;
    for path in ["/v1/Channels", "/other"] {
        let request = support::client::Request::get(path)
            .header("x-account-sid", OUTSIDE)
            .header("x-turnout-cluster", "channels-v2");
        let response = testbed.client().send(request).await;
        assert_eq!(version(&response), "v1", "{path}");
    }
}

/// This shows what the tests above would see if the route were not chosen again.
#[tokio::test]
async fn a_header_alone_does_not_change_the_route() {
    let on = strip(&policy(&json!({ "mode": "on" })));
    let testbed = Testbed::live(&on, behind_route_readers).await;
    let swap = testbed.envoy.swap_filter(ONLY_A_HEADER).await;
    assert_eq!(swap, Swap::Accepted);
    let response = testbed.client().send(request_of(INSIDE)).await;
    assert_eq!(version(&response), "v1");
    let header = ("x-turnout-cluster".to_owned(), "channels-v2".to_owned());
    assert_eq!(turnout_headers(&response.json()), [header]);

    assert_eq!(testbed.swap(&on).await, Swap::Accepted);
    let response = testbed.client().send(request_of(INSIDE)).await;
    assert_eq!(version(&response), "v2");
}
