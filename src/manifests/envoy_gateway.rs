//! Manifests for Envoy Gateway: an `EnvoyExtensionPolicy`, and the `HTTPRoute`s that route by treatment.
//!
//! The order of rules in an `HTTPRoute` has no effect: across all routes of a host, the more specific match wins,
//! and the path counts before the headers. So a rule that matches headers repeats the path of each rule that it
//! must win against.

use serde_json::{Value, json};
use turnout_core::{CLUSTER_HEADER, PathScope, Plan, Rollout, TREATMENT_HEADER, Treatment};
use turnout_text::is_dns_label;

use crate::document::Document;
use crate::error::{Error, ErrorCollector, Errors};
use crate::host_groups::{EVERY_HOST, HostGroup, host_groups};
use crate::names::{self, UsedNames};
use crate::object::Object;

const FORM: &str = "SERVICE:PORT, or NAMESPACE/SERVICE:PORT, for example channels-v2:8080";

/// The maximum number of hosts of an `HTTPRoute`.
const MOST_HOSTS: usize = 16;
/// The maximum number of paths in addition to the rollout's own. A rule may have 64 matches and a route 128, and
/// the rule of v1 has one more than that of v2.
const MOST_OTHER_PATHS: usize = 62;
const LONGEST_PATH: usize = 1024;

const ROUTE: &str = "Routes by the filter's decision. The last match sends requests without a decision to v1: \
    those of no\nrollout, and all requests while there is no filter.";
const ROUTE_ELSEWHERE: &str = "Routes by the filter's decision. The last match sends requests without a decision \
    to v1: those of no\nrollout, and all requests while there is no filter. A service in another namespace needs a \
    ReferenceGrant\nthere for these routes.";

/// The settings for Envoy Gateway, in addition to the policy.
#[derive(Clone, Copy, Debug)]
pub struct EnvoyGateway<'a> {
    /// Names, image and configuration.
    pub object: Object<'a>,
    /// The `Gateway` that runs the filter and the routes.
    pub gateway: &'a str,
}

/// Generates an `EnvoyExtensionPolicy`, and one `HTTPRoute` per rollout, or several if its hosts have different other
/// rollouts.
///
/// # Errors
/// Everything in the policy and the settings that Envoy Gateway cannot express.
pub fn envoy_gateway(plan: &Plan, settings: &EnvoyGateway<'_>) -> Result<Vec<Document>, Errors> {
    let mut errors = ErrorCollector::default();
    settings.object.check(&mut errors);
    errors.keep(names::check("a gateway", settings.gateway));
    for rollout in plan.rollouts() {
        for treatment in [Treatment::V1, Treatment::V2] {
            errors.keep(backend(rollout, treatment));
        }
        for host in rollout.route_scope().hosts {
            if !names::is_host(host) {
                errors.push(Error::Host(host.to_owned()));
            }
        }
    }
    let mut documents = Vec::new();
    documents.extend(errors.keep(extension(settings)));
    let mut routes = UsedNames::default();
    let groups = errors.keep(host_groups(plan, |_| Ok(EVERY_HOST), |host| host));
    for group in groups.into_iter().flatten() {
        for hosts in group.hosts.chunks(MOST_HOSTS) {
            for rollout in &group.rollouts {
                let name = routes.unique(settings.object.name_for(&rollout.name));
                errors.keep(shadow(settings, rollout, &name));
                documents.extend(errors.keep(route(settings, &group, hosts, rollout, &name)));
            }
        }
    }
    errors.finish()?;
    Ok(documents)
}

fn extension(settings: &EnvoyGateway<'_>) -> Result<Document, Error> {
    Ok(Document {
        comment: "Runs the filter in the whole gateway. failOpen: without the filter, everyone is on v1.",
        kind: "EnvoyExtensionPolicy",
        object: json!({
            "apiVersion": "gateway.envoyproxy.io/v1alpha1",
            "kind": "EnvoyExtensionPolicy",
            "metadata": settings.object.metadata(settings.object.name),
            "spec": {
                "targetRefs": [{
                    "group": "gateway.networking.k8s.io",
                    "kind": "Gateway",
                    "name": settings.gateway,
                }],
                "wasm": [{
                    "name": settings.object.name,
                    "code": { "type": "Image", "image": { "url": settings.object.image() } },
                    "failOpen": true,
                    "config": settings.object.configuration()?,
                }],
            },
        }),
    })
}

/// Generates the rules of a rollout: v2, then v1. The names of Envoy's clusters contain their indices.
fn route(
    settings: &EnvoyGateway<'_>,
    group: &HostGroup<'_>,
    hosts: &[&str],
    rollout: &Rollout,
    name: &str,
) -> Result<Document, Error> {
    let own = rollout.route_scope().path;
    let mut paths = vec![path(&own)?];
    // Without the filter, the first rollout with a path gets its requests.
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
    let mut spec = json!({ "parentRefs": [{ "name": settings.gateway }], "rules": rules });
    if hosts != [EVERY_HOST] {
        let bad = hosts.iter().find(|host| !names::is_host(host));
        if let Some(host) = bad {
            return Err(Error::Host((*host).to_owned()));
        }
        if let Some(spec) = spec.as_object_mut() {
            spec.insert("hostnames".into(), json!(hosts));
        }
    }
    let is_own = |treatment| !rollout.cluster(treatment).contains('/');
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
            "metadata": settings.object.metadata(name),
            "spec": spec,
        }),
    })
}

/// Whether a path may match both. Paths that differ only in a final `/` count as equal, because a prefix of the
/// Gateway API matches both.
fn overlap(one: &PathScope, other: &PathScope) -> bool {
    use PathScope::{Exact, Prefix};
    let begins = |path: &str, prefix: &str| path.starts_with(prefix.trim_end_matches('/'));
    match (one, other) {
        (Exact(one), Exact(other)) => one == other,
        (Exact(path), Prefix(prefix)) | (Prefix(prefix), Exact(path)) => begins(path, prefix),
        (Prefix(one), Prefix(other)) => begins(one, other) || begins(other, one),
    }
}

/// Generates a path match. Prefixes of the Gateway API are whole segments, so a prefix that ends within a segment
/// becomes a regular expression, and so does a path with characters that the API refuses.
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

/// Whether the Gateway API accepts a text as a path or a prefix.
fn is_plain(path: &str) -> bool {
    let is_taken = |c: char| c.is_ascii_alphanumeric() || "-/._~!$&'()*+,;=:@".contains(c);
    let strange = ["//", "/./", "/../"];
    path.starts_with('/')
        && path.chars().all(is_taken)
        && !strange.iter().any(|part| path.contains(part))
        && !path.ends_with("/..")
        && !path.ends_with("/.")
}

/// Escapes a text for a regular expression.
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

/// Checks that a shadow has clusters: shadow requests do not use routes, so they need clusters by name.
fn shadow(settings: &EnvoyGateway<'_>, rollout: &Rollout, route: &str) -> Result<(), Error> {
    let Some(shadow) = &rollout.shadow else {
        return Ok(());
    };
    let has_cluster = |treatment| shadow.cluster(treatment).is_some();
    if has_cluster(Treatment::V1) && has_cluster(Treatment::V2) {
        return Ok(());
    }
    let namespace = settings.object.namespace.unwrap_or("NAMESPACE");
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
        treatment: treatment.as_str(),
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
