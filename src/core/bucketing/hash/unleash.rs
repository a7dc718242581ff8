//! The bucketing of Unleash's gradual rollouts.
//!
//! It is `murmur3("groupId:id", 0) % 100 + 1`; an account is included if the result is not above the percentage.
//! Variants of Unleash have a hash of their own, which is not supported.

use super::murmur3::Murmur3;
use super::{BucketRange, ToolPosition};

const BUCKETS: u32 = 100;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unleash {
    start: Murmur3,
}

impl Unleash {
    pub(crate) fn new(group_id: &str) -> Self {
        let start = Murmur3::new(0).with(group_id.as_bytes()).with(b":");
        Self { start }
    }
}

impl BucketRange for Unleash {
    fn bucket_count(&self) -> u32 {
        BUCKETS
    }

    fn position(&self, account: &[u8]) -> Option<u64> {
        Some(u64::from(self.start.with(account).finish() % BUCKETS))
    }

    fn tool_position(&self, position: u64) -> ToolPosition {
        ToolPosition::Whole(position.saturating_add(1))
    }
}
