//! For Istio: a `WasmPlugin`, and by which routes its treatments take effect.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use turnout_core::{CLUSTER_HEADER, PathReach, Plan, Rollout, TREATMENT_HEADER, Treatment};

use crate::document::Document;
use crate::error::Error;
use crate::groups::{Group, groups};
use crate::names;
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
/// When the policy, or what is given beside it, cannot be said in Istio.
pub fn istio(plan: &Plan, given: &Istio<'_>) -> Result<Vec<Document>, Error> {
    given.object.check()?;
    let mut documents = vec![plugin(given)?];
    let mut subsets = BTreeMap::new();
    for group in groups(plan)? {
        documents.push(virtual_service(given, &group, &mut subsets)?);
    }
    for (host, subsets) in &subsets {
        documents.push(destination_rule(given, host, subsets));
    }
    Ok(documents)
}

fn plugin(given: &Istio<'_>) -> Result<Document, Error> {
    let mut labels = serde_json::Map::new();
    for label in given.selector {
        let (key, value) = label
            .split_once('=')
            .filter(|(key, value)| !key.is_empty() && !value.is_empty())
            .ok_or_else(|| Error::Label(label.clone()))?;
        labels.insert(key.to_owned(), json!(value));
    }
    let mut spec = json!({
        "url": format!("oci://{}", given.object.image),
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

/// The subsets of each host that routes name.
type Subsets<'p> = BTreeMap<&'p str, Vec<&'p str>>;

fn virtual_service<'p>(
    given: &Istio<'_>,
    group: &Group<'p>,
    subsets: &mut Subsets<'p>,
) -> Result<Document, Error> {
    let (mut decided, mut fallback) = (Vec::new(), Vec::new());
    let mut hosts: Vec<&str> = group.hosts.clone();
    for rollout in &group.rollouts {
        for treatment in [Treatment::V2, Treatment::V1] {
            let cluster = Cluster::of(rollout, treatment)?;
            cluster.note(subsets);
            decided.push(json!({
                "name": format!("{}-{treatment}", rollout.name),
                "match": [{ "headers": {
                    TREATMENT_HEADER: { "exact": treatment.as_str() },
                    CLUSTER_HEADER: { "exact": rollout.cluster(treatment) },
                } }],
                "route": [cluster.destination()],
            }));
            if treatment == Treatment::V1 {
                if group.hosts.is_empty() && !hosts.contains(&cluster.host) {
                    hosts.push(cluster.host);
                }
                fallback.push(json!({
                    "name": format!("{}-fallback", rollout.name),
                    "match": [{ "uri": uri(&rollout.reach().path) }],
                    "route": [cluster.destination()],
                }));
            }
        }
    }
    decided.append(&mut fallback);
    let mut spec = json!({ "hosts": hosts });
    if let Some(spec) = spec.as_object_mut() {
        if !given.gateways.is_empty() {
            spec.insert("gateways".into(), json!(given.gateways));
        }
        spec.insert("http".into(), Value::Array(decided));
    }
    let first = group.rollouts.first().map_or("", |first| &first.name);
    Ok(Document {
        comment: "What the filter has decided; then v1, for requests of no rollout, and while there \
                  is no filter.",
        kind: "VirtualService",
        object: json!({
            "apiVersion": "networking.istio.io/v1",
            "kind": "VirtualService",
            "metadata": given.object.metadata(first),
            "spec": spec,
        }),
    })
}

fn uri(path: &PathReach) -> Value {
    match path {
        PathReach::Exact(path) => json!({ "exact": path }),
        PathReach::Prefix(prefix) => json!({ "prefix": prefix }),
    }
}

fn destination_rule(given: &Istio<'_>, host: &str, subsets: &[&str]) -> Document {
    let subsets: Vec<Value> = subsets
        .iter()
        .map(|subset| json!({ "name": subset, "labels": { "version": subset } }))
        .collect();
    let service = host.split('.').next().unwrap_or(host);
    Document {
        comment: "The versions of the service, by the label `version` of its pods.",
        kind: "DestinationRule",
        object: json!({
            "apiVersion": "networking.istio.io/v1",
            "kind": "DestinationRule",
            "metadata": given.object.metadata(service),
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
        let is_named = names::is_host(host) && (subset.is_empty() || names::is_label(subset));
        let port = port.parse().ok().filter(|port| *port > 0)?;
        (is_whole && is_named).then_some(Self { port, subset, host })
    }

    fn note(&self, subsets: &mut Subsets<'p>) {
        if self.subset.is_empty() {
            return;
        }
        let of_host = subsets.entry(self.host).or_default();
        if !of_host.contains(&self.subset) {
            of_host.push(self.subset);
            of_host.sort_unstable();
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
