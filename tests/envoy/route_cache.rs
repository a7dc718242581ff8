//! Envoy has chosen a route before the first filter runs, and filters before ours may look at it.
//! The request goes where the policy says all the same.

use serde_json::json;
use support::envoy::{Bootstrap, Swap};

use crate::testbed::{
    INSIDE, OUTSIDE, Testbed, headers_of, policy, request_of, strip, turnout_headers, version,
};

/// Both ask for the route: one for its metadata, the other for its CORS policy.
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

/// In the place of our filter one that sets its header, and no more.
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
async fn a_cluster_is_chosen_after_other_filters_have_seen_the_route() {
    accounts_are_routed("cluster-header.yaml").await;
}

#[tokio::test]
async fn a_route_is_chosen_after_other_filters_have_seen_another() {
    accounts_are_routed("treatment-header.yaml").await;
}

async fn accounts_are_routed(file: &str) {
    let testbed = Testbed::of(file, &strip(&policy(&json!({}))), behind_route_readers).await;
    for (account, served) in [(INSIDE, "v2"), (OUTSIDE, "v1")] {
        let answer = testbed.client().send(request_of(account)).await;
        assert_eq!(version(&answer), served);
        assert_eq!(turnout_headers(&answer.json()), headers_of(served));
    }
}

/// The route of a forged header, chosen before our filter has removed the header.
#[tokio::test]
async fn a_route_by_a_forged_header_is_given_up() {
    let testbed = Testbed::of("cluster-header.yaml", &strip(&policy(&json!({}))), |b| {
        behind_route_readers(b).without_native_strip()
    })
    .await;
    for path in ["/v1/Channels", "/other"] {
        let request = support::client::Request::get(path)
            .header("x-account-sid", OUTSIDE)
            .header("x-turnout-cluster", "channels-v2");
        let answer = testbed.client().send(request).await;
        assert_eq!(version(&answer), "v1", "{path}");
    }
}

/// Were the route not chosen anew, the tests above would fail: this is what they would see.
#[tokio::test]
async fn a_header_alone_does_not_change_the_route() {
    let on = strip(&policy(&json!({ "mode": "on" })));
    let testbed = Testbed::live(&on, behind_route_readers).await;
    let swap = testbed.envoy.swap_filter(ONLY_A_HEADER).await;
    assert_eq!(swap, Swap::Accepted);
    let answer = testbed.client().send(request_of(INSIDE)).await;
    assert_eq!(version(&answer), "v1");
    let header = ("x-turnout-cluster".to_owned(), "channels-v2".to_owned());
    assert_eq!(turnout_headers(&answer.json()), [header]);

    assert_eq!(testbed.swap(&on).await, Swap::Accepted);
    let answer = testbed.client().send(request_of(INSIDE)).await;
    assert_eq!(version(&answer), "v2");
}
