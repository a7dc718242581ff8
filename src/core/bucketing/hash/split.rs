//! Split, algorithm 2: `murmur3(key, seed) % 100 + 1`, in when not above the percentage.
//!
//! A flag's traffic allocation is a draw of its own before that one: above it, a key is given the
//! default treatment and never drawn.

use super::murmur3::Murmur3;
use super::{BucketRange, ToolPosition};

const PARTS: u32 = 100;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Split {
    start: Murmur3,
    traffic: Option<Traffic>,
}

/// Below 100 percent.
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

    fn has(&self, account: &[u8]) -> bool {
        self.start.with(account).finish() % PARTS < self.percent
    }
}

impl BucketRange for Split {
    fn parts(&self) -> u32 {
        PARTS
    }

    fn place(&self, account: &[u8]) -> Option<u64> {
        let is_drawn = self.traffic.is_none_or(|traffic| traffic.has(account));
        is_drawn.then(|| u64::from(self.start.with(account).finish() % PARTS))
    }

    fn tool_position(&self, place: u64) -> ToolPosition {
        ToolPosition::Whole(place.saturating_add(1))
    }
}
