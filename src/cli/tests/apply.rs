//! Runs `turnout apply`, `rollback`, `halt`, `resume` and `log`. `tests/envoy` tests what Envoy does with the file.
#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

mod common;
#[path = "common/live_folder.rs"]
mod live_folder;

use std::fs;

use serde_json::Value;

use live_folder::{active, done, filter, folder, log, names, policy, refused, run, write};

#[test]
fn a_policy_is_applied_halted_and_rolled_back() {
    let folder = folder();
    assert_eq!(
        done(
            &folder,
            "apply a.json --dir d --wasm f.wasm --inbound trust --who me --why first"
        ),
        "r: new, mode split; v1 one, v2 two; match all requests; rule 1 accounts 50 %\n\
         a written to d/filter.json (entry 1)\n"
    );
    let (revision, configuration) = active(&folder);
    assert_eq!(revision, "a");
    assert_eq!(configuration["inbound"], "trust");
    let file: Value = serde_json::from_str(&filter(&folder)).expect("JSON");
    let wasm = file.pointer("/resources/0/typed_config/config/vm_config/code/local/filename");
    let absolute = folder
        .path()
        .canonicalize()
        .expect("a folder")
        .join("f.wasm");
    let absolute = absolute.to_str().expect("UTF-8");
    assert!(
        wasm.and_then(Value::as_str)
            .is_some_and(|wasm| wasm.ends_with(absolute)),
        "{wasm:?}"
    );

    // The path of the filter and `inbound` are remembered.
    done(&folder, "apply b.json --dir d --who me");
    assert_eq!(active(&folder).1["inbound"], "trust");

    assert_eq!(
        done(&folder, "halt --dir d --who you --why v2"),
        "b-halted written to d/filter.json (entry 3)\n\
         no proxy was asked to confirm the halt; use --admin ADDRESS to ask one\n"
    );
    let (revision, configuration) = active(&folder);
    assert_eq!(revision, "b-halted");
    assert_eq!(configuration["policy"]["halted"], true);
    let halted = filter(&folder);
    assert_eq!(
        done(&folder, "halt --dir d"),
        "d/filter.json already has b-halted, which is halted; nothing was written\n\
         no proxy was asked to confirm the halt; use --admin ADDRESS to ask one\n"
    );
    assert_eq!(filter(&folder), halted);

    done(&folder, "resume --dir d");
    assert_eq!(active(&folder).0, "b");
    done(&folder, "halt --dir d");
    assert_eq!(
        done(&folder, "rollback --dir d --resume"),
        "policy: no longer halted\nr: mode on → split\n\
         rolled back to a, written to d/filter.json (entry 6)\n"
    );
    refused(
        &folder,
        "rollback --dir d",
        2,
        "there is no policy before a to roll back to",
    );
    done(&folder, "rollback --dir d --to b");

    let log = log(&folder);
    let entries = log["entries"].as_array().expect("entries");
    let entries: Vec<_> = entries
        .iter()
        .map(|entry| {
            let text = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
            (text("action"), text("revision"), text("who"), text("why"))
        })
        .collect();
    let logged =
        |what: &str, revision: &str| entries.iter().find(|(w, r, ..)| w == what && r == revision);
    assert_eq!(entries.len(), 7, "{entries:?}");
    assert_eq!(
        logged("apply", "a").map(|t| (t.2.as_str(), t.3.as_str())),
        Some(("me", "first"))
    );
    assert_eq!(
        logged("halt", "b-halted").map(|t| t.2.is_empty()),
        Some(entries[2].2.is_empty())
    );
    assert_eq!(log["active"], 7);
    let text = done(&folder, "log --dir d");
    assert!(
        text.lines()
            .nth(1)
            .is_some_and(|line| line.starts_with("*  7 ")),
        "{text}"
    );
}

#[test]
fn an_error_is_reported_and_nothing_is_written() {
    let folder = folder();
    refused(
        &folder,
        "halt --dir d",
        2,
        "folder d does not exist; `turnout apply` creates it",
    );
    refused(&folder, "log --dir d", 2, "folder d does not exist");
    refused(
        &folder,
        "apply a.json --dir d",
        2,
        "pass --wasm with this first policy",
    );
    refused(
        &folder,
        "apply a.json --dir d --wasm a.json",
        2,
        "it does not begin as a WebAssembly module does",
    );
    refused(
        &folder,
        "apply a.json --dir d --wasm none",
        2,
        "none is not the .wasm file of the filter",
    );
    write(&folder, "bad.json", &policy("bad", "onn"));
    refused(
        &folder,
        "apply bad.json --dir d --wasm f.wasm",
        2,
        "unknown mode `onn`",
    );
    refused(
        &folder,
        "apply a.json --dir d --wasm f.wasm --admin https://a",
        2,
        "plain HTTP; write http://a:9901",
    );
    refused(
        &folder,
        "apply a.json --dir a.json --wasm f.wasm",
        2,
        "a.json is not a folder",
    );
    assert!(!folder.path().join("d").exists());

    done(&folder, "apply a.json --dir d --wasm f.wasm");
    let before = filter(&folder);
    refused(&folder, "apply bad.json --dir d", 2, "unknown mode `onn`");
    refused(
        &folder,
        "rollback --dir d --to z",
        2,
        "no entry and no revision z",
    );
    // off → on skips all steps between.
    write(&folder, "off.json", &policy("off", "off"));
    done(&folder, "apply off.json --dir d");
    refused(
        &folder,
        "apply b.json --dir d --strict",
        1,
        "nothing was written",
    );
    done(&folder, "rollback --dir d");
    assert_eq!(active(&folder).0, "a");
    assert_ne!(filter(&folder), before, "Envoy would take it for known");
    assert_eq!(
        names(&folder.path().join("d")),
        [".turnout.lock", "filter.json", "history"]
    );
}

#[test]
fn a_revision_identifies_exactly_one_policy_text() {
    let folder = folder();
    done(&folder, "apply a.json --dir d --wasm f.wasm");
    write(&folder, "other.json", &policy("a", "on"));
    let words = "revision a already identifies another policy (entry 1); use another revision";
    let before = filter(&folder);
    refused(&folder, "apply other.json --dir d", 2, words);
    // Also when it is not active.
    done(&folder, "apply b.json --dir d");
    refused(&folder, "apply other.json --dir d", 2, words);
    // The same text may be applied again.
    done(&folder, "apply a.json --dir d");
    assert_ne!(filter(&folder), before);
    // The halted policy has a revision that no other text can use.
    done(&folder, "halt --dir d");
    write(&folder, "other.json", &policy("a-halted", "on"));
    refused(
        &folder,
        "apply other.json --dir d",
        2,
        "revision a-halted already identifies another policy",
    );
}

#[test]
fn a_path_that_exists_only_on_the_proxies_is_not_checked() {
    let folder = folder();
    done(
        &folder,
        "apply a.json --dir d --wasm /etc/envoy/f.wasm --wasm-elsewhere",
    );
    assert!(filter(&folder).contains("\"/etc/envoy/f.wasm\""));
}

/// A policy without a revision gets the hash of its text.
#[test]
fn a_rendered_policy_always_has_a_revision() {
    let folder = folder();
    let text = policy("a", "split").replace("  \"revision\": \"a\",\n", "");
    write(&folder, "none.json", &text);
    let json: Value = serde_json::from_str(&done(
        &folder,
        "apply none.json --dir d --wasm f.wasm --json",
    ))
    .expect("JSON");
    let (revision, configuration) = active(&folder);
    assert_eq!(revision.len(), 16);
    assert_eq!(configuration["policy"]["revision"], revision);
    assert_eq!(json["revision"], revision);
    assert_eq!(json["outcome"], "written");
    assert_eq!(json["proxies"], Value::Array(Vec::new()));
    // The gauge represents its number exactly.
    assert!(
        json["number"]
            .as_u64()
            .is_some_and(|number| number < 1 << 48)
    );
    done(&folder, "apply none.json --dir d");
    assert_eq!(log(&folder)["entries"].as_array().map(Vec::len), Some(1));
}

#[test]
fn a_dead_proxy_does_not_prevent_a_halt() {
    let folder = folder();
    done(&folder, "apply a.json --dir d --wasm f.wasm");
    let output = run(
        &folder,
        "halt --dir d --admin 127.0.0.1:1 --timeout 0 --json",
    );
    assert_eq!(output.status.code(), Some(1));
    let json: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(json["outcome"], "unconfirmed");
    assert_eq!(json["proxies"][0]["state"], "unreachable");
    assert_eq!(active(&folder).0, "a-halted");
    assert_eq!(log(&folder)["entries"][0]["outcome"], "unconfirmed");
    let entry = fs::metadata(folder.path().join("d/history/000002.json"));
    assert!(entry.is_ok());
}
