//! Manifests.

use turnout_core::{Configuration, Inbound, Plan};
use turnout_manifests::{EnvoyGateway, Istio, Object, Phase, envoy_gateway, istio, to_yaml};

#[test]
fn istio_gets_a_plugin_and_routes() {
    let policy = policy(
        "outbound|8080|v1|channels.default.svc.cluster.local",
        "outbound|8080|v2|channels.default.svc.cluster.local",
    );
    let plan = Plan::from_json(&policy).expect("a valid policy");
    let configuration = Configuration::to_json(&policy, Inbound::Strip);
    let given = Istio {
        object: object(&configuration),
        selector: &["istio=ingressgateway".to_owned()],
        gateways: &["istio-ingress/edge".to_owned()],
        phase: Phase::Last,
    };
    let yaml = to_yaml(&istio(&plan, &given).expect("manifests")).expect("YAML");
    expect_test::expect_file!["expected/istio.yaml"].assert_eq(&yaml);
}

#[test]
fn envoy_gateway_gets_an_extension_and_routes() {
    let policy = policy("channels-v1:8080", "channels-v2:8080");
    let plan = Plan::from_json(&policy).expect("a valid policy");
    let configuration = Configuration::to_json(&policy, Inbound::Strip);
    let given = EnvoyGateway {
        object: object(&configuration),
        gateway: "edge",
    };
    let yaml = to_yaml(&envoy_gateway(&plan, &given).expect("manifests")).expect("YAML");
    expect_test::expect_file!["expected/envoy-gateway.yaml"].assert_eq(&yaml);
}

fn object(configuration: &str) -> Object<'_> {
    Object {
        name: "turnout",
        namespace: Some("istio-ingress"),
        image: "registry.example.com/turnout:0.1.0",
        configuration,
    }
}

fn policy(v1: &str, v2: &str) -> String {
    format!(
        r#"{{ "version": 1, "revision": "2026-12-01.1",
          "account": {{ "from": [{{ "header": "x-account-sid" }}], "format": "sid" }},
          "rollouts": [
            {{ "name": "channels", "match": {{ "hosts": ["flex.example.com"], "path": {{ "prefix": "/v1/Channels" }} }},
               "v1": "{v1}", "v2": "{v2}", "mode": "split", "rules": [{{ "accounts": 12.5 }}] }},
            {{ "name": "users", "match": {{ "path": {{ "template": "/v1/Users/*" }} }},
               "v1": "{v1}", "v2": "{v2}", "mode": "off" }} ] }}"#
    )
}
