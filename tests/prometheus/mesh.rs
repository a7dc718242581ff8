//! Envoys with a guarded rollout, and their traffic.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::client::Request;
use support::envoy::{Bootstrap, Envoy, file};
use support::random::Random;
use support::render::discovered;
use support::scripted_upstream::{Received, Response, Scripted};
use support::temp_folder::Folder;
use turnout_core::{Configuration, Inbound};

use crate::server::{PATIENCE, Prometheus, Targets};

/// What the guard compares of each request: all are decided at random.
pub(crate) const ALL: &str = r#"sum by (instance) ({__name__=~"turnout_guard.*_all"})"#;

/// Envoys by name, with the upstreams that they share.
pub(crate) struct Mesh {
    envoys: BTreeMap<&'static str, Envoy>,
    v1: Scripted,
    v2: Scripted,
    random: Random,
    /// The file of the policy, for the command.
    folder: Folder,
}

impl Mesh {
    /// Starts Envoys with these names. v1 and v2 both fail sometimes.
    pub(crate) async fn start(names: &[&'static str]) -> Self {
        let folder = Folder::new();
        folder.replace_file("policy.json", &policy().to_string());
        let mut mesh = Self {
            envoys: BTreeMap::new(),
            v1: Scripted::start(failing(20_000)),
            v2: Scripted::start(failing(40_000)),
            random: Random::new(7),
            folder,
        };
        for name in names {
            mesh.start_envoy(name).await;
        }
        mesh
    }

    /// Starts an Envoy, in the place of the earlier one of this name. That of the name `plain` has no `stats_tags`.
    pub(crate) async fn start_envoy(&mut self, name: &'static str) {
        self.stop_envoy(name);
        let text = file("live-policy.yaml");
        let configuration = Configuration::to_json(&policy().to_string(), Inbound::Strip);
        let bootstrap = Bootstrap::live(&text, discovered(&configuration), &self.v1, &self.v2);
        let bootstrap = bootstrap.keep_request_ids();
        let bootstrap = match name {
            "plain" => {
                let (_, tags) = text.split_once("\nstats_config:\n").expect("the tags");
                bootstrap.replace(&format!("stats_config:\n{tags}"), "")
            }
            _ => bootstrap,
        };
        self.envoys.insert(name, Envoy::start(bootstrap).await);
    }

    pub(crate) fn stop_envoy(&mut self, name: &str) {
        self.envoys.remove(name);
    }

    /// The targets for Prometheus.
    pub(crate) fn targets(&self) -> Targets {
        let envoys = self.envoys.iter();
        let targets = envoys.map(|(name, envoy)| ((*name).to_owned(), envoy.admin().address()));
        targets.collect()
    }

    /// The arguments `--admin URL` for all Envoys.
    pub(crate) fn admins(&self) -> Vec<String> {
        let envoys = self.envoys.values();
        let admins = envoys.map(|envoy| format!("--admin=http://{}", envoy.admin().address()));
        admins.collect()
    }

    /// The argument `--policy FILE`.
    pub(crate) fn policy(&self) -> String {
        format!(
            "--policy={}",
            self.folder.path().join("policy.json").display()
        )
    }

    /// Sends so many requests through an Envoy.
    pub(crate) async fn send(&mut self, name: &str, requests: u64) {
        let random = &mut self.random;
        let requests = (0..requests).map(|_| request(random));
        let client = self.envoys[name].client();
        client.send_all(requests.collect(), 8).await;
    }

    /// Waits until an Envoy has counted so many requests in the arms of its guard.
    pub(crate) async fn wait_until_settled(&self, name: &str, requests: u64) {
        wait_until_settled(&self.envoys[name], requests).await;
    }

    /// Waits until Prometheus has the final counts of all Envoys.
    pub(crate) async fn wait_until_scraped(&self, prometheus: &Prometheus, counts: &[(&str, u64)]) {
        for (name, requests) in counts {
            self.wait_until_settled(name, *requests).await;
        }
        prometheus.wait_for(ALL, counts).await;
    }
}

/// Waits until an Envoy has counted so many requests in the arms of its guard.
pub(crate) async fn wait_until_settled(envoy: &Envoy, requests: u64) {
    const ARMS: &str = r"^wasmcustom\.turnout\.guard\..*\.all$";
    let deadline = Instant::now() + PATIENCE;
    loop {
        let stats = envoy.admin().stats(ARMS).await;
        if stats.values().sum::<u64>() == requests {
            return;
        }
        assert!(Instant::now() < deadline, "{stats:?}, and not {requests}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A request of the rollout, with an account and an id of its own.
pub(crate) fn request(random: &mut Random) -> Request {
    Request::get("/v1/Channels")
        .header("x-account-sid", format!("AC{:032x}", random.below(3_000)))
        .header("x-request-id", format!("{:016x}", random.next()))
}

/// A guard that only reports, so that the traffic stays random.
pub(crate) fn policy() -> Value {
    json!({
        "version": 1,
        "account": { "from": [{ "header": "x-account-sid" }], "format": "sid" },
        "rollouts": [{
            "name": "chat-users",
            "match": { "path": { "prefix": "/v1/Channels" } },
            "v1": "channels-v1",
            "v2": "channels-v2",
            "mode": "split",
            "rules": [{ "accounts": 100, "requests": 50 }],
            "guard": {
                "errors": { "ratio": 1.5 },
                "slow": { "over_ms": 500, "ratio": 1.5 },
                "settle_seconds": 1,
                "action": "report",
            },
        }],
    })
}

/// Fails so many of a million requests, by their ids, with 503.
fn failing(per_million: u64) -> impl Fn(&Received) -> Response + Send + Sync {
    move |received| {
        let id = received.headers["x-request-id"].to_str().expect("text");
        let id = u64::from_str_radix(id, 16).expect("a number");
        Response::new(match Random::new(id).happens(per_million) {
            true => 503,
            false => 200,
        })
    }
}
