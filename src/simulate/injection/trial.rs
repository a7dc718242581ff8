//! One trial: the guard of one proxy, the time, and the requests that have not ended.

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, HashSet};
use std::hash::Hasher;

use turnout_core::guard::{
    ComparedRequest, GuardState, Guards, OtherWorkers, Response, RolloutGuard, StateChange,
};
use turnout_core::{
    Account, Decision, Reason, Request, Rollout, Treatment, decide_guarded_in_rollout,
};

use super::Injection;
use super::moment::Moment;
use super::seed::{Purpose, Seed};
use super::trial_result::{Outcome, TrialResult};
use crate::saturating::increase;

const SECOND_MS: u64 = 1_000;

/// After so many seconds without a request nothing changes any more: three times the longest `settle_seconds`, in
/// which the errors of single accounts settle, and once more for requests that are open.
const IDLE_SECONDS: u64 = 1_200;

/// One simulated proxy.
pub(super) struct Trial<'p> {
    injection: Injection<'p>,
    seed: Seed,
    guard: RolloutGuard,
    /// There are none: the counts of all workers are in one guard.
    others: OtherWorkers,
    settle_seconds: u64,
    /// A slow request takes longer than this.
    over_ms: u64,
    acts: bool,
    now_ms: u64,
    next_tick_ms: u64,
    /// By the time of the end, and the number of the request.
    open: BTreeMap<(u64, u64), OpenRequest>,
    /// The number of requests of the rollout.
    requests: u64,
    /// When v2 began to fail.
    began_ms: Option<u64>,
    has_ended: bool,
    /// As hashes.
    on_v2: HashSet<u64>,
    with_error: HashSet<u64>,
    result: TrialResult,
}

struct OpenRequest {
    request: ComparedRequest,
    response: Response,
    duration_ms: u64,
}

/// The guard of one rollout, as decisions ask for it.
struct OnlyGuard<'g>(&'g RolloutGuard);

impl Guards for OnlyGuard<'_> {
    fn reason(&self, rollout: &Rollout, account: &Account<'_>) -> Option<Reason> {
        self.0.reason(rollout, account)
    }
}

impl<'p> Trial<'p> {
    /// Arms a guard; `None` if the rollout has none.
    pub(super) fn new(injection: &Injection<'p>, seed: Seed) -> Option<Self> {
        let plan = injection.rollout.guard.as_ref()?;
        let slow = plan.settings.slow;
        Some(Self {
            injection: *injection,
            seed,
            guard: RolloutGuard::new(injection.rollout)?,
            others: OtherWorkers::new(plan.epoch),
            settle_seconds: plan.settings.settle_seconds.get().into(),
            over_ms: slow.map_or(0, |slow| slow.over_ms.into()),
            acts: injection.acts(),
            now_ms: 0,
            next_tick_ms: SECOND_MS,
            open: BTreeMap::new(),
            requests: 0,
            began_ms: None,
            has_ended: false,
            on_v2: HashSet::new(),
            with_error: HashSet::new(),
            result: TrialResult {
                seed: seed.get(),
                ..TrialResult::default()
            },
        })
    }

    pub(super) const fn seed(&self) -> Seed {
        self.seed
    }

    /// Whether the guard has tripped, or never will.
    pub(super) const fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// Takes the next request of the rollout. Time never goes back.
    pub(super) fn request(&mut self, request: &Request<'_>, at_ms: u64) {
        self.advance(at_ms);
        if self.has_ended {
            return;
        }
        increase(&mut self.requests);
        let number = self.requests;
        let has_begun = number >= self.injection.at_request;
        if has_begun && self.began_ms.is_none() {
            self.began_ms = Some(self.now_ms);
        }
        let Injection { plan, rollout, .. } = self.injection;
        let decision = decide_guarded_in_rollout(plan, &OnlyGuard(&self.guard), rollout, request);
        let compared = self.guard.note_decision(&decision, request);

        let treatment = decision.served();
        let rates = &self.injection.rates;
        let errors = rates.errors(treatment, has_begun);
        let slow = rates.slow(treatment, has_begun);
        let fails = self.seed.happens(Purpose::Error, number, errors);
        let is_slow = self.seed.happens(Purpose::Slow, number, slow);
        if has_begun {
            self.count(&decision, request, compared.is_some(), [fails, is_slow]);
        }
        if let Some(request) = compared {
            let error_ms = if fails { self.injection.error_ms } else { 0 };
            let slow_ms = if is_slow {
                self.over_ms.saturating_add(1)
            } else {
                0
            };
            let response = if fails {
                Response::Error
            } else {
                Response::Success
            };
            self.open(request, response, error_ms.max(slow_ms));
        }
    }

    fn count(
        &mut self,
        decision: &Decision<'_>,
        request: &Request<'_>,
        is_compared: bool,
        [fails, is_slow]: [bool; 2],
    ) {
        let result = &mut self.result;
        increase(&mut result.requests);
        if decision.served() == Treatment::V1 {
            return;
        }
        increase(&mut result.v2_requests);
        if !is_compared {
            increase(&mut result.v2_not_compared);
        }
        if is_slow {
            increase(&mut result.v2_slow);
        }
        if fails {
            increase(&mut result.v2_errors);
        }
        if let Account::Known(account) = &request.account {
            let account = hash(account.as_slice());
            self.on_v2.insert(account);
            if fails {
                self.with_error.insert(account);
            }
        }
    }

    fn open(&mut self, request: ComparedRequest, response: Response, duration_ms: u64) {
        if duration_ms == 0 {
            return self.guard.guard_mut().note_end(request, response, 0);
        }
        let ends = self.now_ms.saturating_add(duration_ms);
        let open = OpenRequest {
            request,
            response,
            duration_ms,
        };
        self.open.insert((ends, self.requests), open);
    }

    /// Lets time pass: requests end, and the guard is evaluated once a second.
    fn advance(&mut self, to_ms: u64) {
        let mut seconds = 0_u64;
        while !self.has_ended {
            self.end_requests(self.next_tick_ms.min(to_ms));
            if self.next_tick_ms > to_ms {
                break;
            }
            self.now_ms = self.next_tick_ms;
            self.tick();
            self.next_tick_ms = self.next_tick_ms.saturating_add(SECOND_MS);
            increase(&mut seconds);
            if seconds == IDLE_SECONDS {
                self.skip(to_ms);
            }
            if self.next_tick_ms == u64::MAX {
                break;
            }
        }
        self.now_ms = self.now_ms.max(to_ms);
    }

    /// Skips seconds in which nothing changes: whole multiples of `settle_seconds`, because the errors of single
    /// accounts settle at these.
    fn skip(&mut self, to_ms: u64) {
        let left = to_ms.saturating_sub(self.next_tick_ms);
        let period = self.settle_seconds.saturating_mul(SECOND_MS);
        let rest = left.checked_rem(period).unwrap_or(left);
        self.next_tick_ms = self.next_tick_ms.saturating_add(left.saturating_sub(rest));
    }

    fn end_requests(&mut self, until_ms: u64) {
        while let Some(first) = self.open.first_entry()
            && first.key().0 <= until_ms
        {
            let OpenRequest {
                request,
                response,
                duration_ms,
            } = first.remove();
            self.guard
                .guard_mut()
                .note_end(request, response, duration_ms);
        }
    }

    fn tick(&mut self) {
        let change = self.guard.guard_mut().tick(&self.others);
        let evidence = self.guard.guard().evidence().milli_log10();
        self.result.evidence_milli = self.result.evidence_milli.max(evidence);
        if let Some(change) = change {
            self.change(change);
        }
    }

    fn change(&mut self, change: StateChange) {
        let moment = self.began_ms.map(|began_ms| Moment {
            requests: self.result.requests,
            ms: self.now_ms.saturating_sub(began_ms),
        });
        match change.to {
            GuardState::Armed => {
                increase(&mut self.result.passed_holds);
                self.result.v2_stopped = None;
            }
            GuardState::Holding => self.result.v2_stopped = moment.filter(|_| self.acts),
            GuardState::Tripped => {
                if self.result.v2_stopped.is_none() && self.acts {
                    self.result.v2_stopped = moment;
                }
                self.result.tripped = moment;
                self.result.outcome = match moment {
                    Some(_) => Outcome::Tripped,
                    None => Outcome::TrippedBefore,
                };
                self.end(change);
            }
            GuardState::Invalid => {
                self.result.v2_stopped = None;
                self.result.outcome = Outcome::Invalid;
                self.end(change);
            }
        }
    }

    fn end(&mut self, change: StateChange) {
        self.has_ended = true;
        let rollout = &self.injection.rollout.name;
        self.result.message = Some(self.guard.guard().sentence(rollout, change));
    }

    /// Lets time pass until everything has settled, and returns what became of the trial.
    pub(super) fn finish(mut self) -> TrialResult {
        // A guard that holds at the end does so for `settle_seconds`.
        let seconds = self.settle_seconds.saturating_mul(2).saturating_add(2);
        let left_ms = seconds
            .saturating_mul(SECOND_MS)
            .saturating_add(self.injection.error_ms);
        self.advance(self.now_ms.saturating_add(left_ms));
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        TrialResult {
            accounts_on_v2: count(self.on_v2.len()),
            accounts_with_v2_error: count(self.with_error.len()),
            ejected_accounts: count(self.guard.guard().ejected_accounts()),
            ..self.result
        }
    }
}

/// A hash of an account, which takes less memory than the account.
fn hash(account: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(account);
    hasher.finish()
}
