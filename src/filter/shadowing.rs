//! Shadows the sampled requests of one plugin, from the request to the outcome.
//!
//! The user's request and response pass through unchanged and without delay. A bounded part of them is
//! stored, and v2 gets an HTTP call of the plugin. A job is one sampled request. It has one of the
//! `max_in_flight` slots while its calls are in flight, and none while it waits for a client.

mod back_off;
mod callbacks;
mod job;
mod metrics;
mod telemetry;
mod waiting;

use std::hash::{BuildHasher, RandomState};
use std::rc::Rc;

use proxy_wasm::types::MapType;
use turnout_core::shadow::{
    AccountCharge, AccountKey, AccountShares, CallResult, NextStep, NoiseModel, Outcome, Sample,
    SendTiming, ShadowPlan, Trial, TrialContext, TrialResult,
};
use turnout_core::{Account, ByteBudget, Charge, Configuration, Plan, Rollout, Treatment, VecMap};

use crate::host::{self, HeaderBuffer};
use back_off::BackOff;
use job::{Call, Job, V1, V2};
use metrics::ShadowMetrics;
use telemetry::Telemetry;
use waiting::Phase;

/// Nanoseconds in a microsecond and in a millisecond.
const MICRO: u64 = 1_000;
const MILLI: u64 = 1_000_000;

pub(crate) struct Shadowing {
    configuration: Rc<Configuration>,
    /// By the index of the rollout. `None` if it has no `shadow`.
    rollouts: Vec<Option<RolloutState>>,
    jobs: VecMap<u32, Box<Job>>,
    last_job: u32,
    /// The job of each call, by the call's token.
    calls: VecMap<u32, u32>,
    telemetry: Telemetry,
    budget: ByteBudget,
    /// The limit on held bytes, without the memory that a callback needs while it runs.
    limit: usize,
    /// The bytes that the requests of each account hold. An account is a hash with a key that is random
    /// in each worker.
    accounts: VecMap<AccountKey, ByteBudget>,
    keys: RandomState,
    /// The number of ticks so far.
    ticks: u32,
}

/// The state of one rollout in one worker.
struct RolloutState {
    metrics: ShadowMetrics,
    model: NoiseModel,
    charge: Charge,
    /// Slots for calls.
    slots: AccountShares,
    waiting: AccountShares,
    back_off: BackOff,
}

impl Shadowing {
    /// Lists what a policy needs and this build does not support: nothing.
    pub(crate) fn unsupported(_plan: &Plan) -> Vec<String> {
        Vec::new()
    }

    /// Starts without jobs. Called while the plugin is being configured.
    pub(crate) fn new(configuration: &Rc<Configuration>, budget: &ByteBudget) -> Self {
        let most = configuration.max_held_bytes.bytes();
        let limit = most.saturating_sub(configuration.plan.working_bytes());
        let rollouts: Vec<_> = configuration
            .plan
            .rollouts()
            .iter()
            .map(|rollout| {
                let shadow = rollout.shadow.as_ref()?;
                let mut charge = budget.charge();
                let model = NoiseModel::new(shadow);
                charge.set(model.held_bytes());
                Some(RolloutState {
                    metrics: ShadowMetrics::define(&rollout.name),
                    model,
                    charge,
                    slots: AccountShares::default(),
                    waiting: AccountShares::default(),
                    back_off: BackOff::default(),
                })
            })
            .collect();
        Self {
            configuration: Rc::clone(configuration),
            rollouts,
            jobs: VecMap::default(),
            last_job: 0,
            calls: VecMap::default(),
            telemetry: Telemetry::new(budget, limit),
            budget: budget.clone(),
            limit,
            accounts: VecMap::default(),
            keys: RandomState::new(),
            ticks: 0,
        }
    }

    /// Returns the key of an account in this worker.
    pub(crate) fn account_key(&self, account: &Account<'_>) -> AccountKey {
        match account {
            Account::Known(account) => Some(self.keys.hash_one(account.as_slice())),
            Account::Absent | Account::Malformed => None,
        }
    }

    /// Starts the job of a sampled request. Returns `None` if the request already has an outcome.
    pub(crate) fn admit(
        &mut self,
        sample: Sample,
        account: AccountKey,
        headers: HeaderBuffer,
        end: bool,
    ) -> Option<u32> {
        let configuration = Rc::clone(&self.configuration);
        let (_, shadow) = parts(&configuration, sample)?;
        let state = self.rollouts.get_mut(sample.rollout)?.as_mut()?;
        state.metrics.sampled();
        let is_failing = state.back_off.forbids(state.slots.taken(), shadow);
        if let Some(outcome) = sample.skip {
            return self.refuse(sample, outcome);
        }
        if is_failing || !self.wait(sample, account) {
            return self.refuse(sample, Outcome::DroppedBusy);
        }
        self.make_room(0, account, Job::bytes_with(&headers));
        let own = self.accounts.get(&account).cloned().unwrap_or_default();
        let charge = AccountCharge::new(&self.budget, &own, account);
        let job = Job::new(sample, account, headers, charge, self.limit);
        let Some(mut job) = job else {
            let state = rollout_state(&mut self.rollouts, sample)?;
            state.waiting.give_back(account);
            return self.refuse(sample, Outcome::DroppedBusy);
        };
        job.enter(Phase::Request, self.ticks);
        self.accounts.insert(account, own);
        self.last_job = self.last_job.wrapping_add(1).max(1);
        let id = self.last_job;
        self.jobs.insert(id, Box::new(job));
        if end {
            self.request_done(id);
        }
        Some(id)
    }

    /// Counts the outcome of a request without a job.
    fn refuse(&mut self, sample: Sample, outcome: Outcome) -> Option<u32> {
        if let Some(state) = rollout_state(&mut self.rollouts, sample) {
            state.metrics.count(outcome);
        }
        self.telemetry.count(&sample, outcome, None);
        self.summarise_early();
        None
    }

    /// Handles a piece of the request's body on its way to v1.
    pub(crate) fn request_body(&mut self, id: u32, size: usize, end: bool) {
        if self.keep(id, true, size) && end {
            self.request_done(id);
        }
    }

    /// Stores a piece of the request's body or of v1's response. Returns `false` if the job has ended.
    fn keep(&mut self, id: u32, is_request: bool, size: usize) -> bool {
        let Some((job, shadow)) = self.job(id) else {
            return false;
        };
        let most = shadow.max_body_bytes;
        let (account, growth) = (job.account, job.growth(is_request, size, most));
        self.make_room(id, account, growth);
        let limit = self.limit;
        let Some((job, _)) = self.job(id) else {
            return false;
        };
        let kept = job.keep(is_request, size, most, limit);
        if let Err(outcome) = kept {
            self.end_job(id, outcome);
        }
        kept.is_ok()
    }

    /// Handles the request's trailers, which end it. They are not copied.
    pub(crate) fn request_trailers(&mut self, id: u32) {
        self.request_body(id, 0, true);
    }

    fn request_done(&mut self, id: u32) {
        let ticks = self.ticks;
        let Some((job, shadow)) = self.job(id) else {
            return;
        };
        let now = host::now();
        job.is_complete = true;
        job.sent_to_v1_at = now;
        if job.phase == Phase::Request {
            job.enter(Phase::V1, ticks);
        }
        if shadow.send == SendTiming::WithRequest && matches!(job.v2, V2::NotAsked) {
            job.v2 = V2::Asked;
            if !self.take_slot(id) {
                self.end_job(id, Outcome::DroppedBusy);
            } else if !self.ask(id, Treatment::V2, now) {
                self.end_job(id, Outcome::V2Error);
            }
        }
    }

    /// Handles the headers of v1's response.
    pub(crate) fn response_headers(&mut self, id: u32, end: bool) {
        if !self.may_work() {
            return self.end_job(id, Outcome::DroppedBusy);
        }
        let ticks = self.ticks;
        let Some((job, shadow)) = self.job(id) else {
            return;
        };
        job.enter(Phase::Answer, ticks);
        let buffer = HeaderBuffer::read(MapType::HttpResponseHeaders);
        let answer = job::ResponseHead::read(&buffer.pairs(), shadow);
        match answer.skip() {
            Some(outcome) => self.end_job(id, outcome),
            None => {
                job.v1 = V1::Answering(answer.into_reply());
                job.weigh();
                if end {
                    self.response_done(id);
                }
            }
        }
    }

    /// Handles a piece of v1's response on its way to the user.
    pub(crate) fn response_body(&mut self, id: u32, size: usize, end: bool) {
        if self.keep(id, false, size) && end {
            self.response_done(id);
        }
    }

    fn response_done(&mut self, id: u32) {
        if let Some((job, _)) = self.job(id) {
            job.response_done(host::now());
        }
    }

    /// Handles the end of the user's request: all of v1's response is on its way to the user, or
    /// nothing more will come.
    pub(crate) fn stream_ended(&mut self, id: u32) {
        let Some((job, _)) = self.job(id) else {
            return;
        };
        let V1::Answered(_) = &job.v1 else {
            return self.end_job(id, Outcome::SkippedAborted);
        };
        if !job.is_complete {
            return self.end_job(id, Outcome::SkippedEarlyResponse);
        }
        self.start_trial(id);
    }

    /// Starts the trial, once v1's response is complete and the user's request has ended.
    fn start_trial(&mut self, id: u32) {
        self.stop_waiting(id);
        if !self.take_slot(id) {
            return self.end_job(id, Outcome::DroppedBusy);
        }
        let Some((job, shadow)) = self.job(id) else {
            return;
        };
        // The request ends together with the response, so the time need not be read again.
        let (now, most) = (job.v1_responded_at, shadow.max_body_bytes);
        let Some(job) = self.jobs.get_mut(&id) else {
            return;
        };
        let Some(state) = rollout_state(&mut self.rollouts, job.sample) else {
            return;
        };
        let V1::Answered(mut v1) = std::mem::replace(&mut job.v1, V1::Handed) else {
            return;
        };
        let decoded = if v1.is_encoded() { most } else { 0 };
        if !job.charge.grow(decoded, self.limit) {
            return self.end_job(id, Outcome::DroppedBusy);
        }
        if let Err(outcome) = v1.decode(most) {
            return self.end_job(id, outcome);
        }
        let Sample { is_safe, noise, .. } = job.sample;
        match std::mem::replace(&mut job.v2, V2::InTrial) {
            V2::NotAsked => {
                let (trial, first) = Trial::start(v1, is_safe, noise, &mut state.model);
                job.trial = Some(trial);
                job.weigh();
                self.proceed(id, NextStep::Call(first), now);
            }
            V2::Asked => {
                job.trial = Some(Trial::with_v2_asked(v1, is_safe, noise));
                job.weigh();
            }
            V2::Answered(answer) => {
                job.trial = Some(Trial::with_v2_asked(v1, is_safe, noise));
                self.trial_result(id, answer, now);
            }
            V2::InTrial => {}
        }
    }

    /// Handles the end of one of the plugin's calls, with or without a response.
    pub(crate) fn call_finished(&mut self, token: u32, is_answered: bool, size: usize) {
        let Some(id) = self.calls.remove(&token) else {
            self.telemetry.export_finished(token, is_answered);
            return;
        };
        let configuration = Rc::clone(&self.configuration);
        let Some(job) = self.jobs.get(&id).filter(|job| !job.has_outcome) else {
            // The job only waits for this call. The response is not read, so it needs no room.
            return self.release(id);
        };
        self.make_room(id, job.account, size);
        let Some(job) = self.jobs.get_mut(&id) else {
            return;
        };
        let Some((_, shadow)) = parts(&configuration, job.sample) else {
            return;
        };
        let now = host::now();
        let limit = self.limit;
        let may_work = self.budget.fits(0, limit);
        let answer = job.read_answer(is_answered, size, now, shadow, limit);
        if job.call_finished(now, &answer) == Some(Treatment::V2)
            && let Some(state) = rollout_state(&mut self.rollouts, job.sample)
        {
            state.back_off.note(&answer, now, shadow);
        }
        if !may_work {
            return self.end_job(id, Outcome::DroppedBusy);
        }
        if job.trial.is_some() {
            self.trial_result(id, answer, now);
        } else {
            // v1 is still responding, or the client is still reading.
            job.v2 = V2::Answered(answer);
            job.weigh();
            self.release_slot(id);
        }
    }

    fn trial_result(&mut self, id: u32, answer: CallResult, now: u64) {
        let configuration = Rc::clone(&self.configuration);
        let Some(job) = self.jobs.get_mut(&id) else {
            return;
        };
        let Some((_, shadow)) = parts(&configuration, job.sample) else {
            return;
        };
        let state = rollout_state(&mut self.rollouts, job.sample);
        let (Some(state), Some(trial)) = (state, job.trial.as_mut()) else {
            return;
        };
        let mut context = TrialContext {
            shadow,
            model: &mut state.model,
            route: job.sample.route,
            now_ms: now / MILLI,
        };
        let next = trial.handle_result(answer, &mut context);
        state.charge.set(state.model.held_bytes());
        job.weigh();
        self.proceed(id, next, now);
    }

    fn proceed(&mut self, id: u32, next: NextStep, now: u64) {
        match next {
            NextStep::Done(verdict) => self.finish(id, &verdict, now),
            NextStep::Call(version) => {
                if !self.ask(id, version, now) {
                    // If a version does not respond, a trial does not call it again.
                    self.trial_result(id, CallResult::Failed(Outcome::V2Error), now);
                }
            }
        }
    }

    /// Sends the shadow request to a version. Returns `false` if it cannot be sent.
    fn ask(&mut self, id: u32, version: Treatment, sent_at: u64) -> bool {
        let configuration = Rc::clone(&self.configuration);
        let Some(job) = self.jobs.get_mut(&id) else {
            return false;
        };
        let Some((rollout, shadow)) = parts(&configuration, job.sample) else {
            return false;
        };
        let Some(token) = job.send(&configuration, rollout, shadow, version) else {
            return false;
        };
        job.call = Some(Call { version, sent_at });
        self.calls.insert(token, id);
        true
    }

    /// Ends a job without comparing responses.
    fn end_job(&mut self, id: u32, outcome: Outcome) {
        let verdict = TrialResult {
            outcome,
            difference: None,
        };
        self.finish(id, &verdict, 0);
    }

    /// Ends a job with its result. The time is for the record of a difference.
    fn finish(&mut self, id: u32, verdict: &TrialResult, now: u64) {
        let configuration = Rc::clone(&self.configuration);
        let Some(job) = self.jobs.get_mut(&id) else {
            return;
        };
        let sample = job.sample;
        if let Some(state) = rollout_state(&mut self.rollouts, sample) {
            state.metrics.count(verdict.outcome);
            if verdict
                .difference
                .as_ref()
                .is_some_and(|found| !found.is_proven)
            {
                state.metrics.unproven();
            }
            if let Some((v1_us, v2_us)) = job.latencies() {
                state.metrics.latencies(v1_us, v2_us);
                self.telemetry.latencies(&sample, v1_us, v2_us);
            }
        }
        self.telemetry
            .count(&sample, verdict.outcome, verdict.difference.as_ref());
        if let Some(difference) = &verdict.difference {
            self.telemetry
                .difference(&configuration, job, difference, now / MILLI);
        }
        job.has_outcome = true;
        let is_over = job.call.is_none();
        if !is_over {
            job.drop_bodies();
        }
        self.stop_waiting(id);
        if is_over {
            self.release(id);
        }
        self.summarise_early();
    }

    /// Whether the memory that a callback needs is free.
    fn may_work(&self) -> bool {
        self.budget.fits(0, self.limit)
    }

    /// Writes summaries early if they hold many bytes.
    fn summarise_early(&mut self) {
        if self.telemetry.is_full() {
            self.report(host::now() / MILLI, true);
        }
    }

    /// Removes a job and releases everything it holds.
    fn release(&mut self, id: u32) {
        self.stop_waiting(id);
        self.release_slot(id);
        let Some(job) = self.jobs.remove(&id) else {
            return;
        };
        let account = job.account;
        drop(job);
        if self
            .accounts
            .get(&account)
            .is_some_and(|own| own.held() == 0)
        {
            self.accounts.remove(&account);
        }
    }

    /// Whether any rollout has `shadow`.
    pub(crate) fn are_wanted(&self) -> bool {
        self.rollouts.iter().any(Option::is_some)
    }

    /// Writes what is due, about once a second. `now` is in nanoseconds.
    pub(crate) fn tick(&mut self, now: u64) {
        self.ticks = self.ticks.wrapping_add(1);
        self.drop_timed_out();
        self.report(now / MILLI, false);
        self.telemetry.export(&self.configuration);
    }

    fn report(&mut self, now_ms: u64, at_once: bool) {
        let configuration = &self.configuration;
        for (rollout, state) in configuration.plan.rollouts().iter().zip(&mut self.rollouts) {
            if let Some(state) = state {
                state.metrics.in_flight(state.slots.taken());
                let usage = state.model.usage();
                self.telemetry
                    .summarise(configuration, rollout, usage, now_ms, at_once);
            }
        }
    }

    /// Ends shadowing together with the plugin and its calls.
    pub(crate) fn end(&mut self) {
        self.drop_all();
        self.report(host::now() / MILLI, true);
        self.telemetry.end();
    }

    /// Drops every job. Responses to calls in flight are not read.
    pub(crate) fn drop_all(&mut self) {
        let open: Vec<u32> = self.jobs.iter().map(|(id, _)| *id).collect();
        for id in open {
            if self.jobs.get(&id).is_some_and(|job| !job.has_outcome) {
                self.end_job(id, Outcome::SkippedSwap);
            }
            self.release(id);
        }
    }

    /// Returns a job that has not ended, and its rollout's options.
    fn job(&mut self, id: u32) -> Option<(&mut Job, &ShadowPlan)> {
        let job = self.jobs.get_mut(&id).filter(|job| !job.has_outcome)?;
        let (_, shadow) = parts(&self.configuration, job.sample)?;
        Some((job, shadow))
    }
}

fn parts(configuration: &Configuration, sample: Sample) -> Option<(&Rollout, &ShadowPlan)> {
    let rollout = configuration.plan.rollouts().get(sample.rollout)?;
    Some((rollout, rollout.shadow.as_ref()?))
}

fn rollout_state(
    rollouts: &mut [Option<RolloutState>],
    sample: Sample,
) -> Option<&mut RolloutState> {
    rollouts.get_mut(sample.rollout)?.as_mut()
}
