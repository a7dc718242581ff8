//! `turnout roll` over two real Envoys: a good v2 reaches the end and no request is lost, a worse v2 is rolled back, and a
//! step that one proxy refuses is replaced by the step before.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::cli::{self, Run};
use support::envoy::{Bootstrap, Envoy, file};
use support::random::Random;
use support::scripted_upstream::{Response, Scripted};
use support::temp_folder::Folder;
use support::wasm::filter_wasm;
use tokio::task::JoinHandle;

use crate::guard::{guarded, request};

/// Far longer than a loaded machine needs.
const PATIENCE: Duration = Duration::from_secs(180);
const POLL: Duration = Duration::from_millis(20);
/// The requests that are sent at the same time to each proxy.
const CONCURRENCY: usize = 4;

/// A folder with an applied policy and a plan, two upstreams, and two Envoys. The first watches the folder, the second a
/// copy of it.
struct Testbed {
    folder: Folder,
    v2: Arc<Scripted>,
    _v1: Scripted,
    envoys: [Envoy; 2],
    copier: Copier,
}

/// Copies `filter.json` from one watched folder to another.
struct Copier {
    /// Breaks the policies whose revision has this text, so that the second Envoy refuses them.
    breaks_half: Arc<AtomicBool>,
    is_over: Arc<AtomicBool>,
}

impl Copier {
    fn start(from: PathBuf, to: PathBuf) -> Self {
        let copier = Self {
            breaks_half: Arc::default(),
            is_over: Arc::default(),
        };
        fs::create_dir(&to).expect("a folder");
        copy(&from, &to, false);
        let (breaks_half, is_over) = (copier.breaks_half.clone(), copier.is_over.clone());
        thread::spawn(move || {
            let mut last = fs::read(from.join("filter.json")).expect("a filter");
            while !is_over.load(Ordering::SeqCst) {
                thread::sleep(POLL);
                let now = fs::read(from.join("filter.json")).unwrap_or_default();
                if now != last {
                    copy(&from, &to, breaks_half.load(Ordering::SeqCst));
                    last = now;
                }
            }
        });
        copier
    }
}

impl Drop for Copier {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
    }
}

fn copy(from: &Path, to: &Path, breaks_half: bool) {
    let mut text = fs::read_to_string(from.join("filter.json")).expect("a filter");
    if breaks_half && text.contains("+roll.half.") {
        // No mode has this name.
        text = text.replace("split", "splat");
    }
    let new = to.join("new.json");
    fs::write(&new, text).expect("written");
    fs::rename(new, to.join("filter.json")).expect("renamed");
}

impl Testbed {
    async fn start(on_regressed: &str) -> Self {
        let folder = Folder::new();
        let mut policy = guarded(&["r"], 50, &json!({ "settle_seconds": 1 }));
        policy["revision"] = json!("base");
        policy["rollouts"][0]["rules"] = json!([{ "accounts": 0, "requests": 50 }]);
        folder.replace_file("policy.json", &policy.to_string());
        let plan = json!({
            "version": 1, "policy": "policy.json", "rollout": "r", "excess_percent": 5,
            "steps": [
                { "name": "canary", "accounts": 30, "bake": { "requests": 200 } },
                { "name": "half", "accounts": 60, "bake": { "requests": 300 } },
                { "name": "all", "accounts": 100, "requests": 100 },
            ],
            "on_regressed": on_regressed,
        });
        folder.replace_file("plan.json", &plan.to_string());
        let path = |name: &str| folder.path().join(name).display().to_string();
        let wasm = filter_wasm().display().to_string();
        let run = cli::run(&[
            "apply",
            &path("policy.json"),
            "--dir",
            &path("d"),
            "--wasm",
            &wasm,
        ]);
        assert_eq!(run.code, Some(0), "{run:?}");

        let ok = |_: &_| Response::new(200);
        let (v1, v2) = (Scripted::start(ok), Arc::new(Scripted::start(ok)));
        let (watched, copied) = (folder.path().join("d"), folder.path().join("e"));
        let copier = Copier::start(watched.clone(), copied.clone());
        let envoy = async |watched: &Path| {
            let bootstrap = Bootstrap::new(file("live-policy.yaml"), &v1, &*v2);
            Envoy::start(
                bootstrap
                    .discover_in(watched)
                    .keep_request_ids()
                    .concurrency(2),
            )
            .await
        };
        let envoys = [envoy(&watched).await, envoy(&copied).await];
        Self {
            folder,
            v2,
            _v1: v1,
            envoys,
            copier,
        }
    }

    fn words(&self, line: &str) -> Vec<String> {
        let path = |name: &str| self.folder.path().join(name).display().to_string();
        let mut words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        words.extend(["--dir".to_owned(), path("d")]);
        words
    }

    /// Starts the roll.
    fn roll(&self) -> JoinHandle<Run> {
        let plan = self.folder.path().join("plan.json").display().to_string();
        let mut words = self.words("--json --interval 500ms");
        words.splice(0..0, ["roll".to_owned(), plan]);
        for envoy in &self.envoys {
            words.extend(["--admin".to_owned(), envoy.admin().address().to_string()]);
        }
        tokio::task::spawn_blocking(move || {
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            cli::run(&words)
        })
    }

    fn log(&self) -> Value {
        let words = self.words("log --json");
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let run = cli::run(&words);
        assert_eq!(run.code, Some(0), "{run:?}");
        serde_json::from_str(&run.output).expect("JSON")
    }

    async fn wait_for(&self, what: &str, is_there: impl Fn(&Value) -> bool) {
        let began = Instant::now();
        loop {
            let log = self.log();
            if is_there(&log) {
                return;
            }
            assert!(began.elapsed() < PATIENCE, "{what}: {log:#}");
            tokio::time::sleep(POLL).await;
        }
    }

    /// Sends requests to both proxies until it is stopped.
    fn traffic(&self) -> Traffic {
        let is_over = Arc::new(AtomicBool::new(false));
        let failed = Arc::new(AtomicU64::new(0));
        let tasks = self.envoys.iter().zip(1..).map(|(envoy, seed)| {
            let (client, is_over, failed) = (envoy.client(), is_over.clone(), failed.clone());
            tokio::spawn(async move {
                let mut random = Random::new(seed);
                while !is_over.load(Ordering::SeqCst) {
                    let requests = (0..50).map(|_| request("r", &mut random)).collect();
                    let responses = client.send_all(requests, CONCURRENCY).await;
                    let bad = responses.iter().filter(|response| response.status != 200);
                    failed.fetch_add(bad.count() as u64, Ordering::SeqCst);
                }
            })
        });
        Traffic {
            tasks: tasks.collect(),
            is_over,
            failed,
        }
    }

    /// The share of requests of the rollout that v2 serves now, in percent.
    async fn v2_percent(&self) -> u64 {
        let before = self.v2.requests();
        let mut random = Random::new(99);
        for envoy in &self.envoys {
            let requests = (0..100).map(|_| request("r", &mut random)).collect();
            envoy.client().send_all(requests, CONCURRENCY).await;
        }
        (self.v2.requests() - before) / 2
    }
}

struct Traffic {
    tasks: Vec<JoinHandle<()>>,
    is_over: Arc<AtomicBool>,
    failed: Arc<AtomicU64>,
}

impl Traffic {
    /// Stops, and returns how many requests did not get a 200.
    async fn stop(self) -> u64 {
        self.is_over.store(true, Ordering::SeqCst);
        for task in self.tasks {
            task.await.expect("the traffic");
        }
        self.failed.load(Ordering::SeqCst)
    }
}

fn codes(run: &Run) -> Vec<String> {
    let lines = run.output.lines().map(|line| -> Value {
        serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {run:?}"))
    });
    lines
        .filter_map(|event| event["event"].as_str().map(str::to_owned))
        .filter(|event| event != "waiting")
        .collect()
}

/// The steps of the history, oldest first, from the first step on.
fn revisions(log: &Value) -> Vec<String> {
    let entries = log["entries"].as_array().expect("entries");
    let revisions = entries.iter().rev().skip(1);
    let step = |revision: &str| {
        let step = revision.split("+roll.").nth(1).unwrap_or_default();
        let name = step.split('.').next().unwrap_or_default();
        match revision.split_once("+halted") {
            Some(_) => format!("{name} halted"),
            None => name.to_owned(),
        }
    };
    revisions
        .filter_map(|entry| entry["revision"].as_str().map(step))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_good_v2_reaches_the_end_and_no_request_is_lost() {
    let bed = Testbed::start("halt").await;
    let traffic = bed.traffic();
    let run = bed.roll().await.expect("the roll");
    assert_eq!(run.code, Some(0), "{run:?}");
    assert_eq!(traffic.stop().await, 0);
    assert_eq!(
        codes(&run),
        [
            "started", "applying", "baking", "applying", "baking", "applying", "finished"
        ]
    );
    assert_eq!(bed.v2_percent().await, 100);
    let log = bed.log();
    assert_eq!(revisions(&log), ["canary", "half", "all"]);
    for (step, requests) in [(0, 200), (1, 300)] {
        let judgment = &log["roll"]["steps"][step]["judgment"];
        assert_eq!(judgment["verdict"], "healthy");
        assert!(
            judgment["v2_requests"].as_u64() >= Some(requests),
            "{log:#}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_v2_that_gets_worse_in_a_step_is_halted_or_returns_to_the_step_before() {
    for (on_regressed, expected, percent) in [
        ("halt", &["canary", "half", "half halted"][..], 0..=0),
        ("previous_step", &["canary", "half", "canary"][..], 5..=25),
    ] {
        let bed = Testbed::start(on_regressed).await;
        let traffic = bed.traffic();
        let roll = bed.roll();
        bed.wait_for("the second step", |log| {
            !log["roll"]["steps"][1]["began"].is_null()
        })
        .await;
        bed.v2.respond_with(|_| Response::new(503));
        let run = roll.await.expect("the roll");
        assert_eq!(run.code, Some(1), "{run:?}");
        traffic.stop().await;
        bed.v2.respond_with(|_| Response::new(200));
        let log = bed.log();
        assert_eq!(revisions(&log), expected, "{log:#}");
        let v2 = bed.v2_percent().await;
        assert!(percent.contains(&v2), "{on_regressed}: {v2} %");
        let judgment = &log["roll"]["steps"][1]["judgment"];
        assert_eq!(judgment["verdict"], "regressed", "{log:#}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_step_that_one_proxy_refuses_is_taken_back_and_tried_again() {
    let bed = Testbed::start("halt").await;
    bed.copier.breaks_half.store(true, Ordering::SeqCst);
    let traffic = bed.traffic();
    let roll = bed.roll();
    bed.wait_for("the step before again", |log| revisions(log).len() == 3)
        .await;
    assert_eq!(revisions(&bed.log()), ["canary", "half", "canary"]);
    // The proxy accepts the step the next time.
    bed.copier.breaks_half.store(false, Ordering::SeqCst);
    let run = roll.await.expect("the roll");
    assert_eq!(run.code, Some(0), "{run:?}");
    assert_eq!(traffic.stop().await, 0);
    assert!(codes(&run).contains(&"apply_failed".to_owned()), "{run:?}");
    assert_eq!(
        revisions(&bed.log()),
        ["canary", "half", "canary", "half", "all"]
    );
}
