//! `--headers` of `render` and `apply`: which headers the proxies write.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

mod common;

use std::fs;
use std::process::Output;

use serde_json::{Value, json};
use tempfile::TempDir;
use turnout_core::{Configuration, EmittedHeaders};

use common::turnout;

/// A folder with the policies `a.json` and `b.json`, and a file in place of the filter.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for revision in ["a", "b"] {
        policy(&folder, revision, ["one", "two"]);
    }
    fs::write(folder.path().join("f.wasm"), b"\0asm\x01\0\0\0").expect("a file");
    folder
}

fn policy(folder: &TempDir, revision: &str, [v1, v2]: [&str; 2]) {
    let policy = json!({
        "version": 1,
        "revision": revision,
        "account": { "from": [{ "header": "x-account-sid" }], "format": "sid" },
        "rollouts": [{ "name": "r", "v1": v1, "v2": v2, "mode": "split", "rules": [{ "accounts": 50 }] }],
    });
    let path = folder.path().join(format!("{revision}.json"));
    fs::write(path, policy.to_string()).expect("a file");
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

/// Runs a command that has to fail with this text on standard error.
fn refused(folder: &TempDir, line: &str, words: &str) {
    let output = run(folder, line);
    assert_eq!(output.status.code(), Some(2), "{line}");
    assert!(output.stdout.is_empty(), "{line}");
    let printed = String::from_utf8_lossy(&output.stderr);
    assert!(printed.contains(words), "{line}: {printed}");
}

/// The plugin configuration in a discovery response.
fn configuration(discovered: &str) -> String {
    let file: Value = serde_json::from_str(discovered).expect("JSON");
    let value = file.pointer("/resources/0/typed_config/config/configuration/value");
    value.and_then(Value::as_str).expect("a text").to_owned()
}

fn filter(folder: &TempDir) -> String {
    fs::read_to_string(folder.path().join("d/filter.json")).expect("a filter.json")
}

/// The active revision, and the headers that the proxies write.
fn active(folder: &TempDir) -> (String, EmittedHeaders) {
    let configuration = configuration(&filter(folder));
    let read = Configuration::from_json(configuration.as_bytes()).expect("a configuration");
    (read.plan.revision().to_string(), read.headers)
}

#[track_caller]
fn assert_active(folder: &TempDir, revision: &str, words: &[&str]) {
    let (found, headers) = active(folder);
    assert_eq!(found, revision);
    assert_eq!(headers.words().collect::<Vec<_>>(), words);
}

/// The headers of each entry, newest first.
fn logged(folder: &TempDir) -> Vec<Value> {
    let log = done(folder, "log --dir d --json");
    let log: Value = serde_json::from_str(&log).expect("JSON");
    let entries = log["entries"].as_array().expect("entries");
    entries
        .iter()
        .map(|entry| entry["headers"].clone())
        .collect()
}

#[test]
fn the_headers_that_the_routes_read_are_configured() {
    let folder = folder();
    fs::write(
        folder.path().join("t.yaml"),
        "value: \"@TURNOUT_CONFIGURATION@\"\n",
    )
    .expect("a template");
    let template = "render a.json --template t.yaml";
    let of = |more: &str| done(&folder, &format!("{template}{more}"));
    // The default is not written.
    assert!(!of("").contains("headers"));
    assert_eq!(of(" --headers decision,treatment,cluster"), of(""));
    // The routes of a template may read any header.
    for (list, words) in [
        ("cluster", r#"\"headers\":[\"cluster\"]"#),
        ("treatment", r#"\"headers\":[\"treatment\"]"#),
        (
            "decision,cluster",
            r#"\"headers\":[\"cluster\",\"decision\"]"#,
        ),
    ] {
        let text = of(&format!(" --headers {list}"));
        assert!(text.contains(words), "{text}");
    }

    let envoy =
        "render a.json --for envoy --wasm /f.wasm --wasm-elsewhere --inbound trust --headers";
    let text = configuration(&done(&folder, &format!("{envoy} cluster,decision")));
    let read = Configuration::from_json(text.as_bytes()).expect("a configuration");
    assert_eq!(
        Some(read.headers),
        EmittedHeaders::from_words(["cluster", "decision"])
    );
    assert_eq!(read.inbound, turnout_core::Inbound::Trust);
    refused(
        &folder,
        &format!("{envoy} treatment,decision"),
        "turnout: the routes for --for envoy, such as those in envoy/live-policy.yaml, read \
         x-turnout-cluster, but --headers does not include it; add `cluster`",
    );
}

#[test]
fn routes_of_a_mesh_match_both() {
    let folder = folder();
    let service = |version| format!("outbound|80|{version}|one.default.svc.cluster.local");
    let [v1, v2] = ["v1", "v2"].map(service);
    policy(&folder, "istio", [&v1, &v2]);
    policy(&folder, "gateway", ["one:80", "two:80"]);
    for line in [
        "render istio.json --for istio --image i --headers",
        "render gateway.json --for envoy-gateway --image i --gateway g --headers",
    ] {
        let text = done(&folder, &format!("{line} treatment,cluster"));
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        let at = lines.iter().position(|line| *line == "headers:");
        let list = lines.get(at.expect("headers")..).unwrap_or_default();
        assert!(
            list.starts_with(&["headers:", "- cluster", "- treatment", "inbound: strip"]),
            "{text}"
        );
        for (list, word) in [("cluster", "treatment"), ("treatment,decision", "cluster")] {
            refused(
                &folder,
                &format!("{line} {list}"),
                &format!(
                    ".json: the routes match x-turnout-{word}, but --headers does not include it; add \
                     `{word}`"
                ),
            );
        }
    }
}

#[test]
fn an_empty_or_unknown_list_is_an_error_that_says_what_to_write() {
    let folder = folder();
    let unknown = |word: &str| {
        format!(
            "unknown header `{word}`; expected a comma-separated list of cluster,treatment,decision"
        )
    };
    for command in [
        "render a.json --for envoy --wasm f.wasm --wasm-elsewhere",
        "apply a.json --dir d --wasm f.wasm",
    ] {
        for (list, words) in [
            ("clusters", unknown("clusters")),
            ("cluster,", unknown("")),
            ("cluster;decision", unknown("cluster;decision")),
            ("x-turnout-cluster", unknown("x-turnout-cluster")),
            (
                "decision",
                "routes could not follow the decision; add `cluster` or `treatment`".into(),
            ),
        ] {
            refused(&folder, &format!("{command} --headers {list}"), &words);
        }
        let twice = format!("{command} --headers cluster --headers decision");
        refused(&folder, &twice, "cannot be used multiple times");
    }
    assert!(!folder.path().join("d").exists());
}

#[test]
fn the_option_stays_until_it_is_set_again() {
    let folder = folder();
    let some = ["cluster", "decision"];
    done(
        &folder,
        "apply a.json --dir d --wasm f.wasm --headers cluster,decision",
    );
    assert_active(&folder, "a", &some);
    done(&folder, "halt --dir d");
    assert_active(&folder, "a-halted", &some);
    done(&folder, "resume --dir d");
    assert_active(&folder, "a", &some);
    done(&folder, "apply b.json --dir d");
    assert_active(&folder, "b", &some);

    // The same policy with other headers is a separate entry, and a rollback undoes it.
    let again = done(&folder, "apply b.json --dir d --headers cluster,decision");
    assert!(again.contains("; nothing was written"), "{again}");
    done(&folder, "apply b.json --dir d --headers treatment");
    assert_active(&folder, "b", &["treatment"]);
    done(&folder, "halt --dir d");
    assert_active(&folder, "b-halted", &["treatment"]);
    done(&folder, "rollback --dir d --resume");
    assert_active(&folder, "b", &some);
    done(&folder, "rollback --dir d --to 5");
    assert_active(&folder, "b", &["treatment"]);
    done(
        &folder,
        "apply b.json --dir d --headers cluster,treatment,decision",
    );
    assert_active(&folder, "b", &EmittedHeaders::WORDS);
    assert!(!filter(&folder).contains("headers"));

    let (all, treatment, some) = (
        json!(EmittedHeaders::WORDS),
        json!(["treatment"]),
        json!(some),
    );
    let newest_first = [
        &all, &treatment, &some, &treatment, &treatment, &some, &some, &some, &some,
    ];
    assert_eq!(logged(&folder).iter().collect::<Vec<_>>(), newest_first);
}

/// A command from before `--headers` wrote it.
#[test]
fn a_history_without_headers_still_works() {
    let folder = folder();
    done(&folder, "apply a.json --dir d --wasm f.wasm");
    let path = folder.path().join("d/history/000001.json");
    let text = fs::read_to_string(&path).expect("an entry");
    let mut entry: Value = serde_json::from_str(&text).expect("JSON");
    let headers = entry
        .as_object_mut()
        .and_then(|entry| entry.remove("headers"));
    assert_eq!(headers, Some(json!(EmittedHeaders::WORDS)));
    fs::write(&path, entry.to_string()).expect("an entry");

    let log = done(&folder, "log --dir d --json");
    let log: Value = serde_json::from_str(&log).expect("JSON");
    assert_eq!(log["damaged"], json!([]));
    assert_eq!(log["active"], 1);
    let again = done(&folder, "apply a.json --dir d");
    assert!(again.contains("; nothing was written"), "{again}");
    done(&folder, "apply b.json --dir d --headers cluster");
    done(&folder, "rollback --dir d");
    assert_active(&folder, "a", &EmittedHeaders::WORDS);
    let all = json!(EmittedHeaders::WORDS);
    assert_eq!(logged(&folder), [all.clone(), json!(["cluster"]), all]);
}

/// Valid headers of such a file are kept; invalid ones are an error.
#[test]
fn a_file_written_by_hand_keeps_its_valid_headers() {
    let folder = folder();
    done(&folder, "apply a.json --dir d --wasm f.wasm");
    let path = folder.path().join("d/filter.json");
    let others = |headers: &str| {
        let line = format!(
            "render b.json --for envoy --wasm /f.wasm --wasm-elsewhere --headers {headers}"
        );
        let text = done(&folder, &line);
        fs::write(&path, &text).expect("a filter.json");
        text
    };
    others("cluster");
    done(&folder, "halt --dir d");
    assert_active(&folder, "b-halted", &["cluster"]);

    let bad = others("cluster").replace(r#"[\"cluster\"]"#, r#"[\"clusters\"]"#);
    fs::write(&path, bad).expect("a filter.json");
    let output = run(&folder, "resume --dir d");
    let printed = String::from_utf8_lossy(&output.stderr);
    assert!(printed.contains("no such `headers`"), "{printed}");
    // The command uses the history, as with any other damage.
    assert_active(&folder, "b", &["cluster"]);
}
