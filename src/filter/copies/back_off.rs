//! A v2 that fails is asked now and then, so that its failures cost nobody's request anything.

use turnout_core::shadow::{Answered, Outcome, ShadowPlan};

use super::MILLI;
use crate::host;

#[derive(Default)]
pub(super) struct BackOff {
    /// Without an answer in between.
    failures: u32,
    /// In nanoseconds.
    until: u64,
}

/// So many failures in a row, and v2 is left alone.
const MOST_FAILURES: u32 = 8;

impl BackOff {
    /// What v2 has answered, whatever becomes of the comparison.
    pub(super) fn note(&mut self, answer: &Answered, now: u64, shadow: &ShadowPlan) {
        match answer {
            Answered::Reply(_) | Answered::Unread(..) => self.failures = 0,
            Answered::Not(Outcome::Timeout | Outcome::V2Error) => {
                let pause = u64::from(shadow.back_off_ms).saturating_mul(MILLI);
                self.failures = self.failures.saturating_add(1);
                self.until = now.saturating_add(pause);
            }
            Answered::Not(_) => {}
        }
    }

    /// While it lasts one copy at a time asks how v2 is.
    pub(super) fn forbids(&self, in_flight: usize, shadow: &ShadowPlan) -> bool {
        self.failures >= MOST_FAILURES
            && shadow.back_off_ms > 0
            && (in_flight > 0 || host::now() < self.until)
    }
}
