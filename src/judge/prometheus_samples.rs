//! The samples of one proxy in a span of time, and the readings among them that matter.

use std::collections::{BTreeMap, BTreeSet};

use turnout_admin::StatsPage;

use crate::prometheus_response::Sample;
use crate::prometheus_series::Measure;
use crate::reading::Reading;

/// How much earlier than the last reading the one before it is, so that rates are not those of a moment.
const RATE_MS: i64 = 60_000;
/// How many samples before the last are looked at for a complete one.
const LAST_TIMES: usize = 4;

/// The samples of one proxy: times in milliseconds since 1970, and values.
#[derive(Debug, Default)]
pub(crate) struct ProxySamples {
    measures: BTreeMap<Measure, Vec<(i64, u64)>>,
}

impl ProxySamples {
    /// Adds the samples of a series. Returns false if another series has measured the same at the same time.
    pub(crate) fn add(&mut self, measure: Measure, samples: &[Sample]) -> bool {
        let samples = samples.iter();
        let samples: Vec<_> = samples
            .filter_map(|sample| Some((sample.at, sample.value?)))
            .collect();
        let known = self.measures.entry(measure).or_default();
        let span = |samples: &[(i64, u64)]| Some((samples.first()?.0, samples.last()?.0));
        // A label that changes ends one series, and begins another.
        let is_apart = match (span(known), span(&samples)) {
            (Some((from, to)), Some((other_from, other_to))) => to < other_from || other_to < from,
            _ => true,
        };
        if is_apart {
            known.extend(samples);
            known.sort_unstable();
        }
        is_apart
    }

    /// Whether the proxy has the filter.
    pub(crate) fn has_filter(&self) -> bool {
        self.measures.keys().any(Measure::is_of_filter)
    }

    /// Returns the readings that matter: the first and the last, one before the last for rates, and those around
    /// restarts. Counters only increase in between, so the others add nothing.
    pub(crate) fn readings(&self, proxy: &str) -> Vec<Reading> {
        let times = self.times();
        let Some(last) = self.last_complete(&times) else {
            return Vec::new();
        };
        let mut kept: BTreeSet<i64> = times.first().into_iter().copied().collect();
        for (measure, samples) in &self.measures {
            if measure.is_monotonic() {
                let pairs = samples.iter().zip(samples.iter().skip(1));
                for (before, after) in pairs.filter(|(before, after)| after.1 < before.1) {
                    kept.extend([before.0, after.0]);
                }
            }
        }
        let for_rates = times.iter().rev();
        let mut for_rates = for_rates.filter(|time| last.saturating_sub(**time) >= RATE_MS);
        kept.extend(for_rates.next());
        kept.insert(last);
        let kept = kept.into_iter().filter(|time| *time <= last);
        kept.map(|time| self.reading(proxy, time)).collect()
    }

    fn times(&self) -> Vec<i64> {
        let samples = self.measures.values().flatten();
        let times: BTreeSet<i64> = samples.map(|(time, _)| *time).collect();
        times.into_iter().collect()
    }

    /// The last time at which all series have a sample. A scrape can arrive in parts, and a reading without the errors
    /// of v2 would be wrong.
    fn last_complete(&self, times: &[i64]) -> Option<i64> {
        let count = |time: i64| {
            let measures = self.measures.values();
            measures
                .filter(|samples| value_at(samples, time).is_some())
                .count()
        };
        let last: Vec<_> = times.iter().rev().take(LAST_TIMES).copied().collect();
        let pairs = last.iter().zip(last.iter().skip(1));
        let mut pairs = pairs.skip_while(|(time, before)| count(**time) < count(**before));
        let complete = pairs.next().map(|(time, _)| *time);
        complete.or_else(|| last.last().copied())
    }

    fn reading(&self, proxy: &str, time: i64) -> Reading {
        let mut reading = Reading {
            proxy: proxy.to_owned(),
            at_ms: u64::try_from(time).unwrap_or_default(),
            ..Reading::default()
        };
        let mut page = StatsPage::default();
        for (measure, samples) in &self.measures {
            let Some(value) = value_at(samples, time) else {
                continue;
            };
            match measure {
                Measure::Uptime => reading.uptime = Some(value),
                Measure::Revision(plugin) => {
                    page.revision_numbers.insert(plugin.clone(), value);
                }
                Measure::Gauge(rollout, gauge) => {
                    let gauges = reading.guards.entry(rollout.clone()).or_default();
                    gauges.set(*gauge, value);
                }
                Measure::Counter(counter) => reading.counters.insert(counter.clone(), value),
            }
        }
        reading.revision_number = page.revision_number();
        reading.has_several_plugins = page.revision_numbers.len() > 1;
        reading
    }
}

fn value_at(samples: &[(i64, u64)], time: i64) -> Option<u64> {
    let place = samples.binary_search_by_key(&time, |(at, _)| *at).ok()?;
    samples.get(place).map(|(_, value)| *value)
}

#[cfg(test)]
mod tests {
    use turnout_admin::{ClusterStat, Counter};

    use super::*;

    fn cluster(name: &str) -> Measure {
        Measure::Counter(Counter::Cluster(name.into(), ClusterStat::Completed))
    }

    fn samples(of: &[(i64, u64)]) -> Vec<Sample> {
        let samples = of.iter().map(|&(seconds, value)| Sample {
            at: seconds.saturating_mul(1_000),
            value: Some(value),
        });
        samples.collect()
    }

    fn kept(proxy: &ProxySamples) -> Vec<(u64, u64)> {
        let readings = proxy.readings("a");
        let values = readings.iter().map(|reading| {
            let values = reading.counters.iter().map(|(_, count)| count);
            (reading.at_ms / 1_000, values.sum())
        });
        values.collect()
    }

    #[test]
    fn the_first_the_last_and_those_around_restarts_are_kept() {
        let mut proxy = ProxySamples::default();
        let all: Vec<_> = (0..20)
            .map(|n| (n * 15, 100 + u64::try_from(n).unwrap()))
            .collect();
        assert!(proxy.add(cluster("a"), &samples(&all)));
        assert_eq!(kept(&proxy), [(0, 100), (225, 115), (285, 119)]);
        let restarted: Vec<_> = all
            .iter()
            .map(|&(at, n)| (at, if n < 110 { n } else { n - 110 }))
            .collect();
        let mut proxy = ProxySamples::default();
        assert!(proxy.add(cluster("a"), &samples(&restarted)));
        assert_eq!(
            kept(&proxy),
            [(0, 100), (135, 109), (150, 0), (225, 5), (285, 9)]
        );
    }

    #[test]
    fn a_last_scrape_that_has_arrived_in_part_is_left_out() {
        let mut proxy = ProxySamples::default();
        proxy.add(cluster("a"), &samples(&[(0, 1), (15, 2), (30, 3)]));
        proxy.add(cluster("b"), &samples(&[(0, 10), (15, 20)]));
        assert_eq!(kept(&proxy), [(0, 11), (15, 22)]);
        // A series that has ended is not a missing part.
        let mut proxy = ProxySamples::default();
        proxy.add(cluster("a"), &samples(&[(0, 1), (15, 2), (30, 3), (45, 4)]));
        proxy.add(cluster("b"), &samples(&[(0, 10), (15, 20)]));
        assert_eq!(kept(&proxy), [(0, 11), (45, 4)]);
    }

    #[test]
    fn two_series_for_the_same_are_refused_unless_one_follows_the_other() {
        let mut proxy = ProxySamples::default();
        assert!(proxy.add(cluster("a"), &samples(&[(15, 2), (30, 3)])));
        assert!(proxy.add(cluster("a"), &samples(&[(45, 4)])));
        assert!(proxy.add(cluster("a"), &samples(&[(0, 1)])));
        assert!(proxy.add(cluster("a"), &[]));
        assert!(!proxy.add(cluster("a"), &samples(&[(20, 4)])));
        assert_eq!(kept(&proxy), [(0, 1), (45, 4)]);
    }
}
