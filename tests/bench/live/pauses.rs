//! The time that a worker is blocked while it loads another policy, by the number of packed accounts: as the filter
//! logs it, and as a client of that worker sees it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use support::bench::accounts::packed;
use support::client::{Client, Request};
use support::envoy::{Bootstrap, Envoy, Swap, file};
use support::render::discovered;
use support::terminal::show;
use support::upstream::Upstream;
use turnout_core::{Configuration, Inbound};

use crate::durations::Spread;

const SIZES: [u32; 3] = [0, 100_000, 1_000_000];
const SWAPS: usize = 20;
/// The pause between requests of the client, which limits the precision.
const PAUSE: Duration = Duration::from_micros(500);
/// How long the client keeps sending after a swap, until all delayed requests have a response.
const AFTER: Duration = Duration::from_millis(150);

pub(crate) async fn measure() -> Result<(), String> {
    show(&format!(
        "pauses: how long a worker needs to load another policy; one worker, {SWAPS} swaps for each number of \
         packed accounts"
    ))?;
    for accounts in SIZES {
        let testbed = Testbed::start(accounts).await;
        let (mut seen, mut idle, mut busy) = (Vec::new(), Vec::new(), Vec::new());
        for revision in 1..=SWAPS {
            idle.push(testbed.longest_wait(None).await?);
            seen.push(testbed.longest_wait(Some(revision)).await?);
        }
        let configured = testbed.configured().await?;
        for revision in SWAPS + 1..=2 * SWAPS {
            busy.push(testbed.busy(revision).await?);
        }
        show(&format!("  {accounts} accounts"))?;
        for (what, durations) in [
            ("load time of the filter", configured),
            ("CPU time of the worker", busy),
            ("longest latency with a swap", seen),
            ("longest latency without a swap", idle),
        ] {
            let spread = Spread::of(durations).ok_or("nothing was measured")?;
            show(&format!("    {what:38} {spread}"))?;
        }
    }
    Ok(())
}

struct Testbed {
    envoy: Envoy,
    packed: String,
    // They serve until the end.
    _upstreams: [Upstream; 2],
}

impl Testbed {
    async fn start(accounts: u32) -> Self {
        let upstreams = [Upstream::start("v1"), Upstream::start("v2")];
        let packed = packed(0..accounts);
        let first = discovered(&configuration(&packed, 0));
        let [v1, v2] = &upstreams;
        let bootstrap = Bootstrap::live(file("live-policy.yaml"), first, v1, v2);
        let envoy = Envoy::start(bootstrap.concurrency(1)).await;
        Self {
            envoy,
            packed,
            _upstreams: upstreams,
        }
    }

    /// The longest latency around a swap, if there is one.
    async fn longest_wait(&self, revision: Option<usize>) -> Result<Duration, String> {
        let filter = revision.map(|revision| discovered(&configuration(&self.packed, revision)));
        let stop = Arc::new(AtomicBool::new(false));
        let client = tokio::spawn(keep_sending(self.envoy.client(), stop.clone()));
        tokio::time::sleep(AFTER).await;
        if let Some(filter) = filter {
            let swap = self.envoy.swap_filter(&filter).await;
            if swap != Swap::Accepted {
                return Err(format!("Envoy rejected the policy:\n{}", self.envoy.log()));
            }
        }
        tokio::time::sleep(AFTER).await;
        stop.store(true, Ordering::SeqCst);
        client.await.map_err(|error| error.to_string())?
    }

    /// The CPU time of the worker for a swap without traffic: the length of the pause on an otherwise idle
    /// machine.
    async fn busy(&self, revision: usize) -> Result<Duration, String> {
        let filter = discovered(&configuration(&self.packed, revision));
        let before = self.worker_time()?;
        if self.envoy.swap_filter(&filter).await != Swap::Accepted {
            return Err(format!("Envoy rejected the policy:\n{}", self.envoy.log()));
        }
        tokio::time::sleep(AFTER).await;
        Ok(self.worker_time()?.saturating_sub(before))
    }

    /// The CPU time of the worker since it started.
    fn worker_time(&self) -> Result<Duration, String> {
        let error = |error: std::io::Error| format!("cannot read the worker's time: {error}");
        let threads = format!("/proc/{}/task", self.envoy.id());
        for thread in std::fs::read_dir(threads).map_err(error)? {
            let thread = thread.map_err(error)?.path();
            let name = std::fs::read_to_string(thread.join("comm")).map_err(error)?;
            if name.starts_with("wrk:worker_0") {
                let times = std::fs::read_to_string(thread.join("schedstat")).map_err(error)?;
                let computed = times.split(' ').next().and_then(|ns| ns.parse().ok());
                let computed = computed.map(Duration::from_nanos);
                return computed.ok_or_else(|| format!("no time in {times:?}"));
            }
        }
        Err("Envoy has no worker".to_owned())
    }

    /// The load times in the log, for each configuration. The first time is the one of the main thread, which tries a
    /// policy before the workers get it and serves no requests.
    async fn configured(&self) -> Result<Vec<Duration>, String> {
        let mut all = Vec::new();
        for revision in 1..=SWAPS {
            let marker = format!("revision r{revision}, ");
            let log = self.envoy.settled_log().await;
            let lines = log.iter().filter(|line| line.contains(&marker));
            for line in lines.skip(1) {
                let took = line.rsplit_once(", in ").map(|(_, took)| took.trim());
                let took = took.and_then(|took| took.strip_suffix(" ms"));
                let took: f64 = took
                    .and_then(|took| took.parse().ok())
                    .ok_or_else(|| format!("no time in the log: {line}"))?;
                all.push(Duration::from_secs_f64(took / 1e3));
            }
        }
        Ok(all)
    }
}

async fn keep_sending(client: Client, stop: Arc<AtomicBool>) -> Result<Duration, String> {
    let mut longest = Duration::ZERO;
    while !stop.load(Ordering::SeqCst) {
        let asked = Instant::now();
        let response = client.try_send(Request::get("/v1/Channels")).await?;
        longest = longest.max(asked.elapsed());
        if response.status != 200 {
            return Err(format!("status {}", response.status));
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(longest)
}

fn configuration(packed: &str, revision: usize) -> String {
    let policy = format!(
        r#"{{
  "version": 1,
  "revision": "r{revision}",
  "account": {{ "from": [{{ "header": "x-account-sid" }}], "format": "sid" }},
  "segments": {{ "big": {{ "accounts_packed": "{packed}" }} }},
  "rollouts": [{{ "name": "chat", "v1": "channels-v1", "v2": "channels-v2", "mode": "split",
                  "rules": [{{ "when": {{ "not_in": ["big"] }}, "accounts": 50 }}] }}]
}}"#
    );
    Configuration::to_json(&policy, Inbound::Strip)
}
