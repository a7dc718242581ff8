//! A tool's bucketing of accounts, and the buckets that it gives to v2.

use std::rc::Rc;

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;

use crate::variations::Treatment;

/// A hundred percent, in millionths of a percent.
const HUNDRED_PERCENT: u64 = 100_000_000;

/// The `hash` of a rollout: a tool's hash function with its parameters.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Bucketing {
    /// The key of the tool in the policy's `hash`.
    pub(crate) tool: &'static str,
    /// The members of the policy's `hash`.
    pub(crate) fields: Vec<(&'static str, Value)>,
    /// The number of buckets that the tool has.
    pub(crate) buckets: u32,
    /// Whether v2 has the last buckets, and not the first ones.
    pub(crate) is_v2_last: bool,
}

/// An allocation of some of the buckets to v2, counted from v2's end.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PartialAllocation {
    pub(crate) bucketing: Rc<Bucketing>,
    pub(crate) v2_buckets: u32,
}

/// The accounts of a rule that take v2: none, all, or those in some buckets.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Allocation {
    V1,
    V2,
    Partial(PartialAllocation),
}

impl Allocation {
    /// Allocates this many buckets to v2. The allocation of all buckets is [`Allocation::V2`].
    pub(crate) fn partial(bucketing: Bucketing, v2_buckets: u32) -> Self {
        match v2_buckets >= bucketing.buckets {
            true => Self::V2,
            false => Self::Partial(PartialAllocation {
                bucketing: Rc::new(bucketing),
                v2_buckets,
            }),
        }
    }

    /// Whether v2 has any bucket.
    pub(crate) fn has_v2(&self) -> bool {
        match self {
            Self::V1 => false,
            Self::V2 => true,
            Self::Partial(partial) => partial.v2_buckets > 0,
        }
    }

    /// Returns what both allocate to v2. Partial allocations must have the same bucketing.
    pub(crate) fn intersection(&self, other: &Self) -> Self {
        match (self, other) {
            (Self::V1, _) | (_, Self::V1) => Self::V1,
            (Self::V2, allocation) | (allocation, Self::V2) => allocation.clone(),
            (Self::Partial(a), Self::Partial(b)) if a.v2_buckets <= b.v2_buckets => {
                Self::Partial(a.clone())
            }
            (_, partial) => partial.clone(),
        }
    }

    /// Returns what either allocates to v2. Partial allocations must have the same bucketing.
    pub(crate) fn union(&self, other: &Self) -> Self {
        match (self, other) {
            (Self::V2, _) | (_, Self::V2) => Self::V2,
            (Self::V1, allocation) | (allocation, Self::V1) => allocation.clone(),
            (Self::Partial(a), Self::Partial(b)) if a.v2_buckets >= b.v2_buckets => {
                Self::Partial(a.clone())
            }
            (_, partial) => partial.clone(),
        }
    }
}

impl From<Treatment> for Allocation {
    fn from(treatment: Treatment) -> Self {
        match treatment {
            Treatment::V1 => Self::V1,
            Treatment::V2 => Self::V2,
        }
    }
}

impl Bucketing {
    /// A placeholder for allocations of no bucket or of every bucket.
    pub(crate) fn none() -> Self {
        Self {
            tool: "",
            fields: Vec::new(),
            buckets: 0,
            is_v2_last: false,
        }
    }
}

impl PartialAllocation {
    /// v2's percentage in millionths, rounded to the nearest as percentages in a policy are.
    pub(crate) fn millionths(&self) -> u32 {
        millionths(self.v2_buckets, self.bucketing.buckets)
    }
}

/// Converts `count` buckets of `buckets` to millionths of a percent.
pub(crate) fn millionths(count: u32, buckets: u32) -> u32 {
    let product = u64::from(count).saturating_mul(HUNDRED_PERCENT);
    let rounded = product.saturating_add(u64::from(buckets / 2));
    let percentage = rounded.checked_div(u64::from(buckets)).unwrap_or_default();
    u32::try_from(percentage).unwrap_or(u32::MAX)
}

/// The buckets of v2 among all buckets of a tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum V2Range {
    Empty,
    Full,
    /// This many buckets, starting with the first one.
    First(u32),
    /// This many buckets, ending with the last one.
    Last(u32),
    /// Buckets that are between those of v1, or in several ranges.
    Inner,
}

impl V2Range {
    /// Finds v2 in ranges of buckets that follow each other. `remainder` has the buckets after the last
    /// range.
    pub(crate) fn new(ranges: &[(Treatment, u32)], buckets: u32, remainder: Treatment) -> Self {
        let mut merged: Vec<(Treatment, u32)> = Vec::new();
        let mut room = buckets;
        let last_range = (remainder, buckets);
        for (treatment, length) in ranges.iter().chain([&last_range]) {
            let length = room.min(*length);
            room = room.saturating_sub(length);
            match merged.last_mut() {
                _ if length == 0 => {}
                Some((last, sum)) if last == treatment => *sum = sum.saturating_add(length),
                _ => merged.push((*treatment, length)),
            }
        }
        match merged.as_slice() {
            [] | [(Treatment::V1, _)] => Self::Empty,
            [(Treatment::V2, _)] => Self::Full,
            [(Treatment::V2, length), _] => Self::First(*length),
            [_, (Treatment::V2, length)] => Self::Last(*length),
            _ => Self::Inner,
        }
    }

    /// Converts the range to an allocation; `None` for an inner range, which a policy cannot express.
    ///
    /// The argument of `bucketing` is whether v2 has the last buckets.
    pub(crate) fn allocation(self, bucketing: impl Fn(bool) -> Bucketing) -> Option<Allocation> {
        Some(match self {
            Self::Empty => Allocation::V1,
            Self::Full => Allocation::V2,
            Self::First(length) => Allocation::partial(bucketing(false), length),
            Self::Last(length) => Allocation::partial(bucketing(true), length),
            Self::Inner => return None,
        })
    }
}

impl Serialize for Bucketing {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(self.tool, &Fields(self))?;
        map.end()
    }
}

struct Fields<'a>(&'a Bucketing);

impl Serialize for Fields<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, value) in &self.0.fields {
            map.serialize_entry(name, value)?;
        }
        if self.0.is_v2_last {
            map.serialize_entry("v2", "last")?;
        }
        map.end()
    }
}
