//! The level at which the proxies write records, as an option of `render` and `apply`.
#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

mod common;

use std::fs;
use std::process::Output;

use serde_json::{Value, json};
use tempfile::TempDir;
use turnout_core::{Configuration, RecordLevel};

use common::turnout;

/// A folder with the policies `a.json`, `b.json` and `mesh.json`, a template, and a file in place of the filter.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let write =
        |name: &str, text: &[u8]| fs::write(folder.path().join(name), text).expect("a file");
    let istio = ["v1", "v2"].map(|v| format!("outbound|80|{v}|chat.default.svc.cluster.local"));
    for (name, [v1, v2]) in [
        ("a", ["one", "two"]),
        ("b", ["one", "two"]),
        ("mesh", [&istio[0], &istio[1]]),
        ("gateway", ["channels-v1:8080", "channels-v2:8080"]),
    ] {
        let policy = json!({
            "version": 1,
            "revision": name,
            "account": { "from": [{ "header": "x-account-sid" }], "format": "sid" },
            "rollouts": [{ "name": "r", "v1": v1, "v2": v2, "mode": "split", "rules": [{ "accounts": 50 }] }],
        });
        write(&format!("{name}.json"), policy.to_string().as_bytes());
    }
    write("f.wasm", b"\0asm\x01\0\0\0");
    write("t.yaml", b"value: \"@TURNOUT_CONFIGURATION@\"\n");
    folder
}

fn run(folder: &TempDir, line: &str) -> Output {
    let arguments: Vec<&str> = line.split_whitespace().collect();
    turnout(folder.path(), &arguments, "")
}

/// Runs a command that has to succeed, and returns its output.
fn done(folder: &TempDir, line: &str) -> String {
    let output = run(folder, line);
    let printed = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{line}: {printed}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// The revision and the level in a discovery response.
fn read(discovered: &str) -> (String, RecordLevel) {
    let file: Value = serde_json::from_str(discovered).expect("JSON");
    let value = file.pointer("/resources/0/typed_config/config/configuration/value");
    let text = value.and_then(Value::as_str).expect("a text");
    let read = Configuration::from_json(text.as_bytes()).expect("a configuration");
    (read.plan.revision().to_string(), read.record_level)
}

#[track_caller]
fn assert_active(folder: &TempDir, revision: &str, level: RecordLevel) {
    let text = fs::read_to_string(folder.path().join("d/filter.json")).expect("a filter.json");
    assert_eq!(read(&text), (revision.to_owned(), level));
}

#[test]
fn later_applies_halts_and_rollbacks_keep_the_level() {
    use RecordLevel::{Error, Info, Warn};
    let folder = folder();
    done(
        &folder,
        "apply a.json --dir d --wasm f.wasm --record-level warn",
    );
    assert_active(&folder, "a", Warn);
    done(&folder, "halt --dir d");
    assert_active(&folder, "a-halted", Warn);
    done(&folder, "resume --dir d");
    assert_active(&folder, "a", Warn);
    done(&folder, "apply b.json --dir d --headers cluster");
    assert_active(&folder, "b", Warn);

    // The same policy at another level is a separate entry, and a rollback undoes it.
    let again = done(&folder, "apply b.json --dir d --record-level warn");
    assert!(
        again.contains("d/filter.json already has b; nothing was written"),
        "{again}"
    );
    done(&folder, "apply b.json --dir d --record-level error");
    assert_active(&folder, "b", Error);
    done(&folder, "rollback --dir d");
    assert_active(&folder, "b", Warn);
    done(&folder, "apply b.json --dir d --record-level info");
    assert_active(&folder, "b", Info);

    let log = done(&folder, "log --dir d --json");
    let log: Value = serde_json::from_str(&log).expect("JSON");
    let entries = log["entries"].as_array().expect("entries");
    let levels: Vec<&Value> = entries.iter().map(|entry| &entry["record_level"]).collect();
    assert_eq!(
        levels,
        ["info", "warn", "error", "warn", "warn", "warn", "warn"]
    );
}

#[test]
fn a_filter_json_written_by_render_keeps_its_level_through_a_halt() {
    let folder = folder();
    done(&folder, "apply a.json --dir d --wasm f.wasm");
    assert_active(&folder, "a", RecordLevel::Info);
    let line = "render b.json --for envoy --wasm /f.wasm --wasm-elsewhere --record-level critical";
    fs::write(folder.path().join("d/filter.json"), done(&folder, line)).expect("a file");
    done(&folder, "halt --dir d");
    assert_active(&folder, "b-halted", RecordLevel::Critical);
}

#[test]
fn every_output_of_render_has_the_level() {
    let folder = folder();
    for command in [
        "render a.json --template t.yaml",
        "render a.json --for envoy --wasm /f.wasm --wasm-elsewhere",
        "render mesh.json --for istio --image i",
        "render gateway.json --for envoy-gateway --image i --gateway g",
    ] {
        let plain = done(&folder, command);
        assert!(!plain.contains("record_level"), "{command}: {plain}");
        let by_default = done(&folder, &format!("{command} --record-level info"));
        assert_eq!(by_default, plain, "{command}");
        let at_warn = done(&folder, &format!("{command} --record-level warn"));
        let level = at_warn.split_once("record_level").expect("a level").1;
        assert_eq!(
            level.trim_start_matches(['\\', '"', ':', ' ']).get(..4),
            Some("warn"),
            "{command}: {at_warn}"
        );
    }
}

#[test]
fn an_unknown_level_is_an_error_that_lists_the_valid_ones() {
    let folder = folder();
    for command in [
        "apply a.json --dir d --wasm f.wasm",
        "render a.json --template t.yaml",
    ] {
        for (level, near) in [
            ("warning", Some("warn")),
            ("inf", Some("info")),
            ("off", None),
            ("3", None),
        ] {
            let line = format!("{command} --record-level {level}");
            let output = run(&folder, &line);
            assert_eq!(output.status.code(), Some(2), "{line}");
            assert!(output.stdout.is_empty(), "{line}");
            let printed = String::from_utf8_lossy(&output.stderr);
            let known = "[possible values: trace, debug, info, warn, error, critical]";
            assert!(printed.contains(known), "{line}: {printed}");
            if let Some(near) = near {
                let tip = format!("a similar value exists: '{near}'");
                assert!(printed.contains(&tip), "{line}: {printed}");
            }
        }
    }
    assert!(!folder.path().join("d").exists());
}
