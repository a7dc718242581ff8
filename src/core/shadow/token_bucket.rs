//! A token bucket: limits how often something may happen.

/// A token bucket with a burst and a rate per second.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TokenBucket {
    burst: u32,
    per_second: u32,
    tokens: u32,
    /// When tokens were last added, in milliseconds since 1970.
    filled_at: u64,
}

impl TokenBucket {
    pub(crate) fn new(burst: u32, per_second: u32) -> Self {
        Self {
            burst,
            per_second,
            tokens: burst,
            filled_at: 0,
        }
    }

    /// Takes a token, if there is one. A clock that jumps back only delays the next token.
    pub(crate) fn take(&mut self, now_ms: u64) -> bool {
        self.fill(now_ms);
        let taken = self.tokens.checked_sub(1);
        self.tokens = taken.unwrap_or(0);
        taken.is_some()
    }

    /// Takes a token only if more than half of the burst is left for more important uses.
    pub(crate) fn take_spare(&mut self, now_ms: u64) -> bool {
        self.fill(now_ms);
        self.tokens > self.burst >> 1 && self.take(now_ms)
    }

    /// Refills the whole burst.
    pub(crate) fn refill(&mut self) {
        self.tokens = self.burst;
    }

    fn fill(&mut self, now_ms: u64) {
        let waited = now_ms.saturating_sub(self.filled_at);
        let earned = waited
            .saturating_mul(self.per_second.into())
            .checked_div(1_000)
            .unwrap_or(0);
        // The time of a fraction of a token is not lost.
        if earned > 0 || now_ms < self.filled_at {
            self.filled_at = now_ms;
            let earned = u32::try_from(earned).unwrap_or(u32::MAX);
            self.tokens = self.tokens.saturating_add(earned).min(self.burst);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_and_then_so_many_a_second() {
        let mut limit = TokenBucket::new(3, 2);
        let now = 1_000_000;
        let taken: Vec<bool> = (0..4).map(|_| limit.take(now)).collect();
        assert_eq!(taken, [true, true, true, false]);
        assert!(!limit.take(now + 499));
        assert!(limit.take(now + 500));
        assert!(!limit.take(now + 600));
        assert!(limit.take(now + 1_000));
    }

    #[test]
    fn what_is_spare_leaves_half_of_a_burst() {
        let mut limit = TokenBucket::new(4, 2);
        let spare: Vec<bool> = (0..3).map(|_| limit.take_spare(1_000)).collect();
        assert_eq!(spare, [true, true, false]);
        assert!(limit.take(1_000) && limit.take(1_000) && !limit.take(1_000));
        let mut one = TokenBucket::new(1, 1);
        assert!(one.take_spare(1_000) && !one.take_spare(1_000));
    }

    #[test]
    fn a_clock_that_jumps_gives_at_most_a_burst() {
        let mut limit = TokenBucket::new(2, 1);
        assert!(limit.take(u64::MAX));
        assert!(limit.take(0));
        assert!(!limit.take(0));
        assert!(limit.take(u64::MAX) && limit.take(u64::MAX) && !limit.take(u64::MAX));
    }
}
