//! Which proxies are there now, which are missing, and which were removed, by the metric `up`.

use std::collections::{BTreeMap, BTreeSet};

use turnout_core::Time;

use crate::prometheus_client::QueryError;
use crate::prometheus_presence::{Presence, interval};
use crate::prometheus_source::{PRESENCE_CHUNK_MS, PrometheusSource, Timeline};

/// A sample may be so many intervals old, and at least so many milliseconds.
const FRESH_INTERVALS: i64 = 3;
const FRESH_MS: i64 = 30_000;
/// How many instances one query names.
const MOST_INSTANCES: usize = 20;

/// What is known of proxies now.
#[derive(Debug, Default)]
pub(crate) struct Liveness {
    missing: BTreeMap<String, String>,
    gone: BTreeSet<String>,
    never_seen: BTreeMap<String, String>,
}

/// A target of Prometheus.
struct Target {
    instance: String,
    job: String,
    is_up: bool,
}

impl Liveness {
    pub(crate) fn read(
        source: &PrometheusSource,
        timelines: &BTreeMap<String, Timeline>,
        presence: &Presence,
        (start, end): (i64, i64),
    ) -> Result<Self, String> {
        let targets = targets(source, end).map_err(QueryError::into_text)?;
        let mut liveness = Self::default();
        let mut without_up: Vec<(&str, i64)> = Vec::new();
        for (proxy, timeline) in timelines {
            let last = timeline.last_key_value().map_or(start, |(time, _)| *time);
            let last = presence.last_seen(proxy).unwrap_or(last).max(last);
            let mut of_proxy = targets
                .iter()
                .filter(|target| target.instance == *proxy)
                .peekable();
            if of_proxy.peek().is_none() {
                without_up.push((proxy, last));
                continue;
            }
            let why = match of_proxy.any(|target| target.is_up) {
                false => Some(format!(
                    "Prometheus has failed to scrape it since {}",
                    time(last)
                )),
                true if is_stale(last, presence.interval(proxy), end) => {
                    Some(format!("its last metrics are of {}", time(last)))
                }
                true => None,
            };
            liveness.missing.extend(why.map(|why| (proxy.clone(), why)));
        }
        liveness.look_for_removed(source, &without_up, presence, (start, end))?;
        liveness.never_seen = never_seen(&targets, timelines);
        Ok(liveness)
    }

    /// Whether a proxy was removed from what Prometheus scrapes.
    pub(crate) fn is_gone(&self, proxy: &str) -> bool {
        self.gone.contains(proxy)
    }

    /// Why a proxy is missing, as a sentence.
    pub(crate) fn why_missing(&self, proxy: &str) -> Option<&str> {
        self.missing.get(proxy).map(String::as_str)
    }

    /// The proxies without metrics, each with a sentence that says why it is missing.
    pub(crate) fn never_seen(&self) -> impl Iterator<Item = (&str, &str)> {
        let never_seen = self.never_seen.iter();
        never_seen.map(|(proxy, why)| (proxy.as_str(), why.as_str()))
    }

    /// Finds which of the proxies without `up` were removed. Prometheus marks the series of a target that it
    /// no longer scrapes; a Prometheus that stops leaves no mark.
    fn look_for_removed(
        &mut self,
        source: &PrometheusSource,
        proxies: &[(&str, i64)],
        presence: &Presence,
        (start, end): (i64, i64),
    ) -> Result<(), String> {
        for some in proxies.chunks(MOST_INSTANCES) {
            let names = some.iter().map(|(proxy, _)| *proxy);
            let last_up = last_up(source, names, (start, end))?;
            for (proxy, last) in some {
                let why = match last_up.get(*proxy) {
                    None if is_stale(*last, presence.interval(proxy), end) => Some(format!(
                        "its last metrics are of {}, and there is no `up` that shows whether it was removed",
                        time(*last)
                    )),
                    // It pushes its metrics.
                    None => None,
                    Some(up) => match is_marked(source, proxy, *up, end)? {
                        true => {
                            self.gone.insert((*proxy).to_owned());
                            None
                        }
                        false => Some(format!(
                            "it has no metrics since {}, and Prometheus did not record that it was removed; if it was, \
                             use a later --since",
                            time(*last)
                        )),
                    },
                };
                self.missing
                    .extend(why.map(|why| ((*proxy).to_owned(), why)));
            }
        }
        Ok(())
    }
}

/// The last samples of `up`: their time, and the interval between them.
#[derive(Clone, Copy)]
struct LastUp {
    at: i64,
    interval: i64,
}

fn last_up<'a>(
    source: &PrometheusSource,
    proxies: impl Iterator<Item = &'a str>,
    (start, end): (i64, i64),
) -> Result<BTreeMap<String, LastUp>, String> {
    let mut wanted: BTreeSet<String> = proxies.map(str::to_owned).collect();
    let mut found = BTreeMap::new();
    let mut to = end;
    while to > start && !wanted.is_empty() {
        let from = to.saturating_sub(PRESENCE_CHUNK_MS).max(start);
        let selector = source.selectors().up_of(wanted.iter().map(String::as_str));
        let mut times: BTreeMap<String, BTreeSet<i64>> = BTreeMap::new();
        for one in source.range(&selector, from, to)?.iter().flatten() {
            let instance = one.labels.get("instance").cloned().unwrap_or_default();
            let samples = one.samples.iter().map(|sample| sample.at);
            times.entry(instance).or_default().extend(samples);
        }
        for (instance, times) in times {
            if let Some(at) = times.last().copied() {
                wanted.remove(&instance);
                let interval = interval(times.into_iter().rev());
                found.insert(instance, LastUp { at, interval });
            }
        }
        to = from;
    }
    Ok(found)
}

/// Whether Prometheus has marked the end of `up`. Without a mark, it still returns the last value after two intervals.
fn is_marked(source: &PrometheusSource, proxy: &str, up: LastUp, end: i64) -> Result<bool, String> {
    let later = up.at.saturating_add(up.interval.saturating_mul(5) / 2);
    // At `end` there is no value.
    if later >= end {
        return Ok(true);
    }
    let series = source.query(&source.selectors().up_of([proxy]), Some(later));
    Ok(series.map_err(QueryError::into_text)?.is_empty())
}

fn targets(source: &PrometheusSource, end: i64) -> Result<Vec<Target>, QueryError> {
    let series = source.query(&source.selectors().up(), Some(end))?;
    let label = |labels: &BTreeMap<String, String>, name: &str| {
        labels.get(name).cloned().unwrap_or_default()
    };
    let targets = series.iter().map(|series| Target {
        instance: label(&series.labels, "instance"),
        job: label(&series.labels, "job"),
        is_up: series.samples.iter().any(|sample| sample.value == Some(1)),
    });
    Ok(targets.collect())
}

/// The targets that are down and have no metrics, if all others of their jobs are proxies. In a job that also has other
/// programs, it is unknown what they are.
fn never_seen(
    targets: &[Target],
    timelines: &BTreeMap<String, Timeline>,
) -> BTreeMap<String, String> {
    let is_proxy = |target: &Target| timelines.contains_key(&target.instance);
    let mut never_seen = BTreeMap::new();
    for target in targets
        .iter()
        .filter(|target| !target.is_up && !is_proxy(target))
    {
        let mut others = targets.iter().filter(|other| other.job == target.job);
        if others.clone().any(is_proxy) && others.all(|other| is_proxy(other) || !other.is_up) {
            let why = "Prometheus cannot scrape it, and has no metrics of it; all targets of its job that it can scrape \
                       are proxies"
                .to_owned();
            never_seen.insert(target.instance.clone(), why);
        }
    }
    never_seen
}

fn is_stale(last: i64, interval: i64, end: i64) -> bool {
    let limit = interval.saturating_mul(FRESH_INTERVALS).max(FRESH_MS);
    end.saturating_sub(last) > limit
}

fn time(milliseconds: i64) -> Time {
    Time::from_seconds(milliseconds.div_euclid(1_000))
}
