//! The bucketing of Split, algorithm 2.
//!
//! It is `murmur3(key, seed) % 100 + 1`; an account is included if the result is not above the percentage. A
//! flag's traffic allocation hashes the account separately first: accounts above it get the default treatment
//! and are never bucketed.

use super::murmur3::Murmur3;
use super::{BucketRange, ToolPosition};

const BUCKETS: u32 = 100;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Split {
    start: Murmur3,
    traffic: Option<Traffic>,
}

/// A traffic allocation below 100 %.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Traffic {
    start: Murmur3,
    percent: u32,
}

impl Split {
    pub(crate) fn new(seed: u32, traffic: Option<Traffic>) -> Self {
        let start = Murmur3::new(seed);
        Self { start, traffic }
    }
}

impl Traffic {
    pub(crate) fn new(seed: u32, percent: u32) -> Self {
        let start = Murmur3::new(seed);
        Self { start, percent }
    }

    fn contains(&self, account: &[u8]) -> bool {
        self.start.with(account).finish() % BUCKETS < self.percent
    }
}

impl BucketRange for Split {
    fn bucket_count(&self) -> u32 {
        BUCKETS
    }

    fn position(&self, account: &[u8]) -> Option<u64> {
        let is_bucketed = self.traffic.is_none_or(|traffic| traffic.contains(account));
        is_bucketed.then(|| u64::from(self.start.with(account).finish() % BUCKETS))
    }

    fn tool_position(&self, position: u64) -> ToolPosition {
        ToolPosition::Whole(position.saturating_add(1))
    }
}
