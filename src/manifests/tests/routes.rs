//! The routes send each request to the treatment that the filter decided, and to v1 without the filter.
//!
//! The tests evaluate routes as Istio and the Gateway API specify: only those of the request's host, in Istio in
//! the order of the list, and in the Gateway API by the more specific match.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};

use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use regex::Regex;
use serde_json::{Value, json};
use turnout_core::{
    CLUSTER_HEADER, Headers, Inbound, Plan, TREATMENT_HEADER, Time, Treatment, decide,
};

use crate::fixtures::{Mesh, plan, policy};

/// A request as a proxy sees it when it selects a route.
struct Asked<'a> {
    host: &'a str,
    path: &'a str,
    headers: BTreeMap<&'a str, &'a str>,
}

fn text(value: &Value) -> &str {
    value.as_str().expect("text")
}

fn list<'v>(value: &'v Value, field: &str) -> &'v [Value] {
    value
        .get(field)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

thread_local! {
    /// Compiled patterns, because compiling takes longer than everything else here.
    static PATTERNS: RefCell<HashMap<String, Regex>> = RefCell::default();
}

fn is_whole_match(pattern: &str, path: &str) -> bool {
    PATTERNS.with_borrow_mut(|known| {
        let compiled = known
            .entry(pattern.to_owned())
            .or_insert_with(|| Regex::new(&format!("^(?:{pattern})$")).expect("a pattern"));
        compiled.is_match(path)
    })
}

/// Where an `HTTPRoute` leads: `service:port`. A host with routes of its own uses no others.
fn by_gateway_api(objects: &[Value], asked: &Asked<'_>) -> Option<String> {
    let routes = objects
        .iter()
        .filter(|object| object["kind"] == "HTTPRoute");
    let is_of = |route: &Value, host: &str| {
        list(&route["spec"], "hostnames")
            .iter()
            .any(|name| text(name) == host)
    };
    let has_own = routes.clone().any(|route| is_of(route, asked.host));
    let mut best: Option<((u8, usize, usize), String)> = None;
    for route in routes {
        let is_its = match has_own {
            true => is_of(route, asked.host),
            false => route["spec"].get("hostnames").is_none(),
        };
        if !is_its {
            continue;
        }
        for rule in list(&route["spec"], "rules") {
            for each in list(rule, "matches") {
                let (kind, value) = match each.get("path") {
                    Some(path) => (text(&path["type"]), text(&path["value"])),
                    None => ("PathPrefix", "/"),
                };
                let (rank, holds) = match kind {
                    "Exact" => (2, asked.path == value),
                    "RegularExpression" => (1, is_whole_match(value, asked.path)),
                    "PathPrefix" => {
                        let stem = value.trim_end_matches('/');
                        let rest = asked.path.strip_prefix(stem);
                        let holds =
                            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
                        (0, holds)
                    }
                    other => panic!("{other}"),
                };
                let headers = list(each, "headers");
                let hold = headers.iter().all(|header| {
                    asked.headers.get(text(&header["name"])) == Some(&text(&header["value"]))
                });
                let key = (rank, value.len(), headers.len());
                // Of equally specific matches the first one wins, in the order of names. Routes are in the order of rollouts.
                let is_better = best.as_ref().is_none_or(|(best, _)| key > *best);
                if holds && hold && is_better {
                    let backend = &rule["backendRefs"][0];
                    best = Some((
                        key,
                        format!("{}:{}", text(&backend["name"]), backend["port"]),
                    ));
                }
            }
        }
    }
    best.map(|(_, backend)| backend)
}

/// Where a `VirtualService` leads: the name of Envoy's cluster.
fn by_istio(objects: &[Value], asked: &Asked<'_>) -> Option<String> {
    let services = objects
        .iter()
        .filter(|object| object["kind"] == "VirtualService");
    let of = |host: &str| {
        let mut found = services.clone().filter(|service| {
            let hosts = list(&service["spec"], "hosts");
            hosts.iter().any(|name| text(name) == host)
        });
        let first = found.next();
        assert!(found.next().is_none(), "two objects of {host}");
        first
    };
    let service = of(asked.host).or_else(|| of("*"))?;
    let route = list(&service["spec"], "http").iter().find(|route| {
        let matches = list(route, "match");
        matches.is_empty()
            || matches.iter().any(|each| {
                let headers = each.get("headers").and_then(Value::as_object);
                let mut headers = headers.into_iter().flatten();
                let hold = headers.all(|(name, value)| {
                    asked.headers.get(name.as_str()) == Some(&text(&value["exact"]))
                });
                let holds = match each.get("uri") {
                    None => true,
                    Some(uri) => match (uri.get("exact"), uri.get("prefix")) {
                        (Some(exact), None) => asked.path == text(exact),
                        (None, Some(prefix)) => asked.path.starts_with(text(prefix)),
                        other => panic!("{other:?}"),
                    },
                };
                holds && hold
            })
    })?;
    let to = &route["route"][0]["destination"];
    let port = to["port"]["number"].as_u64();
    let subset = to.get("subset").map_or("", text);
    Some(match port {
        Some(port) => format!("outbound|{port}|{subset}|{}", text(&to["host"])),
        None => format!("rest of {}", text(&to["host"])),
    })
}

impl Mesh {
    fn leads(self, objects: &[Value], asked: &Asked<'_>) -> Option<String> {
        match self {
            Self::EnvoyGateway => by_gateway_api(objects, asked),
            Self::Sidecars | Self::Gateway => by_istio(objects, asked),
        }
    }
}

/// The request after the filter, if there is a filter.
fn decided<'p>(
    plan: &'p Plan,
    host: &str,
    path: &str,
    id: &str,
) -> (Option<usize>, Treatment, Option<&'p str>) {
    let pairs = [
        (&b":authority"[..], host.as_bytes()),
        (b":path", path.as_bytes()),
        (b":method", b"GET"),
        (b"x-account-sid", id.as_bytes()),
    ];
    let request = plan.request(Headers::new(&pairs), Inbound::Strip, Time::default());
    let decision = decide(plan, &request);
    let served = decision.served();
    let cluster = decision.rollout.map(|rollout| rollout.cluster(served));
    (
        decision.rollout.map(|rollout| rollout.index),
        served,
        cluster,
    )
}

const PATHS: [&str; 12] = [
    "/",
    "/v1",
    "/v1/",
    "/v1/Ch",
    "/v1/Channels",
    "/v1/Channels/",
    "/v1/Channels/C1",
    "/v1/Channels/C1/Members",
    "/v1/ChannelsX",
    "/v1/Users/U1",
    "/v2/a.b",
    "/v2/axb",
];

fn service_host(mesh: Mesh, service: &str) -> String {
    match mesh {
        Mesh::Sidecars => format!("{service}.default.svc.cluster.local"),
        Mesh::Gateway | Mesh::EnvoyGateway => "other.example.com".into(),
    }
}

prop_compose! {
    /// A rollout with optional hosts and an optional path.
    fn rollout()(
        hosts in subsequence(vec!["a.example.com", "b.example.com", "c.example.com"], 0..=3),
        path in select(vec![
            json!(null), json!({ "prefix": "/" }), json!({ "prefix": "/v1/" }),
            json!({ "prefix": "/v1/Ch" }), json!({ "prefix": "/v1/Channels" }),
            json!({ "prefix": "/v1/Channels/" }), json!({ "exact": "/v1/Channels" }),
            json!({ "exact": "/v1/Channels/C1" }), json!({ "template": "/v1/*/C1" }),
            json!({ "template": "/v1/Channels/*/Members" }), json!({ "exact": "/v2/a.b" }),
            json!({ "prefix": "/v2/a.b" }),
        ]),
        service in select(vec!["one", "two"]),
        is_on in any::<bool>(),
    ) -> (Vec<&'static str>, Value, &'static str, bool) {
        (hosts, path, service, is_on)
    }
}

proptest! {
    #[test]
    fn every_request_gets_its_treatment(rollouts in proptest::collection::vec(rollout(), 1..5)) {
        for mesh in Mesh::ALL {
            let of_policy: Vec<Value> = rollouts.iter().enumerate().map(|(index, (hosts, path, service, is_on))| {
                let [v1, v2] = mesh.clusters(service);
                let mut matches = json!({});
                if !hosts.is_empty() {
                    matches["hosts"] = json!(hosts);
                }
                if !path.is_null() {
                    matches["path"] = path.clone();
                }
                let mode = if *is_on { "on" } else { "split" };
                json!({ "name": format!("r{index}"), "v1": v1, "v2": v2, "mode": mode, "match": matches })
            }).collect();
            let policy = policy(&of_policy);
            let plan = plan(&policy);
            let documents = mesh.documents(&policy).expect("manifests");
            let objects: Vec<Value> = documents.into_iter().map(|each| each.object).collect();
            let services = ["one", "two"].map(|service| service_host(mesh, service));
            let hosts = ["a.example.com", "b.example.com", &services[0], &services[1]];
            for host in hosts {
                for path in PATHS {
                    let (index, treatment, cluster) = decided(&plan, host, path, "AC00000000000000000000000000000001");
                    let named = |index: usize| !rollouts[index].0.is_empty();
                    // In the mesh a rollout that names no host is for its own service.
                    let is_routed = |index: usize| mesh != Mesh::Sidecars || named(index)
                        || rollouts.iter().enumerate().any(|(at, (hosts, _, service, _))| {
                            (hosts.is_empty() && service_host(mesh, service) == host) || (named(at) && hosts.contains(&host))
                        });
                    let Some(index) = index.filter(|index| is_routed(*index)) else {
                        continue;
                    };
                    let cluster = cluster.expect("a cluster");
                    let headers = BTreeMap::from([(TREATMENT_HEADER, treatment.as_str()), (CLUSTER_HEADER, cluster)]);
                    let with = mesh.leads(&objects, &Asked { host, path, headers });
                    prop_assert_eq!(with.as_deref(), Some(cluster), "{:?} {} {} {}", mesh, host, path, policy);
                    let without = mesh.leads(&objects, &Asked { host, path, headers: BTreeMap::new() });
                    // A route matches paths more broadly than the policy, so the request may go to v1 of another rollout.
                    let v1s: Vec<&str> = plan.rollouts().iter().map(|rollout| rollout.v1.as_str()).collect();
                    let without = without.expect("a route");
                    prop_assert!(v1s.contains(&without.as_str()), "{:?} {} {} {} {}", mesh, host, path, index, without);
                }
            }
        }
    }
}

/// A request that matches no rollout goes where it went without the routes.
#[test]
fn in_the_mesh_the_rest_of_a_service_stays_reachable() {
    let [v1, v2] = Mesh::Sidecars.clusters("one");
    let policy = policy(&[json!({ "name": "r", "v1": v1, "v2": v2, "mode": "on",
        "match": { "path": { "prefix": "/v1/" } } })]);
    let documents = Mesh::Sidecars.documents(&policy).expect("manifests");
    let objects: Vec<Value> = documents.into_iter().map(|each| each.object).collect();
    let host = "one.default.svc.cluster.local";
    let asked = |path| Asked {
        host,
        path,
        headers: BTreeMap::new(),
    };
    assert_eq!(
        by_istio(&objects, &asked("/v1/x")).as_deref(),
        Some(v1.as_str())
    );
    assert_eq!(
        by_istio(&objects, &asked("/healthz")).as_deref(),
        Some("rest of one.default.svc.cluster.local")
    );
}

/// In the mesh a service has short names, and two objects for one service would conflict.
#[test]
fn in_the_mesh_the_names_of_a_service_have_one_object() {
    let [v1, v2] = Mesh::Sidecars.clusters("one");
    let hosts = ["one", "one.default", "one.default.svc.cluster.local", "on"];
    let policy = policy(&[json!({ "name": "r", "v1": v1, "v2": v2, "mode": "on",
        "match": { "hosts": hosts } })]);
    let documents = Mesh::Sidecars.documents(&policy).expect("manifests");
    let services = documents
        .iter()
        .filter(|each| each.kind == "VirtualService");
    let found: Vec<(&str, &Value)> = services
        .map(|each| {
            (
                text(&each.object["metadata"]["name"]),
                &each.object["spec"]["hosts"],
            )
        })
        .collect();
    assert_eq!(
        found,
        [
            ("turnout-r", &json!(["one.default.svc.cluster.local"])),
            ("turnout-r-2", &json!(["on"])),
        ]
    );
}

/// Services in two namespaces may have the same name.
#[test]
fn no_two_objects_have_one_name() {
    let rollouts: Vec<Value> = ["a", "b"]
        .iter()
        .map(|namespace| {
            let cluster =
                |version| format!("outbound|80|{version}|one.{namespace}.svc.cluster.local");
            json!({ "name": namespace, "v1": cluster("v1"), "v2": cluster("v2"), "mode": "on" })
        })
        .collect();
    let documents = Mesh::Sidecars
        .documents(&policy(&rollouts))
        .expect("manifests");
    let mut names: Vec<_> = documents
        .iter()
        .map(|each| (each.kind, text(&each.object["metadata"]["name"])))
        .collect();
    assert_eq!(
        names[names.len() - 2..],
        [
            ("DestinationRule", "turnout-one"),
            ("DestinationRule", "turnout-one-2")
        ]
    );
    let before = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), before);
}

/// Otherwise the cluster accepts the route, and every request gets an error response.
#[test]
fn a_service_of_another_namespace_has_to_be_opened() {
    let of = |v2: &str| {
        let policy = policy(&[json!({ "name": "r", "v1": "one:80", "v2": v2, "mode": "on" })]);
        let documents = Mesh::EnvoyGateway.documents(&policy).expect("manifests");
        documents.get(1).expect("a route").clone()
    };
    let route = of("elsewhere/two:80");
    assert_eq!(
        route.object["spec"]["rules"][0]["backendRefs"][0],
        json!({ "name": "two", "namespace": "elsewhere", "port": 80 })
    );
    assert!(route.comment.contains("ReferenceGrant"));
    assert!(!of("two:80").comment.contains("ReferenceGrant"));
}
