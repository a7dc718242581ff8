//! The time from the start of `turnout halt` to the last response of v2, under load.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::cli;
use support::client::{Client, Request};
use support::envoy::{Bootstrap, Envoy, file};
use support::render::discovered;
use support::terminal::show;
use support::upstream::Upstream;
use tokio::task::JoinSet;
use turnout_core::{Configuration, Inbound};

use crate::durations::Spread;

const TRIALS: usize = 50;
/// The number of clients, and the pause between their requests.
const CLIENTS: usize = 8;
const PAUSE: Duration = Duration::from_millis(10);

pub(crate) async fn measure() -> Result<(), String> {
    let testbed = Testbed::start().await?;
    show(&format!(
        "halts: the time from the start of `turnout halt` to the last response of v2; {CLIENTS} clients, each \
         sends {} ms after its last response",
        PAUSE.as_millis()
    ))?;
    let (mut last, mut ended, mut requests) = (Vec::new(), Vec::new(), 0);
    for _ in 0..TRIALS {
        let trial = testbed.trial().await?;
        last.push(trial.last_of_v2);
        ended.push(trial.ended);
        requests += trial.requests;
    }
    let [last, ended] = [last, ended].map(Spread::of);
    let (Some(last), Some(ended)) = (last, ended) else {
        return Err("no trial".to_owned());
    };
    show(&format!("  to the last response of v2  {last}"))?;
    show(&format!("  to the end of the command   {ended}"))?;
    show(&format!(
        "  {requests} requests, each with a response of 200"
    ))
}

struct Testbed {
    envoy: Envoy,
    v1: Upstream,
    v2: Upstream,
    folder: String,
    admin: String,
}

struct Trial {
    last_of_v2: Duration,
    /// The time at which the command knew that the halted policy was active.
    ended: Duration,
    requests: usize,
}

struct Seen {
    answered: Instant,
    by_v2: bool,
}

impl Testbed {
    async fn start() -> Result<Self, String> {
        let (v1, v2) = (Upstream::start("v1"), Upstream::start("v2"));
        let configuration = Configuration::to_json(&policy().to_string(), Inbound::Strip);
        let filter = discovered(&configuration);
        let bootstrap = Bootstrap::live(file("live-policy.yaml"), filter, &v1, &v2);
        let envoy = Envoy::start(bootstrap).await;
        // The first run of the command and its build are not measured.
        let _: cli::Run = cli::run(&["--version"]);
        Ok(Self {
            folder: envoy.watched().display().to_string(),
            admin: format!("http://{}", envoy.admin().address()),
            envoy,
            v1,
            v2,
        })
    }

    /// v2 serves everyone, then v1, then v2 again.
    async fn trial(&self) -> Result<Trial, String> {
        let stop = Arc::new(AtomicBool::new(false));
        let mut clients = JoinSet::new();
        for _ in 0..CLIENTS {
            clients.spawn(keep_sending(self.envoy.client(), stop.clone()));
        }
        let asked = self.v2.requests();
        while self.v2.requests() < asked + 10 * CLIENTS as u64 {
            tokio::time::sleep(PAUSE).await;
        }
        let started = Instant::now();
        self.command("halt").await?;
        let ended = started.elapsed();
        let asked = self.v1.requests();
        while self.v1.requests() < asked + 10 * CLIENTS as u64 {
            tokio::time::sleep(PAUSE).await;
        }
        stop.store(true, Ordering::SeqCst);
        let mut seen = Vec::new();
        for of_client in clients.join_all().await {
            seen.extend(of_client?);
        }
        self.command("resume").await?;
        let of_v2 = seen.iter().filter(|seen| seen.by_v2);
        let last = of_v2.map(|seen| seen.answered).max();
        let last = last.ok_or("v2 has served nobody")?;
        Ok(Trial {
            last_of_v2: last.saturating_duration_since(started),
            ended,
            requests: seen.len(),
        })
    }

    async fn command(&self, name: &'static str) -> Result<(), String> {
        let (folder, admin) = (self.folder.clone(), self.admin.clone());
        let run = move || cli::run(&[name, "--dir", &folder, "--admin", &admin]);
        let run = tokio::task::spawn_blocking(run).await;
        match run.map_err(|error| error.to_string())? {
            run if run.code == Some(0) => Ok(()),
            run => Err(format!("turnout {name}: {run:?}")),
        }
    }
}

async fn keep_sending(client: Client, stop: Arc<AtomicBool>) -> Result<Vec<Seen>, String> {
    let mut seen = Vec::new();
    while !stop.load(Ordering::SeqCst) {
        let response = client.try_send(Request::get("/v1/Channels")).await?;
        let answered = Instant::now();
        if response.status != 200 {
            return Err(format!("status {}", response.status));
        }
        let version = response.headers.get("x-version");
        let by_v2 = version.is_some_and(|version| version == "v2");
        seen.push(Seen { answered, by_v2 });
        tokio::time::sleep(PAUSE).await;
    }
    Ok(seen)
}

fn policy() -> Value {
    json!({
        "version": 1,
        "account": { "from": [{ "header": "x-account-sid" }], "format": "sid" },
        "rollouts": [{ "name": "chat", "v1": "channels-v1", "v2": "channels-v2", "mode": "on" }],
    })
}
