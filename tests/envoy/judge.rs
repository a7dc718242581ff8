//! `turnout judge` of three real Envoys: the judgment is that of the sum of their counters, over restarts, and nothing that
//! is missing is healthy.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use support::cli::{self, Run};
use support::random::Random;
use support::temp_folder::Folder;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};

use crate::guard::{Guarded, failing, guarded, request};

/// The requests to each proxy.
const REQUESTS: [u64; 3] = [900, 1_000, 1_100];
/// How many of a million requests fail, for v1 and v2 alike.
const FAILING: u64 = 3_000;
/// With this excess, about a thousand requests of v2 are enough.
const EXCESS: &str = "3";

fn policy(revision: &str) -> Value {
    let mut policy = guarded(&["r"], 50, &json!({ "settle_seconds": 1 }));
    policy["revision"] = json!(revision);
    policy
}

/// A proxy with an admin address that outlives its process.
struct Proxy {
    bed: Guarded,
    address: SocketAddr,
    target: Arc<Mutex<Option<SocketAddr>>>,
}

impl Proxy {
    async fn start() -> Self {
        let bed = Guarded::start(&policy("first"), 2).await;
        let target = Arc::new(Mutex::new(Some(bed.envoy.admin().address())));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(relay(listener, Arc::clone(&target)));
        Self {
            bed,
            address,
            target,
        }
    }

    /// Sends requests, and waits until the guard has counted them.
    async fn send(&self, requests: u64, seed: u64) {
        let before = self.counted().await;
        for upstream in [&self.bed.v1, &self.bed.v2] {
            upstream.respond_with(failing(FAILING, 7));
        }
        let mut random = Random::new(seed);
        let requests: Vec<_> = (0..requests).map(|_| request("r", &mut random)).collect();
        let sent = requests.len() as u64;
        self.bed.client.send_all(requests, 8).await;
        self.bed.wait_for_settled("r", before + sent).await;
    }

    async fn counted(&self) -> u64 {
        let metrics = self.bed.metrics().await;
        metrics[".r.50.v1.all"] + metrics[".r.50.v2.all"]
    }

    async fn restart(&mut self) {
        self.bed = Guarded::start(&policy("first"), 2).await;
        *self.target.lock().expect("no panic") = Some(self.bed.envoy.admin().address());
    }
}

/// Passes connections to the admin endpoint of the present process, or closes them if there is none.
async fn relay(listener: TcpListener, target: Arc<Mutex<Option<SocketAddr>>>) {
    while let Ok((mut client, _)) = listener.accept().await {
        let target = *target.lock().expect("no panic");
        tokio::spawn(async move {
            if let Some(target) = target
                && let Ok(mut proxy) = TcpStream::connect(target).await
            {
                let _ = copy_bidirectional(&mut client, &mut proxy).await;
            }
        });
    }
}

/// Judges the proxies.
async fn judge(proxies: &[Proxy], more: &[&str]) -> Run {
    let mut words: Vec<String> = ["judge", "--json", "--excess", EXCESS]
        .map(str::to_owned)
        .into();
    for proxy in proxies {
        words.extend(["--admin".to_owned(), proxy.address.to_string()]);
    }
    words.extend(more.iter().map(|word| (*word).to_owned()));
    run(words).await
}

/// Runs the command while the relays go on.
async fn run(words: Vec<String>) -> Run {
    let run = move || {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        cli::run(&words)
    };
    tokio::task::spawn_blocking(run).await.expect("the command")
}

/// The rollout of a run that has to end with this code and verdict.
#[track_caller]
fn rollout(run: &Run, code: i32, verdict: &str) -> Value {
    assert_eq!(run.code, Some(code), "{run:?}");
    let json: Value = serde_json::from_str(&run.output).expect("JSON");
    assert_eq!(json["rollouts"][0]["verdict"], verdict, "{json:#}");
    json["rollouts"][0].clone()
}

fn reasons(rollout: &Value) -> Vec<&str> {
    let reasons = rollout["reasons"].as_array().expect("reasons").iter();
    reasons
        .filter_map(|reason| reason["code"].as_str())
        .collect()
}

fn compared(rollout: &Value) -> u64 {
    let strata = rollout["strata"].as_array().expect("strata").iter();
    let arms = strata.flat_map(|stratum| [&stratum["v1"]["all"], &stratum["v2"]["all"]]);
    arms.filter_map(Value::as_u64).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_proxies_are_judged_as_one_and_nothing_missing_is_healthy() {
    let mut proxies = [
        Proxy::start().await,
        Proxy::start().await,
        Proxy::start().await,
    ];
    let folder = Folder::new();
    folder.replace_file("policy.json", &policy("first").to_string());
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (policy_file, state) = (path("policy.json"), path("state.json"));

    let idle = rollout(&judge(&proxies, &[]).await, 3, "not_enough_data");
    assert_eq!(reasons(&idle), ["nothing_compared"]);

    for (seed, (proxy, requests)) in (1..).zip(proxies.iter().zip(REQUESTS)) {
        proxy.send(requests, seed).await;
    }
    let by_admin = rollout(&judge(&proxies, &["--state", &state]).await, 0, "healthy");
    assert_eq!(compared(&by_admin), REQUESTS.iter().sum::<u64>());

    // The same from the sum of the counters, by hand.
    let mut sums: BTreeMap<String, u64> = BTreeMap::new();
    for proxy in &proxies {
        for (name, count) in proxy.bed.metrics().await {
            *sums.entry(name).or_default() += count;
        }
    }
    let line = |arm: &str| {
        let of = |event: &str| sums[&format!(".r.50.{arm}.{event}")];
        let [all, errors] = ["all", "errors"].map(of);
        json!({ "rollout": "r", "requests": 50, "arm": arm, "all": all, "errors": errors })
    };
    assert!(sums[".r.50.v2.errors"] > 0, "{sums:?}");
    folder.replace_file("counts.jsonl", &format!("{}\n{}\n", line("v1"), line("v2")));
    let words = [
        "judge",
        "--json",
        "--excess",
        EXCESS,
        "--policy",
        &policy_file,
        "--counts",
    ];
    let words = words
        .map(str::to_owned)
        .into_iter()
        .chain([path("counts.jsonl")]);
    let by_counts = rollout(&run(words.collect()).await, 0, "healthy");
    for name in [
        "log_evidence",
        "log_threshold",
        "ratio",
        "ratio_low",
        "ratio_high",
        "health_evidence",
        "strata",
    ] {
        assert!(!by_admin[name].is_null(), "{name}");
        assert_eq!(
            by_admin[name].to_string(),
            by_counts[name].to_string(),
            "{name}"
        );
    }

    // A restart resets the counters, and the state keeps what was read.
    proxies[0].restart().await;
    let with_state = ["--state", state.as_str()];
    let after = rollout(&judge(&proxies, &with_state).await, 0, "healthy");
    assert_eq!(after["strata"], by_admin["strata"]);
    proxies[0].send(100, 9).await;
    let after = rollout(&judge(&proxies, &with_state).await, 0, "healthy");
    assert_eq!(compared(&after), REQUESTS.iter().sum::<u64>() + 100);
    assert_eq!(after["proxies"].as_array().map(Vec::len), Some(3));
    let without = judge(&proxies, &[]).await;
    let json: Value = serde_json::from_str(&without.output).expect("JSON");
    let [_, second, third] = REQUESTS;
    assert_eq!(compared(&json["rollouts"][0]), 100 + second + third);

    // One proxy stops.
    let address = proxies[1].target.lock().expect("no panic").take();
    let stopped = rollout(&judge(&proxies, &with_state).await, 3, "not_enough_data");
    assert_eq!(reasons(&stopped)[0], "missing_proxies");
    assert_eq!(compared(&stopped), compared(&after));
    *proxies[1].target.lock().expect("no panic") = address;

    // One proxy has another revision.
    proxies[2].bed.swap_policy(&policy("second")).await;
    let mixed = rollout(&judge(&proxies, &with_state).await, 4, "invalid");
    assert_eq!(reasons(&mixed)[0], "different_revisions");
    let words = ["--policy", policy_file.as_str()];
    let mixed = rollout(&judge(&proxies[2..], &words).await, 4, "invalid");
    assert_eq!(reasons(&mixed), ["other_revision"]);
}
