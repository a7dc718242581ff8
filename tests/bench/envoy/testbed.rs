//! The processes of the bench, and one round of one variant.

use std::time::{Duration, Instant};

use support::bench::open_loop::{self, Job};
use support::bench::policy::{PERCENT, ROLLOUT};
use support::bench::rounds;
use support::bench::statistics::percentile;
use support::bench::{Client, Upstream, machine};
use support::envoy::{Bootstrap, Envoy};
use support::temp_folder::Folder;

use crate::arguments::Settings;
use crate::closed_loop;
use crate::series::{Figures, Round};
use crate::traffic::Traffic;
use crate::variants::{Kind, Share, Variant};

/// The prefix of the filter's counters.
const PREFIX: &str = "wasmcustom.turnout.decisions.";
/// The time after which a counter will not change.
const PATIENCE: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(20);
/// A larger deviation, in standard deviations, is not due to chance.
const DEVIATIONS: f64 = 6.0;

/// Everything that the bench starts. Dropping it stops all of it.
pub(crate) struct Testbed {
    // Dropped before the upstreams, because they have connections to them.
    places: Vec<Place>,
    v1: Upstream,
    v2: Upstream,
    /// Each client uses other accounts.
    seed: u64,
    _folder: Folder,
}

/// The processes and counts of one variant.
struct Place {
    variant: Variant,
    envoy: Envoy,
    /// Requests sent so far.
    sent: u64,
    /// Requests that v2 served.
    v2: u64,
    /// Requests with another treatment than the one before of the same account.
    changed: u64,
}

impl Testbed {
    pub(crate) async fn start(settings: &Settings) -> Result<Self, String> {
        let folder = Folder::new();
        // Builds everything before any process starts.
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
        envoy.version().await
    }

    /// All processes of the bench except this one.
    fn processes(&self) -> Vec<u32> {
        let envoys = self.places.iter().map(|place| place.envoy.id());
        envoys.chain([self.v1.id(), self.v2.id()]).collect()
    }
}

impl rounds::Testbed for Testbed {
    type Settings = Settings;
    type Figures = Figures;

    async fn round(&mut self, place: usize, settings: &Settings) -> Result<Round, String> {
        self.seed += 1;
        let processes = self.processes();
        let Place { variant, envoy, .. } = &self.places[place];
        let name = variant.name;
        let closed = closed_loop::Job {
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
            // At least one request.
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
            return Err(format!(
                "{name}: {answered} responses of v2 to {v2} requests"
            ));
        }
        let place = &mut self.places[place];
        place.sent += sent;
        place.v2 += v2;
        place.changed += seen.changed;
        let figures = Figures {
            cpu_us: run.cpu.as_secs_f64() * 1e6 / seen.requests as f64,
            requests_per_second: seen.requests as f64 * 1e3 / seen.milliseconds,
            busy: run.cpu.as_secs_f64() * 1e5 / seen.milliseconds,
            p50_us: percentile(&latencies.latency_ns, 50) / 1e3,
            p99_us: percentile(&latencies.latency_ns, 99) / 1e3,
            client_late_us: percentile(&latencies.late_ns, 99) / 1e3,
        };
        Ok(Round::new(figures, run.others * 100.0))
    }

    /// Checks that v1 and v2 got their shares of the requests so far, and that the counters are right.
    async fn check(&self) -> Result<(), String> {
        for place in &self.places {
            let named = |wrong| format!("{}: {wrong}", place.variant.name);
            place.check_share().map_err(named)?;
            if place.variant.kind() == Kind::Turnout {
                place.check_counters().await.map_err(named)?;
            }
        }
        Ok(())
    }

    fn memory_kib(&self, place: usize) -> Result<u64, String> {
        machine::memory_kib(self.places[place].envoy.id())
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
                "{changed} responses did not have the treatment of their account"
            ));
        }
        // The share varies with the requests and with the accounts.
        let accounts = f64::from(self.variant.segment());
        let drawn = to_v2 * (1.0 - to_v2) * (1.0 / sent as f64 + 1.0 / accounts);
        let away = (v2 as f64 / sent as f64 - to_v2).abs();
        match away <= DEVIATIONS * drawn.sqrt() {
            true => Ok(()),
            false => Err(format!(
                "{v2} of {sent} responses are of v2, not {:.0} %",
                to_v2 * 1e2
            )),
        }
    }

    /// Waits, because the counters may be a moment late.
    async fn check_counters(&self) -> Result<(), String> {
        let (sent, v2) = (self.sent, self.v2);
        let filter = format!("^{PREFIX}").replace('.', "\\.");
        let deadline = Instant::now() + PATIENCE;
        loop {
            let stats = self.envoy.admin().stats(&filter).await;
            let to_v2 = format!("{PREFIX}{ROLLOUT}.v2.");
            let of_v2 = stats.iter().filter(|(name, _)| name.starts_with(&to_v2));
            let of_v2: u64 = of_v2.map(|(_, count)| count).sum();
            // In other modes than split the counters have the treatment that would be, while v1 serves.
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

/// The measurements of a run.
struct Run {
    seen: closed_loop::Seen,
    latencies: open_loop::Seen,
    /// CPU time of Envoy in the closed loop.
    cpu: Duration,
    /// The share of the machine that other processes took.
    others: f64,
}

/// Runs one client of each kind in turn.
fn timed_run(
    closed: &closed_loop::Job,
    open: Option<&Job>,
    envoy: u32,
    processes: &[u32],
) -> Result<Run, String> {
    let observer = machine::Observer::start(processes)?;

    let client = Client::start(closed.to_arguments())?;
    let before = machine::cpu(envoy)?;
    let seen: closed_loop::Seen = client.run()?;
    let cpu = machine::cpu(envoy)?.saturating_sub(before);

    let latencies = match open {
        None => open_loop::Seen::default(),
        Some(open) => {
            // The same accounts in the same order.
            let Traffic { seed, segment } = closed.traffic;
            let what = ["open".to_owned(), seed.to_string(), segment.to_string()];
            Client::start(what.into_iter().chain(open.to_arguments()))?.run()?
        }
    };

    Ok(Run {
        seen,
        latencies,
        cpu,
        others: observer.others()?,
    })
}
