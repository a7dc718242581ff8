//! What the scripts ship to the cluster, and the role that allows it.

use serde_json::{Value, json};
use turnout_core::{AccountFiles, ParsedPolicy};
use turnout_roll::{ParsedPlan, StepPolicy};

use crate::common::turnout;
use crate::published::check_against_types;
use crate::script::{Script, examples};
use crate::{at, example, objects, of_kind};

const MESHES: [&str; 2] = ["istio", "envoy-gateway"];

/// The steps of the plan, with the policy of a mesh.
fn steps(mesh: &str) -> Vec<StepPolicy> {
    let plan = example(&format!("{mesh}/plan.json"));
    let policy = example(&format!("{mesh}/policy.json"));
    let plan = ParsedPlan::parse(&plan);
    assert_eq!(plan.policy_path(), Some("policy.json"));
    let checked = plan.check(&ParsedPolicy::parse(&policy), &AccountFiles::default());
    for problems in [checked.diagnostics, checked.policy_diagnostics] {
        assert!(problems.is_empty(), "{mesh}: {problems}");
    }
    checked.steps
}

/// Ships a policy. Returns what `kubectl` got: its arguments and its standard input.
fn ship(mesh: &str, action: &str, policy: &str) -> (String, String) {
    let mut script = Script::new();
    script.stub("kubectl", "echo \"$*\" > arguments; cat > objects");
    script.env("TURNOUT_ACTION", action);
    script.env("TURNOUT_IMAGE", "registry.example.com/turnout:0.1.0");
    let file = examples().join("kubernetes").join(mesh);
    let output = script.run(&file.join("apply.sh"), &[], policy);
    assert!(output.status.success(), "{mesh}: {output:?}");
    (script.read("arguments"), script.read("objects"))
}

/// The objects in texts of `kubectl`.
fn shipped(texts: &[String]) -> Vec<Value> {
    // In one file, because each run of TypeScript takes seconds.
    let checked = check_against_types(&texts.join("---\n"));
    assert_eq!(at(&checked, "/problems"), &json!([]), "{texts:?}");
    let objects = at(&checked, "/objects").as_array();
    objects.expect("objects").clone()
}

/// Prometheus cannot be reached, so no proxy confirms the step.
#[test]
fn a_roll_ships_its_first_step_by_the_script() {
    for mesh in MESHES {
        let mut script = Script::new();
        script.stub("kubectl", "cat > objects");
        script.env("TURNOUT_IMAGE", "registry.example.com/turnout:0.1.0");
        let folder = examples().join("kubernetes").join(mesh);
        let file = |name: &str| folder.join(name).display().to_string();
        let arguments = [
            "roll",
            &file("plan.json"),
            "--prometheus=http://127.0.0.1:1",
            &format!("--apply-with={}", file("apply.sh")),
            "--state=state",
            "--once",
        ];
        let command = env!("CARGO_BIN_EXE_turnout").as_ref();
        let output = script.run(command, &arguments, "");
        assert_eq!(output.status.code(), Some(3), "{output:?}");
        let steps = steps(mesh);
        let first = steps.first().expect("a step");
        let (_, expected) = ship(mesh, "apply", &first.policy_text);
        assert_eq!(script.read("objects"), expected);
    }
}

#[test]
fn each_step_is_shipped_with_its_revision() {
    let steps: Vec<(&str, StepPolicy)> = MESHES
        .iter()
        .flat_map(|mesh| steps(mesh).into_iter().map(|step| (*mesh, step)))
        .collect();
    assert!(steps.len() > MESHES.len(), "{steps:?}");
    let texts = steps
        .iter()
        .map(|(mesh, step)| ship(mesh, "apply", &step.policy_text).1);
    let objects = shipped(&texts.collect::<Vec<_>>());
    assert_eq!(objects.len(), steps.len());
    for ((mesh, step), object) in steps.iter().zip(&objects) {
        let configuration = match *mesh {
            "istio" => at(object, "/spec/pluginConfig"),
            _ => at(object, "/spec/wasm/0/config"),
        };
        let revision = at(configuration, "/policy/revision");
        assert_eq!(revision, step.revision.as_str(), "{mesh}");
    }
}

#[test]
fn the_role_allows_exactly_what_the_script_does() {
    let base = objects(&["roll.yaml"]);
    let account = at(of_kind(&base, "ServiceAccount"), "/metadata");
    for mesh in MESHES {
        let rights = objects(&[&format!("{mesh}/role.yaml")]);
        let role = of_kind(&rights, "Role");
        let binding = of_kind(&rights, "RoleBinding");
        assert_eq!(at(binding, "/roleRef/name"), at(role, "/metadata/name"));
        let subject = json!({
            "kind": "ServiceAccount",
            "name": at(account, "/name"),
            "namespace": at(account, "/namespace"),
        });
        assert_eq!(at(binding, "/subjects"), &json!([subject]));

        let policy = example(&format!("{mesh}/policy.json"));
        let (_, text) = ship(mesh, "apply", &policy);
        let objects = shipped(&[text]);
        let [object] = objects.as_slice() else {
            panic!("{mesh}: {objects:?}");
        };
        let text = |pointer: &str| at(object, pointer).as_str().expect(pointer);
        let (group, _) = text("/apiVersion").split_once('/').expect("a group");
        let kind = text("/kind").to_lowercase();
        let resource = match kind.strip_suffix('y') {
            Some(stem) => format!("{stem}ies"),
            None => format!("{kind}s"),
        };
        let rule = json!({
            "apiGroups": [group],
            "resources": [resource],
            "resourceNames": [text("/metadata/name")],
            // Server-side apply of an object that exists sends a PATCH and nothing else.
            "verbs": ["patch"],
        });
        assert_eq!(at(role, "/rules"), &json!([rule]));
        for of_role in [role, binding] {
            let namespace = at(of_role, "/metadata/namespace");
            assert_eq!(namespace, text("/metadata/namespace"));
        }
    }
}

#[test]
fn a_halt_replaces_what_others_have_changed_and_a_step_does_not() {
    for mesh in MESHES {
        let policy = example(&format!("{mesh}/policy.json"));
        let (apply, object) = ship(mesh, "apply", &policy);
        let (halt, of_halt) = ship(mesh, "halt", &policy);
        assert_eq!(object, of_halt);
        let common = "apply --server-side --field-manager turnout-roll";
        let rest = "--request-timeout 30s --filename -\n";
        assert_eq!(apply, format!("{common} {rest}"));
        assert_eq!(halt, format!("{common} --force-conflicts {rest}"));
    }
}

#[test]
fn a_policy_with_an_error_ships_nothing() {
    for mesh in MESHES {
        let mut script = Script::new();
        script.stub("kubectl", "touch objects");
        script.env("TURNOUT_ACTION", "apply");
        script.env("TURNOUT_IMAGE", "registry.example.com/turnout:0.1.0");
        let file = examples().join("kubernetes").join(mesh);
        let output = script.run(&file.join("apply.sh"), &[], r#"{ "version": 1 }"#);
        assert_eq!(output.status.code(), Some(2), "{mesh}");
        assert!(!script.exists("objects"), "{mesh}");
    }
}

#[test]
fn the_policies_and_plans_have_no_warnings() {
    for mesh in MESHES {
        let folder = examples().join("kubernetes").join(mesh);
        for arguments in [&["policy.json"][..], &["plan.json", "--for", "roll"]] {
            let arguments = [&["lint", "--strict"], arguments].concat();
            let output = turnout(&folder, &arguments, "");
            assert!(output.status.success(), "{mesh}: {output:?}");
        }
    }
}
