//! Policies and their manifests, for the tests.

use serde_json::{Value, json};
use turnout_core::{Configuration, Inbound, Plan, Proxy};
use turnout_manifests::{
    Document, EnvoyGateway, Errors, Istio, Object, Phase, envoy_gateway, istio, to_yaml,
};

pub(crate) const CHANNELS: [&str; 2] = [
    "outbound|8080|v1|channels.default.svc.cluster.local",
    "outbound|8080|v2|channels.default.svc.cluster.local",
];
pub(crate) const SERVICES: [&str; 2] = ["channels-v1:8080", "channels-v2:8080"];

/// The target of the manifests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mesh {
    /// Istio, for traffic inside the mesh.
    Sidecars,
    /// Istio, for a gateway.
    Gateway,
    EnvoyGateway,
}

impl Mesh {
    pub(crate) const ALL: [Self; 3] = [Self::Sidecars, Self::Gateway, Self::EnvoyGateway];

    /// Clusters of v1 and v2, in the form of this target.
    pub(crate) fn clusters(self, service: &str) -> [String; 2] {
        ["v1", "v2"].map(|version| match self {
            Self::EnvoyGateway => format!("{service}-{version}:8080"),
            Self::Sidecars | Self::Gateway => {
                format!("outbound|8080|{version}|{service}.default.svc.cluster.local")
            }
        })
    }

    pub(crate) fn documents(self, policy: &str) -> Result<Vec<Document>, Errors> {
        self.documents_of(policy, Inbound::Strip)
    }

    /// The manifests for proxies with these settings.
    pub(crate) fn documents_of(
        self,
        policy: &str,
        proxy: impl Into<Proxy>,
    ) -> Result<Vec<Document>, Errors> {
        let plan = plan(policy);
        let configuration = Configuration::to_json(policy, proxy);
        let object = object(&configuration);
        let gateways = &["istio-ingress/edge".to_owned()];
        match self {
            Self::Sidecars => istio(&plan, &at(object, &[], &[])),
            Self::Gateway => istio(
                &plan,
                &at(object, &["istio=ingressgateway".into()], gateways),
            ),
            Self::EnvoyGateway => envoy_gateway(
                &plan,
                &EnvoyGateway {
                    object,
                    gateway: "edge",
                },
            ),
        }
    }

    pub(crate) fn yaml(self, policy: &str) -> String {
        to_yaml(&self.documents(policy).expect("manifests")).expect("YAML")
    }
}

pub(crate) fn plan(policy: &str) -> Plan {
    Plan::from_json(policy).unwrap_or_else(|problems| panic!("{policy}: {problems:?}"))
}

pub(crate) fn object(configuration: &str) -> Object<'_> {
    Object {
        name: "turnout",
        namespace: Some("istio-ingress"),
        image: "registry.example.com/turnout:0.1.0",
        configuration,
    }
}

pub(crate) fn at<'a>(
    object: Object<'a>,
    selector: &'a [String],
    gateways: &'a [String],
) -> Istio<'a> {
    Istio {
        object,
        selector,
        gateways,
        phase: Phase::Last,
    }
}

/// A policy with these rollouts.
pub(crate) fn policy(rollouts: &[Value]) -> String {
    json!({
        "version": 1,
        "revision": "2026-12-01.1",
        "account": { "from": [{ "header": "x-account-sid" }], "format": "sid" },
        "rollouts": rollouts,
    })
    .to_string()
}

/// Two rollouts: one for a host, one for all hosts.
pub(crate) fn two([v1, v2]: [&str; 2]) -> String {
    policy(&[
        json!({ "name": "channels", "v1": v1, "v2": v2, "mode": "split",
                "match": { "hosts": ["flex.example.com"], "path": { "prefix": "/v1/Channels" } },
                "rules": [{ "accounts": 12.5 }] }),
        json!({ "name": "users", "v1": v1, "v2": v2, "mode": "off",
                "match": { "path": { "template": "/v1/Users/*" } } }),
    ])
}
