//! Counts one stratum by the second of the decision, until the second is old enough to enter the test.
//!
//! A second is a tick of the worker's timer, not a reading of its clock, so a clock that jumps changes nothing. The
//! second that ends at one tick settles `settle_seconds` ticks later. Between them there are `settle_seconds` ended
//! seconds and the current one, so a ring of one more slot than `settle_seconds` holds them all.

use crate::bucketing::Fraction;
use crate::decision::Treatment;

use super::counts::{ArmCounts, Arms};
use super::settings::{GuardSettings, SettleSeconds};

/// The counts of one stratum.
#[derive(Debug)]
pub(super) struct SettlingCounts {
    pub(super) requests: Fraction,
    settled: Arms<ArmCounts>,
    /// By second modulo the length.
    seconds: Vec<Arms<SecondCounts>>,
    /// The number of seconds after which an open request is slow; `None` if slow requests are not counted.
    slow_after: Option<u32>,
}

/// The counts of the decisions of one arm in one second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct SecondCounts {
    pub(super) all: u32,
    pub(super) errors: u32,
    pub(super) slow: u32,
    /// How many of `all` have not ended.
    pub(super) open: u32,
}

impl SettlingCounts {
    pub(super) fn new(requests: Fraction, settings: &GuardSettings) -> Self {
        let slots = length(settings.settle_seconds);
        Self {
            requests,
            settled: Arms::default(),
            seconds: vec![Arms::default(); slots],
            slow_after: settings.slow.map(|slow| slow.over_ms.div_ceil(1_000)),
        }
    }

    /// The counts of a second, which must not have settled.
    pub(super) fn second(&mut self, second: u32, arm: Treatment) -> Option<&mut SecondCounts> {
        let slot = self.slot(second)?;
        self.seconds.get_mut(slot).map(|arms| arms.get_mut(arm))
    }

    /// Begins a second, and settles the one that was in its slot.
    pub(super) fn begin(&mut self, second: u32) {
        let oldest = u32::try_from(self.seconds.len()).unwrap_or(u32::MAX);
        let is_open_slow = self.is_slow_at(oldest);
        if let Some(slot) = self.slot(second)
            && let Some(arms) = self.seconds.get_mut(slot)
        {
            let ended = std::mem::take(arms);
            let ended = ended.map(|counts| counts.sum(is_open_slow));
            self.settled = self.settled.zip(ended, ArmCounts::plus);
        }
    }

    /// Settles all seconds. `now` is the current one.
    pub(super) fn settle_all(&mut self, now: u32) {
        let unsettled = self.unsettled(now);
        self.settled = self.settled.zip(unsettled, ArmCounts::plus);
        self.seconds.fill(Arms::default());
    }

    /// The counts of all settled seconds.
    pub(super) const fn settled(&self) -> Arms<ArmCounts> {
        self.settled
    }

    /// The counts of the seconds that have not settled, so far.
    pub(super) fn unsettled(&self, now: u32) -> Arms<ArmCounts> {
        let mut sum = Arms::default();
        for (age, _) in (0_u32..).zip(&self.seconds) {
            let slot = now
                .checked_sub(age)
                .and_then(|second| self.slot(second))
                .and_then(|slot| self.seconds.get(slot));
            let Some(arms) = slot else { break };
            let arms = arms.map(|counts| counts.sum(self.is_slow_at(age)));
            sum = sum.zip(arms, ArmCounts::plus);
        }
        sum
    }

    /// Sets everything to zero.
    pub(super) fn clear(&mut self) {
        self.settled = Arms::default();
        self.seconds.fill(Arms::default());
    }

    pub(super) fn held_bytes(&self) -> usize {
        self.seconds
            .capacity()
            .saturating_mul(size_of::<Arms<SecondCounts>>())
    }

    /// Whether a request that is open after so many ticks since its second began is slow, even if it began at the end
    /// of its second.
    fn is_slow_at(&self, age: u32) -> bool {
        self.slow_after.is_some_and(|seconds| age > seconds)
    }

    fn slot(&self, second: u32) -> Option<usize> {
        usize::try_from(second)
            .ok()?
            .checked_rem(self.seconds.len())
    }
}

impl SecondCounts {
    fn sum(self, is_open_slow: bool) -> ArmCounts {
        let open = if is_open_slow { self.open } else { 0 };
        ArmCounts {
            all: u64::from(self.all),
            errors: u64::from(self.errors),
            slow: u64::from(self.slow).saturating_add(u64::from(open)),
        }
    }
}

/// The number of seconds that have not settled, with the current one.
fn length(settle_seconds: SettleSeconds) -> usize {
    let settle_seconds = usize::try_from(settle_seconds.get()).unwrap_or(usize::MAX);
    settle_seconds.saturating_add(1)
}
