//! What proxies have counted since a baseline, over restarts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use turnout_admin::{Counter, CounterValues};
use turnout_core::Plan;

use crate::observation::{Observation, ObservedProxy, ProcessCounters};
use crate::reading::{Reading, Scrape};

/// The version of the format in which a ledger is kept.
const VERSION: u32 = 1;
/// How old the uptime that a proxy reports may be. Envoy updates it when it flushes its stats.
const UPTIME_LAG_MS: u64 = 60_000;

/// What proxies have counted since a baseline. A restart of a proxy resets its counters; the ledger keeps what it has
/// read of them, and counts nothing twice.
///
/// What a proxy counts between its last reading and its restart is lost, because nobody can read it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "StoredLedger", into = "StoredLedger")]
pub struct Ledger {
    since: Since,
    proxies: BTreeMap<String, ProxyLedger>,
    definitions: BTreeMap<String, Definition>,
}

/// The definition of a rollout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Definition {
    /// Identifies the definition that was noted last. A guard starts over when it changes.
    epoch: u64,
    /// Whether it has changed since the ledger began.
    is_changed: bool,
}

/// Since when a ledger counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Since {
    /// Since each proxy started.
    #[default]
    ProxiesStarted,
    /// Since the latest reading of a baseline, in milliseconds since 1970; `None` if no proxy could be read.
    Baseline(Option<u64>),
}

/// What one proxy has counted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ProxyLedger {
    last: Option<LastReading>,
    counted: CounterValues,
    restarts: u64,
    observed_seconds: u64,
    /// Whether all counters of the present process count.
    #[serde(default)]
    is_whole: bool,
    #[serde(skip)]
    now: Presence,
    /// The counters of the reading before the last one, if both are of the same process.
    #[serde(skip)]
    before: Option<CounterValues>,
    /// The increase between the last two readings, and the milliseconds between them.
    #[serde(skip)]
    recent: Option<(CounterValues, u64)>,
}

/// What the next reading of a proxy is compared with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LastReading {
    at_ms: u64,
    uptime: Option<u64>,
    counters: CounterValues,
}

/// What the last call of [`Ledger::record`] had of a proxy.
#[derive(Clone, Debug, Default, PartialEq)]
enum Presence {
    /// Nothing.
    #[default]
    NotMentioned,
    /// A reading, without its counters.
    Read(Reading),
    /// Why it could not be read.
    Missing(String),
}

/// The form in which a ledger is kept.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredLedger {
    version: u32,
    since: Since,
    proxies: BTreeMap<String, ProxyLedger>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    definitions: BTreeMap<String, Definition>,
}

impl From<Ledger> for StoredLedger {
    fn from(ledger: Ledger) -> Self {
        Self {
            version: VERSION,
            since: ledger.since,
            proxies: ledger.proxies,
            definitions: ledger.definitions,
        }
    }
}

impl TryFrom<StoredLedger> for Ledger {
    type Error = String;

    fn try_from(stored: StoredLedger) -> Result<Self, String> {
        if stored.version != VERSION {
            let found = stored.version;
            return Err(format!("expected version {VERSION}, found {found}"));
        }
        Ok(Self {
            since: stored.since,
            proxies: stored.proxies,
            definitions: stored.definitions,
        })
    }
}

impl Ledger {
    /// Forgets everything, and makes these readings the baseline: only later increases count.
    pub fn start_over(&mut self, scrapes: &[Scrape]) {
        let readings = scrapes.iter().filter_map(|scrape| match scrape {
            Scrape::Read(reading) => Some(reading),
            Scrape::Missing { .. } => None,
        });
        let readings: Vec<&Reading> = readings.collect();
        self.since = Since::Baseline(readings.iter().map(|reading| reading.at_ms).max());
        self.proxies.clear();
        self.definitions.clear();
        for reading in readings {
            let proxy = self.proxies.entry(reading.proxy.clone()).or_default();
            proxy.last = Some(LastReading::of(reading));
        }
        self.note_presence(scrapes);
    }

    /// Adds what proxies have counted since their last readings. A proxy may have several readings, in the order of
    /// time.
    ///
    /// A proxy that is in none of the scrapes is assumed to be gone for good: what it has counted stays, and it is not
    /// reported. If it comes back under the same name, its counts continue from its last reading.
    pub fn record(&mut self, scrapes: &[Scrape]) {
        let since = self.since;
        for scrape in scrapes {
            if let Scrape::Read(reading) = scrape {
                let proxy = self.proxies.entry(reading.proxy.clone()).or_default();
                proxy.record(reading, since);
            }
        }
        self.note_presence(scrapes);
    }

    /// Adds those of these earlier readings that are newer than the last one of their proxy. They are in the order of
    /// time, and may include proxies that are gone now.
    pub fn record_unseen(&mut self, scrapes: &[Scrape]) {
        let since = self.since;
        for scrape in scrapes {
            let Scrape::Read(reading) = scrape else {
                continue;
            };
            let proxy = self.proxies.entry(reading.proxy.clone()).or_default();
            let last = proxy.last.as_ref();
            if last.is_none_or(|last| last.at_ms < reading.at_ms) {
                proxy.record(reading, since);
            }
        }
    }

    /// Returns the time of the newest reading, in milliseconds since 1970; `None` if there is none.
    #[must_use]
    pub fn newest_reading_ms(&self) -> Option<u64> {
        let proxies = self.proxies.values();
        let times = proxies.filter_map(|proxy| proxy.last.as_ref().map(|last| last.at_ms));
        times.max()
    }

    /// Notes the definitions of the rollouts in the active policy. If one changes when the ledger has counts of it, these
    /// are of different definitions, until the ledger starts over.
    pub fn note_definitions(&mut self, plan: &Plan) {
        for rollout in plan.rollouts() {
            let Some(guard) = &rollout.guard else {
                continue;
            };
            let epoch = guard.epoch;
            let new = Definition {
                epoch,
                is_changed: false,
            };
            let mut proxies = self.proxies.values();
            let has_counts = proxies.any(|proxy| has_compared(&proxy.counted, &rollout.name));
            let noted = self.definitions.entry(rollout.name.clone());
            let noted = noted.or_insert(new);
            noted.is_changed |= has_counts && noted.epoch != epoch;
            noted.epoch = epoch;
        }
    }

    /// Whether the ledger has a reading of any of these proxies.
    #[must_use]
    pub fn has_read(&self, mut proxies: impl Iterator<Item = impl AsRef<str>>) -> bool {
        proxies.any(|name| {
            let proxy = self.proxies.get(name.as_ref());
            proxy.is_some_and(|proxy| proxy.last.is_some())
        })
    }

    /// Returns what the proxies have counted, and the state of those in the last call of [`record`](Self::record) or
    /// [`start_over`](Self::start_over).
    #[must_use]
    pub fn observation(&self) -> Observation {
        let changed = self.definitions.iter();
        let changed = changed.filter(|(_, definition)| definition.is_changed);
        let mut observation = Observation {
            changed_rollouts: changed.map(|(name, _)| name.clone()).collect(),
            ..Observation::default()
        };
        let mut proxies = Vec::new();
        for (name, proxy) in &self.proxies {
            observation.counters.add(&proxy.counted);
            observation.observed_seconds = observation.observed_seconds.max(proxy.observed_seconds);
            let (missing, reading) = match &proxy.now {
                Presence::NotMentioned => continue,
                Presence::Missing(why) => (Some(why.clone()), Reading::default()),
                Presence::Read(reading) => (None, reading.clone()),
            };
            if let Some((increase, milliseconds)) = &proxy.recent {
                let rates = observation.rates.get_or_insert_default();
                rates.add(&increase.per_second(*milliseconds));
            }
            proxies.push(ObservedProxy {
                name: name.clone(),
                process: match (&proxy.last, reading.has_several_plugins) {
                    (Some(last), false) if missing.is_none() && proxy.is_whole => {
                        Some(ProcessCounters {
                            last: last.counters.clone(),
                            before: proxy.before.clone(),
                            counted: proxy.counted.clone(),
                        })
                    }
                    _ => None,
                },
                missing,
                revision_number: reading.revision_number,
                guards: reading.guards,
                restarts: proxy.restarts,
            });
        }
        observation.proxies = Some(proxies);
        observation
    }

    /// Notes which proxies the last scrapes have, and which of them could not be read.
    fn note_presence(&mut self, scrapes: &[Scrape]) {
        for proxy in self.proxies.values_mut() {
            proxy.now = Presence::NotMentioned;
        }
        for scrape in scrapes {
            let (name, now) = match scrape {
                Scrape::Missing { proxy, why } => (proxy, Presence::Missing(why.clone())),
                Scrape::Read(reading) => (
                    &reading.proxy,
                    Presence::Read(Reading {
                        counters: CounterValues::default(),
                        ..reading.clone()
                    }),
                ),
            };
            let proxy = self.proxies.entry(name.clone()).or_default();
            if matches!(now, Presence::Missing(_)) {
                proxy.recent = None;
            }
            proxy.now = now;
        }
    }
}

impl ProxyLedger {
    fn record(&mut self, reading: &Reading, since: Since) {
        let Some(last) = &mut self.last else {
            if is_counted_whole(reading, since) {
                self.counted.add(&reading.counters);
                self.observed_seconds = reading.uptime.unwrap_or_default();
                self.is_whole = true;
            }
            self.last = Some(LastReading::of(reading));
            return;
        };
        let elapsed_ms = reading.at_ms.saturating_sub(last.at_ms);
        let (increase, milliseconds) = match last.is_of_earlier_instance(reading) {
            true => {
                self.restarts = self.restarts.saturating_add(1);
                self.is_whole = true;
                self.before = None;
                *last = LastReading::of(reading);
                let uptime = reading.uptime.unwrap_or_default();
                self.observed_seconds = self.observed_seconds.saturating_add(uptime);
                let uptime_ms = reading.uptime.map(|uptime| uptime.saturating_mul(1_000));
                let uptime_ms = uptime_ms.unwrap_or(elapsed_ms);
                (
                    reading.counters.clone(),
                    elapsed_ms.min(uptime_ms.max(1_000)),
                )
            }
            false => {
                let mut increase = reading.counters.since(&last.counters);
                // The increase of a cluster that was not read before is unknown.
                increase.retain(|counter| {
                    !matches!(counter, Counter::Cluster(..)) || last.counters.get(counter).is_some()
                });
                let uptimes = reading.uptime.zip(last.uptime);
                let seconds = uptimes.map(|(now, before)| now.saturating_sub(before));
                let seconds = seconds.unwrap_or(elapsed_ms / 1_000);
                self.observed_seconds = self.observed_seconds.saturating_add(seconds);
                self.before = Some(last.counters.clone());
                last.replace(reading);
                (increase, elapsed_ms)
            }
        };
        self.counted.add(&increase);
        self.recent = (milliseconds > 0).then_some((increase, milliseconds));
    }
}

/// Whether a request of this rollout was compared.
fn has_compared(counters: &CounterValues, rollout: &str) -> bool {
    let mut counters = counters.iter();
    counters.any(|(counter, count)| {
        matches!(counter, Counter::Guard(guard) if guard.rollout == rollout) && count > 0
    })
}

/// Whether all counts in a proxy's first reading belong to the ledger. If it is unknown when the proxy started, its
/// counts may be older than the baseline, so they do not belong to it.
fn is_counted_whole(reading: &Reading, since: Since) -> bool {
    let baseline_ms = match since {
        Since::ProxiesStarted => return true,
        Since::Baseline(at_ms) => at_ms,
    };
    let uptime_ms = reading.uptime.map(|uptime| uptime.saturating_mul(1_000));
    let started_ms = uptime_ms.map(|uptime| reading.at_ms.saturating_sub(uptime));
    started_ms
        .zip(baseline_ms)
        .is_some_and(|(started, baseline)| started > baseline)
}

impl LastReading {
    fn of(reading: &Reading) -> Self {
        Self {
            at_ms: reading.at_ms,
            uptime: reading.uptime,
            counters: reading.counters.clone(),
        }
    }

    /// Replaces the reading by a later one of the same instance. Counters that the later one does not have keep their
    /// values: a proxy is asked only for the clusters of a policy that is known.
    fn replace(&mut self, reading: &Reading) {
        self.at_ms = reading.at_ms;
        self.uptime = reading.uptime.or(self.uptime);
        for (counter, count) in reading.counters.iter() {
            self.counters.insert(counter.clone(), count);
        }
    }

    /// Whether the proxy has restarted since this reading.
    fn is_of_earlier_instance(&self, now: &Reading) -> bool {
        if now.counters.is_less_than(&self.counters) {
            return true;
        }
        let Some(uptime) = now.uptime else {
            return false;
        };
        let elapsed_ms = now.at_ms.saturating_sub(self.at_ms);
        // The proxy is younger than this reading.
        if uptime.saturating_mul(1_000).saturating_add(UPTIME_LAG_MS) < elapsed_ms {
            return true;
        }
        let Some(earlier) = self.uptime.filter(|earlier| uptime < *earlier) else {
            return false;
        };
        // A clock that is set back takes as much from the uptime.
        let set_back_ms = self.at_ms.saturating_sub(now.at_ms);
        let shorter_ms = earlier.saturating_sub(uptime).saturating_mul(1_000);
        set_back_ms == 0 || set_back_ms.abs_diff(shorter_ms) > UPTIME_LAG_MS
    }
}

#[cfg(test)]
#[expect(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    reason = "small numbers of a test"
)]
mod tests;
