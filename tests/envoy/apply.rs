//! `turnout apply`, `rollback`, `halt` and `resume` against real Envoys that watch the folder: accepted and rejected
//! policies, and damaged folders.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use support::cli::{self, Run};
use support::envoy::{Bootstrap, Envoy, file};
use support::render::{discovered, rendered};
use support::temp_folder::Folder;
use support::upstream::Upstream;
use support::wasm::filter_wasm;

use crate::testbed::{OUTSIDE, policy, request_of, strip, version};

/// Far longer than a loaded machine needs.
const PATIENCE: &str = "60";

/// A folder that `turnout apply` has created, and upstreams.
struct Testbed {
    folder: Folder,
    v1: Upstream,
    v2: Upstream,
}

impl Testbed {
    /// Starts with the active policy `on`.
    fn new() -> Self {
        let testbed = Self {
            folder: Folder::new(),
            v1: Upstream::start("v1"),
            v2: Upstream::start("v2"),
        };
        for mode in ["on", "off"] {
            let mut named = policy(&json!({ "mode": mode }));
            named["revision"] = json!(mode);
            testbed
                .folder
                .replace_file(&format!("{mode}.json"), &named.to_string());
        }
        let wasm = filter_wasm();
        let run = testbed.run(
            "apply on.json --wasm-elsewhere --wasm",
            &[&wasm.display().to_string()],
        );
        assert_eq!(run.code, Some(0), "{run:?}");
        testbed
    }

    fn watched(&self) -> PathBuf {
        self.folder.path().join("d")
    }

    fn filter(&self) -> PathBuf {
        self.watched().join("filter.json")
    }

    async fn envoy(&self) -> Envoy {
        let line = |path: &Path| format!("path: {}\n", path.display());
        let text = file("live-policy.yaml")
            .replace(
                "path: /etc/envoy/turnout/filter.json\n",
                &line(&self.filter()),
            )
            .replace("path: /etc/envoy/turnout\n", &line(&self.watched()));
        Envoy::start(Bootstrap::new(text, &self.v1, &self.v2)).await
    }

    /// A command on this folder. A word that ends in `.json` is a file in it.
    fn run(&self, line: &str, more: &[&str]) -> Run {
        let (watched, folder) = (self.watched(), self.folder.path());
        let mut words: Vec<String> = line
            .split_whitespace()
            .map(|word| match word.ends_with(".json") {
                true => folder.join(word).display().to_string(),
                false => word.to_owned(),
            })
            .collect();
        words.extend(more.iter().map(|word| (*word).to_owned()));
        words.extend(["--dir".to_owned(), watched.display().to_string()]);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        cli::run(&words)
    }

    /// A command with the admin addresses of these Envoys; returns its JSON and its exit code.
    fn ask(&self, line: &str, envoys: &[&Envoy]) -> (Value, i32) {
        self.ask_within(line, envoys, PATIENCE)
    }

    fn ask_within(&self, line: &str, envoys: &[&Envoy], patience: &str) -> (Value, i32) {
        let admins: Vec<String> = envoys.iter().map(|envoy| admin(envoy)).collect();
        let mut more = vec!["--json", "--timeout", patience];
        for admin in &admins {
            more.extend(["--admin", admin]);
        }
        let run = self.run(line, &more);
        let json = serde_json::from_str(&run.output);
        let json = json.unwrap_or_else(|error| panic!("{error}: {run:?}"));
        (json, run.code.expect("an exit code"))
    }
}

fn admin(envoy: &Envoy) -> String {
    envoy.admin().address().to_string()
}

async fn served(envoy: &Envoy) -> String {
    let response = envoy.client().send(request_of(OUTSIDE)).await;
    version(&response).to_owned()
}

/// Writes the log of an Envoy to a file while a command runs.
fn logged<T>(envoy: &Envoy, path: &Path, run: impl FnOnce() -> T) -> T {
    let mut file = File::create(path).expect("a log");
    let is_over = AtomicBool::new(false);
    let mut written = envoy.log().len();
    thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                let log = envoy.log();
                if let Some(new) = log.get(written..) {
                    file.write_all(new.as_bytes()).expect("logged");
                    written = log.len();
                }
                thread::sleep(Duration::from_millis(5));
            }
        });
        let result = run();
        is_over.store(true, Ordering::Relaxed);
        result
    })
}

#[tokio::test]
async fn each_change_is_active_when_the_command_exits() {
    let testbed = Testbed::new();
    let (one, two) = (testbed.envoy().await, testbed.envoy().await);
    let both = [&one, &two];
    let (json, code) = testbed.ask("apply on.json", &both);
    assert_eq!(
        (&json["unchanged"], &json["outcome"], code),
        (&json!(true), &json!("accepted"), 0)
    );
    for (line, revision, expected) in [
        ("apply off.json", "off", "v1"),
        ("rollback", "on", "v2"),
        ("halt", "on-halted", "v1"),
        ("halt", "on-halted", "v1"),
        ("resume", "on", "v2"),
        ("apply off.json", "off", "v1"),
        ("apply on.json", "on", "v2"),
        ("halt", "on-halted", "v1"),
        ("rollback", "off-halted", "v1"),
        ("apply on.json", "on-halted", "v1"),
        ("apply on.json --resume", "on", "v2"),
        ("halt", "on-halted", "v1"),
        ("rollback --resume", "off", "v1"),
        ("rollback", "on", "v2"),
    ] {
        let (json, code) = testbed.ask(line, &both);
        assert_eq!(code, 0, "{line}: {json}");
        assert_eq!(json["revision"], revision, "{line}");
        assert_eq!(json["outcome"], "accepted", "{line}");
        for envoy in both {
            assert_eq!(served(envoy).await, expected, "{line}");
        }
    }
}

#[tokio::test]
async fn a_policy_that_all_proxies_reject_is_removed_and_the_reasons_are_kept() {
    let testbed = Testbed::new();
    let envoy = testbed.envoy().await;
    let before = fs::read(testbed.filter()).expect("a filter.json");
    // The file starts like wasm, but is not a filter.
    fs::write(testbed.folder.path().join("no.wasm"), b"\0asm\x01\0\0\0").expect("a file");
    let no_wasm = testbed.folder.path().join("no.wasm").display().to_string();
    let apply = format!("apply off.json --wasm {no_wasm}");
    let log = testbed.folder.path().join("envoy.log");
    let with_log = format!("{apply} --log {}", log.display());

    let (json, code) = logged(&envoy, &log, || testbed.ask(&with_log, &[&envoy]));
    assert_eq!((&json["outcome"], code), (&json!("rejected"), 1), "{json}");
    assert_eq!(json["restored"], "on");
    assert_eq!(json["proxies"][0]["running"], "on");
    let reasons = json["reasons"].as_array().expect("reasons");
    let says = |words: &str| {
        reasons
            .iter()
            .any(|line| line.as_str().is_some_and(|l| l.contains(words)))
    };
    assert!(
        says("ABI version") && says("Unable to create Wasm plugin"),
        "{json}"
    );
    assert_eq!(fs::read(testbed.filter()).expect("a filter.json"), before);
    assert_eq!(served(&envoy).await, "v2");

    // Without the log, the reasons are those of the last time.
    let (again, code) = testbed.ask(&apply, &[&envoy]);
    assert_eq!((&again["reasons"], code), (&json["reasons"], 1), "{again}");
    assert_eq!(again["reasons_of_entry"], json["sequence"]);

    // An Envoy that starts now finds the good policy, and later policies reach both.
    let restarted = testbed.envoy().await;
    assert_eq!(served(&restarted).await, "v2");
    let (json, code) = testbed.ask("halt", &[&envoy, &restarted]);
    assert_eq!(code, 0, "{json}");
    assert_eq!(served(&envoy).await, "v1");
    // A rollback never returns to a rejected policy.
    let none = testbed.run("rollback", &[]);
    assert_eq!(none.code, Some(2), "{none:?}");
    assert!(
        none.error.contains("no policy before on-halted"),
        "{none:?}"
    );
}

/// A filter of another version than the command: it rejects a policy that the command accepts.
#[tokio::test]
async fn apply_shows_what_the_filter_logs() {
    const SAID: &str = "policy line 1, column 2, at /version: policy version 1 is not supported";
    let testbed = Testbed::new();
    let envoy = testbed.envoy().await;
    let logs = format!("turnout: {SAID}");
    let other = format!(
        r#"(module
          (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
          (memory (export "memory") 1)
          (data (i32.const 16) "{logs}")
          (func (export "proxy_abi_version_0_2_1"))
          (func (export "_initialize"))
          (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 4096))
          (func (export "proxy_on_context_create") (param i32 i32))
          (func (export "proxy_on_vm_start") (param i32 i32) (result i32) (i32.const 1))
          (func (export "proxy_on_configure") (param i32 i32) (result i32)
            (drop (call $log (i32.const 4) (i32.const 16) (i32.const {length})))
            (i32.const 0)))"#,
        length = logs.len()
    );
    let wasm = testbed.folder.path().join("other.wasm");
    fs::write(&wasm, wat::parse_str(other).expect("a module")).expect("a file");
    let log = testbed.folder.path().join("envoy.log");
    let apply = format!("apply off.json --wasm {} --log", wasm.display());
    let apply = format!("{apply} {}", log.display());
    let (json, code) = logged(&envoy, &log, || testbed.ask(&apply, &[&envoy]));
    assert_eq!((&json["outcome"], code), (&json!("rejected"), 1), "{json}");
    assert_eq!(json["reasons"], json!([SAID]));
    assert_eq!(json["restored"], "on");
    assert_eq!(served(&envoy).await, "v2");
}

#[tokio::test]
async fn a_halt_uses_the_policy_of_the_proxies_and_not_a_rejected_file() {
    let testbed = Testbed::new();
    let envoy = testbed.envoy().await;
    // A policy that only another version of the filter accepts, written to the file by hand.
    let by_hand = discovered(&strip(&policy(&json!({ "mode": "onn" }))));
    let log = testbed.folder.path().join("envoy.log");
    let complaint = "unknown mode `onn`";
    testbed.folder.replace_file("by-hand.json", &by_hand);
    fs::rename(testbed.folder.path().join("by-hand.json"), testbed.filter()).expect("in place");
    envoy.wait_for_log(complaint).await;
    assert_eq!(served(&envoy).await, "v2");

    // A halt now halts the policy that the proxies run.
    let (json, code) = logged(&envoy, &log, || testbed.ask("halt", &[&envoy]));
    assert_eq!(
        (&json["revision"], code),
        (&json!("on-halted"), 0),
        "{json}"
    );
    assert_eq!(served(&envoy).await, "v1");
}

#[tokio::test]
async fn a_silent_proxy_is_distinguished_from_one_that_rejects() {
    let testbed = Testbed::new();
    let envoy = testbed.envoy().await;
    let configuration = strip(&policy(&json!({})));
    let text = rendered("cluster-header.yaml", &configuration);
    let other = Envoy::start(Bootstrap::new(text, &testbed.v1, &testbed.v2)).await;
    let elsewhere = Testbed::new();
    let watches_another = elsewhere.envoy().await;

    // The command writes nothing until it knows that all proxies will see the change.
    let both = ["--admin", &admin(&envoy), "--admin", &admin(&other)];
    let run = testbed.run("apply off.json", &both);
    assert_eq!((run.code, run.output.as_str()), (Some(2), ""), "{run:?}");
    assert!(
        run.error
            .contains("in its own configuration, which a folder cannot change"),
        "{run:?}"
    );
    let elsewheres = admin(&watches_another);
    fs::copy(
        testbed.folder.path().join("off.json"),
        elsewhere.folder.path().join("off.json"),
    )
    .expect("copied");
    let applied = elsewhere.run(
        "apply off.json",
        &["--admin", &elsewheres, "--timeout", PATIENCE],
    );
    assert_eq!(applied.code, Some(0), "{applied:?}");
    let run = testbed.run("apply off.json", &["--admin", &elsewheres]);
    assert_eq!(run.code, Some(2), "{run:?}");
    assert!(
        run.error.contains("it runs off, but the folder has on"),
        "{run:?}"
    );
    assert_eq!(served(&envoy).await, "v2");

    let (json, code) = testbed.ask_within("apply off.json --unready-ok", &[&envoy, &other], "20");
    assert_eq!(
        (&json["outcome"], code),
        (&json!("unconfirmed"), 1),
        "{json}"
    );
    let states = |json: &Value| -> Vec<String> {
        let proxies = json["proxies"].as_array().expect("proxies");
        let state = |proxy: &Value| proxy["state"].as_str().unwrap_or_default().to_owned();
        proxies.iter().map(state).collect()
    };
    assert_eq!(states(&json), ["accepted", "not_discovered"]);

    let (json, code) = testbed.ask_within("halt", &[&watches_another], "1");
    assert_eq!((states(&json), code), (vec!["unconfirmed".to_owned()], 1));
    assert_eq!(json["proxies"][0]["running"], "off");
    assert_eq!(json["confirmed"], json!([]));
    // It is active wherever the folder is watched, whichever proxies were asked.
    let (json, code) = testbed.ask("halt", &[&envoy]);
    assert_eq!((&json["unchanged"], code), (&json!(true), 0), "{json}");
}

#[tokio::test]
async fn a_damaged_folder_changes_nothing_and_the_next_command_repairs_it() {
    let testbed = Testbed::new();
    let envoy = testbed.envoy().await;
    for (garbage, mended, expected) in [
        (Some("garbage"), "halt", "v1"),
        (Some("{"), "resume", "v2"),
        (None, "halt", "v1"),
        (Some("{\"resources\":[]}"), "apply on.json", "v1"),
        (Some("{\"resources\":[]}"), "apply on.json --resume", "v2"),
        (None, "apply off.json", "v1"),
        (Some(""), "rollback", "v2"),
    ] {
        let was = served(&envoy).await;
        match garbage {
            None => fs::remove_file(testbed.filter()).expect("gone"),
            Some(garbage) => {
                let written = testbed.folder.replace_file("garbage", garbage);
                fs::rename(written, testbed.filter()).expect("in place");
            }
        }
        assert_eq!(served(&envoy).await, was, "{garbage:?}");
        let (json, code) = testbed.ask(mended, &[&envoy]);
        assert_eq!(code, 0, "{garbage:?}, {mended}: {json}");
        assert_eq!(served(&envoy).await, expected, "{garbage:?}, {mended}");
    }
    // Also without its history.
    fs::remove_dir_all(testbed.watched().join("history")).expect("gone");
    let (json, code) = testbed.ask("halt", &[&envoy]);
    assert_eq!(
        (&json["revision"], code),
        (&json!("on-halted"), 0),
        "{json}"
    );
    assert_eq!(served(&envoy).await, "v1");
}

/// Envoy watches the folder that existed when it started.
#[tokio::test]
async fn a_recreated_folder_is_watched_after_a_restart() {
    let testbed = Testbed::new();
    let envoy = testbed.envoy().await;
    let kept = fs::read(testbed.filter()).expect("a filter.json");
    fs::remove_dir_all(testbed.watched()).expect("gone");
    assert_eq!(served(&envoy).await, "v2");
    let gone = testbed.run("halt", &[]);
    assert_eq!(gone.code, Some(2), "{gone:?}");

    fs::create_dir(testbed.watched()).expect("made again");
    fs::write(testbed.filter(), kept).expect("a filter.json");
    let (json, code) = testbed.ask_within("halt", &[&envoy], "1");
    assert_eq!(
        (&json["outcome"], code),
        (&json!("unconfirmed"), 1),
        "{json}"
    );
    assert_eq!(served(&envoy).await, "v2");
    let restarted = testbed.envoy().await;
    assert_eq!(served(&restarted).await, "v1");
}

/// The proxies of the last apply are asked, even if one of them is gone.
#[tokio::test]
async fn a_halt_without_addresses_is_confirmed_by_the_proxies_of_the_last_apply() {
    let testbed = Testbed::new();
    let (envoy, gone) = (testbed.envoy().await, testbed.envoy().await);
    let (json, code) = testbed.ask("apply off.json", &[&envoy, &gone]);
    assert_eq!(code, 0, "{json}");
    let (json, code) = testbed.ask("apply on.json", &[]);
    assert_eq!((&json["asked"], code), (&json!("none"), 0), "{json}");
    for envoy in [&envoy, &gone] {
        while served(envoy).await != "v2" {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    let (json, code) = testbed.ask("halt", &[]);
    assert_eq!((&json["asked"], code), (&json!("remembered"), 0), "{json}");
    assert_eq!(
        json["confirmed"].as_array().map(Vec::len),
        Some(2),
        "{json}"
    );
    assert_eq!(served(&envoy).await, "v1");
    assert_eq!(served(&gone).await, "v1");
    testbed.ask("resume", &[&envoy, &gone]);
    let (left, lost) = (admin(&envoy), admin(&gone));
    drop(gone);
    let run = testbed.run("halt", &[]);
    assert_eq!(run.code, Some(1), "{run:?}");
    let last = format!(
        "confirmed by 1 of 2 proxies: everyone is on v1 at http://{left}; not confirmed by http://{lost}\n"
    );
    assert!(run.output.ends_with(&last), "{run:?}");
    assert_eq!(served(&envoy).await, "v1");
}
