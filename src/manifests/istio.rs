//! Manifests for Istio: a `WasmPlugin`, and the routes that follow its decisions.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use turnout_core::{CLUSTER_HEADER, PathScope, Plan, Rollout, TREATMENT_HEADER, Treatment};
use turnout_text::is_dns_label;

use crate::document::Document;
use crate::error::{Error, ErrorCollector, Errors};
use crate::host_groups::{EVERY_HOST, HostGroup, host_groups};
use crate::names::{self, UsedNames};
use crate::object::Object;

/// The form of cluster names in Istio's proxies. Shadow requests, which the filter sends itself, need such a name.
const FORM: &str = "outbound|PORT|SUBSET|HOST, the name in Istio's proxies, for example \
    outbound|8080|v2|channels.default.svc.cluster.local";

/// The settings for Istio, in addition to the policy.
#[derive(Clone, Copy, Debug)]
pub struct Istio<'a> {
    /// Names, image and configuration.
    pub object: Object<'a>,
    /// Labels `key=value` of the workloads that run the filter; if empty, all workloads of the namespace.
    pub selector: &'a [String],
    /// The gateways whose traffic is routed; if empty, the traffic inside the mesh.
    pub gateways: &'a [String],
    /// The place in the filter chain.
    pub phase: Phase,
}

/// The place of a plugin in Istio's filter chain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// Right before the router, after all filters that may refuse a request or identify its account.
    #[default]
    Last,
    /// Before Istio's authentication.
    Authn,
    /// Before Istio's authorization, after its authentication.
    Authz,
    /// Before Istio's statistics, after its authorization.
    Stats,
}

impl Phase {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Last => "UNSPECIFIED_PHASE",
            Self::Authn => "AUTHN",
            Self::Authz => "AUTHZ",
            Self::Stats => "STATS",
        }
    }
}

/// Generates a `WasmPlugin`, a `VirtualService` for the rollouts of each host, and a `DestinationRule` for each
/// service.
///
/// # Errors
/// Everything in the policy and the settings that Istio cannot express.
pub fn istio(plan: &Plan, settings: &Istio<'_>) -> Result<Vec<Document>, Errors> {
    let mut errors = ErrorCollector::default();
    settings.object.check(&mut errors);
    for gateway in settings.gateways {
        if !is_gateway(gateway) {
            errors.push(Error::Gateway(gateway.clone()));
        }
    }
    let labels = labels(settings.selector, &mut errors);
    let mut services = BTreeMap::new();
    for rollout in plan.rollouts() {
        for treatment in [Treatment::V1, Treatment::V2] {
            if let Some(cluster) = errors.keep(Cluster::of(rollout, treatment)) {
                cluster.note(&mut services);
            }
        }
        for host in rollout.route_scope().hosts {
            if !is_route_host(host) {
                errors.push(Error::Host(host.to_owned()));
            }
        }
    }
    if plan.rollouts().is_empty() {
        errors.push(Error::NoRollout);
    }
    errors.finish()?;
    let mut documents = vec![plugin(settings, &labels)?];
    let (mut routes, mut rules) = (UsedNames::default(), UsedNames::default());
    for group in host_groups(
        plan,
        |rollout| settings.host_of(rollout),
        |host| settings.called(host, &services),
    )? {
        // In the mesh, the last route of a host leads to that host, so each host needs an object of its own.
        let at_once = match settings.is_in_mesh() {
            true => 1,
            false => group.hosts.len(),
        };
        for hosts in group.hosts.chunks(at_once) {
            let name = routes.unique(settings.object.name_for(group.name()));
            documents.push(virtual_service(settings, &group, hosts, &name)?);
        }
    }
    for (host, subsets) in &services {
        if !subsets.is_empty() {
            let service = host.split('.').next().unwrap_or(host);
            let name = rules.unique(settings.object.name_for(service));
            documents.push(destination_rule(settings, host, subsets, &name));
        }
    }
    Ok(documents)
}

/// Istio's name for traffic inside the mesh, which enters through no gateway.
const MESH: &str = "mesh";

impl Istio<'_> {
    fn is_in_mesh(&self) -> bool {
        self.gateways.is_empty() || self.gateways.iter().any(|gateway| gateway == MESH)
    }

    /// The host for a rollout that names none. In the mesh, Istio's routes need a host: this is the service of v1,
    /// which exists already.
    fn host_of<'p>(&self, rollout: &'p Rollout) -> Result<&'p str, Error> {
        match self.is_in_mesh() {
            true => Cluster::of(rollout, Treatment::V1).map(|v1| v1.host),
            false => Ok(EVERY_HOST),
        }
    }

    /// The name of a host in routes. In the mesh a service also has short names, and routes for its full name apply
    /// to all of them.
    fn called<'p>(&self, host: &'p str, services: &Services<'p>) -> &'p str {
        let is_short_for = |service: &&&str| {
            let rest = service.strip_prefix(host);
            rest.is_some_and(|rest| rest.starts_with('.'))
        };
        let service = services.keys().find(is_short_for);
        service
            .filter(|_| self.is_in_mesh())
            .map_or(host, |service| service)
    }
}

fn is_gateway(gateway: &str) -> bool {
    match gateway.split_once('/') {
        None => is_dns_label(gateway),
        Some((namespace, name)) => is_dns_label(namespace) && is_dns_label(name),
    }
}

fn is_route_host(host: &str) -> bool {
    host == EVERY_HOST || names::is_host(host)
}

/// Parses the labels of the pods that run the filter.
fn labels(selector: &[String], errors: &mut ErrorCollector) -> serde_json::Map<String, Value> {
    let mut labels = serde_json::Map::new();
    for label in selector {
        match names::label(label) {
            None => errors.push(Error::Label(label.clone())),
            Some((key, value)) => {
                if labels.insert(key.to_owned(), json!(value)).is_some() {
                    errors.push(Error::LabelTwice(key.to_owned()));
                }
            }
        }
    }
    labels
}

fn plugin(
    settings: &Istio<'_>,
    labels: &serde_json::Map<String, Value>,
) -> Result<Document, Error> {
    let mut spec = json!({
        "url": format!("oci://{}", settings.object.image()),
        "imagePullPolicy": "IfNotPresent",
        "pluginName": settings.object.name,
        "phase": settings.phase.as_str(),
        "failStrategy": "FAIL_OPEN",
        "match": [{ "mode": "CLIENT" }],
        "pluginConfig": settings.object.configuration()?,
    });
    if let Some(spec) = spec.as_object_mut().filter(|_| !labels.is_empty()) {
        spec.insert("selector".into(), json!({ "matchLabels": labels }));
    }
    Ok(Document {
        comment: "Runs the filter. FAIL_OPEN: without the filter, everyone is on v1. CLIENT: where routes are \
                  selected, in gateways\nand in the proxies of callers.",
        kind: "WasmPlugin",
        object: json!({
            "apiVersion": "extensions.istio.io/v1alpha1",
            "kind": "WasmPlugin",
            "metadata": settings.object.metadata(settings.object.name),
            "spec": spec,
        }),
    })
}

/// The services that routes lead to, with their subsets.
type Services<'p> = BTreeMap<&'p str, BTreeSet<&'p str>>;

fn virtual_service(
    settings: &Istio<'_>,
    group: &HostGroup<'_>,
    hosts: &[&str],
    name: &str,
) -> Result<Document, Error> {
    let (mut decided, mut fallback) = (Vec::new(), Vec::new());
    let mut is_rest_taken = false;
    for rollout in &group.rollouts {
        for treatment in [Treatment::V2, Treatment::V1] {
            decided.push(json!({
                "name": format!("{}-{treatment}", rollout.name),
                "match": [{ "headers": {
                    TREATMENT_HEADER: { "exact": treatment.as_str() },
                    CLUSTER_HEADER: { "exact": rollout.cluster(treatment) },
                } }],
                "route": [Cluster::of(rollout, treatment)?.destination()],
            }));
        }
        let path = rollout.route_scope().path;
        fallback.push(json!({
            "name": format!("{}-fallback", rollout.name),
            "match": [{ "uri": uri(&path) }],
            "route": [Cluster::of(rollout, Treatment::V1)?.destination()],
        }));
        is_rest_taken |= path == PathScope::Prefix("/".into());
    }
    let mut routes = decided;
    routes.append(&mut fallback);
    if let ([host], true, false) = (hosts, settings.is_in_mesh(), is_rest_taken) {
        routes.push(json!({ "name": "rest", "route": [{ "destination": { "host": host } }] }));
    }
    let mut spec = json!({ "hosts": hosts });
    if let Some(spec) = spec.as_object_mut() {
        if !settings.gateways.is_empty() {
            spec.insert("gateways".into(), json!(settings.gateways));
        }
        spec.insert("http".into(), Value::Array(routes));
    }
    Ok(Document {
        comment: "Routes by the filter's decision, and then to v1: requests of no rollout, and all requests while \
                  there is no filter.\nIn the mesh, requests with other paths go where they went before.",
        kind: "VirtualService",
        object: json!({
            "apiVersion": "networking.istio.io/v1",
            "kind": "VirtualService",
            "metadata": settings.object.metadata(name),
            "spec": spec,
        }),
    })
}

fn uri(path: &PathScope) -> Value {
    match path {
        PathScope::Exact(path) => json!({ "exact": path }),
        PathScope::Prefix(prefix) => json!({ "prefix": prefix }),
    }
}

fn destination_rule(
    settings: &Istio<'_>,
    host: &str,
    subsets: &BTreeSet<&str>,
    name: &str,
) -> Document {
    let subsets: Vec<Value> = subsets
        .iter()
        .map(|subset| json!({ "name": subset, "labels": { "version": subset } }))
        .collect();
    Document {
        comment: "The subsets of the service, by the label `version` of its pods. If this host already has a \
                  DestinationRule,\nadd the subsets to that one instead.",
        kind: "DestinationRule",
        object: json!({
            "apiVersion": "networking.istio.io/v1",
            "kind": "DestinationRule",
            "metadata": settings.object.metadata(name),
            "spec": { "host": host, "subsets": subsets },
        }),
    }
}

/// A cluster name `outbound|PORT|SUBSET|HOST`.
struct Cluster<'p> {
    port: u16,
    /// The subset; empty for the whole service.
    subset: &'p str,
    host: &'p str,
}

impl<'p> Cluster<'p> {
    fn of(rollout: &'p Rollout, treatment: Treatment) -> Result<Self, Error> {
        let name = rollout.cluster(treatment);
        Self::parse(name).ok_or_else(|| Error::Cluster {
            rollout: rollout.name.clone(),
            treatment: treatment.as_str(),
            found: name.to_owned(),
            form: FORM,
        })
    }

    fn parse(name: &'p str) -> Option<Self> {
        let mut parts = name.split('|');
        let parts = [parts.next()?, parts.next()?, parts.next()?, parts.next()?];
        let [direction, port, subset, host] = parts;
        let is_whole = name.matches('|').count() == 3 && direction == "outbound";
        let is_named = names::is_host(host) && (subset.is_empty() || is_dns_label(subset));
        let port = port.parse().ok().filter(|port| *port > 0)?;
        (is_whole && is_named).then_some(Self { port, subset, host })
    }

    fn note(&self, services: &mut Services<'p>) {
        let subsets = services.entry(self.host).or_default();
        if !self.subset.is_empty() {
            subsets.insert(self.subset);
        }
    }

    fn destination(&self) -> Value {
        let mut destination = json!({ "host": self.host, "port": { "number": self.port } });
        if let Some(fields) = destination
            .as_object_mut()
            .filter(|_| !self.subset.is_empty())
        {
            fields.insert("subset".into(), json!(self.subset));
        }
        json!({ "destination": destination })
    }
}
