//! Histograms of response times.

use std::collections::BTreeMap;
use std::fmt;

/// The key of the bucket without an upper bound.
const NO_BOUND: u64 = u64::MAX;
/// The most buckets of one histogram; Envoy's own have 20.
const MOST_BUCKETS: usize = 64;

/// Counts of responses by upper bound, in microseconds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Histogram(BTreeMap<u64, u64>);

impl Histogram {
    /// An empty histogram with the buckets of summary records: 125·2^k µs.
    pub(crate) fn with_summary_buckets() -> Self {
        let bounds = (0..18_u32).map(|power| 125_u64.saturating_mul(1_u64 << power));
        Self(bounds.chain([NO_BOUND]).map(|bound| (bound, 0)).collect())
    }

    /// Adds responses. `None` is the bucket without an upper bound.
    pub(crate) fn add(&mut self, bound: Option<u64>, count: u64) {
        let bound = bound.unwrap_or(NO_BOUND);
        if self.0.len() >= MOST_BUCKETS && !self.0.contains_key(&bound) {
            return;
        }
        let total = self.0.entry(bound).or_default();
        *total = total.saturating_add(count);
    }

    pub(crate) fn add_all(&mut self, other: &Self) {
        for (bound, count) in &other.0 {
            self.add(Some(*bound), *count);
        }
    }

    /// Converts a histogram in which each count includes all lower buckets, as in Prometheus.
    pub(crate) fn from_cumulative(cumulative: &Self) -> Self {
        let mut below = 0_u64;
        let mut buckets = BTreeMap::new();
        for (bound, count) in &cumulative.0 {
            buckets.insert(*bound, count.saturating_sub(below));
            below = below.max(*count);
        }
        Self(buckets)
    }

    pub(crate) fn count(&self) -> u64 {
        self.0.values().fold(0, |sum, n| sum.saturating_add(*n))
    }

    /// The buckets in order: lower bound, upper bound and count. The last upper bound may be `None`.
    pub(crate) fn buckets(&self) -> impl Iterator<Item = (u64, Option<u64>, u64)> {
        let lower = std::iter::once(0).chain(self.0.keys().copied());
        lower
            .zip(&self.0)
            .map(|(lower, (bound, count))| (lower, (*bound != NO_BOUND).then_some(*bound), *count))
    }

    /// Estimates the time within which this percentage of responses came, by linear interpolation in a bucket.
    pub(crate) fn quantile(&self, percent: u8) -> Option<Latency> {
        let rank = u128::from(self.count())
            .saturating_mul(u128::from(percent))
            .div_ceil(100);
        let mut before = 0_u128;
        for (lower, upper, count) in self.buckets() {
            let with = before.saturating_add(u128::from(count));
            if count > 0 && with >= rank {
                let Some(upper) = upper else {
                    return Some(Latency::Above(lower));
                };
                let part = u128::from(upper.saturating_sub(lower))
                    .saturating_mul(rank.saturating_sub(before))
                    .checked_div(u128::from(count))
                    .and_then(|part| u64::try_from(part).ok());
                return Some(Latency::Estimate(lower.saturating_add(part.unwrap_or(0))));
            }
            before = with;
        }
        None
    }
}

/// A time in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Latency {
    Estimate(u64),
    /// Above the last bound.
    Above(u64),
}

impl fmt::Display for Latency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let us = match self {
            Self::Estimate(us) => *us,
            Self::Above(us) => {
                f.write_str("> ")?;
                *us
            }
        };
        match us {
            0..1_000 => write!(f, "{us} µs"),
            1_000..1_000_000 => write!(f, "{} ms", thousandths(us)),
            _ => write!(f, "{} s", thousandths(us.div_ceil(1_000))),
        }
    }
}

/// Formats thousandths with three digits: `1.83`, `18.3`, `183`.
fn thousandths(count: u64) -> String {
    let whole = count / 1_000;
    let rest = count % 1_000;
    let text = match whole {
        0..10 => format!("{whole}.{:02}", rest / 10),
        10..100 => format!("{whole}.{}", rest / 100),
        _ => return whole.to_string(),
    };
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_in_their_bucket() {
        let mut histogram = Histogram::with_summary_buckets();
        histogram.add(Some(1_000), 50);
        histogram.add(Some(2_000), 49);
        histogram.add(None, 1);
        assert_eq!(histogram.quantile(50), Some(Latency::Estimate(1_000)));
        assert_eq!(histogram.quantile(99), Some(Latency::Estimate(2_000)));
        assert_eq!(histogram.quantile(100), Some(Latency::Above(16_384_000)));
        assert_eq!(Histogram::with_summary_buckets().quantile(50), None);
    }

    #[test]
    fn cumulative_counts_are_separated() {
        let mut cumulative = Histogram::default();
        for (bound, count) in [
            (Some(500), 0),
            (Some(1_000), 4),
            (Some(5_000), 10),
            (None, 10),
        ] {
            cumulative.add(bound, count);
        }
        let histogram = Histogram::from_cumulative(&cumulative);
        assert_eq!(histogram.count(), 10);
        assert_eq!(histogram.quantile(40), Some(Latency::Estimate(1_000)));
        assert_eq!(histogram.quantile(70), Some(Latency::Estimate(3_000)));
    }

    #[test]
    fn times_have_three_digits() {
        for (latency, expected) in [
            (Latency::Estimate(830), "830 µs"),
            (Latency::Estimate(1_000), "1 ms"),
            (Latency::Estimate(1_830), "1.83 ms"),
            (Latency::Estimate(18_345), "18.3 ms"),
            (Latency::Estimate(183_450), "183 ms"),
            (Latency::Above(16_384_000), "> 16.3 s"),
        ] {
            assert_eq!(latency.to_string(), expected);
        }
    }

    #[test]
    fn the_number_of_buckets_is_bounded() {
        let mut histogram = Histogram::default();
        for bound in 0..10_000 {
            histogram.add(Some(bound), 1);
        }
        assert_eq!(histogram.buckets().count(), MOST_BUCKETS);
    }
}
