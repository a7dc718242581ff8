//! Reads the counters of all proxies from a Prometheus server, as raw samples with their times.
//!
//! Prometheus's own `rate` and `increase` extrapolate, so they are not used: each instance's samples become readings,
//! and the ledger finds restarts in them.

use std::collections::{BTreeMap, BTreeSet};

use crate::metric_names::MetricNames;
use crate::prometheus_address::PrometheusAddress;
use crate::prometheus_client::{PrometheusClient, QueryError};
use crate::prometheus_liveness::Liveness;
use crate::prometheus_presence::Presence;
use crate::prometheus_response::Series;
use crate::prometheus_samples::ProxySamples;
use crate::prometheus_selector::{LabelMatcher, Selectors};
use crate::prometheus_series::Measure;
use crate::prometheus_token::BearerToken;
use crate::prometheus_window::Since;
use crate::reading::{Reading, Scrape};

/// How far before the start a sample may be to show the value at the start. Prometheus looks back as far.
const LOOKBACK_MS: i64 = 300_000;
/// The span of one query for all metrics. Spans in which no proxy has started or stopped are skipped.
const CHUNK_MS: i64 = 600_000;
/// The span of one query for the metrics that show which proxies ran.
pub(crate) const PRESENCE_CHUNK_MS: i64 = 6 * 3_600_000;
/// The shortest span of a query. A longer one that the server does not return is split in two.
const SHORTEST_CHUNK_MS: i64 = 15_000;

/// A Prometheus server, with what to read from it.
#[derive(Debug)]
pub struct PrometheusSource {
    client: PrometheusClient,
    selectors: Selectors,
    names: MetricNames,
}

/// What a Prometheus server has of all proxies in a span of time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PrometheusReadings {
    /// One reading of each proxy, from which its counts begin.
    pub baseline: Vec<Scrape>,
    /// Later readings in the order of time, also of proxies that are gone now.
    pub history: Vec<Scrape>,
    /// The last readings of the proxies that are there now, and those that are missing.
    pub current: Vec<Scrape>,
    /// The server's warnings that its responses may be incomplete. If there are any, `current` has something missing.
    pub warnings: Vec<String>,
}

/// All readings of one proxy that matter, by time.
pub(crate) type Timeline = BTreeMap<i64, Reading>;

impl PrometheusSource {
    /// Prepares reading from a server.
    ///
    /// # Errors
    /// A sentence that says why the address is invalid.
    pub fn new(
        url: &str,
        token: Option<BearerToken>,
        matchers: &[LabelMatcher],
        names: MetricNames,
    ) -> Result<Self, String> {
        let address = PrometheusAddress::parse(url)?;
        Ok(Self {
            client: PrometheusClient::new(address, token),
            selectors: Selectors::new(matchers, names.clusters().map(str::to_owned).collect()),
            names,
        })
    }

    /// Reads everything since a time.
    ///
    /// # Errors
    /// A sentence that says why the server cannot be read, or its data cannot be used.
    pub fn read(&self, since: Since) -> Result<PrometheusReadings, String> {
        let end = self.now()?;
        let start = since.start(end)?;
        let presence = self.presence(start, end)?;
        let chunks = chunks(start, end);
        let needed = presence.chunks(&chunks);
        let mut timelines = self.timelines(&chunks, &needed)?;
        if needed.len() < chunks.len() && !presence.explains(&timelines) {
            let all = (0..chunks.len()).collect();
            timelines = self.timelines(&chunks, &all)?;
        }
        if timelines.is_empty() {
            return Err(self.client.sentence(
                "it has no metrics of Turnout in this time; does it scrape /stats/prometheus of the proxies, and does \
                 --match select them?",
            ));
        }
        let liveness = Liveness::read(
            self,
            &timelines,
            &presence,
            (start.saturating_sub(LOOKBACK_MS), end),
        )?;
        Ok(assemble(
            timelines,
            &liveness,
            start,
            self.client.warnings(),
        ))
    }

    /// The current time of the server, in milliseconds since 1970.
    fn now(&self) -> Result<i64, String> {
        let series = self.query("time()", None).map_err(QueryError::into_text)?;
        let mut samples = series.iter().flat_map(|series| &series.samples);
        let now = samples.next().map(|sample| sample.at);
        now.ok_or_else(|| self.client.sentence("it does not report its time"))
    }

    pub(crate) fn query(&self, query: &str, at: Option<i64>) -> Result<Vec<Series>, QueryError> {
        self.client.query(query, at)
    }

    pub(crate) const fn selectors(&self) -> &Selectors {
        &self.selectors
    }

    /// Returns the raw samples of a selector after one time and up to another. Splits the span if it is too long for
    /// the server, so there may be several results, in the order of time.
    pub(crate) fn range(
        &self,
        selector: &str,
        from: i64,
        to: i64,
    ) -> Result<Vec<Vec<Series>>, String> {
        let mut results = Vec::new();
        let mut spans = vec![(from, to)];
        while let Some((from, to)) = spans.pop() {
            let length = to.saturating_sub(from);
            match self.query(&format!("{selector}[{length}ms]"), Some(to)) {
                Ok(series) => results.push(series),
                Err(QueryError::TooMuch(_)) if length > SHORTEST_CHUNK_MS => {
                    let half = from.saturating_add(length / 2);
                    spans.extend([(half, to), (from, half)]);
                }
                Err(error) => return Err(error.into_text()),
            }
        }
        Ok(results)
    }

    fn presence(&self, start: i64, end: i64) -> Result<Presence, String> {
        let mut presence = Presence::default();
        let mut from = start.saturating_sub(LOOKBACK_MS);
        while from < end {
            let to = from.saturating_add(PRESENCE_CHUNK_MS).min(end);
            for series in self.range(&self.selectors.presence(), from, to)? {
                for one in &series {
                    if let Some(measure) = Measure::of(&one.labels, &self.names)? {
                        presence.add(self.instance(one)?, &measure, &one.samples);
                    }
                }
            }
            from = to;
        }
        Ok(presence)
    }

    /// The readings of the proxies with the filter, in these chunks.
    fn timelines(
        &self,
        chunks: &[(i64, i64)],
        needed: &BTreeSet<usize>,
    ) -> Result<BTreeMap<String, Timeline>, String> {
        let mut timelines: BTreeMap<String, Timeline> = BTreeMap::new();
        let mut with_filter: BTreeSet<String> = BTreeSet::new();
        for &(from, to) in needed.iter().filter_map(|index| chunks.get(*index)) {
            for series in self.range(&self.selectors.readings(), from, to)? {
                for (proxy, samples) in self.by_proxy(&series)? {
                    if samples.has_filter() {
                        with_filter.insert(proxy.clone());
                    }
                    let readings = samples.readings(&proxy).into_iter();
                    let readings = readings.map(|reading| (time_of(&reading), reading));
                    timelines.entry(proxy).or_default().extend(readings);
                }
            }
        }
        timelines.retain(|proxy, timeline| with_filter.contains(proxy) && !timeline.is_empty());
        Ok(timelines)
    }

    fn by_proxy(&self, series: &[Series]) -> Result<BTreeMap<String, ProxySamples>, String> {
        let mut proxies: BTreeMap<String, ProxySamples> = BTreeMap::new();
        for one in series {
            let Some(measure) = Measure::of(&one.labels, &self.names)? else {
                continue;
            };
            let instance = self.instance(one)?;
            let proxy = proxies.entry(instance.to_owned()).or_default();
            if !proxy.add(measure, &one.samples) {
                return Err(self.client.sentence(&format!(
                    "it has two series for the same metric of the instance {}, so its counts would be added twice; \
                     select one with --match, for example by `job` or by the label of the replica",
                    turnout_text::escape_for_terminal(instance)
                )));
            }
        }
        Ok(proxies)
    }

    fn instance<'a>(&self, series: &'a Series) -> Result<&'a str, String> {
        let instance = series
            .labels
            .get("instance")
            .filter(|instance| !instance.is_empty());
        instance.map(String::as_str).ok_or_else(|| {
            let name = series.labels.get("__name__").map_or("", String::as_str);
            self.client.sentence(&format!(
                "{} has no label `instance`, so a restart of one proxy cannot be recognised; keep the label when you \
                 aggregate or relabel",
                turnout_text::escape_for_terminal(name)
            ))
        })
    }
}

pub(crate) fn time_of(reading: &Reading) -> i64 {
    i64::try_from(reading.at_ms).unwrap_or_default()
}

/// The spans to read, in the order of time: the first is before the start.
fn chunks(start: i64, end: i64) -> Vec<(i64, i64)> {
    let mut chunks = Vec::new();
    let mut to = end;
    while to > start {
        let from = to.saturating_sub(CHUNK_MS).max(start);
        chunks.push((from, to));
        to = from;
    }
    chunks.push((start.saturating_sub(LOOKBACK_MS), start));
    chunks.reverse();
    chunks
}

fn assemble(
    timelines: BTreeMap<String, Timeline>,
    liveness: &Liveness,
    start: i64,
    warnings: Vec<String>,
) -> PrometheusReadings {
    let mut all = PrometheusReadings::default();
    let mut history: Vec<(i64, Scrape)> = Vec::new();
    for (proxy, mut timeline) in timelines {
        let before = timeline.range(..=start).next_back().map(|(at, _)| *at);
        let baseline = match before {
            Some(at) => timeline
                .remove(&at)
                .inspect(|_| timeline.retain(|time, _| *time > at)),
            None => timeline
                .first_key_value()
                .map(|(_, first)| first_baseline(first, start)),
        };
        let Some(baseline) = baseline else {
            continue;
        };
        let last = timeline
            .pop_last()
            .map_or_else(|| baseline.clone(), |(_, last)| last);
        let is_gone = liveness.is_gone(&proxy);
        if is_gone && time_of(&last) <= start {
            continue;
        }
        all.baseline.push(Scrape::Read(baseline));
        let earlier = timeline.into_iter();
        history.extend(earlier.map(|(time, reading)| (time, Scrape::Read(reading))));
        match liveness.why_missing(&proxy) {
            None if !is_gone => all.current.push(Scrape::Read(last)),
            why => {
                history.push((time_of(&last), Scrape::Read(last)));
                let why = why.map(str::to_owned);
                all.current
                    .extend(why.map(|why| Scrape::Missing { proxy, why }));
            }
        }
    }
    let others = liveness.never_seen().map(|(proxy, why)| Scrape::Missing {
        proxy: proxy.to_owned(),
        why: why.to_owned(),
    });
    all.current.extend(others);
    // Whatever it is, it may be a proxy.
    all.current
        .extend(warnings.first().map(|warning| Scrape::Missing {
            proxy: "part of the data".to_owned(),
            why: format!("Prometheus warns that its response may be incomplete: {warning}"),
        }));
    history.sort_by_key(|(time, _)| *time);
    all.history = history.into_iter().map(|(_, scrape)| scrape).collect();
    all.warnings = warnings;
    all
}

/// The baseline of a proxy that has no sample at the start. A proxy that has started later counts from zero. An older
/// one was not scraped before, so it counts from its first sample.
fn first_baseline(first: &Reading, start: i64) -> Reading {
    let started = first.uptime.and_then(|uptime| {
        let uptime = i64::try_from(uptime).ok()?.checked_mul(1_000)?;
        Some(time_of(first).saturating_sub(uptime))
    });
    let Some(started) = started.filter(|started| *started >= start) else {
        return first.clone();
    };
    let mut baseline = Reading {
        proxy: first.proxy.clone(),
        at_ms: u64::try_from(started).unwrap_or_default(),
        uptime: Some(0),
        ..Reading::default()
    };
    for (counter, _) in first.counters.iter() {
        baseline.counters.insert(counter.clone(), 0);
    }
    baseline
}
