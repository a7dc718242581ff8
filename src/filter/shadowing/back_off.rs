//! Backs off from a failing v2: it is called only now and then, so that its failures do not delay other
//! requests.

use turnout_core::shadow::{CallResult, Outcome, ShadowPlan};

use super::MILLI;
use crate::host;

#[derive(Default)]
pub(super) struct BackOff {
    /// The number of failures since the last response.
    failures: u32,
    /// The end of the pause, in nanoseconds.
    until: u64,
}

/// After this many failures in a row, v2 is in back-off.
const MOST_FAILURES: u32 = 8;

impl BackOff {
    /// Notes the result of a call to v2.
    pub(super) fn note(&mut self, answer: &CallResult, now: u64, shadow: &ShadowPlan) {
        match answer {
            CallResult::Response(_) | CallResult::StatusOnly(..) => self.failures = 0,
            CallResult::Failed(Outcome::Timeout | Outcome::V2Error) => {
                let pause = u64::from(shadow.back_off_ms).saturating_mul(MILLI);
                self.failures = self.failures.saturating_add(1);
                self.until = now.saturating_add(pause);
            }
            CallResult::Failed(_) => {}
        }
    }

    /// Whether calls are forbidden. After each pause, one shadow request at a time probes v2.
    pub(super) fn forbids(&self, in_flight: usize, shadow: &ShadowPlan) -> bool {
        self.failures >= MOST_FAILURES
            && shadow.back_off_ms > 0
            && (in_flight > 0 || host::now() < self.until)
    }
}
