//! For Envoy Gateway: an `EnvoyExtensionPolicy`, and the `HTTPRoute`s by which its treatments take
//! effect.
//!
//! The order of an `HTTPRoute`'s rules decides nothing: across all routes of a host the more specific
//! match wins, and there the path comes before the headers. So a rule by headers has the path of
//! each rule that it is to win against.

use serde_json::{Value, json};
use turnout_core::{CLUSTER_HEADER, PathScope, Plan, Rollout, TREATMENT_HEADER, Treatment};
use turnout_text::is_dns_label;

use crate::document::Document;
use crate::error::{Error, Errors, Found};
use crate::groups::{EVERY_HOST, Group, groups};
use crate::names::{self, Given};
use crate::object::Object;

const FORM: &str = "SERVICE:PORT, or NAMESPACE/SERVICE:PORT, for example channels-v2:8080";

/// What an `HTTPRoute` takes.
const MOST_HOSTS: usize = 16;
/// Beside the rollout's own. A rule takes 64 matches, a route 128; v1's rule has one more than v2's.
const MOST_OTHER_PATHS: usize = 62;
const LONGEST_PATH: usize = 1024;

const ROUTE: &str = "What the filter has decided. Its last match is for requests of no rollout, and \
    while there is no\nfilter: v1.";
const ROUTE_ELSEWHERE: &str = "What the filter has decided. Its last match is for requests of no \
    rollout, and while there is no\nfilter: v1. A service of another namespace has to be opened to \
    these routes, by a ReferenceGrant there.";

/// What Envoy Gateway needs to know beside the policy.
#[derive(Clone, Copy, Debug)]
pub struct EnvoyGateway<'a> {
    /// Names, image and configuration.
    pub object: Object<'a>,
    /// The `Gateway` that has the filter and the routes.
    pub gateway: &'a str,
}

/// The `EnvoyExtensionPolicy`, and for each rollout an `HTTPRoute`, or more if its hosts differ in
/// what else they have.
///
/// # Errors
/// All of the policy, and of what is given beside it, that cannot be said in Envoy Gateway.
pub fn envoy_gateway(plan: &Plan, given: &EnvoyGateway<'_>) -> Result<Vec<Document>, Errors> {
    let mut found = Found::default();
    given.object.check(&mut found);
    found.keep(names::check("a gateway", given.gateway));
    for rollout in plan.rollouts() {
        for treatment in [Treatment::V1, Treatment::V2] {
            found.keep(backend(rollout, treatment));
        }
        for host in rollout.route_scope().hosts {
            if !names::is_host(host) {
                found.push(Error::Host(host.to_owned()));
            }
        }
    }
    let mut documents = Vec::new();
    documents.extend(found.keep(extension(given)));
    let mut routes = Given::default();
    let groups = found.keep(groups(plan, |_| Ok(EVERY_HOST), |host| host));
    for group in groups.into_iter().flatten() {
        for hosts in group.hosts.chunks(MOST_HOSTS) {
            for rollout in &group.rollouts {
                let name = routes.own(given.object.name_for(&rollout.name));
                found.keep(shadow(given, rollout, &name));
                documents.extend(found.keep(route(given, &group, hosts, rollout, &name)));
            }
        }
    }
    found.finish()?;
    Ok(documents)
}

fn extension(given: &EnvoyGateway<'_>) -> Result<Document, Error> {
    Ok(Document {
        comment: "The filter, in the whole gateway. failOpen: without it everyone is on v1.",
        kind: "EnvoyExtensionPolicy",
        object: json!({
            "apiVersion": "gateway.envoyproxy.io/v1alpha1",
            "kind": "EnvoyExtensionPolicy",
            "metadata": given.object.metadata(given.object.name),
            "spec": {
                "targetRefs": [{
                    "group": "gateway.networking.k8s.io",
                    "kind": "Gateway",
                    "name": given.gateway,
                }],
                "wasm": [{
                    "name": given.object.name,
                    "code": { "type": "Image", "image": { "url": given.object.image() } },
                    "failOpen": true,
                    "config": given.object.configuration()?,
                }],
            },
        }),
    })
}

/// The rules of a rollout: v2, then v1. Their places are in the names of Envoy's clusters.
fn route(
    given: &EnvoyGateway<'_>,
    group: &Group<'_>,
    hosts: &[&str],
    rollout: &Rollout,
    name: &str,
) -> Result<Document, Error> {
    let own = rollout.route_scope().path;
    let mut paths = vec![path(&own)?];
    // Without the filter the first rollout of a path has it.
    let mut is_first = true;
    for other in &group.rollouts {
        let reach = other.route_scope().path;
        let value = path(&reach)?;
        is_first &= other.index >= rollout.index || path(&own)? != value;
        if overlap(&own, &reach) && !paths.contains(&value) {
            paths.push(value);
        }
        if paths.iter().skip(1).count() > MOST_OTHER_PATHS {
            return Err(Error::TooManyPaths {
                rollout: rollout.name.clone(),
                most: MOST_OTHER_PATHS,
            });
        }
    }
    let mut rules = Vec::new();
    for treatment in [Treatment::V2, Treatment::V1] {
        let decided = json!([
            { "type": "Exact", "name": TREATMENT_HEADER, "value": treatment.as_str() },
            { "type": "Exact", "name": CLUSTER_HEADER, "value": rollout.cluster(treatment) },
        ]);
        let mut matches: Vec<Value> = paths
            .iter()
            .map(|path| json!({ "path": path, "headers": decided }))
            .collect();
        if treatment == Treatment::V1 && is_first {
            matches.push(json!({ "path": path(&own)? }));
        }
        rules.push(json!({
            "matches": matches,
            "backendRefs": [backend(rollout, treatment)?],
        }));
    }
    let mut spec = json!({ "parentRefs": [{ "name": given.gateway }], "rules": rules });
    if hosts != [EVERY_HOST] {
        let bad = hosts.iter().find(|host| !names::is_host(host));
        if let Some(host) = bad {
            return Err(Error::Host((*host).to_owned()));
        }
        if let Some(spec) = spec.as_object_mut() {
            spec.insert("hostnames".into(), json!(hosts));
        }
    }
    let is_own = |version| !rollout.cluster(version).contains('/');
    let comment = match is_own(Treatment::V1) && is_own(Treatment::V2) {
        true => ROUTE,
        false => ROUTE_ELSEWHERE,
    };
    Ok(Document {
        comment,
        kind: "HTTPRoute",
        object: json!({
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "HTTPRoute",
            "metadata": given.object.metadata(name),
            "spec": spec,
        }),
    })
}

/// Whether there may be a path that both have. A path that differs in its last `/` alone is meant too:
/// a prefix here takes both.
fn overlap(one: &PathScope, other: &PathScope) -> bool {
    use PathScope::{Exact, Prefix};
    let begins = |path: &str, prefix: &str| path.starts_with(prefix.trim_end_matches('/'));
    match (one, other) {
        (Exact(one), Exact(other)) => one == other,
        (Exact(path), Prefix(prefix)) | (Prefix(prefix), Exact(path)) => begins(path, prefix),
        (Prefix(one), Prefix(other)) => begins(one, other) || begins(other, one),
    }
}

/// A prefix there is one of whole segments, so one that ends within a segment is a pattern. So is
/// what the cluster refuses in a path.
fn path(path: &PathScope) -> Result<Value, Error> {
    let (kind, value) = match path {
        PathScope::Exact(path) if is_plain(path) => ("Exact", path.clone()),
        PathScope::Exact(path) => ("RegularExpression", escaped(path)),
        PathScope::Prefix(prefix) if prefix.ends_with('/') && is_plain(prefix) => {
            ("PathPrefix", prefix.clone())
        }
        PathScope::Prefix(prefix) => ("RegularExpression", escaped(prefix) + ".*"),
    };
    if value.len() > LONGEST_PATH {
        let (PathScope::Exact(path) | PathScope::Prefix(path)) = path;
        return Err(Error::Path(path.clone()));
    }
    Ok(json!({ "type": kind, "value": value }))
}

/// Whether the Gateway API takes it as a path or a prefix.
fn is_plain(path: &str) -> bool {
    let is_taken = |c: char| c.is_ascii_alphanumeric() || "-/._~!$&'()*+,;=:@".contains(c);
    let strange = ["//", "/./", "/../"];
    path.starts_with('/')
        && path.chars().all(is_taken)
        && !strange.iter().any(|part| path.contains(part))
        && !path.ends_with("/..")
        && !path.ends_with("/.")
}

/// The pattern of this text.
fn escaped(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len());
    for c in text.chars() {
        if "\\.+*?()|[]{}^$".contains(c) {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern
}

/// Copies do not take a route, so they need clusters by name.
fn shadow(given: &EnvoyGateway<'_>, rollout: &Rollout, route: &str) -> Result<(), Error> {
    let Some(shadow) = &rollout.shadow else {
        return Ok(());
    };
    let is_given = |version| shadow.cluster(version).is_some();
    if is_given(Treatment::V1) && is_given(Treatment::V2) {
        return Ok(());
    }
    let namespace = given.object.namespace.unwrap_or("NAMESPACE");
    let cluster = |rule: u8| format!("httproute/{namespace}/{route}/rule/{rule}");
    Err(Error::Shadow {
        rollout: rollout.name.clone(),
        clusters: [cluster(1), cluster(0)],
    })
}

fn backend(rollout: &Rollout, treatment: Treatment) -> Result<Value, Error> {
    let name = rollout.cluster(treatment);
    parsed(name).ok_or_else(|| Error::Cluster {
        rollout: rollout.name.clone(),
        version: treatment.as_str(),
        found: name.to_owned(),
        form: FORM,
    })
}

fn parsed(name: &str) -> Option<Value> {
    let (service, port) = name.rsplit_once(':')?;
    let port: u16 = port.parse().ok().filter(|port| *port > 0)?;
    match service.split_once('/') {
        None => is_dns_label(service).then(|| json!({ "name": service, "port": port })),
        Some((namespace, service)) => {
            let is_named = is_dns_label(namespace) && is_dns_label(service);
            is_named.then(|| json!({ "name": service, "namespace": namespace, "port": port }))
        }
    }
}
