//! `examples/kubernetes` runs `turnout roll` in a cluster: the objects match the published types, the pods have no rights that
//! they do not need, and the role allows exactly what the scripts do (`kubernetes_examples/shipping.rs`).
#![cfg(unix)]
#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

mod common;
#[path = "common/published.rs"]
mod published;
#[path = "common/script.rs"]
mod script;
#[path = "kubernetes_examples/shipping.rs"]
mod shipping;

use std::fs;

use published::{assert_found, check_against_types};
use script::Script;
use serde_json::{Value, json};

/// A file of `examples/kubernetes`.
fn example(name: &str) -> String {
    let file = script::examples().join("kubernetes").join(name);
    fs::read_to_string(file).expect(name)
}

/// The objects of these files.
fn objects(files: &[&str]) -> Vec<Value> {
    let texts: Vec<String> = files.iter().map(|file| example(file)).collect();
    let checked = check_against_types(&texts.join("---\n"));
    assert_eq!(at(&checked, "/problems"), &json!([]), "{files:?}");
    let objects = at(&checked, "/objects").as_array();
    objects.expect("objects").clone()
}

/// The value at a JSON pointer.
fn at<'a>(value: &'a Value, pointer: &str) -> &'a Value {
    value.pointer(pointer).unwrap_or(&Value::Null)
}

fn of_kind<'a>(objects: &'a [Value], kind: &str) -> &'a Value {
    let mut found = objects.iter().filter(|object| at(object, "/kind") == kind);
    let first = found.next().expect(kind);
    assert_eq!(found.next(), None, "a second {kind}");
    first
}

/// The specifications of the pods: that of the Deployment, and that of the CronJob.
fn pods() -> [Value; 2] {
    let objects = objects(&["roll.yaml", "roll-cronjob.yaml"]);
    let deployment = of_kind(&objects, "Deployment");
    let cronjob = of_kind(&objects, "CronJob");
    [
        at(deployment, "/spec/template/spec").clone(),
        at(cronjob, "/spec/jobTemplate/spec/template/spec").clone(),
    ]
}

#[test]
fn the_objects_match_the_published_types() {
    let objects = objects(&[
        "roll.yaml",
        "roll-cronjob.yaml",
        "istio/role.yaml",
        "envoy-gateway/role.yaml",
    ]);
    let kinds: Vec<&Value> = objects.iter().map(|object| at(object, "/kind")).collect();
    let expected = [
        "Namespace",
        "ServiceAccount",
        "PersistentVolumeClaim",
        "NetworkPolicy",
        "Deployment",
        "CronJob",
        "Role",
        "RoleBinding",
        "Role",
        "RoleBinding",
    ];
    assert_eq!(kinds, expected);
}

#[test]
fn the_check_finds_fields_that_the_types_of_kubernetes_do_not_have() {
    let files = ["roll.yaml", "roll-cronjob.yaml", "istio/role.yaml"];
    let yaml = files.map(example).join("---\n");
    let unknown = |field: &str| format!("'\"{field}\"' does not exist");
    let broken = [
        ("strategy:", "strategi:", unknown("strategi")),
        (
            "type: Recreate",
            "type: Recreated",
            String::from("Type '\"Recreated\"' is not assignable"),
        ),
        ("seccompProfile:", "seccomp:", unknown("seccomp")),
        ("privileged:", "privilege:", unknown("privilege")),
        (
            "[ReadWriteOncePod]",
            "[ReadWritePod]",
            String::from("PersistentVolumeClaim: data/spec/accessModes/0 must be"),
        ),
        (
            "cpu: 50m",
            "cpu: 50x",
            String::from("resources/requests/cpu must match format \"quantity\""),
        ),
        ("egress:", "outgoing:", unknown("outgoing")),
        (
            "concurrencyPolicy: Forbid",
            "concurrencyPolicy: Deny",
            String::from("Type '\"Deny\"' is not assignable"),
        ),
        ("backoffLimit: 0", "backoff: 0", unknown("backoff")),
        ("resourceNames:", "names:", unknown("names")),
        (
            "batch/v1\n",
            "batch/v2\n",
            String::from("CronJob: data/apiVersion must be"),
        ),
    ];
    let broken: Vec<(&str, &str, &str)> = broken
        .iter()
        .map(|(right, wrong, problem)| (*right, *wrong, problem.as_str()))
        .collect();
    assert_found(&yaml, &broken);
}

#[test]
fn the_pods_meet_the_restricted_pod_security_standard() {
    let objects = objects(&["roll.yaml"]);
    let namespace = of_kind(&objects, "Namespace");
    let enforced = at(namespace, "/metadata/labels");
    assert_eq!(
        enforced,
        &json!({ "pod-security.kubernetes.io/enforce": "restricted" })
    );
    for pod in pods() {
        let security = at(&pod, "/securityContext");
        assert_eq!(at(security, "/runAsNonRoot"), true);
        assert_eq!(at(security, "/seccompProfile/type"), "RuntimeDefault");
        let container = at(&pod, "/containers/0/securityContext");
        let expected = json!({
            "allowPrivilegeEscalation": false,
            "privileged": false,
            "readOnlyRootFilesystem": true,
            "capabilities": { "drop": ["ALL"] },
        });
        assert_eq!(container, &expected);
        assert_eq!(at(&pod, "/containers/1"), &Value::Null);
        for field in ["hostNetwork", "hostPID", "hostIPC", "initContainers"] {
            assert_eq!(pod.get(field), None, "{field}");
        }
        // The Dockerfile has the same user; tests/mock/image.rs reads it there.
        for field in ["runAsUser", "runAsGroup", "fsGroup"] {
            assert_eq!(security.get(field), Some(&json!(65_532)), "{field}");
        }
    }
}

#[test]
fn a_token_is_mounted_only_in_the_pod_that_ships_steps() {
    let objects = objects(&["roll.yaml"]);
    let account = of_kind(&objects, "ServiceAccount");
    assert_eq!(at(account, "/automountServiceAccountToken"), false);
    for pod in pods() {
        assert_eq!(at(&pod, "/automountServiceAccountToken"), true);
        assert_eq!(
            at(&pod, "/serviceAccountName"),
            at(account, "/metadata/name")
        );
    }
    let network = of_kind(&objects, "NetworkPolicy");
    assert_eq!(
        at(network, "/spec/policyTypes"),
        &json!(["Ingress", "Egress"])
    );
    // Without a rule, nobody may connect.
    assert_eq!(at(network, "/spec/ingress"), &Value::Null);
}

#[test]
fn only_one_pod_can_move_the_rollout() {
    let objects = objects(&["roll.yaml", "roll-cronjob.yaml"]);
    let deployment = of_kind(&objects, "Deployment");
    assert_eq!(at(deployment, "/spec/replicas"), 1);
    assert_eq!(at(deployment, "/spec/strategy/type"), "Recreate");
    let cronjob = of_kind(&objects, "CronJob");
    assert_eq!(at(cronjob, "/spec/concurrencyPolicy"), "Forbid");
    let claim = of_kind(&objects, "PersistentVolumeClaim");
    assert_eq!(at(claim, "/spec/accessModes"), &json!(["ReadWriteOncePod"]));
    let namespace = at(of_kind(&objects, "Namespace"), "/metadata/name");
    for object in objects.iter().skip(1) {
        assert_eq!(at(object, "/metadata/namespace"), namespace);
    }
}

#[test]
fn the_pods_differ_only_in_how_they_are_started() {
    let [mut deployment, mut cronjob] = pods();
    let arguments = |pod: &mut Value| {
        let container = pod.pointer_mut("/containers/0").expect("a container");
        let container = container.as_object_mut().expect("an object");
        container.remove("command");
        let arguments = container.remove("args").expect("arguments");
        arguments.as_array().expect("a list").clone()
    };
    let mut once = arguments(&mut deployment);
    once.push(json!("--once"));
    assert_eq!(arguments(&mut cronjob), once);
    let cronjob = cronjob.as_object_mut().expect("an object");
    assert_eq!(cronjob.remove("restartPolicy"), Some(json!("Never")));
    assert_eq!(deployment.as_object(), Some(&*cronjob));
}

#[test]
fn the_command_accepts_the_arguments() {
    for pod in pods() {
        let arguments = at(&pod, "/containers/0/args").as_array();
        let arguments = arguments.expect("arguments").iter();
        let mut arguments: Vec<&str> = arguments.filter_map(Value::as_str).collect();
        assert_eq!(arguments.first(), Some(&"roll"));
        // Behind all others: an error of any argument before it comes first.
        arguments.push("--help");
        let output = common::turnout(&script::examples(), &arguments, "");
        assert!(output.status.success(), "{output:?}");
    }
}

/// Each path of the arguments is in a volume, and each volume is mounted.
#[test]
fn the_arguments_name_mounted_files() {
    let [pod, _] = pods();
    let container = at(&pod, "/containers/0");
    let list = |value: &Value, pointer: &str| -> Vec<Value> {
        at(value, pointer).as_array().expect(pointer).clone()
    };
    let mounts = list(container, "/volumeMounts");
    let names = |all: &[Value]| -> Vec<Value> {
        let names = all.iter().map(|one| at(one, "/name").clone());
        names.collect()
    };
    assert_eq!(names(&mounts), names(&list(&pod, "/volumes")));
    let paths = [
        "/etc/turnout/plan.json",
        "/etc/turnout/apply.sh",
        "/var/lib/turnout",
    ];
    let arguments = list(container, "/args");
    for path in paths {
        let has = |argument: &Value| argument.as_str().is_some_and(|text| text.ends_with(path));
        assert!(arguments.iter().any(has), "{path}");
        let in_volume = |mount: &Value| {
            let folder = at(mount, "/mountPath").as_str().unwrap_or("-");
            path.starts_with(folder)
        };
        assert!(mounts.iter().any(in_volume), "{path}");
    }
}

/// The exit code of a pod's command when `turnout` exits with this code, and whether the pod stays.
fn exit_of(pod: &Value, code: i32) -> (Option<i32>, bool) {
    let command = at(pod, "/containers/0/command").as_array();
    let words: Vec<&str> = command
        .expect("a command")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    let (program, arguments) = words.split_first().expect("a program");
    let mut script = Script::new();
    script.stub("turnout", &format!("exit {code}"));
    script.stub("sleep", "touch stays");
    let output = script.run(program.as_ref(), arguments, "");
    (output.status.code(), script.exists("stays"))
}

#[test]
fn a_job_fails_if_v2_was_rolled_back_or_the_input_is_bad() {
    let [_, cronjob] = pods();
    let exits = [0, 1, 2, 3].map(|code| exit_of(&cronjob, code));
    let expected = [0, 1, 1, 0].map(|code| (Some(code), false));
    assert_eq!(exits, expected);
}

#[test]
fn the_deployment_stays_when_the_plan_has_ended_and_restarts_otherwise() {
    let [deployment, _] = pods();
    let exits = [0, 1, 2, 3].map(|code| exit_of(&deployment, code));
    let others = [1, 2, 3].map(|code| (Some(code), false));
    assert_eq!(exits.split_first(), Some((&(Some(0), true), &others[..])));
}
