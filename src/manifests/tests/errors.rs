//! The errors for policies and settings that a target cannot express.

use serde_json::{Value, json};
use turnout_core::{Configuration, EmittedHeaders, Inbound, Proxy};
use turnout_manifests::{EnvoyGateway, Object, envoy_gateway, istio, to_yaml};

use crate::fixtures::{CHANNELS, Mesh, SERVICES, at, object, plan, policy, two};

fn refused(mesh: Mesh, policy: &str) -> String {
    mesh.documents(policy).expect_err("an error").to_string()
}

fn one(v1: &str, v2: &str, matches: &Value) -> String {
    policy(&[json!({ "name": "r", "v1": v1, "v2": v2, "mode": "off", "match": matches })])
}

#[test]
fn clusters_that_the_target_does_not_have() {
    for bad in [
        "channels-v1",
        "inbound|8080|v1|channels.default.svc.cluster.local",
        "outbound|0|v1|channels.default.svc.cluster.local",
        "outbound|80800|v1|channels.default.svc.cluster.local",
        "outbound|8080|v_1|channels.default.svc.cluster.local",
        "outbound|8080|v1|channels..svc",
        "outbound|8080|v1|channels|x",
        "outbound|8080|v1",
    ] {
        assert_eq!(
            refused(Mesh::Sidecars, &one(CHANNELS[0], bad, &json!({}))),
            format!(
                "rollout r: `{bad}` for v2 is not a cluster of the target; expected outbound|PORT|SUBSET|HOST, the name in \
                 Istio's proxies, for example outbound|8080|v2|channels.default.svc.cluster.local"
            )
        );
    }
    for bad in [
        "channels",
        "channels:",
        "channels:0",
        "a/b/c:80",
        "Channels:80",
        ":80",
        "/b:80",
    ] {
        assert_eq!(
            refused(Mesh::EnvoyGateway, &one(bad, SERVICES[1], &json!({}))),
            format!(
                "rollout r: `{bad}` for v1 is not a cluster of the target; expected SERVICE:PORT, or \
                 NAMESPACE/SERVICE:PORT, for example channels-v2:8080"
            )
        );
    }
}

#[test]
fn a_policy_without_rollouts() {
    for mesh in Mesh::ALL {
        assert_eq!(
            refused(mesh, &policy(&[])),
            "the policy has no rollout, so there is nothing to route; add one, for example in the mode `off`"
        );
    }
}

#[test]
fn names_that_kubernetes_does_not_accept() {
    let policy = two(CHANNELS);
    let services = plan(&two(SERVICES));
    let plan = plan(&policy);
    let configuration = Configuration::to_json(&policy, Inbound::Strip);
    let good = object(&configuration);
    let refused = |object: Object<'_>, selector: &[&str], gateways: &[&str]| {
        let [selector, gateways] = [selector, gateways].map(|texts| {
            texts
                .iter()
                .map(|text| (*text).to_owned())
                .collect::<Vec<_>>()
        });
        istio(&plan, &at(object, &selector, &gateways))
            .expect_err("an error")
            .to_string()
    };
    let name = "use 1 to 63 lower-case letters, digits and inner hyphens";
    let long = "a".repeat(64);
    for bad in ["", "A", "a_b", "-a", "a-", "a.b", "é", &long] {
        assert_eq!(
            refused(Object { name: bad, ..good }, &[], &[]),
            format!("`{bad}` is not a valid name of an object; {name}")
        );
        assert_eq!(
            refused(
                Object {
                    namespace: Some(bad),
                    ..good
                },
                &[],
                &[]
            ),
            format!("`{bad}` is not a valid name of a namespace; {name}")
        );
        let gateway = EnvoyGateway {
            object: good,
            gateway: bad,
        };
        assert_eq!(
            envoy_gateway(&services, &gateway)
                .expect_err("an error")
                .to_string(),
            format!("`{bad}` is not a valid name of a gateway; {name}")
        );
    }
    for bad in ["", "oci://", "a b", "a\nb", "ä"] {
        assert_eq!(
            refused(Object { image: bad, ..good }, &[], &[]),
            format!(
                "`{}` is not an image name; expected one such as registry.example.com/turnout:0.1.0",
                turnout_text::escape_for_terminal(bad)
            )
        );
    }
    for bad in [
        "istio", "=x", "istio=", "a b=c", "a=b c", "/a=b", "a/=b", "a=-b",
    ] {
        assert_eq!(
            refused(good, &[bad], &[]),
            format!("`{bad}` is not a label; expected key=value, for example istio=ingressgateway")
        );
    }
    assert_eq!(
        refused(good, &["a.b/app=x", "a.b/app=y"], &[]),
        "the label `a.b/app` is set twice; set it once"
    );
    for bad in ["", "/edge", "istio-ingress/", "a/b/c", "Edge"] {
        assert_eq!(
            refused(good, &[], &["mesh", bad]),
            format!(
                "`{bad}` is not a gateway name; expected NAME or NAMESPACE/NAME, for example istio-ingress/edge"
            )
        );
    }
}

#[test]
fn hosts_and_paths_that_no_route_can_have() {
    let host = json!({ "hosts": ["[::1]"] });
    for (mesh, [v1, v2]) in [
        (Mesh::Sidecars, CHANNELS),
        (Mesh::Gateway, CHANNELS),
        (Mesh::EnvoyGateway, SERVICES),
    ] {
        assert_eq!(
            refused(mesh, &one(v1, v2, &host)),
            "a route cannot have the host `[::1]`; expected a host name, for example api.example.com"
        );
    }
    let path = format!("/{}", "a".repeat(1_100));
    assert_eq!(
        refused(
            Mesh::EnvoyGateway,
            &one(
                SERVICES[0],
                SERVICES[1],
                &json!({ "path": { "exact": path } })
            )
        ),
        format!("the path `{path}` is too long for a route; use at most 500 characters")
    );
}

#[test]
fn shadow_requests_need_clusters_of_envoy() {
    let [v1, v2] = SERVICES;
    let with = |shadow: Value| {
        policy(&[json!({ "name": "r", "v1": v1, "v2": v2, "mode": "shadow", "shadow": shadow })])
    };
    assert_eq!(
        refused(Mesh::EnvoyGateway, &with(json!({ "requests": 1 }))),
        "rollout r: shadow requests need Envoy clusters, but its v1 and v2 are services; add \
         \"v1\": \"httproute/istio-ingress/turnout-r/rule/1\", \"v2\": \"httproute/istio-ingress/turnout-r/rule/0\" to its `shadow`"
    );
    let good = with(
        json!({ "requests": 1, "v1": "httproute/istio-ingress/turnout-r/rule/1",
                            "v2": "httproute/istio-ingress/turnout-r/rule/0" }),
    );
    let documents = Mesh::EnvoyGateway.documents(&good).expect("manifests");
    let route = &documents.get(1).expect("a route").object;
    assert_eq!(route["metadata"]["name"], "turnout-r");
    assert_eq!(
        route["spec"]["rules"][0]["backendRefs"][0]["name"],
        "channels-v2"
    );
    assert_eq!(
        route["spec"]["rules"][1]["backendRefs"][0]["name"],
        "channels-v1"
    );
}

#[test]
fn more_than_a_cluster_accepts() {
    let accounts: Vec<String> = (0..40_000)
        .map(|account| format!("AC{account:032x}"))
        .collect();
    for (mesh, kind, clusters) in [
        (Mesh::Gateway, "WasmPlugin", CHANNELS),
        (Mesh::EnvoyGateway, "EnvoyExtensionPolicy", SERVICES),
    ] {
        let mut policy: Value = serde_json::from_str(&two(clusters)).expect("JSON");
        policy["segments"] = json!({ "hvc": { "accounts": accounts } });
        let documents = mesh.documents(&policy.to_string()).expect("manifests");
        let error = to_yaml(&documents).expect_err("an error").to_string();
        let tail = " bytes, but an object may have at most 1400000; make the segments smaller, or deliver the \
                    policy by discovery (`--for envoy`, `turnout apply`)";
        assert!(
            error.starts_with(&format!("the {kind} has 148")) && error.ends_with(tail),
            "{error}"
        );
    }
}

#[test]
fn too_many_routes() {
    // Each has its own host and the routes of the rollouts without hosts.
    let rollouts: Vec<_> = (0..60)
        .map(|index| {
            let [v1, v2] = SERVICES;
            let matches = match index % 2 {
                0 => json!({ "hosts": [format!("h{index}.example.com")] }),
                _ => json!({ "path": { "prefix": format!("/p{index}/") } }),
            };
            json!({ "name": format!("r{index}"), "v1": v1, "v2": v2, "mode": "off", "match": matches })
        })
        .collect();
    assert!(
        Mesh::EnvoyGateway
            .documents(&policy(&rollouts[..40]))
            .is_ok()
    );
    let [v1, v2] = SERVICES;
    let more: Vec<_> = rollouts
        .iter()
        .cloned()
        .chain((60..100).map(|index| {
            json!({ "name": format!("r{index}"), "v1": v1, "v2": v2, "mode": "off",
                "match": { "path": { "prefix": format!("/p{index}/") } } })
        }))
        .collect();
    assert_eq!(
        refused(Mesh::EnvoyGateway, &policy(&more)),
        "the policy needs more than 1000 routes; use the same hosts in more rollouts, or deliver it \
         by discovery (`--for envoy`, `turnout apply`)"
    );
    let nested: Vec<_> = (0..64)
        .map(|index| {
            json!({ "name": format!("r{index}"), "v1": v1, "v2": v2, "mode": "off",
                    "match": { "path": { "prefix": format!("/{}", "a/".repeat(index)) } } })
        })
        .collect();
    // Each overlaps with all others.
    let errors = refused(Mesh::EnvoyGateway, &policy(&nested));
    assert_eq!(errors.lines().count(), 64);
    for (index, error) in errors.lines().enumerate() {
        assert_eq!(
            error,
            format!(
                "rollout r{index}: its path overlaps with more than 62 other paths of a host, the maximum of a route \
                 object; name its hosts, or use paths that do not overlap"
            )
        );
    }
    assert!(Mesh::EnvoyGateway.documents(&policy(&nested[1..])).is_ok());
}

/// Without these headers, every request would use the last route of its path: v1.
#[test]
fn headers_that_the_routes_match_and_the_filter_does_not_write() {
    for (mesh, clusters) in [
        (Mesh::Sidecars, CHANNELS),
        (Mesh::Gateway, CHANNELS),
        (Mesh::EnvoyGateway, SERVICES),
    ] {
        let policy = two(clusters);
        let documents = |words: &[&str]| {
            let headers = EmittedHeaders::from_words(words.iter().copied()).expect("headers");
            let inbound = Inbound::Strip;
            let proxy = Proxy {
                inbound,
                headers,
                ..Proxy::default()
            };
            mesh.documents_of(&policy, proxy)
        };
        assert!(documents(&["cluster", "treatment"]).is_ok(), "{mesh:?}");
        for (words, missing) in [
            (&["cluster", "decision"][..], "treatment"),
            (&["treatment"], "cluster"),
        ] {
            let error = documents(words).expect_err("an error").to_string();
            assert_eq!(
                error,
                format!(
                    "the routes match x-turnout-{missing}, but --headers does not include it; add `{missing}`"
                )
            );
        }
    }
}

#[test]
fn all_errors_are_reported_at_once() {
    let bad = |name: &str| {
        json!({ "name": name, "v1": format!("{name}-1"), "v2": format!("{name}-2"), "mode": "off",
                "match": { "hosts": ["a_b"] } })
    };
    let policy = policy(&[bad("a"), bad("b")]);
    let plan = plan(&policy);
    let configuration = Configuration::to_json(&policy, Inbound::Strip);
    let object = Object {
        name: "A",
        namespace: Some("B"),
        image: "",
        configuration: &configuration,
    };
    let gateways = ["C".to_owned(), "d/E".to_owned()];
    let selector = ["f".to_owned(), "g=1".to_owned(), "g=2".to_owned()];
    let common = [
        "`A` is not a valid name of an object; ",
        "`` is not an image name; ",
        "`B` is not a valid name of a namespace; ",
    ];
    let of_rollouts = [
        "rollout a: `a-1` for v1 is not a cluster of the target; ",
        "rollout a: `a-2` for v2 is not a cluster of the target; ",
        "a route cannot have the host `a_b`; ",
        "rollout b: `b-1` for v1 is not a cluster of the target; ",
        "rollout b: `b-2` for v2 is not a cluster of the target; ",
    ];
    let of_istio = [
        "`C` is not a gateway name; ",
        "`d/E` is not a gateway name; ",
        "`f` is not a label; ",
        "the label `g` is set twice; ",
    ];
    let errors = istio(&plan, &at(object, &selector, &gateways)).expect_err("errors");
    let expected = [&common[..], &of_istio, &of_rollouts].concat();
    assert_eq!(errors.as_slice().len(), expected.len(), "{errors}");
    for (error, begin) in errors.as_slice().iter().zip(expected) {
        assert!(error.to_string().starts_with(begin), "{error}\n{begin}");
    }
    let gateway = EnvoyGateway {
        object,
        gateway: "C",
    };
    let errors = envoy_gateway(&plan, &gateway).expect_err("errors");
    let expected = [
        &common[..],
        &["`C` is not a valid name of a gateway; "],
        &of_rollouts,
    ]
    .concat();
    assert_eq!(errors.as_slice().len(), expected.len(), "{errors}");
    for (error, begin) in errors.as_slice().iter().zip(expected) {
        assert!(error.to_string().starts_with(begin), "{error}\n{begin}");
    }
}

#[test]
fn a_flood_of_errors_is_counted_and_not_kept() {
    let rollouts: Vec<_> = (0..60)
        .map(|index| json!({ "name": format!("r{index}"), "v1": format!("a{index}"), "v2": format!("b{index}"), "mode": "off" }))
        .collect();
    let errors = refused(Mesh::Sidecars, &policy(&rollouts));
    assert_eq!(errors.lines().count(), 101);
    assert!(errors.ends_with("\nand 20 more"), "{errors}");
}
