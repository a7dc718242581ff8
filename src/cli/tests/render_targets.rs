//! `turnout render --for`: Envoy, Istio and Envoy Gateway.
#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

mod common;
#[path = "common/rendered.rs"]
mod rendered;

use std::fs;
use std::process::Output;

use common::turnout;
use rendered::{POLICY, RENDER, folder_with, stderr};

const SERVICE: &str = "channels.default.svc.cluster.local";

/// A folder with a policy whose clusters have the form of the target.
fn folder_for(target: &str) -> tempfile::TempDir {
    let cluster = |version| match target {
        "envoy-gateway" => format!("channels-{version}:8080"),
        _ => format!("outbound|8080|{version}|{SERVICE}"),
    };
    let [v1, v2] = ["v1", "v2"].map(|version| format!("\"{}\"", cluster(version)));
    folder_with(&POLICY.replace("\"a\"", &v1).replace("\"b\"", &v2))
}

/// The options that the target requires.
fn needed(target: &str) -> &'static [&'static str] {
    match target {
        "envoy" => &["--wasm", "/f.wasm", "--wasm-elsewhere"],
        "istio" => &["--image", "example.com/turnout:1"],
        _ => &["--image", "example.com/turnout:1", "--gateway", "edge"],
    }
}

fn run_for(target: &str, more: &[&str]) -> Output {
    let folder = folder_for(target);
    let command = ["render", "policy.json", "--for", target];
    turnout(folder.path(), &[&command[..], more].concat(), "")
}

fn rendered_for(target: &str, more: &[&str]) -> String {
    let output = run_for(target, &[needed(target), more].concat());
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(stderr(&output), "");
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[test]
fn for_envoy_the_output_is_a_discovery_response() {
    let text = rendered_for("envoy", &["--inbound", "trust"]);
    let json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let plugin = "/resources/0/typed_config/config";
    let found = |place: &str| json.pointer(&format!("{plugin}{place}")).expect("a place");
    assert_eq!(found("/vm_config/code/local/filename"), "/f.wasm");
    let configuration = found("/configuration/value").as_str().expect("text");
    let configuration =
        turnout_core::Configuration::from_json(configuration.as_bytes()).expect("a configuration");
    assert_eq!(configuration.inbound, turnout_core::Inbound::Trust);
    // The revision is the hash of the text that the author wrote, and is set in the rendered policy.
    let revision = configuration.plan.revision().as_str();
    assert_eq!(json.get("version_info").expect("a version"), revision);
    assert!(
        text.contains(&format!("\\\"revision\\\":\\\"{revision}\\\"")),
        "{text}"
    );
}

#[test]
fn for_istio_the_output_is_a_plugin_and_routes() {
    let text = rendered_for("istio", &[]);
    for line in [
        "kind: WasmPlugin",
        "  url: oci://example.com/turnout:1",
        "  phase: UNSPECIFIED_PHASE",
        "kind: VirtualService",
        "  name: turnout-r",
        "kind: DestinationRule",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}: {text}");
    }
    assert!(
        !text.contains("namespace:") && !text.contains("selector:"),
        "{text}"
    );
    let more = [
        "--name",
        "moves",
        "--namespace",
        "edge",
        "--selector",
        "a=b",
        "--selector",
        "c=d",
        "--gateway",
        "edge/one",
        "--gateway",
        "two",
        "--phase",
        "stats",
        "--inbound",
        "trust",
    ];
    let text = rendered_for("istio", &more);
    for lines in [
        "  name: moves\n  namespace: edge\n",
        "  name: moves-r\n  namespace: edge\n",
        "    matchLabels:\n      a: b\n      c: d\n",
        "  gateways:\n  - edge/one\n  - two\n",
        "  phase: STATS\n",
        "    inbound: trust\n",
    ] {
        assert!(text.contains(lines), "{lines}: {text}");
    }
}

#[test]
fn for_envoy_gateway_the_output_is_an_extension_and_routes() {
    let text = rendered_for("envoy-gateway", &["--namespace", "edge"]);
    for line in [
        "kind: EnvoyExtensionPolicy",
        "        url: example.com/turnout:1",
        "kind: HTTPRoute",
        "  name: turnout-r",
        "  namespace: edge",
        "  - name: edge",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}: {text}");
    }
}

/// The policy has no revision, and its text is reformatted on the way to the proxy.
#[test]
fn the_revision_is_the_same_for_every_target() {
    let folder = folder_with(POLICY);
    let of = |more: &[&str]| {
        let output = turnout(
            folder.path(),
            &[&["render", "policy.json"], more].concat(),
            "",
        );
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    let revision = turnout_core::Revision::of_text(POLICY);
    let template = of(&[
        "--template",
        "template.yaml",
        "--wasm",
        "f",
        "--wasm-elsewhere",
    ]);
    let envoy = of(&["--for", "envoy", "--wasm", "f", "--wasm-elsewhere"]);
    for text in [template, envoy] {
        assert!(
            text.contains(&format!("\\\"revision\\\":\\\"{revision}\\\"")),
            "{text}"
        );
    }
    for target in ["istio", "envoy-gateway"] {
        let folder = folder_for(target);
        let policy = fs::read_to_string(folder.path().join("policy.json")).expect("the policy");
        let revision = turnout_core::Revision::of_text(&policy);
        let text = rendered_for(target, &[]);
        let line = format!("revision: {revision}");
        let quoted = format!("revision: \"{revision}\"");
        let mut lines = text.lines().map(str::trim);
        assert!(
            lines.any(|found| found == line || found == quoted),
            "{text}"
        );
    }
}

#[test]
fn options_that_a_target_needs_or_does_not_accept_are_errors() {
    for (target, more, sentence) in [
        ("envoy", &[][..], "--wasm <PATH>"),
        ("istio", &[], "--image <IMAGE>"),
        ("envoy-gateway", &["--image", "i"], "--gateway <GATEWAY>"),
        ("kong", &[], "invalid value 'kong'"),
        (
            "envoy",
            &["--wasm", "f", "--template", "template.yaml"],
            "cannot be used with",
        ),
        (
            "envoy",
            &["--wasm", "f", "--phase", "soon"],
            "invalid value 'soon'",
        ),
        (
            "envoy",
            &["--wasm", "f", "--image", "i"],
            "turnout: --image does not apply to --for envoy; remove it",
        ),
        (
            "istio",
            &["--image", "i", "--wasm", "f"],
            "turnout: --wasm does not apply to --for istio; remove it",
        ),
        (
            "envoy-gateway",
            &["--image", "i", "--gateway", "g", "--selector", "a=b"],
            "turnout: --selector does not apply to --for envoy-gateway; remove it",
        ),
        (
            "envoy-gateway",
            &["--image", "i", "--gateway", "g", "--gateway", "h"],
            "turnout: an EnvoyExtensionPolicy targets exactly one Gateway; use --gateway once",
        ),
        (
            "istio",
            &["--image", "i", "--selector", "x"],
            "turnout: policy.json: `x` is not a label; expected key=value",
        ),
    ] {
        let output = run_for(target, &[more, &["--output", "out"]].concat());
        assert_eq!(output.status.code(), Some(2), "{target} {more:?}");
        assert!(output.stdout.is_empty());
        assert!(stderr(&output).contains(sentence), "{}", stderr(&output));
    }
    let folder = folder_with(POLICY);
    let idle = [&RENDER[..], &["--namespace", "n"]].concat();
    for (arguments, sentence) in [
        (&["render", "policy.json"][..], "--template <FILE>"),
        (
            &idle,
            "turnout: --namespace does not apply to --template; remove it",
        ),
        (
            &["render", "policy.json", "--for", "istio", "--image", "i"],
            "turnout: policy.json: rollout r: `a` for v1 is not a cluster of the target; expected outbound|PORT|SUBSET|HOST",
        ),
    ] {
        let output = turnout(folder.path(), arguments, "");
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(stderr(&output).contains(sentence), "{}", stderr(&output));
    }
}

#[test]
fn a_number_that_a_double_cannot_represent_does_not_reach_a_proxy_as_another_number() {
    let with_seed = |seed: &str| {
        let cluster = |version| format!("\"outbound|8080|{version}|{SERVICE}\"");
        let [v1, v2] = ["v1", "v2"].map(cluster);
        let hash = format!("\"split\", \"hash\": {{ \"launchdarkly\": {{ \"seed\": {seed} }} }}");
        let policy = POLICY.replace("\"split\"", &hash);
        folder_with(&policy.replace("\"a\"", &v1).replace("\"b\"", &v2))
    };
    for command in [
        &["lint", "policy.json"][..],
        &[
            "render",
            "policy.json",
            "--for",
            "istio",
            "--image",
            "example.com/turnout:1",
        ],
    ] {
        let output = turnout(with_seed("9007199254740993").path(), command, "");
        assert_eq!(output.status.code(), Some(2), "{command:?}");
        assert!(output.stdout.is_empty());
        let help = "write it as a string: \"9007199254740993\"";
        assert!(stderr(&output).contains(help), "{}", stderr(&output));
        let output = turnout(with_seed("\"9007199254740993\"").path(), command, "");
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        let is_there = text.contains("seed: '9007199254740993'")
            || text.contains("seed: \"9007199254740993\"");
        assert!(command.len() == 2 || is_there, "{text}");
    }
}

#[test]
fn the_wasm_file_is_checked_unless_it_is_on_another_machine() {
    let folder = folder_with(POLICY);
    fs::write(folder.path().join("f.wasm"), b"\0asm\x01\0\0\0").expect("a file");
    fs::write(folder.path().join("text.wasm"), b"text").expect("a file");
    for command in [&["--for", "envoy"], &["--template", "template.yaml"]] {
        let run = |wasm: &[&str]| {
            let arguments = [&["render", "policy.json"], &command[..], wasm].concat();
            turnout(folder.path(), &arguments, "")
        };
        for (wasm, why) in [
            ("none.wasm", "No such file or directory"),
            (
                "text.wasm",
                "it does not begin as a WebAssembly module does",
            ),
        ] {
            let output = run(&["--wasm", wasm]);
            assert_eq!(output.status.code(), Some(2));
            assert!(output.stdout.is_empty());
            let error = stderr(&output);
            let begin = format!("turnout: {wasm} is not the .wasm file of the filter: ");
            assert!(error.starts_with(&begin) && error.contains(why), "{error}");
            assert!(error.contains("--wasm-elsewhere"), "{error}");
            let output = run(&["--wasm", wasm, "--wasm-elsewhere"]);
            assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        }
        let output = run(&["--wasm", "f.wasm"]);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        assert!(String::from_utf8_lossy(&output.stdout).contains("\"f.wasm\""));
    }
}

#[test]
fn all_problems_are_reported_at_once() {
    let folder = folder_with(&POLICY.replace("split", "spilt"));
    fs::write(folder.path().join("good.json"), POLICY).expect("a policy");
    fs::write(folder.path().join("empty.yaml"), "").expect("a template");
    for (command, sentences) in [
        (
            // Errors of the policy, the options and the wasm file.
            "render policy.json --for envoy --wasm none.wasm --headers treatment --name a --phase authn",
            &[
                "error: unknown mode `spilt`",
                "turnout: --name does not apply to --for envoy; remove it",
                "turnout: --phase does not apply to --for envoy; remove it",
                "turnout: the routes for --for envoy",
                "turnout: none.wasm is not the .wasm file of the filter: ",
            ][..],
        ),
        (
            "render policy.json --template empty.yaml --wasm none.wasm --image i",
            &[
                "error: unknown mode `spilt`",
                "turnout: --image does not apply to --template; remove it",
                "turnout: none.wasm is not the .wasm file of the filter: ",
                "turnout: empty.yaml: the template has no placeholder for the configuration",
                "turnout: empty.yaml: the template has no placeholder for the path of the .wasm",
            ],
        ),
        (
            // Errors of both clusters, names and labels.
            "render good.json --for istio --image a:1 --name A --selector b --gateway C --wasm none.wasm",
            &[
                "turnout: --wasm does not apply to --for istio; remove it",
                "turnout: good.json: `A` is not a valid name of an object; ",
                "turnout: good.json: `C` is not a gateway name; ",
                "turnout: good.json: `b` is not a label; ",
                "turnout: good.json: rollout r: `a` for v1 is not a cluster of the target; ",
                "turnout: good.json: rollout r: `b` for v2 is not a cluster of the target; ",
            ],
        ),
        (
            "render good.json --for envoy-gateway --image a:1 --gateway a --gateway b",
            &[
                "turnout: an EnvoyExtensionPolicy targets exactly one Gateway; use --gateway once",
                "turnout: good.json: rollout r: `a` for v1 is not a cluster of the target; ",
                "turnout: good.json: rollout r: `b` for v2 is not a cluster of the target; ",
            ],
        ),
    ] {
        let arguments: Vec<_> = command.split(' ').collect();
        let output = turnout(folder.path(), &arguments, "");
        assert_eq!(output.status.code(), Some(2), "{command}");
        assert!(output.stdout.is_empty());
        let error = stderr(&output);
        let lines: Vec<_> = error
            .lines()
            .filter(|line| line.starts_with("turnout: ") || line.starts_with("error: "))
            .collect();
        assert_eq!(lines.len(), sentences.len(), "{error}");
        for (line, sentence) in lines.iter().zip(sentences) {
            assert!(line.starts_with(sentence), "{line}\n{sentence}");
        }
    }
}
