//! The objects against the definitions that Istio and the Gateway API publish, as types made of them.
//!
//! What a definition does not know is lost where an object is read and written again, so both have
//! to be equal. Lengths and patterns are in no type: those this does not test.

use kcr_extensions_istio_io::v1alpha1::wasmplugins::WasmPlugin;
use kcr_gateway_networking_k8s_io::v1::httproutes::HttpRoute;
use kcr_networking_istio_io::v1::destinationrules::DestinationRule;
use kcr_networking_istio_io::v1::virtualservices::VirtualService;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::given::{CHANNELS, Mesh, SERVICES, two};

/// The definition's own version and kind are asked as well: any text is one in a type.
fn check(object: &Value) -> Result<(), String> {
    let kind = object.get("kind").and_then(Value::as_str);
    let version = object.get("apiVersion").and_then(Value::as_str);
    match (version, kind) {
        (Some("extensions.istio.io/v1alpha1"), Some("WasmPlugin")) => same::<WasmPlugin>(object),
        (Some("networking.istio.io/v1"), Some("VirtualService")) => same::<VirtualService>(object),
        (Some("networking.istio.io/v1"), Some("DestinationRule")) => {
            same::<DestinationRule>(object)
        }
        (Some("gateway.networking.k8s.io/v1"), Some("HTTPRoute")) => same::<HttpRoute>(object),
        other => Err(format!("no definition of {other:?}")),
    }
}

fn same<T: Serialize + DeserializeOwned>(object: &Value) -> Result<(), String> {
    let typed: T = serde_json::from_value(object.clone()).map_err(|error| error.to_string())?;
    let again = serde_json::to_value(&typed).map_err(|error| error.to_string())?;
    match again == *object {
        true => Ok(()),
        false => Err(format!("{object:#}\nbecomes\n{again:#}")),
    }
}

/// All objects but the `EnvoyExtensionPolicy`, of which no crate has the definition.
fn objects() -> Vec<Value> {
    let of_istio = two(CHANNELS);
    let of_kubernetes = two(SERVICES);
    let policies = [&of_istio, &of_istio, &of_kubernetes];
    let documents = Mesh::ALL.into_iter().zip(policies);
    let documents = documents.flat_map(|(mesh, policy)| mesh.documents(policy).expect("manifests"));
    let objects = documents.map(|document| document.object);
    objects
        .filter(|object| object["kind"] != "EnvoyExtensionPolicy")
        .collect()
}

#[test]
fn every_object_is_of_its_definition() {
    let objects = objects();
    for kind in [
        "WasmPlugin",
        "VirtualService",
        "DestinationRule",
        "HTTPRoute",
    ] {
        assert!(
            objects.iter().any(|object| object["kind"] == kind),
            "{kind}"
        );
    }
    for object in objects {
        check(&object).unwrap_or_else(|error| panic!("{error}"));
    }
}

/// A test that takes all would take these.
#[test]
fn what_is_not_of_its_definition_is_found() {
    for (kind, pointer, value) in [
        ("WasmPlugin", "/spec/failStrategy", json!("FAIL_OPENED")),
        ("WasmPlugin", "/spec/phase", json!("LAST")),
        ("WasmPlugin", "/spec/imagePullPolicy", json!("ifnotpresent")),
        ("WasmPlugin", "/spec/match/0/mode", json!("client")),
        ("WasmPlugin", "/spec/pluginConfig", json!("text")),
        ("WasmPlugin", "/spec/url", Value::Null),
        ("WasmPlugin", "/spec", json!({ "image": "x" })),
        ("WasmPlugin", "/kind", json!("WasmPlugins")),
        ("WasmPlugin", "/apiVersion", json!("extensions.istio.io/v1")),
        (
            "WasmPlugin",
            "/metadata",
            json!({ "name": "a", "nmespace": "b" }),
        ),
        ("VirtualService", "/spec/hosts", json!("flex.example.com")),
        (
            "VirtualService",
            "/spec/http/0/match/0",
            json!({ "header": {} }),
        ),
        (
            "VirtualService",
            "/spec/http/0/match/0/headers/x-turnout-cluster",
            json!({ "equal": "x" }),
        ),
        (
            "VirtualService",
            "/spec/http/0/route/0/destination/port",
            json!(8080),
        ),
        (
            "VirtualService",
            "/spec/http/0/route/0/destination",
            json!({ "subset": "v1" }),
        ),
        ("DestinationRule", "/spec/subsets/0", json!({ "label": {} })),
        ("DestinationRule", "/spec/host", Value::Null),
        ("HTTPRoute", "/spec/parentRefs/0", json!({ "nam": "edge" })),
        (
            "HTTPRoute",
            "/spec/rules/0/matches/0/path/type",
            json!("Prefix"),
        ),
        (
            "HTTPRoute",
            "/spec/rules/0/matches/0/headers/0/type",
            json!("exact"),
        ),
        (
            "HTTPRoute",
            "/spec/rules/0/backendRefs/0/port",
            json!("8080"),
        ),
        ("HTTPRoute", "/spec/rules/0", json!({ "match": [] })),
    ] {
        let mut objects = objects().into_iter();
        let found = objects.find(|object| object["kind"] == kind);
        let mut object = found.expect("an object of this kind");
        check(&object).unwrap_or_else(|error| panic!("{error}"));
        *object.pointer_mut(pointer).expect("a place") = value.clone();
        assert!(check(&object).is_err(), "{kind}{pointer} {value}");
    }
}
