//! Simulates the guard of a rollout while v2 fails: how many errors users see before everyone is back on v1.
//!
//! * [`Injection`] has the rollout, and how often v1 and v2 fail.
//! * [`InjectionReport`] has what became of each trial.
//!
//! A trial is one proxy whose workers share their counts at once. Core makes every decision, counts, and holds and
//! trips; what is simulated is the requests, their time, and which of them fail. All of this depends only on a seed.

mod account_requests;
mod injected_rates;
mod log_requests;
mod moment;
mod range;
mod report;
mod report_text;
mod result_group;
mod seed;
mod trial;
mod trial_result;

pub use account_requests::{AccountRequests, AccountTraffic, MOST_PER_SECOND};
pub use injected_rates::{InjectedRates, RateError};
pub use log_requests::{InjectedLog, LogOrder};
pub use moment::Moment;
pub use range::Range;
pub use report::{
    ArmRates, InjectedAccounts, InjectedGuard, InjectionReport, RateSummary, StratumErrors,
};
pub use result_group::ResultGroup;
pub use trial_result::{Outcome, TrialResult};

use std::fmt;

use turnout_core::guard::{GuardAction, RolloutGuard};
use turnout_core::{Mode, Plan, Rollout, Time};
use turnout_text::join_list;

use seed::Seed;
use trial::Trial;

/// The highest number of milliseconds that an error takes: the longest `settle_seconds`.
pub const MOST_ERROR_MS: u64 = 300_000;

/// What is simulated.
#[derive(Clone, Copy, Debug)]
pub struct Injection<'p> {
    /// The policy.
    pub plan: &'p Plan,
    /// The rollout whose guard is simulated.
    pub rollout: &'p Rollout,
    /// The time at which ramps are read.
    pub at: Time,
    /// How often v1 and v2 fail.
    pub rates: InjectedRates,
    /// The request of the rollout, from 1, since which v2 fails.
    pub at_request: u64,
    /// How many milliseconds pass from the request to its error, at most [`MOST_ERROR_MS`].
    pub error_ms: u64,
    /// The number of trials.
    pub trials: u32,
    /// The seed of the first trial. That of each other trial is greater by 1.
    pub seed: u64,
}

/// Why a guard cannot be simulated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InjectionError {
    /// No rollout has a guard.
    NoGuards,
    /// Several rollouts have a guard, and none is chosen.
    SeveralGuards(Vec<String>),
    /// The rollout has no guard.
    NoGuard(String),
    /// The guard does not run in this mode.
    Mode(String, Mode),
    /// The policy or the rollout is halted.
    Halted(String),
    /// The guard compares no request of the rollout.
    NothingCompared(String, Mode),
    /// The guard does not count this kind of event: `errors` or `slow`.
    NotCounted(String, &'static str),
    /// The rollout has fewer requests than the injection needs.
    NeverBegins {
        /// The rollout.
        rollout: String,
        /// The number of its requests.
        requests: u64,
        /// The request at which v2 begins to fail.
        at_request: u64,
    },
    /// No line of the log has a time.
    NoTimes,
}

impl fmt::Display for InjectionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoGuards => f.write_str(
                "no rollout in mode `split` or `on` has a guard; add \"guard\": {} to the rollout",
            ),
            Self::SeveralGuards(names) => write!(
                f,
                "the rollouts {} have a guard; choose one with --rollout",
                join_list(names, "and")
            ),
            Self::NoGuard(rollout) => write!(
                f,
                "rollout `{rollout}` has no guard; add \"guard\": {{}} to the rollout"
            ),
            Self::Mode(rollout, mode) => write!(
                f,
                "rollout `{rollout}` has mode `{}`, in which v2 serves no request and no guard runs; set the mode \
                 to `split`",
                mode.as_str()
            ),
            Self::Halted(rollout) => write!(
                f,
                "rollout `{rollout}` is halted, so v2 serves no request; remove `halted` from the policy and from \
                 the rollout"
            ),
            Self::NothingCompared(rollout, Mode::On) => write!(
                f,
                "the guard of rollout `{rollout}` compares no request, because v2 serves all of them; add `limit` \
                 to the guard, or use mode `split` with a rule that has `requests` below 100"
            ),
            Self::NothingCompared(rollout, _) => write!(
                f,
                "the guard of rollout `{rollout}` compares no request, because no rule has `requests` above 0 and \
                 below 100; write \"requests\": 99 to keep 1 % of the requests as a control, or add `limit` to the \
                 guard"
            ),
            Self::NotCounted(rollout, "slow") => write!(
                f,
                "the guard of rollout `{rollout}` does not compare slow requests; add `slow` to the guard, or \
                 inject errors"
            ),
            Self::NotCounted(rollout, _) => write!(
                f,
                "the guard of rollout `{rollout}` does not compare errors; add `errors` to the guard, or inject \
                 slow requests"
            ),
            Self::NeverBegins {
                rollout,
                requests: 0,
                ..
            } => write!(f, "no request belongs to rollout `{rollout}`"),
            Self::NeverBegins {
                rollout,
                requests,
                at_request,
            } => write!(
                f,
                "v2 never fails: rollout `{rollout}` has {requests} requests, and the first to fail is number \
                 {at_request}; choose a lower --at-request"
            ),
            Self::NoTimes => f.write_str(
                "the log has no times, and a guard needs them; log %START_TIME% as `start_time`, or map its field \
                 with --field start_time=FIELD",
            ),
        }
    }
}

impl std::error::Error for InjectionError {}

impl<'p> Injection<'p> {
    /// Returns the only rollout of a plan whose guard runs.
    ///
    /// # Errors
    /// If there is none, or if there are several.
    pub fn only_guarded_rollout(plan: &'p Plan) -> Result<&'p Rollout, InjectionError> {
        let guarded = plan.rollouts().iter();
        let guarded: Vec<_> = guarded.filter(|rollout| rollout.guard.is_some()).collect();
        match guarded.as_slice() {
            [] => Err(InjectionError::NoGuards),
            [rollout] => Ok(rollout),
            several => {
                let names = several.iter().map(|rollout| rollout.name.clone());
                Err(InjectionError::SeveralGuards(names.collect()))
            }
        }
    }

    /// Checks that the guard can find what is injected.
    ///
    /// # Errors
    /// If it cannot, whatever the requests are.
    pub fn check(&self) -> Result<(), InjectionError> {
        let name = || self.rollout.name.clone();
        if !matches!(self.rollout.mode, Mode::Split | Mode::On) {
            return Err(InjectionError::Mode(name(), self.rollout.mode));
        }
        let (Some(plan), Some(guard)) = (&self.rollout.guard, RolloutGuard::new(self.rollout))
        else {
            return Err(InjectionError::NoGuard(name()));
        };
        if self.rollout.is_halted() {
            return Err(InjectionError::Halted(name()));
        }
        if guard.guard().settled().strata().is_empty() {
            return Err(InjectionError::NothingCompared(name(), self.rollout.mode));
        }
        let settings = &plan.settings;
        if self.rates.has_slow() && settings.slow.is_none() {
            return Err(InjectionError::NotCounted(name(), "slow"));
        }
        if self.rates.has_errors() && settings.errors.is_none() && settings.limit.is_none() {
            return Err(InjectionError::NotCounted(name(), "errors"));
        }
        Ok(())
    }

    /// Whether the guard acts on what it finds.
    fn acts(&self) -> bool {
        let guard = self.rollout.guard.as_ref();
        guard.is_some_and(|guard| guard.settings.action == GuardAction::Halt)
    }

    /// Sets up a trial. The first one has index 0.
    fn trial(&self, index: u32) -> Result<Trial<'p>, InjectionError> {
        let seed = Seed::new(self.seed.wrapping_add(index.into()));
        let trial = Trial::new(self, seed);
        trial.ok_or_else(|| InjectionError::NoGuard(self.rollout.name.clone()))
    }

    /// Reports the results of all trials. `requests` is the number of requests that each of them had.
    fn report(
        &self,
        results: Vec<TrialResult>,
        requests: u64,
    ) -> Result<InjectionReport, InjectionError> {
        let has_begun = |result: &TrialResult| result.requests > 0;
        let is_open = |result: &TrialResult| result.outcome == Outcome::NotTripped;
        if !results.iter().any(has_begun) && results.iter().any(is_open) {
            return Err(InjectionError::NeverBegins {
                rollout: self.rollout.name.clone(),
                requests,
                at_request: self.at_request,
            });
        }
        Ok(InjectionReport::new(self, results))
    }
}
