//! Checks the output of `turnout render --for` against the published types of Istio, Gateway API and Envoy
//! Gateway, and against the messages of Envoy. `make published` fetches them.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

mod common;
#[path = "common/published.rs"]
mod published;

use std::fs::{self, File};
use std::process::{Command, Output, Stdio};

use common::turnout;
use published::{assert_found, check_against_types, published};
use serde_json::{Value, json};
use turnout_core::{Configuration, Plan};

const SID: &str = r#""account": { "from": [{ "header": "x-account-sid" }], "format": "sid" }"#;

/// Rollouts, alternately in the modes `on` and `off`.
fn rollouts(count: usize, matches: &dyn Fn(usize) -> Value) -> String {
    let rollout = |number: usize| {
        json!({
            "name": format!("r{number}"),
            "match": matches(number),
            "v1": "channels-v1:8080",
            "v2": "apps/channels-v2:8080",
            "mode": if number.is_multiple_of(2) { "on" } else { "off" },
        })
    };
    json!((0..count).map(rollout).collect::<Vec<_>>()).to_string()
}

fn policy(head: &str, rollouts: &str) -> String {
    format!(r#"{{ "version": 1, {head}, "rollouts": {rollouts} }}"#)
}

/// Policies with text that YAML 1.1 reads as something else, or as a number.
fn policies() -> Vec<String> {
    let opaque = r#""revision": "0123456789e5",
        "account": { "from": [{ "path": "/a/{account}/**" }, { "basic_auth": "username" }], "format": "opaque" },
        "segments": { "no": { "accounts": ["no", "1_000", "0x1f", "1:20", "2026-12-01", "~", "a: b #c", "é\n\"", "<<", "="] } }"#;
    let ramp = r#"[{ "name": "y", "v1": "a:1", "v2": "b:65535", "mode": "split",
        "match": { "hosts": ["flex.example.com", "x.example.com"], "path": { "template": "/v1/*/Users/**" },
                   "methods": ["GET"], "headers": { "x-y": { "exact": "on" }, "x-z": { "present": true } } },
        "rules": [{ "when": { "in": ["no"] }, "serve": "v1" },
                  { "accounts": [{ "from": "2026-12-01T09:00:00Z", "percent": 0.000001 },
                                 { "from": "2026-12-02T09:00:00Z", "percent": 12.5 }], "requests": 100 }] }]"#;
    vec![
        policy(SID, &rollouts(1, &|_| json!({}))),
        policy(
            SID,
            &rollouts(2, &|n| json!({ "path": { "exact": format!("/v{n}") } })),
        ),
        policy(
            SID,
            &rollouts(
                3,
                &|n| json!({ "hosts": ["a.example.com"], "path": { "prefix": format!("/v{n}") } }),
            ),
        ),
        policy(opaque, ramp),
    ]
}

/// The policy with clusters in the form of Istio.
fn in_istio(policy: &str) -> String {
    let cluster = |port, version, service| {
        format!("\"outbound|{port}|{version}|{service}.default.svc.cluster.local\"")
    };
    policy
        .replace("\"channels-v1:8080\"", &cluster(8080, "v1", "channels"))
        .replace(
            "\"apps/channels-v2:8080\"",
            &cluster(8080, "v2", "channels"),
        )
        .replace("\"a:1\"", &cluster(1, "", "a"))
        .replace("\"b:65535\"", &cluster(65535, "", "b"))
}

/// The output of `turnout render` for a policy.
fn rendered(policy: &str, arguments: &[&str]) -> String {
    printed(&render(policy, arguments))
}

fn render(policy: &str, arguments: &[&str]) -> Output {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("policy.json"), policy).expect("a policy");
    let arguments = [&["render", "policy.json"], arguments].concat();
    turnout(folder.path(), &arguments, "")
}

fn printed(output: &Output) -> String {
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

const FOR_ENVOY_GATEWAY: [&str; 8] = [
    "--for",
    "envoy-gateway",
    "--image",
    "registry.example.com/turnout:0.1.0",
    "--gateway",
    "edge",
    "--namespace",
    "default",
];
/// Options for the mesh, and for a gateway.
const FOR_ISTIO: [&[&str]; 2] = [
    &[
        "--for",
        "istio",
        "--image",
        "registry.example.com/turnout:0.1.0",
    ],
    &[
        "--for",
        "istio",
        "--image",
        "registry.example.com/turnout:0.1.0",
        "--namespace",
        "istio-ingress",
        "--selector",
        "istio=ingressgateway",
        "--gateway",
        "istio-ingress/edge",
        "--phase",
        "stats",
    ],
];
const FOR_ENVOY: [&str; 5] = [
    "--for",
    "envoy",
    "--wasm",
    "/etc/envoy/turnout_filter.wasm",
    "--wasm-elsewhere",
];

/// Reads a discovery response with Envoy's messages.
fn read_by_messages(discovered: &str) -> Output {
    let (published, tools) = published();
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("filter.json");
    fs::write(&file, discovered).expect("what is discovered");
    let python = std::env::var("PYTHON").unwrap_or_else(|_| String::from("python3"));
    Command::new(python)
        .arg(tools.join("check_discovery.py"))
        .env("PYTHONPATH", published.join("python"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::from(File::open(file).expect("the file")))
        .output()
        .expect("Python")
}

/// Fails unless this is the original policy with its revision, and the filter accepts it.
fn assert_is_configuration(configuration: &str, policy: &str) {
    let plan = Plan::from_json(policy).expect("a valid policy");
    let revision = plan.revision();
    let policy: Value = serde_json::from_str(&revision.insert_into(policy)).expect("JSON");
    let expected = json!({ "inbound": "strip", "policy": policy });
    let found: Value = serde_json::from_str(configuration).expect("JSON");
    assert_eq!(found, expected);
    match Configuration::from_json(configuration.as_bytes()) {
        Ok(taken) => assert_eq!(taken.plan.revision().as_str(), revision.as_str()),
        Err(problems) => panic!("{configuration}: {:?}", problems.as_slice()),
    }
}

#[test]
fn the_objects_for_envoy_gateway_match_the_published_types() {
    for policy in policies() {
        let yaml = rendered(&policy, &FOR_ENVOY_GATEWAY);
        let checked = check_against_types(&yaml);
        assert_eq!(checked.get("problems"), Some(&json!([])), "{yaml}");
        let kinds = checked
            .get("kinds")
            .and_then(Value::as_array)
            .expect("kinds");
        let (first, others) = kinds.split_first().expect("a plugin");
        assert_eq!(first, "EnvoyExtensionPolicy");
        assert!(!others.is_empty(), "{yaml}");
        assert!(others.iter().all(|kind| kind == "HTTPRoute"), "{yaml}");
        // As the cluster has parsed and reformatted it.
        let configuration = checked
            .pointer("/configurations/0")
            .expect("a configuration");
        assert_is_configuration(&configuration.to_string(), &policy);
    }
}

/// Rollouts each of which also matches the paths of all later ones.
fn nested(count: usize) -> String {
    let rollouts = rollouts(
        count,
        &|n| json!({ "path": { "prefix": format!("/{}", "a/".repeat(n)) } }),
    );
    policy(SID, &rollouts)
}

#[test]
fn the_largest_objects_match_the_published_types_and_larger_ones_are_errors() {
    let many_hosts = |n| json!({ "hosts": (0..17 + n).map(|h| format!("h{h}.example.com")).collect::<Vec<_>>() });
    let separate = |n| json!({ "path": { "prefix": format!("/v{n}/") } });
    let objects = [
        policy(SID, &rollouts(3, &many_hosts)),
        policy(SID, &rollouts(40, &separate)),
        nested(63),
    ]
    .map(|policy| rendered(&policy, &FOR_ENVOY_GATEWAY));
    let checked = check_against_types(&objects.join("---\n"));
    assert_eq!(checked.get("problems"), Some(&json!([])));
    let refused = render(&nested(64), &FOR_ENVOY_GATEWAY);
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");
    assert!(refused.stdout.is_empty(), "{refused:?}");
}

#[test]
fn the_objects_for_istio_match_the_published_types() {
    let policies: Vec<String> = policies().iter().map(|policy| in_istio(policy)).collect();
    let both = policies
        .iter()
        .flat_map(|policy| FOR_ISTIO.map(|options| (policy, options)));
    let both: Vec<(&String, &[&str])> = both.collect();
    let rendered = both
        .iter()
        .map(|(policy, options)| rendered(policy, options));
    // In one file, because each run of TypeScript takes seconds.
    let yaml = rendered.collect::<Vec<_>>().join("---\n");
    let checked = check_against_types(&yaml);
    assert_eq!(checked.get("problems"), Some(&json!([])), "{yaml}");
    let kinds = checked
        .get("kinds")
        .and_then(Value::as_array)
        .expect("kinds");
    for kind in ["WasmPlugin", "VirtualService", "DestinationRule"] {
        assert!(kinds.iter().any(|found| found == kind), "{kind}");
    }
    let configurations = checked.get("configurations").and_then(Value::as_array);
    let configurations = configurations.expect("configurations");
    assert_eq!(configurations.len(), both.len());
    for ((policy, _), configuration) in both.iter().zip(configurations) {
        assert_is_configuration(&configuration.to_string(), policy);
    }
}

#[test]
fn the_check_finds_fields_that_the_types_of_istio_do_not_have() {
    let policies = policies();
    let policy = in_istio(policies.get(2).expect("a policy"));
    let [_, gateway] = FOR_ISTIO;
    let yaml = rendered(&policy, gateway);
    let broken = [
        (
            "failStrategy:",
            "failStrategie:",
            "'\"failStrategie\"' does not exist",
        ),
        (
            "FAIL_OPEN",
            "FAIL_OPENED",
            "WasmPlugin: data/spec/failStrategy must be",
        ),
        (
            "phase: STATS",
            "phase: LAST",
            "WasmPlugin: data/spec/phase must be",
        ),
        (
            "mode: CLIENT",
            "mode: client",
            "WasmPlugin: data/spec/match/0/mode must be",
        ),
        (
            "  url:",
            "  uri:",
            "WasmPlugin: data/spec must have required property url",
        ),
        (
            "IfNotPresent",
            "Never",
            "WasmPlugin: data/spec/imagePullPolicy must be",
        ),
        (
            "matchLabels:",
            "matchLabel:",
            "'\"matchLabel\"' does not exist",
        ),
        (
            "number: 8080",
            "number: \"8080\"",
            "destination/port/number must be integer",
        ),
        ("exact: v2", "equal: v2", "'\"equal\"' does not exist"),
        ("subset:", "subst:", "'\"subst\"' does not exist"),
        ("labels:", "label:", "'\"label\"' does not exist"),
        (
            "  host: channels",
            "  hosts: channels",
            "DestinationRule: data/spec must have required property host",
        ),
        (
            "extensions.istio.io/v1alpha1",
            "extensions.istio.io/v1",
            "WasmPlugin: data/apiVersion must be",
        ),
        (
            "networking.istio.io/v1",
            "networking.istio.io/v2",
            "VirtualService: data/apiVersion must be",
        ),
    ];
    assert_found(&yaml, &broken);
}

#[test]
fn the_check_finds_fields_that_the_types_of_envoy_gateway_do_not_have() {
    let policy = policies().pop().expect("a policy");
    let yaml = rendered(&policy, &FOR_ENVOY_GATEWAY);
    let broken = [
        ("failOpen:", "failOpn:", "'\"failOpn\"' does not exist"),
        ("type: Image", "type: Imag", "code/type"),
        (
            "parentRefs:",
            "parentRef:",
            "'\"parentRef\"' does not exist",
        ),
        ("type: Exact", "type: exact", "headers/0/type"),
        ("port: 65535", "port: 65536", "port must be <= 65535"),
        ("port: 65535", "port: '65535'", "port must be integer"),
        ("hostnames:", "hosts:", "'\"hosts\"' does not exist"),
        ("/v1alpha1", "/v1alpha9", "apiVersion"),
        ("kind: HTTPRoute", "kind: HTTPRout", "unknown kind"),
        // YAML would read these as a number and as a word that is not a string.
        ("- \"1_000\"", "- 1_000", ""),
        ("- \"no\"", "- no", ""),
    ];
    let checked = assert_found(&yaml, &broken);
    let configurations = checked.get("configurations").expect("configurations");
    let read = configurations.to_string();
    for other in ["\"no\",1000,\"0x1f\"", "false,\"1_000\""] {
        assert!(read.contains(other), "{other}: {read}");
    }
}

#[test]
fn the_discovery_response_matches_the_messages_of_envoy() {
    for policy in policies() {
        let discovered = rendered(&policy, &FOR_ENVOY);
        let checked: Value =
            serde_json::from_str(&printed(&read_by_messages(&discovered))).expect("JSON");
        let revision = Plan::from_json(&policy).expect("a valid policy");
        let text = |field: &str| checked.get(field).and_then(Value::as_str).expect("text");
        assert_eq!(text("version"), revision.revision().as_str());
        assert_eq!((text("name"), text("plugin")), ("turnout", "turnout"));
        assert_eq!(text("failure_policy"), "FAIL_OPEN");
        assert_eq!(text("runtime"), "envoy.wasm.runtime.v8");
        assert_eq!(text("filename"), "/etc/envoy/turnout_filter.wasm");
        assert_is_configuration(text("configuration"), &policy);
    }
}

#[test]
fn the_check_finds_fields_that_the_messages_of_envoy_do_not_have() {
    let policy = policies().pop().expect("a policy");
    let discovered = rendered(&policy, &FOR_ENVOY);
    for (right, wrong) in [
        ("\"version_info\"", "\"version_inf\""),
        ("\"vm_config\"", "\"vm_confg\""),
        ("\"FAIL_OPEN\"", "\"FAIL_OPN\""),
        ("filters.http.wasm.v3.Wasm", "filters.http.wasm.v3.Wsm"),
        ("google.protobuf.StringValue", "google.protobuf.BytesValue"),
    ] {
        assert!(discovered.contains(right), "{right}: {discovered}");
        let output = read_by_messages(&discovered.replace(right, wrong));
        assert!(!output.status.success(), "{wrong}: {output:?}");
    }
}
