//! Everything that runs, and one round of one variant.

use std::time::{Duration, Instant};

use harness::bench::load::{self, Job};
use harness::bench::rounds::{AGAIN, QUIET};
use harness::bench::statistics::percentile;
use harness::bench::{Client, Upstream, machine};
use harness::envoy::{Bootstrap, Envoy};
use harness::folder::Folder;
use serde_json::Value;

use crate::arguments::Settings;
use crate::closed;
use crate::policy::{PERCENT, ROLLOUT};
use crate::series::Round;
use crate::traffic::Traffic;
use crate::variants::{Kind, Share, Variant};

/// What stands before the names of the filter's counters.
const PREFIX: &str = "wasmcustom.turnout.decisions.";
/// What is not counted by then will not be.
const PATIENCE: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(20);
/// A drawn share that is further from what it should be does not happen by chance.
const DEVIATIONS: f64 = 6.0;

/// Everything that runs. Dropped, nothing is left behind.
pub(crate) struct Stage {
    // Before the upstreams, which they are connected to.
    places: Vec<Place>,
    v1: Upstream,
    v2: Upstream,
    /// Each client draws other accounts.
    seed: u64,
    _folder: Folder,
}

/// What one variant has for itself.
struct Place {
    variant: Variant,
    envoy: Envoy,
    /// That were sent so far.
    sent: u64,
    /// Of them, those that v2 has answered.
    v2: u64,
    /// Of accounts that have had another version before.
    changed: u64,
}

impl Stage {
    pub(crate) async fn start(settings: &Settings) -> Result<Self, String> {
        let folder = Folder::new();
        // What has to be built for them is built before anything runs.
        let variants = settings.variants.iter().copied();
        let texts: Vec<(Variant, String)> = variants
            .map(|variant| Ok((variant, variant.configuration(folder.path())?)))
            .collect::<Result<_, String>>()?;
        let (v1, v2) = (Upstream::start("v1")?, Upstream::start("v2")?);
        let mut places = Vec::new();
        for (variant, text) in texts {
            let bootstrap = Bootstrap::new(text, v1.address(), v2.address()).concurrency(1);
            places.push(Place {
                variant,
                envoy: Envoy::start(bootstrap).await,
                sent: 0,
                v2: 0,
                changed: 0,
            });
        }
        Ok(Self {
            places,
            v1,
            v2,
            seed: 0,
            _folder: folder,
        })
    }

    pub(crate) async fn envoy_version(&self) -> Result<String, String> {
        let Place { envoy, .. } = self.places.first().ok_or("no variant")?;
        version_of(envoy).await
    }

    pub(crate) fn memory_kib(&self, place: usize) -> Result<u64, String> {
        machine::memory_kib(self.places[place].envoy.id())
    }

    /// One round of one variant, in which others left the machine alone if that can be had.
    pub(crate) async fn quiet_round(
        &mut self,
        place: usize,
        settings: &Settings,
    ) -> Result<Round, String> {
        let mut round = self.round(place, settings).await?;
        while round.others > QUIET && round.repeated < AGAIN {
            let repeated = round.repeated + 1;
            round = self.round(place, settings).await?;
            round.repeated = repeated;
        }
        Ok(round)
    }

    /// Sends one round to one variant. Fails when an answer was wrong or lost.
    async fn round(&mut self, place: usize, settings: &Settings) -> Result<Round, String> {
        self.seed += 1;
        let processes = self.processes();
        let Place { variant, envoy, .. } = &self.places[place];
        let name = variant.name;
        let closed = closed::Job {
            target: envoy.address(),
            traffic: Traffic {
                seed: self.seed,
                segment: variant.segment(),
            },
            milliseconds: u64::try_from(settings.window().as_millis()).unwrap_or(u64::MAX),
            connections: settings.connections,
        };
        let open = (settings.rate > 0).then(|| Job {
            target: envoy.address(),
            rate: settings.rate,
            // At least one.
            requests: (f64::from(settings.rate) * settings.seconds).ceil() as u32,
            connections: settings.connections,
        });
        let sent_open = open.as_ref().map_or(0, Job::sent);
        let envoy = envoy.id();
        let before = [self.v1.requests()?, self.v2.requests()?];
        let run = move || timed_run(&closed, open.as_ref(), envoy, &processes);
        let run = tokio::task::spawn_blocking(run)
            .await
            .map_err(|error| error.to_string())?
            .map_err(|error| format!("{name}: {error}"))?;
        let Run {
            seen, latencies, ..
        } = &run;

        let [v1, v2] = [
            self.v1.requests()? - before[0],
            self.v2.requests()? - before[1],
        ];
        let sent = seen.warm_up + seen.requests + sent_open;
        if v1 + v2 != sent {
            return Err(format!(
                "{name}: {sent} requests, {v1} to v1 and {v2} to v2"
            ));
        }
        if seen.v2 > v2 {
            let answered = seen.v2;
            return Err(format!("{name}: {answered} answers of v2 to {v2} requests"));
        }
        let place = &mut self.places[place];
        place.sent += sent;
        place.v2 += v2;
        place.changed += seen.changed;
        Ok(Round {
            cpu_us: run.cpu.as_secs_f64() * 1e6 / seen.requests as f64,
            requests_per_second: seen.requests as f64 * 1e3 / seen.milliseconds,
            busy: run.cpu.as_secs_f64() * 1e5 / seen.milliseconds,
            p50_us: percentile(&latencies.latency_ns, 50) / 1e3,
            p99_us: percentile(&latencies.latency_ns, 99) / 1e3,
            client_late_us: percentile(&latencies.late_ns, 99) / 1e3,
            others: run.others * 100.0,
            repeated: 0,
        })
    }

    /// All that belong to the bench, without this one.
    fn processes(&self) -> Vec<u32> {
        let envoys = self.places.iter().map(|place| place.envoy.id());
        envoys.chain([self.v1.id(), self.v2.id()]).collect()
    }

    /// Whether all that was answered so far was answered by whom it should be, and is counted.
    pub(crate) async fn check(&self) -> Result<(), String> {
        for place in &self.places {
            let named = |wrong| format!("{}: {wrong}", place.variant.name);
            place.check_share().map_err(named)?;
            if place.variant.kind() == Kind::Turnout {
                place.check_counters().await.map_err(named)?;
            }
        }
        Ok(())
    }
}

impl Place {
    fn check_share(&self) -> Result<(), String> {
        let Self {
            sent, v2, changed, ..
        } = *self;
        let share = self.variant.share;
        let to_v2 = if share == Share::V1 {
            0.0
        } else {
            f64::from(PERCENT) / 100.0
        };
        let is_sticky = share == Share::ByAccount;
        if is_sticky && changed > 0 {
            return Err(format!(
                "{changed} answers were not of their account's version"
            ));
        }
        // Some requests are drawn, and some accounts.
        let accounts = f64::from(self.variant.segment());
        let drawn = to_v2 * (1.0 - to_v2) * (1.0 / sent as f64 + 1.0 / accounts);
        let away = (v2 as f64 / sent as f64 - to_v2).abs();
        match away <= DEVIATIONS * drawn.sqrt() {
            true => Ok(()),
            false => Err(format!(
                "{v2} of {sent} answers are of v2, not {:.0} %",
                to_v2 * 1e2
            )),
        }
    }

    /// The counters may be a moment behind.
    async fn check_counters(&self) -> Result<(), String> {
        let (sent, v2) = (self.sent, self.v2);
        let filter = format!("^{PREFIX}").replace('.', "\\.");
        let deadline = Instant::now() + PATIENCE;
        loop {
            let stats = self.envoy.admin().stats(&filter).await;
            let to_v2 = format!("{PREFIX}{ROLLOUT}.v2.");
            let of_v2 = stats.iter().filter(|(name, _)| name.starts_with(&to_v2));
            let of_v2: u64 = of_v2.map(|(_, count)| count).sum();
            // In other modes than split it is what would be: v1 has answered.
            let is_right = self.variant.share == Share::V1 || of_v2 == v2;
            if stats.values().sum::<u64>() == sent && is_right {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(format!(
                    "{sent} requests, {v2} of them to v2, but {stats:?}"
                ));
            }
            tokio::time::sleep(POLL).await;
        }
    }
}

/// The version of an Envoy.
pub(crate) async fn version_of(envoy: &Envoy) -> Result<String, String> {
    let text = envoy.admin().get("/server_info").await;
    let info: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    // Commit, version, and how it was built.
    let version = info["version"].as_str().unwrap_or_default();
    Ok(version.split('/').nth(1).unwrap_or(version).to_owned())
}

/// What a run gave.
struct Run {
    seen: closed::Seen,
    latencies: load::Seen,
    /// Of the Envoy, in the closed loop.
    cpu: Duration,
    /// The share of the machine that others had.
    others: f64,
}

/// Runs one client of each kind, one after the other.
fn timed_run(
    closed: &closed::Job,
    open: Option<&Job>,
    envoy: u32,
    processes: &[u32],
) -> Result<Run, String> {
    let ours = || -> Result<Duration, String> {
        let processes = processes.iter().copied().map(machine::cpu);
        Ok(processes.sum::<Result<Duration, String>>()? + machine::own_cpu()?)
    };
    let (begun, busy_before, ours_before) = (Instant::now(), machine::busy()?, ours()?);

    let client = Client::start(closed.to_arguments())?;
    let before = machine::cpu(envoy)?;
    let seen: closed::Seen = client.run()?;
    let cpu = machine::cpu(envoy)?.saturating_sub(before);

    let latencies = match open {
        None => load::Seen::default(),
        Some(open) => {
            // Of the same accounts, in the same order.
            let Traffic { seed, segment } = closed.traffic;
            let what = ["open".to_owned(), seed.to_string(), segment.to_string()];
            Client::start(what.into_iter().chain(open.to_arguments()))?.run()?
        }
    };

    let busy = machine::busy()?.saturating_sub(busy_before);
    let others = busy.saturating_sub(ours()?.saturating_sub(ours_before));
    let machine = begun.elapsed().as_secs_f64() * machine::cores() as f64;
    Ok(Run {
        seen,
        latencies,
        cpu,
        others: others.as_secs_f64() / machine,
    })
}
