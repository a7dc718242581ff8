//! A histogram of response times with a fixed number of buckets.

/// The upper bound of the first bucket, in microseconds. Each further bound is twice as high.
const FIRST: u64 = 125;
const BOUNDED: usize = 18;

/// A histogram of microseconds: 18 buckets from 125 µs to 16 s, and one above.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Latency {
    counts: [u64; BOUNDED + 1],
}

impl Latency {
    /// Counts one response.
    pub fn record(&mut self, micros: u64) {
        let bucket = bounds().position(|bound| bound.is_none_or(|bound| micros <= bound));
        if let Some(count) = bucket.and_then(|bucket| self.counts.get_mut(bucket)) {
            *count = count.saturating_add(1);
        }
    }

    /// Returns the upper bound in microseconds (`None` for the last bucket) and the count of each
    /// non-empty bucket.
    pub fn buckets(&self) -> impl Iterator<Item = (Option<u64>, u64)> {
        bounds().zip(self.counts).filter(|(_, count)| *count > 0)
    }
}

fn bounds() -> impl Iterator<Item = Option<u64>> {
    (0..BOUNDED)
        .map(|doublings| FIRST.checked_shl(u32::try_from(doublings).unwrap_or(u32::MAX)))
        .chain([None])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_is_in_the_first_bucket_that_holds_it() {
        let mut latency = Latency::default();
        for micros in [0, 125, 126, 250, 16_384_000, 16_384_001, u64::MAX] {
            latency.record(micros);
        }
        let buckets: Vec<_> = latency.buckets().collect();
        assert_eq!(
            buckets,
            [
                (Some(125), 2),
                (Some(250), 2),
                (Some(16_384_000), 1),
                (None, 2)
            ]
        );
    }
}
