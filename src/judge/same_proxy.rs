//! Recognises a proxy that was read twice, so that it does not count twice.

use turnout_admin::{Counter, CounterValues};

use crate::reading::{Reading, Scrape};

/// The interval in which Envoy updates the uptime by default, in seconds.
const STATS_INTERVAL: u64 = 5;

/// Replaces each reading of a proxy that has an earlier reading under another name: it is missing then, because it
/// is unknown which proxy should have been read. `is_same` compares what a reading does not have.
pub(crate) fn without_doubles<T>(
    scrapes: Vec<(Scrape, T)>,
    is_same: impl Fn(&T, &T) -> bool,
) -> Vec<Scrape> {
    let mut kept: Vec<(Scrape, T)> = Vec::new();
    for (scrape, more) in scrapes {
        let other = match &scrape {
            Scrape::Missing { .. } => None,
            Scrape::Read(reading) => kept.iter().find_map(|(other, others)| match other {
                Scrape::Read(other) if is_same_proxy(reading, other) && is_same(&more, others) => {
                    Some((reading.proxy.clone(), other.proxy.clone()))
                }
                _ => None,
            }),
        };
        let scrape = match other {
            None => scrape,
            Some((proxy, other)) => Scrape::Missing {
                proxy,
                why: format!(
                    "it reports exactly what {other} reports, so both are probably the same proxy; name each proxy once"
                ),
            },
        };
        kept.push((scrape, more));
    }
    kept.into_iter().map(|(scrape, _)| scrape).collect()
}

/// Replaces each reading that is of the same proxy as an earlier one.
#[must_use]
pub fn only_once(scrapes: Vec<Scrape>) -> Vec<Scrape> {
    let scrapes = scrapes.into_iter().map(|scrape| (scrape, ()));
    without_doubles(scrapes.collect(), |(), ()| true)
}

/// Whether two readings of the same time are of one proxy. The filter reports its counters once a second, so they are
/// the same even while requests arrive.
fn is_same_proxy(reading: &Reading, other: &Reading) -> bool {
    let of_filter = |counters: &CounterValues| {
        let mut counters = counters.clone();
        counters.retain(|counter| !matches!(counter, Counter::Cluster(..)));
        counters
    };
    let uptimes = reading.uptime.zip(other.uptime);
    let is_same_age = uptimes.is_none_or(|(one, other)| one.abs_diff(other) <= STATS_INTERVAL);
    let (counters, others) = (of_filter(&reading.counters), of_filter(&other.counters));
    let is_guard = |counter: &Counter| matches!(counter, Counter::Guard(_));
    let mut all = counters.iter();
    // Proxies that have compared no request may look the same.
    let has_compared = all.any(|(counter, count)| is_guard(counter) && count > 0);
    has_compared && is_same_age && counters == others
}
