//! The copies of one plugin: from the sampled request to its outcome.
//!
//! The user's request and answer pass by untouched and unheld; what is seen of them is kept, within
//! bounds, and v2 is asked by a call of the plugin's own. A job is one sampled request; it has a place among
//! `max_in_flight` as long as its calls are under way, and none while it waits for a client.

mod back_off;
mod exports;
mod job;
mod metrics;
mod telemetry;
mod waiting;

use std::hash::{BuildHasher, RandomState};
use std::rc::Rc;

use turnout_core::shadow::{
    AccountCharge, AccountKey, Answered, Judge, Next, NoiseModel, Outcome, Sample, SendTiming,
    ShadowPlan, Shares, Trial, Verdict,
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

pub(crate) struct Copies {
    configuration: Rc<Configuration>,
    /// By the rollout's index; nothing where it copies nothing.
    rollouts: Vec<Option<OfRollout>>,
    jobs: VecMap<u32, Box<Job>>,
    last_job: u32,
    /// By token: whose call it is.
    calls: VecMap<u32, u32>,
    telemetry: Telemetry,
    budget: ByteBudget,
    /// As far as bytes may be held: what a callback needs for a moment is kept free.
    limit: usize,
    /// By account: what its requests hold. An account is known by a hash whose key is random in each worker.
    accounts: VecMap<AccountKey, ByteBudget>,
    keys: RandomState,
    /// How many there were.
    ticks: u32,
}

/// What one worker has of one rollout.
struct OfRollout {
    metrics: ShadowMetrics,
    model: NoiseModel,
    charge: Charge,
    /// For calls.
    places: Shares,
    waiting: Shares,
    back_off: BackOff,
}

impl Copies {
    /// What a policy asks for and this build does not have: nothing.
    pub(crate) fn lacks(_plan: &Plan) -> Vec<String> {
        Vec::new()
    }

    /// Nothing is copied yet. Called while the plugin is configured.
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
                Some(OfRollout {
                    metrics: ShadowMetrics::define(&rollout.name),
                    model,
                    charge,
                    places: Shares::default(),
                    waiting: Shares::default(),
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

    /// By what an account is known here.
    pub(crate) fn account_key(&self, account: &Account<'_>) -> AccountKey {
        match account {
            Account::Known(account) => Some(self.keys.hash_one(account.as_slice())),
            Account::Absent | Account::Malformed => None,
        }
    }

    /// Takes a sampled request in, and returns its job unless it has an outcome already.
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
        let is_failing = state.back_off.forbids(state.places.taken(), shadow);
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
            let state = of_rollout(&mut self.rollouts, sample)?;
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

    /// Ends what has no job.
    fn refuse(&mut self, sample: Sample, outcome: Outcome) -> Option<u32> {
        if let Some(state) = of_rollout(&mut self.rollouts, sample) {
            state.metrics.count(outcome);
        }
        self.telemetry.count(&sample, outcome, None);
        self.summarise_early();
        None
    }

    /// A piece of the request's body is on its way to v1.
    pub(crate) fn request_body(&mut self, id: u32, size: usize, end: bool) {
        if self.keep(id, true, size) && end {
            self.request_done(id);
        }
    }

    /// Keeps a piece of the request's body, or of v1's answer. `false` where the job has an outcome.
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
            self.settle(id, outcome);
        }
        kept.is_ok()
    }

    /// The request's trailers end it. They are not copied.
    pub(crate) fn request_ended(&mut self, id: u32) {
        self.request_body(id, 0, true);
    }

    fn request_done(&mut self, id: u32) {
        let ticks = self.ticks;
        let Some((job, shadow)) = self.job(id) else {
            return;
        };
        let now = host::now();
        job.is_complete = true;
        job.asked_v1_at = now;
        if job.phase == Phase::Request {
            job.enter(Phase::V1, ticks);
        }
        if shadow.send == SendTiming::WithRequest && matches!(job.v2, V2::NotAsked) {
            job.v2 = V2::Asked;
            if !self.take_place(id) {
                self.settle(id, Outcome::DroppedBusy);
            } else if !self.ask(id, Treatment::V2, now) {
                self.settle(id, Outcome::V2Error);
            }
        }
    }

    /// v1's answer begins.
    pub(crate) fn answer_headers(&mut self, id: u32, end: bool) {
        if !self.may_work() {
            return self.settle(id, Outcome::DroppedBusy);
        }
        let ticks = self.ticks;
        let Some((job, shadow)) = self.job(id) else {
            return;
        };
        job.enter(Phase::Answer, ticks);
        let buffer = HeaderBuffer::of(host::RESPONSE_HEADERS);
        let answer = job::Head::read(&buffer.pairs(), shadow);
        match answer.skip() {
            Some(outcome) => self.settle(id, outcome),
            None => {
                job.v1 = V1::Answering(answer.into_reply());
                job.weigh();
                if end {
                    self.answer_done(id);
                }
            }
        }
    }

    /// A piece of v1's answer is on its way to the user.
    pub(crate) fn answer_body(&mut self, id: u32, size: usize, end: bool) {
        if self.keep(id, false, size) && end {
            self.answer_done(id);
        }
    }

    fn answer_done(&mut self, id: u32) {
        if let Some((job, _)) = self.job(id) {
            job.answer_done(host::now());
        }
    }

    /// The user's request is over: everything that v1 sent is on its way to the user, or nothing
    /// more will be.
    pub(crate) fn stream_ended(&mut self, id: u32) {
        let Some((job, _)) = self.job(id) else {
            return;
        };
        let V1::Answered(_) = &job.v1 else {
            return self.settle(id, Outcome::SkippedAborted);
        };
        if !job.is_complete {
            return self.settle(id, Outcome::SkippedEarlyAnswer);
        }
        self.start_trial(id);
    }

    /// Both v1's answer and the end of the user's request are there.
    fn start_trial(&mut self, id: u32) {
        self.stop_waiting(id);
        if !self.take_place(id) {
            return self.settle(id, Outcome::DroppedBusy);
        }
        let Some((job, shadow)) = self.job(id) else {
            return;
        };
        // The end of the request comes with that of the answer: no need to ask the time again.
        let (now, most) = (job.answered_v1_at, shadow.max_body_bytes);
        let Some(job) = self.jobs.get_mut(&id) else {
            return;
        };
        let Some(state) = of_rollout(&mut self.rollouts, job.sample) else {
            return;
        };
        let V1::Answered(mut v1) = std::mem::replace(&mut job.v1, V1::Handed) else {
            return;
        };
        let decoded = if v1.is_encoded() { most } else { 0 };
        if !job.charge.grow(decoded, self.limit) {
            return self.settle(id, Outcome::DroppedBusy);
        }
        if let Err(outcome) = v1.decode(most) {
            return self.settle(id, outcome);
        }
        let Sample { is_safe, noise, .. } = job.sample;
        match std::mem::replace(&mut job.v2, V2::InTrial) {
            V2::NotAsked => {
                let (trial, first) = Trial::start(v1, is_safe, noise, &mut state.model);
                job.trial = Some(trial);
                job.weigh();
                self.proceed(id, Next::Ask(first), now);
            }
            V2::Asked => {
                job.trial = Some(Trial::with_v2_asked(v1, is_safe, noise));
                job.weigh();
            }
            V2::Answered(answer) => {
                job.trial = Some(Trial::with_v2_asked(v1, is_safe, noise));
                self.trial_answered(id, answer, now);
            }
            V2::InTrial => {}
        }
    }

    /// The answer to a call of ours, or that there is none.
    pub(crate) fn call_answered(&mut self, token: u32, is_answered: bool, size: usize) {
        let Some(id) = self.calls.remove(&token) else {
            self.telemetry.export_answered(token, is_answered);
            return;
        };
        let configuration = Rc::clone(&self.configuration);
        let Some(job) = self.jobs.get(&id).filter(|job| !job.is_settled) else {
            // The job only waits for this call. The answer is not read, so nothing makes room for it.
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
        if job.call_answered(now, &answer) == Some(Treatment::V2)
            && let Some(state) = of_rollout(&mut self.rollouts, job.sample)
        {
            state.back_off.note(&answer, now, shadow);
        }
        if !may_work {
            return self.settle(id, Outcome::DroppedBusy);
        }
        if job.trial.is_some() {
            self.trial_answered(id, answer, now);
        } else {
            // v1 is still answering, or the client still reading.
            job.v2 = V2::Answered(answer);
            job.weigh();
            self.leave_place(id);
        }
    }

    fn trial_answered(&mut self, id: u32, answer: Answered, now: u64) {
        let configuration = Rc::clone(&self.configuration);
        let Some(job) = self.jobs.get_mut(&id) else {
            return;
        };
        let Some((_, shadow)) = parts(&configuration, job.sample) else {
            return;
        };
        let state = of_rollout(&mut self.rollouts, job.sample);
        let (Some(state), Some(trial)) = (state, job.trial.as_mut()) else {
            return;
        };
        let mut judge = Judge {
            shadow,
            model: &mut state.model,
            route: job.sample.route,
            now_ms: now / MILLI,
        };
        let next = trial.answered(answer, &mut judge);
        state.charge.set(state.model.held_bytes());
        job.weigh();
        self.proceed(id, next, now);
    }

    fn proceed(&mut self, id: u32, next: Next, now: u64) {
        match next {
            Next::Done(verdict) => self.finish(id, &verdict, now),
            Next::Ask(version) => {
                if !self.ask(id, version, now) {
                    // A trial asks a version that does not answer once.
                    self.trial_answered(id, Answered::Not(Outcome::V2Error), now);
                }
            }
        }
    }

    /// Sends the copy to a version. `false` when it cannot be sent.
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

    /// Ends a job whose answers are not compared.
    fn settle(&mut self, id: u32, outcome: Outcome) {
        let verdict = Verdict {
            outcome,
            difference: None,
        };
        self.finish(id, &verdict, 0);
    }

    /// The time is for the record of a difference.
    fn finish(&mut self, id: u32, verdict: &Verdict, now: u64) {
        let configuration = Rc::clone(&self.configuration);
        let Some(job) = self.jobs.get_mut(&id) else {
            return;
        };
        let sample = job.sample;
        if let Some(state) = of_rollout(&mut self.rollouts, sample) {
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
        job.is_settled = true;
        let is_over = job.call.is_none();
        if !is_over {
            job.forget_bodies();
        }
        self.stop_waiting(id);
        if is_over {
            self.release(id);
        }
        self.summarise_early();
    }

    /// Whether what a callback needs for a moment is free.
    fn may_work(&self) -> bool {
        self.budget.fits(0, self.limit)
    }

    /// Writes summaries before they are due where they hold much.
    fn summarise_early(&mut self) {
        if self.telemetry.is_full() {
            self.report(host::now() / MILLI, true);
        }
    }

    /// Ends a job, and gives back all that it has.
    fn release(&mut self, id: u32) {
        self.stop_waiting(id);
        self.leave_place(id);
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

    /// Whether anything is ever copied.
    pub(crate) fn are_wanted(&self) -> bool {
        self.rollouts.iter().any(Option::is_some)
    }

    /// Writes what is due; about once a second. `now` is in nanoseconds.
    pub(crate) fn tick(&mut self, now: u64) {
        self.ticks = self.ticks.wrapping_add(1);
        self.give_up_late();
        self.report(now / MILLI, false);
        self.telemetry.export(&self.configuration);
    }

    fn report(&mut self, now_ms: u64, at_once: bool) {
        let configuration = &self.configuration;
        for (rollout, state) in configuration.plan.rollouts().iter().zip(&mut self.rollouts) {
            if let Some(state) = state {
                state.metrics.in_flight(state.places.taken());
                let usage = state.model.usage();
                self.telemetry
                    .summarise(configuration, rollout, usage, now_ms, at_once);
            }
        }
    }

    /// The plugin goes, and its calls with it.
    pub(crate) fn end(&mut self) {
        self.give_up_all();
        self.report(host::now() / MILLI, true);
        self.telemetry.end();
    }

    /// Ends every job. Answers to calls that are under way are not read.
    pub(crate) fn give_up_all(&mut self) {
        let open: Vec<u32> = self.jobs.iter().map(|(id, _)| *id).collect();
        for id in open {
            if self.jobs.get(&id).is_some_and(|job| !job.is_settled) {
                self.settle(id, Outcome::SkippedSwap);
            }
            self.release(id);
        }
    }

    /// A job without an outcome, and what it is done by.
    fn job(&mut self, id: u32) -> Option<(&mut Job, &ShadowPlan)> {
        let job = self.jobs.get_mut(&id).filter(|job| !job.is_settled)?;
        let (_, shadow) = parts(&self.configuration, job.sample)?;
        Some((job, shadow))
    }
}

fn parts(configuration: &Configuration, sample: Sample) -> Option<(&Rollout, &ShadowPlan)> {
    let rollout = configuration.plan.rollouts().get(sample.rollout)?;
    Some((rollout, rollout.shadow.as_ref()?))
}

fn of_rollout(rollouts: &mut [Option<OfRollout>], sample: Sample) -> Option<&mut OfRollout> {
    rollouts.get_mut(sample.rollout)?.as_mut()
}
