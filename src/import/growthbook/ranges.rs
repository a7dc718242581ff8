//! GrowthBook's buckets: converts its floats to ranges of whole buckets.

use crate::error::{ImportError, ImportResult};
use crate::located_value::{AS_EXPORTED, LocatedValue};

/// A version of GrowthBook's hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HashVersion {
    /// 1,000 buckets.
    One,
    /// 10,000 buckets.
    Two,
}

/// The buckets from `start` to before `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BucketRange {
    start: u32,
    end: u32,
}

impl BucketRange {
    pub(super) fn new(start: u32, end: u32) -> Self {
        let end = end.max(start);
        Self { start, end }
    }

    pub(super) fn start(self) -> u32 {
        self.start
    }

    pub(super) fn end(self) -> u32 {
        self.end
    }

    pub(super) fn len(self) -> u32 {
        self.end.saturating_sub(self.start)
    }
}

impl HashVersion {
    /// Reads `hashVersion`, by default 1.
    pub(super) fn new(version: Option<LocatedValue<'_>>) -> ImportResult<Self> {
        let Some(value) = version else {
            return Ok(Self::One);
        };
        match value.integer()? {
            // Go writes 0 for an unset field.
            0 | 1 => Ok(Self::One),
            2 => Ok(Self::Two),
            other => Err(ImportError::new(
                value.at(),
                format!("the hash version {other} is not supported"),
                "expected 1 or 2",
            )),
        }
    }

    pub(super) fn version(self) -> u32 {
        match self {
            Self::One => 1,
            Self::Two => 2,
        }
    }

    pub(super) fn bucket_count(self) -> u32 {
        match self {
            Self::One => 1_000,
            Self::Two => 10_000,
        }
    }

    /// Reads a range `[start, end]`, which excludes its end.
    pub(super) fn range(self, value: &LocatedValue<'_>) -> ImportResult<BucketRange> {
        let mut bounds = value.items()?;
        let (Some(start), Some(end), None) = (bounds.next(), bounds.next(), bounds.next()) else {
            return Err(ImportError::new(
                value.at(),
                "expected a range of two numbers",
                AS_EXPORTED,
            ));
        };
        Ok(self.between(start.number()?, end.number()?))
    }

    /// Reads a coverage, which includes the bucket that equals it, except for 0.
    pub(super) fn coverage(self, value: &LocatedValue<'_>) -> ImportResult<BucketRange> {
        let coverage = value.number()?;
        if coverage == 0.0 {
            return Ok(BucketRange::new(0, 0));
        }
        Ok(BucketRange::new(
            0,
            self.count(|position| position <= coverage),
        ))
    }

    /// The range of each variation: it starts at the sum of the weights before it, and its length is its
    /// weight times the coverage.
    #[expect(
        clippy::float_arithmetic,
        reason = "the same floating-point arithmetic as GrowthBook's"
    )]
    pub(super) fn ranges(
        self,
        variations: usize,
        coverage: Option<LocatedValue<'_>>,
        weights: Option<LocatedValue<'_>>,
    ) -> ImportResult<Vec<BucketRange>> {
        let coverage = match coverage {
            Some(value) => value.number()?.clamp(0.0, 1.0),
            None => 1.0,
        };
        let mut shares = Vec::new();
        if let Some(weights) = weights {
            for weight in weights.items()? {
                shares.push(weight.number()?);
            }
        }
        let sum: f64 = shares.iter().sum();
        if shares.len() != variations || !(0.99..=1.01).contains(&sum) {
            let count = u32::try_from(variations).unwrap_or(u32::MAX);
            shares = vec![1.0 / f64::from(count); variations];
        }
        let mut start = 0.0;
        let ranges = shares.iter().map(|weight| {
            let range = self.between(start, start + coverage * weight);
            start += weight;
            range
        });
        Ok(ranges.collect())
    }

    fn between(self, start: f64, end: f64) -> BucketRange {
        let before = |bound: f64| self.count(|position| position < bound);
        BucketRange::new(before(start), before(end))
    }

    /// Returns the number of buckets for which `holds` is true: it is true for the first buckets and for
    /// none after them.
    #[expect(
        clippy::float_arithmetic,
        reason = "the same floating-point arithmetic as GrowthBook's"
    )]
    fn count(self, holds: impl Fn(f64) -> bool) -> u32 {
        let buckets = self.bucket_count();
        let (mut low, mut high) = (0, buckets);
        while low < high {
            let middle = low.midpoint(high);
            if holds(f64::from(middle) / f64::from(buckets)) {
                low = middle.saturating_add(1);
            } else {
                high = middle;
            }
        }
        low
    }
}

/// Whether the ranges include every bucket.
pub(super) fn cover_all_buckets(ranges: &[BucketRange], buckets: u32) -> bool {
    matches!(merge_adjacent(ranges).as_slice(), [one] if one.len() == buckets)
}

/// Merges ranges that touch or overlap.
pub(super) fn merge_adjacent(ranges: &[BucketRange]) -> Vec<BucketRange> {
    let mut sorted: Vec<_> = ranges.iter().filter(|range| range.len() > 0).collect();
    sorted.sort_by_key(|range| range.start);
    let mut merged: Vec<BucketRange> = Vec::new();
    for range in sorted {
        match merged.last_mut() {
            Some(last) if last.end >= range.start => last.end = last.end.max(range.end),
            _ => merged.push(*range),
        }
    }
    merged
}

/// Reads a namespace, such as `["id", 0, 0.5]`. Namespaces always use version 1 of the hash.
pub(super) fn namespace<'a>(value: &LocatedValue<'a>) -> ImportResult<(&'a str, BucketRange)> {
    let mut parts = value.items()?;
    let (Some(id), Some(start), Some(end)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(ImportError::new(
            value.at(),
            "expected a namespace: a name and two numbers",
            AS_EXPORTED,
        ));
    };
    let range = HashVersion::One.between(start.number()?, end.number()?);
    Ok((id.string()?, range))
}
