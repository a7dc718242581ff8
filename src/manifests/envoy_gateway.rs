//! For Envoy Gateway: an `EnvoyExtensionPolicy`, and the `HTTPRoute`s by which its treatments take
//! effect.

use serde_json::{Value, json};
use turnout_core::{CLUSTER_HEADER, PathReach, Plan, Rollout, TREATMENT_HEADER, Treatment};

use crate::document::Document;
use crate::error::Error;
use crate::groups::{Group, groups};
use crate::names;
use crate::object::Object;

const FORM: &str = "SERVICE:PORT, or NAMESPACE/SERVICE:PORT, for example channels-v2:8080";

/// What Envoy Gateway needs to know beside the policy.
#[derive(Clone, Copy, Debug)]
pub struct EnvoyGateway<'a> {
    /// Names, image and configuration.
    pub object: Object<'a>,
    /// The `Gateway` that has the filter and the routes.
    pub gateway: &'a str,
}

/// The `EnvoyExtensionPolicy`, and for the rollouts of each host an `HTTPRoute`.
///
/// # Errors
/// When the policy, or what is given beside it, cannot be said in Envoy Gateway.
pub fn envoy_gateway(plan: &Plan, given: &EnvoyGateway<'_>) -> Result<Vec<Document>, Error> {
    given.object.check()?;
    names::check("a gateway", given.gateway)?;
    let mut documents = vec![extension(given)?];
    for group in groups(plan)? {
        documents.push(route(given, &group)?);
    }
    Ok(documents)
}

fn extension(given: &EnvoyGateway<'_>) -> Result<Document, Error> {
    Ok(Document {
        comment: "The filter, in the whole gateway: it has decided before a route is chosen. failOpen: \
                  without it everyone is\non v1.",
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
                    "code": { "type": "Image", "image": { "url": given.object.image } },
                    "failOpen": true,
                    "config": given.object.configuration()?,
                }],
            },
        }),
    })
}

fn route(given: &EnvoyGateway<'_>, group: &Group<'_>) -> Result<Document, Error> {
    let (mut decided, mut fallback) = (Vec::new(), Vec::new());
    for rollout in &group.rollouts {
        for treatment in [Treatment::V2, Treatment::V1] {
            let backend = backend(rollout, treatment)?;
            decided.push(json!({
                "matches": [{ "headers": [
                    { "type": "Exact", "name": TREATMENT_HEADER, "value": treatment.as_str() },
                    { "type": "Exact", "name": CLUSTER_HEADER, "value": rollout.cluster(treatment) },
                ] }],
                "backendRefs": [backend.clone()],
            }));
            if treatment == Treatment::V1 {
                fallback.push(json!({
                    "matches": [{ "path": path(&rollout.reach().path) }],
                    "backendRefs": [backend],
                }));
            }
        }
    }
    decided.append(&mut fallback);
    let mut spec = json!({ "parentRefs": [{ "name": given.gateway }] });
    if let Some(spec) = spec.as_object_mut() {
        if !group.hosts.is_empty() {
            spec.insert("hostnames".into(), json!(group.hosts));
        }
        spec.insert("rules".into(), Value::Array(decided));
    }
    let first = group.rollouts.first().map_or("", |first| &first.name);
    Ok(Document {
        comment: "What the filter has decided; then v1, for requests of no rollout, and while there \
                  is no filter.",
        kind: "HTTPRoute",
        object: json!({
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "HTTPRoute",
            "metadata": given.object.metadata(first),
            "spec": spec,
        }),
    })
}

/// A prefix there is one of whole segments.
fn path(path: &PathReach) -> Value {
    match path {
        PathReach::Exact(path) => json!({ "type": "Exact", "value": path }),
        PathReach::Prefix(prefix) => json!({ "type": "PathPrefix", "value": prefix }),
    }
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
        None => names::is_label(service).then(|| json!({ "name": service, "port": port })),
        Some((namespace, service)) => {
            let is_named = names::is_label(namespace) && names::is_label(service);
            is_named.then(|| json!({ "name": service, "namespace": namespace, "port": port }))
        }
    }
}
