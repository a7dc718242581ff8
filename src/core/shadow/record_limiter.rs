//! Limits how many difference records a worker writes.

use crate::vec_map::VecMap;

use super::token_bucket::TokenBucket;

/// Limits records: one for similar differences each minute, and a token bucket for all of them.
#[derive(Debug)]
pub struct RecordLimiter {
    /// By fingerprint: when a record was last written, and how many were suppressed since.
    seen: VecMap<u64, (u64, u64)>,
    limit: TokenBucket,
}

const ONE_OF_A_KIND_MS: u64 = 60_000;
const MOST_KINDS: usize = 1_024;
const BURST: u32 = 50;
const PER_SECOND: u32 = 10;

impl Default for RecordLimiter {
    fn default() -> Self {
        Self {
            seen: VecMap::default(),
            limit: TokenBucket::new(BURST, PER_SECOND),
        }
    }
}

impl RecordLimiter {
    /// The number of bytes it holds, which is bounded.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.seen.held_bytes()
    }

    /// Whether to write a record now. If so, returns the number of similar records suppressed since the
    /// last one.
    pub fn admit(&mut self, fingerprint: u64, now_ms: u64) -> Option<u64> {
        if let Some((written_at, repeats)) = self.seen.get_mut(&fingerprint) {
            let is_due = now_ms.saturating_sub(*written_at) >= ONE_OF_A_KIND_MS;
            if is_due && self.limit.take(now_ms) {
                *written_at = now_ms;
                return Some(std::mem::take(repeats));
            }
            *repeats = repeats.saturating_add(1);
            return None;
        }
        if self.seen.len() >= MOST_KINDS {
            self.seen
                .retain(|_, (written_at, _)| now_ms.saturating_sub(*written_at) < ONE_OF_A_KIND_MS);
        }
        if self.seen.len() >= MOST_KINDS || !self.limit.take(now_ms) {
            return None;
        }
        self.seen.insert(fingerprint, (now_ms, 0));
        Some(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_a_kind_in_a_minute_and_the_next_says_how_many_there_were() {
        let mut records = RecordLimiter::default();
        let now = 1_000_000;
        assert_eq!(records.admit(1, now), Some(0));
        assert_eq!(records.admit(1, now), None);
        assert_eq!(records.admit(1, now + 59_999), None);
        assert_eq!(records.admit(2, now), Some(0));
        assert_eq!(records.admit(1, now + 60_000), Some(2));
    }

    #[test]
    fn kinds_without_end_are_neither_kept_nor_written() {
        let mut records = RecordLimiter::default();
        let written = (0..100_000).filter(|kind| records.admit(*kind, 7).is_some());
        assert_eq!(written.count(), 50);
        let later = (0..100_000).filter(|kind| records.admit(*kind, 1_000_000).is_some());
        assert!(later.count() <= 50);
        assert!(records.seen.len() <= MOST_KINDS);
    }
}
