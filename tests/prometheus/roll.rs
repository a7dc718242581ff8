//! `turnout roll --prometheus`: a good v2 reaches the end, a worse one is rolled back, and what a proxy has counted while no
//! roll ran is not lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use serde_json::{Value, json};
use support::cli::{self, Run};
use support::envoy::{Bootstrap, Envoy, file};
use support::random::Random;
use support::scripted_upstream::{Response, Scripted};
use support::temp_folder::Folder;
use support::wasm::filter_wasm;

use crate::mesh::{ALL, policy, request, wait_until_settled};
use crate::server::{PATIENCE, Prometheus, Targets};

/// What the guards compare of the requests that v2 serves.
const OF_V2: &str = r#"sum by (instance) ({__name__=~"turnout_guard.*_all",treatment="v2"})"#;

/// Two Envoys that watch one folder, and a plan of two steps.
struct Testbed {
    folder: Folder,
    v1: Scripted,
    v2: Scripted,
    /// Whether v2 fails.
    is_broken: Arc<AtomicBool>,
    envoys: [Envoy; 2],
    random: Random,
}

impl Testbed {
    async fn start() -> Self {
        let folder = Folder::new();
        let mut policy = policy();
        policy["rollouts"][0]["guard"] = json!({ "settle_seconds": 1 });
        policy["rollouts"][0]["rules"] = json!([{ "accounts": 0, "requests": 20 }]);
        folder.replace_file("policy.json", &policy.to_string());
        // Every request is compared.
        let plan = json!({
            "version": 1, "policy": "policy.json", "rollout": "chat-users", "excess_percent": 5,
            "steps": [
                { "name": "fifth", "accounts": 100, "requests": 20, "bake": { "requests": 300 } },
                { "name": "half", "accounts": 100, "requests": 50, "bake": { "requests": 300 } },
            ],
        });
        folder.replace_file("plan.json", &plan.to_string());
        let wasm = filter_wasm().display().to_string();
        let path = |name: &str| folder.path().join(name).display().to_string();
        let [policy, watched] = ["policy.json", "d"].map(path);
        let run = cli::run(&["apply", &policy, "--dir", &watched, "--wasm", &wasm]);
        assert_eq!(run.code, Some(0), "{run:?}");

        let is_broken = Arc::new(AtomicBool::new(false));
        let fails = is_broken.clone();
        let v1 = Scripted::start(|_: &_| Response::new(200));
        let v2 = Scripted::start(move |_: &_| match fails.load(Ordering::SeqCst) {
            true => Response::new(503),
            false => Response::new(200),
        });
        let envoys = [
            envoy(&folder, &v1, &v2).await,
            envoy(&folder, &v1, &v2).await,
        ];
        Self {
            folder,
            v1,
            v2,
            is_broken,
            envoys,
            random: Random::new(11),
        }
    }

    fn targets(&self) -> Targets {
        let envoys = ["a", "b"].into_iter().zip(&self.envoys);
        let targets = envoys.map(|(name, envoy)| (name.to_owned(), envoy.admin().address()));
        targets.collect()
    }

    async fn prometheus(&self) -> Prometheus {
        let prometheus = Prometheus::start(&self.targets()).await;
        prometheus.wait_for("up", &[("a", 1), ("b", 1)]).await;
        prometheus
    }

    /// Runs the plan until it ends, or once.
    async fn roll(&self, prometheus: &Prometheus, option: &str) -> Run {
        let path = |name: &str| self.folder.path().join(name).display().to_string();
        let [plan, watched] = ["plan.json", "d"].map(path);
        let url = prometheus.url();
        let option = option.to_owned();
        let run = tokio::task::spawn_blocking(move || {
            cli::run(&[
                "roll",
                &plan,
                "--dir",
                &watched,
                "--prometheus",
                &url,
                &option,
            ])
        });
        run.await.expect("a run")
    }

    /// The state of the roll.
    fn state(&self) -> Value {
        let watched = self.folder.path().join("d").display().to_string();
        let run = cli::run(&["log", "--json", "--dir", &watched]);
        let log: Value = serde_json::from_str(&run.output).expect("JSON");
        log["roll"].clone()
    }

    async fn send(&mut self, index: usize, requests: usize) {
        let random = &mut self.random;
        let requests = (0..requests).map(|_| request(random)).collect();
        let responses = self.envoys[index].client().send_all(requests, 8).await;
        assert!(responses.iter().all(|response| response.status == 200));
    }

    /// Runs the plan to its end while requests come.
    async fn roll_with_traffic(&mut self, prometheus: &Prometheus) -> Run {
        let is_over = Arc::new(AtomicBool::new(false));
        let tasks = self.envoys.iter().zip(1..).map(|(envoy, seed)| {
            let (client, is_over) = (envoy.client(), is_over.clone());
            tokio::spawn(async move {
                let mut random = Random::new(seed);
                while !is_over.load(Ordering::SeqCst) {
                    let requests = (0..20).map(|_| request(&mut random)).collect();
                    client.send_all(requests, 2).await;
                }
            })
        });
        let tasks: Vec<_> = tasks.collect();
        let run = self.roll(prometheus, "--interval=500ms").await;
        is_over.store(true, Ordering::SeqCst);
        for task in tasks {
            task.await.expect("traffic");
        }
        run
    }
}

async fn envoy(folder: &Folder, v1: &Scripted, v2: &Scripted) -> Envoy {
    let bootstrap = Bootstrap::new(file("live-policy.yaml"), v1, v2);
    let bootstrap = bootstrap.discover_in(&folder.path().join("d"));
    Envoy::start(bootstrap.keep_request_ids()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_while_no_roll_runs_loses_nothing_that_was_scraped() {
    let mut testbed = Testbed::start().await;
    let prometheus = testbed.prometheus().await;
    let deadline = Instant::now() + PATIENCE;
    while testbed.state()["phase"]["phase"] != "baking" {
        let run = testbed.roll(&prometheus, "--once").await;
        assert_eq!(run.code, Some(3), "{run:?}");
        assert!(Instant::now() < deadline, "{:#}", testbed.state());
    }

    for (index, requests) in [(0, 300), (1, 500)] {
        testbed.send(index, requests).await;
        wait_until_settled(&testbed.envoys[index], requests as u64).await;
    }
    prometheus.wait_for(ALL, &[("a", 300), ("b", 500)]).await;
    let before = prometheus.values(OF_V2).await;
    testbed.envoys[1] = envoy(&testbed.folder, &testbed.v1, &testbed.v2).await;
    testbed.send(1, 600).await;
    wait_until_settled(&testbed.envoys[1], 600).await;
    prometheus.scrape(&testbed.targets());
    prometheus.wait_for(ALL, &[("a", 300), ("b", 600)]).await;
    let after = prometheus.values(OF_V2).await;

    let run = testbed.roll(&prometheus, "--once").await;
    assert_eq!(run.code, Some(3), "{run:?}");
    let of_v2 = [&before["a"], &before["b"], &after["b"]];
    let expected: u64 = of_v2.iter().map(|text| text.parse::<u64>().unwrap()).sum();
    let state = testbed.state();
    let judgment = &state["steps"][0]["judgment"];
    assert_eq!(judgment["v2_requests"], expected, "{state:#}");

    let run = testbed.roll_with_traffic(&prometheus).await;
    assert_eq!(run.code, Some(0), "{run:?}");
    assert_eq!(
        testbed.state()["steps"][1]["judgment"]["verdict"],
        "healthy"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worse_v2_is_rolled_back() {
    let mut testbed = Testbed::start().await;
    let prometheus = testbed.prometheus().await;
    testbed.is_broken.store(true, Ordering::SeqCst);
    let run = testbed.roll_with_traffic(&prometheus).await;
    assert_eq!(run.code, Some(1), "{run:?}");
    let state = testbed.state();
    assert_eq!(
        state["steps"][0]["judgment"]["verdict"], "regressed",
        "{state:#}"
    );
    // Everyone is on v1.
    testbed.send(0, 100).await;
    testbed.send(1, 100).await;
}
