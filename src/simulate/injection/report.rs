//! The report of a simulated guard.

use serde::Serialize;
use turnout_core::guard::RolloutGuard;
use turnout_core::{Mode, Time, Treatment};

use super::Injection;
use super::account_requests::AccountRequests;
use super::log_requests::InjectedLog;
use super::result_group::ResultGroup;
use super::trial_result::{Outcome, TrialResult};
use crate::account_list::AccountListSummary;
use crate::log_summary::serialize_time;

/// What the guard of a rollout did in each trial.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct InjectionReport {
    /// The time at which ramps are read.
    #[serde(serialize_with = "serialize_time")]
    pub at: Time,
    /// The rollout.
    pub rollout: String,
    /// `split` or `on`.
    pub mode: &'static str,
    /// What was injected.
    pub injected: RateSummary,
    /// What the guard needs to trip.
    pub guard: InjectedGuard,
    /// The accounts that sent requests; `None` with a log.
    pub accounts: Option<InjectedAccounts>,
    /// The log whose requests were simulated; `None` with accounts.
    pub log: Option<InjectedLog>,
    /// The trials by outcome, without outcomes that no trial has.
    pub results: Vec<ResultGroup>,
    /// The trials.
    pub trials: Vec<TrialResult>,
}

/// What was injected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct RateSummary {
    /// The request of the rollout, from 1, since which v2 has its own rates. Before it, v2 has those of v1.
    pub at_request: u64,
    /// How long an error takes, in milliseconds.
    pub error_ms: u64,
    /// How often v1 fails.
    pub v1: ArmRates,
    /// How often v2 fails.
    pub v2: ArmRates,
}

/// Rates of one arm, in millionths of a percent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ArmRates {
    /// The share of errors.
    pub errors_millionths: u32,
    /// The share of slow requests; `None` if the guard does not compare them.
    pub slow_millionths: Option<u32>,
}

/// The settings of the guard that the results depend on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct InjectedGuard {
    /// `halt` or `report`.
    pub action: &'static str,
    /// When a second settles.
    pub settle_seconds: u32,
    /// Whether it also tests single accounts.
    pub tests_accounts: bool,
    /// The evidence at which it trips: 1,000 times its decimal logarithm.
    pub threshold_milli: u64,
    /// The percentages of `requests` that it compares.
    pub strata: Vec<StratumErrors>,
}

/// How many errors a guard needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StratumErrors {
    /// The percentage of the requests that take v2, in millionths.
    pub requests_millionths: u32,
    /// The errors of v2 at which the guard trips if v1 has none, by the comparison of errors alone. `None` if errors
    /// are not compared at this percentage.
    pub errors_needed: Option<u64>,
}

/// The accounts that sent requests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct InjectedAccounts {
    /// What was read.
    #[serde(flatten)]
    pub read: AccountListSummary,
    /// Requests per second.
    pub per_second: u32,
    /// The highest number of requests of a trial.
    pub requests: u64,
    /// The headers that rules depend on: the requests have none of them.
    pub headers: Vec<String>,
}

impl InjectionReport {
    pub(super) fn new(injection: &Injection<'_>, trials: Vec<TrialResult>) -> Self {
        let outcomes = [
            Outcome::Tripped,
            Outcome::NotTripped,
            Outcome::TrippedBefore,
            Outcome::Invalid,
        ];
        let results = outcomes
            .into_iter()
            .filter_map(|outcome| ResultGroup::of(outcome, &trials));
        let guard = InjectedGuard::of(injection);
        let settings = injection.rollout.guard.as_ref();
        let has_slow = settings.is_some_and(|guard| guard.settings.slow.is_some());
        let rates = |arm| {
            let slow = injection.rates.slow(arm, true).millionths();
            ArmRates {
                errors_millionths: injection.rates.errors(arm, true).millionths(),
                slow_millionths: has_slow.then_some(slow),
            }
        };
        Self {
            at: injection.at,
            rollout: injection.rollout.name.clone(),
            mode: injection.rollout.mode.as_str(),
            injected: RateSummary {
                at_request: injection.at_request,
                error_ms: injection.error_ms,
                v1: rates(Treatment::V1),
                v2: rates(Treatment::V2),
            },
            guard,
            accounts: None,
            log: None,
            results: results.collect(),
            trials,
        }
    }

    pub(super) fn with_accounts(
        self,
        injection: &Injection<'_>,
        read: AccountListSummary,
        sent: AccountRequests,
    ) -> Self {
        let rollout = injection.rollout;
        let headers = rollout.rule_headers().map(str::to_owned);
        let mut headers: Vec<String> = headers.filter(|_| rollout.mode != Mode::On).collect();
        headers.sort();
        headers.dedup();
        Self {
            accounts: Some(InjectedAccounts {
                read,
                per_second: sent.per_second,
                requests: sent.requests,
                headers,
            }),
            ..self
        }
    }

    pub(super) fn with_log(self, log: InjectedLog) -> Self {
        Self {
            log: Some(log),
            ..self
        }
    }
}

impl InjectedGuard {
    fn of(injection: &Injection<'_>) -> Self {
        let Some(guard) = RolloutGuard::new(injection.rollout) else {
            return Self::default();
        };
        let guard = guard.guard();
        let strata = guard.settled();
        let strata = strata.strata().iter().map(|stratum| StratumErrors {
            requests_millionths: stratum.requests.millionths(),
            errors_needed: guard.test().errors_needed(stratum.requests),
        });
        Self {
            action: match injection.acts() {
                true => "halt",
                false => "report",
            },
            settle_seconds: guard.settings().settle_seconds.get(),
            tests_accounts: guard.settings().accounts.is_some(),
            threshold_milli: guard.test().threshold_milli_log10(),
            strata: strata.collect(),
        }
    }
}
