//! Unleash, its gradual rollouts: `murmur3("groupId:id", 0) % 100 + 1`, in when not above the
//! percentage. Its variants are another draw, and not this one.

use super::murmur3::Murmur3;
use super::{BucketRange, ToolPosition};

const PARTS: u32 = 100;

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
    fn parts(&self) -> u32 {
        PARTS
    }

    fn place(&self, account: &[u8]) -> Option<u64> {
        Some(u64::from(self.start.with(account).finish() % PARTS))
    }

    fn tool_position(&self, place: u64) -> ToolPosition {
        ToolPosition::Whole(place.saturating_add(1))
    }
}
