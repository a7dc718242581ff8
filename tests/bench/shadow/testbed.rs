//! The processes of the bench, and one round of one variant.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde::Serialize;
use support::bench::open_loop::{Job, Seen};
use support::bench::statistics::{percentile, standard_deviations};
use support::bench::{Client, Upstream, machine};
use support::bench::{rounds, series};
use support::envoy::{Bootstrap, Envoy};

use crate::arguments::Settings;
use crate::variants::{Copies, ROLLOUT, TIMEOUT, V2, Variant};

/// The prefix of the filter's counters.
const PREFIX: &str = "wasmcustom.turnout.";
/// How long the last shadow requests may take. Their cost still counts.
const LAST_COPIES: Duration = Duration::from_millis(100);
/// A pause after the warm-up, whose requests come as fast as they can, so that their shadow requests do not
/// affect the measured requests.
const WARM_COPIES: Duration = Duration::from_millis(300);
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
}

/// The processes of one variant.
struct Place {
    variant: Variant,
    envoy: Envoy,
    v2: Option<Upstream>,
}

/// One round of one variant.
pub(crate) type Round = series::Round<Figures>;
/// All rounds of one variant.
pub(crate) type Series = series::Series<Variant, Figures>;

/// What a round measures.
#[derive(Serialize)]
pub(crate) struct Figures {
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) cpu_us: f64,
    /// The 99th percentile of how late the client sent.
    pub(crate) client_late_us: f64,
    /// The share of the machine that v2 took, in percent.
    pub(crate) v2_share: f64,
    pub(crate) primaries: u64,
    pub(crate) shadow_requests: u64,
    pub(crate) outcomes: BTreeMap<String, u64>,
}

/// The counts so far.
#[derive(Clone, Default)]
struct Counts {
    v1: u64,
    v2: u64,
    sampled: u64,
    /// The current value, not a count.
    in_flight: u64,
    outcomes: BTreeMap<String, u64>,
}

impl Testbed {
    pub(crate) async fn start(settings: &Settings) -> Result<Self, String> {
        let (v1, v2) = (Upstream::start("v1")?, Upstream::start("v2")?);
        let mut places = Vec::new();
        for variant in settings.variants.iter().copied() {
            let text = variant.configuration()?;
            let own = match variant.v2 {
                V2::Shared => None,
                V2::Own(_) => Some(Upstream::start(variant.name)?),
            };
            let copies = own.as_ref().unwrap_or(&v2).address();
            let bootstrap = Bootstrap::new(text, v1.address(), copies).concurrency(1);
            places.push(Place {
                variant,
                envoy: Envoy::start(bootstrap).await,
                v2: own,
            });
        }
        Ok(Self { places, v1, v2 })
    }

    pub(crate) async fn envoy_version(&self) -> Result<String, String> {
        let Place { envoy, .. } = self.places.first().ok_or("no variant")?;
        envoy.version().await
    }

    /// The counts since an earlier time, once they add up.
    async fn settled(
        &mut self,
        place: usize,
        before: &Counts,
        sent: u64,
    ) -> Result<Counts, String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let counts = self.counts(place).await?.since(before);
            let variant = self.places[place].variant;
            match counts.check(variant, sent) {
                Ok(()) => return Ok(counts),
                Err(wrong) if Instant::now() > deadline => {
                    return Err(format!("{}: {wrong}", variant.name));
                }
                Err(_) => tokio::time::sleep(POLL).await,
            }
        }
    }

    async fn counts(&mut self, place: usize) -> Result<Counts, String> {
        let filter = format!("^{PREFIX}shadow").replace('.', "\\.");
        let Place { envoy, v2, .. } = &mut self.places[place];
        let stats = envoy.admin().stats(&filter).await;
        let value = |name: &str| {
            let name = format!("{PREFIX}{name}.{ROLLOUT}");
            stats.get(&name).copied().unwrap_or_default()
        };
        let outcome = format!("{PREFIX}shadow.{ROLLOUT}.");
        Ok(Counts {
            v1: self.v1.requests()?,
            v2: v2.as_mut().unwrap_or(&mut self.v2).requests()?,
            sampled: value("shadow_sampled"),
            in_flight: value("shadow_in_flight"),
            outcomes: stats
                .iter()
                .filter_map(|(name, count)| Some((name.strip_prefix(&outcome)?.to_owned(), *count)))
                .collect(),
        })
    }
}

impl rounds::Testbed for Testbed {
    type Settings = Settings;
    type Figures = Figures;

    async fn round(&mut self, place: usize, settings: &Settings) -> Result<Round, String> {
        let Place { variant, envoy, v2 } = &self.places[place];
        let variant = *variant;
        let v2 = v2.as_ref().unwrap_or(&self.v2);
        let processes = [envoy.id(), self.v1.id(), v2.id()];
        // All variants have the same pauses.
        let pauses = match settings.has_faults() {
            true => [WARM_COPIES, TIMEOUT + LAST_COPIES],
            false => [Duration::ZERO, LAST_COPIES],
        };
        let job = Job {
            target: envoy.address(),
            rate: settings.rate,
            requests: settings.rate * settings.seconds,
            connections: settings.connections,
        };
        let (timed, sent) = (f64::from(job.requests), job.sent());
        let before = self.counts(place).await?;
        // Measuring starts after the work of the admin endpoint, with warm connections.
        let run =
            tokio::task::spawn_blocking(move || timed_run(&job, variant.query, processes, pauses))
                .await
                .map_err(|error| error.to_string())?
                .map_err(|error| format!("{}: {error}", variant.name))?;
        let counts = self.settled(place, &before, sent).await?;
        let figures = Figures {
            p50_us: percentile(&run.seen.latency_ns, 50) / 1_000.0,
            p99_us: percentile(&run.seen.latency_ns, 99) / 1_000.0,
            cpu_us: run.cpu.as_secs_f64() * 1e6 / timed,
            client_late_us: percentile(&run.seen.late_ns, 99) / 1_000.0,
            v2_share: run.v2_share * 100.0,
            primaries: sent,
            shadow_requests: counts.v2,
            outcomes: counts.outcomes,
        };
        Ok(Round::new(figures, run.others * 100.0))
    }

    fn memory_kib(&self, place: usize) -> Result<u64, String> {
        machine::memory_kib(self.places[place].envoy.id())
    }
}

/// The measurements of a run.
struct Run {
    seen: Seen,
    /// CPU time of Envoy.
    cpu: Duration,
    /// The share of the machine that other processes took.
    others: f64,
    /// The share of the machine that v2 took.
    v2_share: f64,
}

/// Runs one client. The processes are Envoy and the upstreams. The pauses are those before measuring starts and
/// for the last shadow requests.
fn timed_run(
    job: &Job,
    query: &str,
    processes: [u32; 3],
    pauses: [Duration; 2],
) -> Result<Run, String> {
    let [envoy, _, v2] = processes;
    let [warm, last] = pauses;
    let observer = machine::Observer::start(&processes)?;
    let v2_before = machine::cpu(v2)?;
    let what = ["load", query].map(str::to_owned);
    let client = Client::start(what.into_iter().chain(job.to_arguments()))?;
    std::thread::sleep(warm);
    let before = machine::cpu(envoy)?;
    let seen: Seen = client.run()?;
    std::thread::sleep(last);
    let cpu = machine::cpu(envoy)?.saturating_sub(before);
    let v2 = machine::cpu(v2)?.saturating_sub(v2_before);
    Ok(Run {
        seen,
        cpu,
        others: observer.others()?,
        v2_share: observer.share(v2),
    })
}

impl Counts {
    fn since(mut self, before: &Self) -> Self {
        self.v1 -= before.v1;
        self.v2 -= before.v2;
        self.sampled -= before.sampled;
        for (name, count) in &mut self.outcomes {
            *count -= before.outcomes.get(name).copied().unwrap_or_default();
        }
        self.outcomes.retain(|_, count| *count > 0);
        self
    }

    /// Checks that all primary requests reached v1, and that v2 and the counters have the right numbers.
    fn check(&self, variant: Variant, sent: u64) -> Result<(), String> {
        let Self {
            v1, v2, sampled, ..
        } = *self;
        if v1 != sent {
            return Err(format!("{v1} of {sent} requests reached v1"));
        }
        if !matches!(variant.copies, Copies::Ours { .. }) {
            let copies = sent * u64::from(variant.percent()) / 100;
            return match v2 == copies {
                true => Ok(()),
                false => Err(format!("{v2} of {copies} shadow requests reached v2")),
            };
        }
        if variant.v2 != V2::Shared && self.in_flight > 0 {
            return Err(format!("{} are in flight for ever", self.in_flight));
        }
        let of = |name: &str| self.outcomes.get(name).copied().unwrap_or_default();
        let sum: u64 = self.outcomes.values().sum();
        if sum != sampled {
            return Err(format!("{sampled} sampled, but {sum} outcomes"));
        }
        if standard_deviations(sampled, sent, variant.percent()).abs() > DEVIATIONS {
            let percent = variant.percent();
            return Err(format!("{sampled} of {sent} sampled, not {percent} %"));
        }
        if variant.fault().is_some() {
            // No response of a failing v2 can be compared.
            return match of("equal") + of("different") + of("noise") + of("not_comparable") {
                0 => Ok(()),
                _ => Err(format!("v2 fails, and there is {:?}", self.outcomes)),
            };
        }
        // The report shows timeouts and drops. Differences between equal responses are errors.
        if of("different") + of("noise") + of("not_comparable") + of("v2_error") > 0 {
            return Err(format!("the responses are equal, not {:?}", self.outcomes));
        }
        match (of("equal")..=of("equal") + of("timeout")).contains(&v2) {
            true => Ok(()),
            false => Err(format!(
                "{v2} shadow requests reached v2, of {:?}",
                self.outcomes
            )),
        }
    }
}
