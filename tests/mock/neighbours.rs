//! Several plugins of the filter in one VM.

use support::mock::{Level, Vm};
use support::wasm::{Build, filter_wasm};
use turnout_core::{Configuration, Inbound, Revision};

fn configuration(revision: &str, rollouts: &[&str]) -> String {
    let rollouts = rollouts.iter().map(|name| {
        format!(
            r#"{{"name": "{name}", "match": {{"hosts": ["{name}.example.com"]}}, "v1": "a", "v2": "b", "mode": "on"}}"#
        )
    });
    let rollouts: Vec<_> = rollouts.collect();
    let policy = format!(
        r#"{{"version": 1, "revision": "{revision}", "account": {{"from": [{{"header": "x-account-sid"}}],
            "format": "sid"}}, "rollouts": [{}]}}"#,
        rollouts.join(",")
    );
    Configuration::to_json(&policy, Inbound::Strip)
}

fn add(vm: &mut Vm, plugin: &str, revision: &str, rollouts: &[&str]) {
    let text = configuration(revision, rollouts);
    let is_taken = vm.configure_beside(plugin, text.as_bytes());
    assert!(is_taken.expect("no trap"), "{:?}", vm.log());
}

fn warnings(vm: &mut Vm) -> Vec<String> {
    let lines = vm.drain_log().into_iter();
    let warnings = lines.filter(|(level, _)| *level == Level::Warn);
    warnings.map(|(_, line)| line).collect()
}

fn number(revision: &str) -> u64 {
    Revision::from_name(revision).expect("a revision").number()
}

#[test]
fn each_plugin_has_its_own_revision_gauge() {
    for build in [Build::Whole, Build::Lean] {
        let mut vm = Vm::start(&build.artifact());
        add(&mut vm, "edge", "r1", &["a"]);
        add(&mut vm, "istio-ingress.turnout", "r2", &["b"]);
        add(&mut vm, "", "r3", &["c"]);
        let metrics = vm.metrics();
        let gauges = metrics
            .iter()
            .filter(|(name, _)| name.starts_with("turnout.revision"));
        let gauges: Vec<_> = gauges
            .map(|(name, number)| (name.as_str(), *number))
            .collect();
        let expected = [
            ("turnout.revision.-", number("r3")),
            ("turnout.revision.edge", number("r1")),
            ("turnout.revision.istio-ingress_turnout", number("r2")),
        ];
        assert_eq!(gauges, expected, "{build:?}");
    }
}

#[test]
fn two_plugins_in_one_vm_cause_one_warning() {
    let mut vm = Vm::start(&filter_wasm());
    add(&mut vm, "edge", "r1", &["a"]);
    assert_eq!(warnings(&mut vm), [""; 0]);
    add(&mut vm, "inner", "r1", &["b"]);
    let [warning] = &warnings(&mut vm)[..] else {
        panic!("one warning");
    };
    assert!(!warning.contains("Both have a rollout"), "{warning}");
    for words in [
        "the plugins \"edge\" and \"inner\"",
        "fine in two listeners",
        "In one filter chain the later removes the x-turnout-* headers of the earlier",
        "put the rollouts of both into one policy",
    ] {
        assert!(warning.contains(words), "{warning}");
    }
    // Each later policy is a new plugin for the VM.
    for (plugin, revision) in [("inner", "r2"), ("edge", "r2"), ("inner", "r3")] {
        let rollouts: &[&str] = if plugin == "edge" { &["a"] } else { &["b"] };
        add(&mut vm, plugin, revision, rollouts);
        assert_eq!(warnings(&mut vm), [""; 0], "{plugin} {revision}");
    }
    add(&mut vm, "third", "r1", &["c"]);
    assert_eq!(warnings(&mut vm).len(), 2);
}

#[test]
fn a_plugin_that_replaces_itself_or_is_rejected_is_not_a_neighbour() {
    let mut vm = Vm::start(&filter_wasm());
    add(&mut vm, "edge", "r1", &["a"]);
    add(&mut vm, "edge", "r2", &["a"]);
    add(&mut vm, "edge", "r3", &["a", "b"]);
    let refused = vm.configure_beside("inner", b"{\"policy\": {}}");
    assert!(!refused.expect("no trap"));
    assert_eq!(warnings(&mut vm), [""; 0]);
    // A rejected plugin does not count.
    add(&mut vm, "edge", "r4", &["a"]);
    assert_eq!(warnings(&mut vm), [""; 0]);
}

#[test]
fn plugins_with_a_rollout_of_the_same_name_warn_that_counts_are_summed() {
    let mut vm = Vm::start(&filter_wasm());
    add(
        &mut vm,
        "edge\u{1b}[2J",
        "r1",
        &["only-edge", "chat", "calls"],
    );
    add(&mut vm, "inner", "r1", &["only-inner", "calls", "chat"]);
    let [warning] = &warnings(&mut vm)[..] else {
        panic!("one warning");
    };
    let words = "Both have a rollout chat: its counts are those of both";
    assert!(warning.contains(words), "{warning}");
    assert!(warning.contains(r"edge\u{1b}[2J"), "{warning}");
}
