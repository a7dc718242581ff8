//! For Istio: a `WasmPlugin`, and by which routes its treatments take effect.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use turnout_core::{CLUSTER_HEADER, PathScope, Plan, Rollout, TREATMENT_HEADER, Treatment};
use turnout_text::is_dns_label;

use crate::document::Document;
use crate::error::{Error, Errors, Found};
use crate::groups::{EVERY_HOST, Group, groups};
use crate::names::{self, Given};
use crate::object::Object;

/// What a cluster is called in Istio's proxies. The filter's own calls, its copies, need this name.
const FORM: &str = "outbound|PORT|SUBSET|HOST, as Istio's proxies call it, for example \
    outbound|8080|v2|channels.default.svc.cluster.local";

/// What Istio needs to know beside the policy.
#[derive(Clone, Copy, Debug)]
pub struct Istio<'a> {
    /// Names, image and configuration.
    pub object: Object<'a>,
    /// `key=value`: which workloads have the filter; all of the namespace where there is none.
    pub selector: &'a [String],
    /// The gateways whose traffic is routed; the mesh's own where there is none.
    pub gateways: &'a [String],
    /// Where in the chain of filters.
    pub phase: Phase,
}

/// Where in the chain of filters Istio puts a plugin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// Right before the router, thus behind all that may refuse a request or say whose it is.
    #[default]
    Last,
    /// Before Istio's authentication.
    Authn,
    /// Before Istio's authorization, behind its authentication.
    Authz,
    /// Before Istio's statistics, behind its authorization.
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

/// The `WasmPlugin`, and for the rollouts of each host a `VirtualService`, and a `DestinationRule`
/// for each service.
///
/// # Errors
/// All of the policy, and of what is given beside it, that cannot be said in Istio.
pub fn istio(plan: &Plan, given: &Istio<'_>) -> Result<Vec<Document>, Errors> {
    let mut found = Found::default();
    given.object.check(&mut found);
    for gateway in given.gateways {
        if !is_gateway(gateway) {
            found.push(Error::Gateway(gateway.clone()));
        }
    }
    let labels = labels(given.selector, &mut found);
    let mut services = BTreeMap::new();
    for rollout in plan.rollouts() {
        for treatment in [Treatment::V1, Treatment::V2] {
            if let Some(cluster) = found.keep(Cluster::of(rollout, treatment)) {
                cluster.note(&mut services);
            }
        }
        for host in rollout.route_scope().hosts {
            if !is_route_host(host) {
                found.push(Error::Host(host.to_owned()));
            }
        }
    }
    if plan.rollouts().is_empty() {
        found.push(Error::NoRollout);
    }
    found.finish()?;
    let mut documents = vec![plugin(given, &labels)?];
    let (mut routes, mut rules) = (Given::default(), Given::default());
    for group in groups(
        plan,
        |rollout| given.host_of(rollout),
        |host| given.called(host, &services),
    )? {
        // In the mesh the last route of a host leads to that host, so each has its own.
        let at_once = match given.is_in_mesh() {
            true => 1,
            false => group.hosts.len(),
        };
        for hosts in group.hosts.chunks(at_once) {
            let name = routes.own(given.object.name_for(group.name()));
            documents.push(virtual_service(given, &group, hosts, &name)?);
        }
    }
    for (host, subsets) in &services {
        if !subsets.is_empty() {
            let service = host.split('.').next().unwrap_or(host);
            let name = rules.own(given.object.name_for(service));
            documents.push(destination_rule(given, host, subsets, &name));
        }
    }
    Ok(documents)
}

/// All traffic that enters no gateway.
const MESH: &str = "mesh";

impl Istio<'_> {
    fn is_in_mesh(&self) -> bool {
        self.gateways.is_empty() || self.gateways.iter().any(|gateway| gateway == MESH)
    }

    /// Of a rollout that names no host. In the mesh all of Istio's routes are of a host: that is the
    /// service of v1, which is there already.
    fn host_of<'p>(&self, rollout: &'p Rollout) -> Result<&'p str, Error> {
        match self.is_in_mesh() {
            true => Cluster::of(rollout, Treatment::V1).map(|v1| v1.host),
            false => Ok(EVERY_HOST),
        }
    }

    /// In the mesh a service has short names too, and routes for its whole name are for all of them.
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

/// The labels of the pods that have the filter.
fn labels(selector: &[String], found: &mut Found) -> serde_json::Map<String, Value> {
    let mut labels = serde_json::Map::new();
    for label in selector {
        match names::label(label) {
            None => found.push(Error::Label(label.clone())),
            Some((key, value)) => {
                if labels.insert(key.to_owned(), json!(value)).is_some() {
                    found.push(Error::LabelTwice(key.to_owned()));
                }
            }
        }
    }
    labels
}

fn plugin(given: &Istio<'_>, labels: &serde_json::Map<String, Value>) -> Result<Document, Error> {
    let mut spec = json!({
        "url": format!("oci://{}", given.object.image()),
        "imagePullPolicy": "IfNotPresent",
        "pluginName": given.object.name,
        "phase": given.phase.as_str(),
        "failStrategy": "FAIL_OPEN",
        "match": [{ "mode": "CLIENT" }],
        "pluginConfig": given.object.configuration()?,
    });
    if let Some(spec) = spec.as_object_mut().filter(|_| !labels.is_empty()) {
        spec.insert("selector".into(), json!({ "matchLabels": labels }));
    }
    Ok(Document {
        comment: "The filter. FAIL_OPEN: without it everyone is on v1. CLIENT is where routes are \
                  chosen: in gateways,\nand in the proxies of those who call.",
        kind: "WasmPlugin",
        object: json!({
            "apiVersion": "extensions.istio.io/v1alpha1",
            "kind": "WasmPlugin",
            "metadata": given.object.metadata(given.object.name),
            "spec": spec,
        }),
    })
}

/// The services that routes lead to, and the subsets of each.
type Services<'p> = BTreeMap<&'p str, BTreeSet<&'p str>>;

fn virtual_service(
    given: &Istio<'_>,
    group: &Group<'_>,
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
    if let ([host], true, false) = (hosts, given.is_in_mesh(), is_rest_taken) {
        routes.push(json!({ "name": "rest", "route": [{ "destination": { "host": host } }] }));
    }
    let mut spec = json!({ "hosts": hosts });
    if let Some(spec) = spec.as_object_mut() {
        if !given.gateways.is_empty() {
            spec.insert("gateways".into(), json!(given.gateways));
        }
        spec.insert("http".into(), Value::Array(routes));
    }
    Ok(Document {
        comment: "What the filter has decided; then v1, for requests of no rollout, and while there \
                  is no filter.\nIn the mesh, what is of no path of a rollout goes where it went before.",
        kind: "VirtualService",
        object: json!({
            "apiVersion": "networking.istio.io/v1",
            "kind": "VirtualService",
            "metadata": given.object.metadata(name),
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
    given: &Istio<'_>,
    host: &str,
    subsets: &BTreeSet<&str>,
    name: &str,
) -> Document {
    let subsets: Vec<Value> = subsets
        .iter()
        .map(|subset| json!({ "name": subset, "labels": { "version": subset } }))
        .collect();
    Document {
        comment: "The versions of the service, by the label `version` of its pods. If there is a \
                  DestinationRule for\nthis host, write the subsets into that one instead.",
        kind: "DestinationRule",
        object: json!({
            "apiVersion": "networking.istio.io/v1",
            "kind": "DestinationRule",
            "metadata": given.object.metadata(name),
            "spec": { "host": host, "subsets": subsets },
        }),
    }
}

/// `outbound|PORT|SUBSET|HOST`.
struct Cluster<'p> {
    port: u16,
    /// Empty where the service is meant as a whole.
    subset: &'p str,
    host: &'p str,
}

impl<'p> Cluster<'p> {
    fn of(rollout: &'p Rollout, treatment: Treatment) -> Result<Self, Error> {
        let name = rollout.cluster(treatment);
        Self::parse(name).ok_or_else(|| Error::Cluster {
            rollout: rollout.name.clone(),
            version: treatment.as_str(),
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
