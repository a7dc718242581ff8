//! When proxies ran, by two series of each: the uptime, and the gauge of the revision.

use std::collections::{BTreeMap, BTreeSet};

use crate::prometheus_response::Sample;
use crate::prometheus_series::Measure;
use crate::prometheus_source::Timeline;

/// By how much the start of a process, computed from its uptime, may vary. Envoy updates the uptime when it flushes its
/// stats, by default every five seconds.
const START_TOLERANCE_MS: i64 = 10_000;
/// The assumed interval between the samples of a proxy that has only one.
const UNKNOWN_INTERVAL_MS: i64 = 60_000;
/// How many intervals between the last samples are compared.
const LAST_INTERVALS: usize = 5;

/// When proxies ran.
#[derive(Debug, Default)]
pub(crate) struct Presence {
    proxies: BTreeMap<String, ProxyPresence>,
}

#[derive(Debug, Default)]
struct ProxyPresence {
    has_filter: bool,
    /// When the proxy was seen, in milliseconds since 1970.
    seen: BTreeSet<i64>,
    /// Its uptime in seconds.
    uptimes: BTreeMap<i64, u64>,
}

impl Presence {
    pub(crate) fn add(&mut self, instance: &str, measure: &Measure, samples: &[Sample]) {
        let proxy = self.proxies.entry(instance.to_owned()).or_default();
        proxy.has_filter |= measure.is_of_filter();
        for sample in samples {
            proxy.seen.insert(sample.at);
            if let (Measure::Uptime, Some(uptime)) = (measure, sample.value) {
                proxy.uptimes.insert(sample.at, uptime);
            }
        }
    }

    /// When a proxy was seen last.
    pub(crate) fn last_seen(&self, instance: &str) -> Option<i64> {
        self.proxies.get(instance)?.seen.last().copied()
    }

    /// The usual interval between the samples of a proxy.
    pub(crate) fn interval(&self, instance: &str) -> i64 {
        let proxy = self.proxies.get(instance);
        let seen = proxy.into_iter().flat_map(|proxy| proxy.seen.iter().rev());
        interval(seen.copied())
    }

    /// The chunks that have the first or the last sample of a proxy, or samples around a restart, by their indices.
    /// The first chunk and the last one always count.
    pub(crate) fn chunks(&self, chunks: &[(i64, i64)]) -> BTreeSet<usize> {
        let last = chunks.len().saturating_sub(1);
        let mut needed = BTreeSet::from([0, last]);
        let place = |time: i64| chunks.partition_point(|(_, to)| *to < time);
        for proxy in self.proxies.values().filter(|proxy| proxy.has_filter) {
            let ends = (proxy.seen.first(), proxy.seen.last());
            let (Some(first), Some(last)) = ends else {
                continue;
            };
            match proxy.uptimes.is_empty() {
                // A restart may be anywhere.
                true => needed.extend(place(*first)..=place(*last)),
                false => needed.extend([place(*first), place(*last)]),
            }
            needed.extend(proxy.restarts().into_iter().map(place));
        }
        needed.retain(|index| *index <= last);
        needed
    }

    /// Whether every proxy is known here, and its counters decrease only at its restarts.
    pub(crate) fn explains(&self, timelines: &BTreeMap<String, Timeline>) -> bool {
        timelines.iter().all(|(instance, timeline)| {
            let Some(proxy) = self.proxies.get(instance).filter(|proxy| proxy.has_filter) else {
                return false;
            };
            let restarts = proxy.restarts();
            let mut pairs = timeline.iter().zip(timeline.iter().skip(1));
            pairs.all(|((before, earlier), (after, later))| {
                let mut between = restarts.range(*before..=*after);
                between.next().is_some() || !later.counters.is_less_than(&earlier.counters)
            })
        })
    }
}

impl ProxyPresence {
    /// The times of the samples before and after each restart.
    fn restarts(&self) -> BTreeSet<i64> {
        let mut around = BTreeSet::new();
        let pairs = self.uptimes.iter().zip(self.uptimes.iter().skip(1));
        for ((before, earlier), (after, later)) in pairs {
            let started = |at: i64, uptime: u64| {
                let uptime = i64::try_from(uptime).unwrap_or(i64::MAX);
                at.saturating_sub(uptime.saturating_mul(1_000))
            };
            let moved = started(*after, *later).saturating_sub(started(*before, *earlier));
            if later < earlier || moved.saturating_abs() > START_TOLERANCE_MS {
                around.extend([*before, *after]);
            }
        }
        around
    }
}

/// The middle one of the last intervals between times, which come latest first.
pub(crate) fn interval(latest_first: impl Iterator<Item = i64>) -> i64 {
    let times: Vec<i64> = latest_first
        .take(LAST_INTERVALS.saturating_add(1))
        .collect();
    let pairs = times.iter().zip(times.iter().skip(1));
    let mut intervals: Vec<i64> = pairs
        .map(|(after, before)| after.saturating_sub(*before))
        .collect();
    intervals.sort_unstable();
    let middle = intervals.get(intervals.len() / 2).copied();
    middle.unwrap_or(UNKNOWN_INTERVAL_MS)
}
