//! Sampled requests that wait for the client to send the rest, for v1, or for the client to read the
//! response.
//!
//! A client chooses how long that takes. So a waiting request takes none of the `max_in_flight` slots,
//! times out, and makes room for others if room is scarce.

use turnout_core::shadow::{AccountKey, Outcome, Sample, share};

use super::job::Job;
use super::{Shadowing, parts, rollout_state};

/// The number of requests that may wait for each slot of `max_in_flight`.
const WAITING_PER_SLOT: usize = 4;
/// How long a request may wait in one [`Phase`], in ticks of one second. Then it is dropped.
const TIMES_OUT_AFTER: u32 = 60;
/// After waiting this long for its client or for v1, in ticks of one second, a request must make room
/// for others.
const MAKES_ROOM_AFTER: u32 = 2;

/// What a job waits for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// The rest of the request, at the client's pace.
    Request,
    /// v1.
    V1,
    /// The rest of v1's response, at the pace of the client and of v1.
    Answer,
}

impl Shadowing {
    /// Lets one more request of an account wait. If too many wait, drops the one that its client has
    /// kept waiting longest, from the same account if that has its whole share.
    pub(super) fn wait(&mut self, sample: Sample, account: AccountKey) -> bool {
        let configuration = std::rc::Rc::clone(&self.configuration);
        let Some((_, shadow)) = parts(&configuration, sample) else {
            return false;
        };
        let most = shadow.max_in_flight.saturating_mul(WAITING_PER_SLOT);
        loop {
            let Some(state) = rollout_state(&mut self.rollouts, sample) else {
                return false;
            };
            if state.waiting.take(account, most) {
                return true;
            }
            let is_own = state.waiting.is_spent(account, most);
            let is_in_the_way = |job: &Job| {
                job.sample.rollout == sample.rollout && (!is_own || job.account == account)
            };
            let half = most / 2;
            if !self.drop_at_slow_client(0, &is_in_the_way)
                && !self.drop_at_slow_v1(0, half, &|_| 1, &is_in_the_way)
            {
                return false;
            }
        }
    }

    /// Makes room for more bytes of an account, as far as requests can be dropped for it.
    pub(super) fn make_room(&mut self, id: u32, account: AccountKey, bytes: usize) {
        loop {
            let own = self.accounts.get(&account);
            let is_own = own.is_some_and(|own| !own.fits(bytes, share(account, self.limit)));
            if !is_own && self.budget.fits(bytes, self.limit) {
                return;
            }
            let is_in_the_way = |job: &Job| !is_own || job.account == account;
            let half = self.limit / 2;
            if !self.drop_at_slow_client(id, &is_in_the_way)
                && !self.drop_at_slow_v1(id, half, &|job| job.charge.bytes(), &is_in_the_way)
            {
                return;
            }
        }
    }

    /// Drops the oldest request that a client keeps waiting, except this one.
    fn drop_at_slow_client(&mut self, id: u32, is_in_the_way: &dyn Fn(&Job) -> bool) -> bool {
        let found = self.jobs.iter().find(|(other, job)| {
            **other != id
                && job.phase != Phase::V1
                && job.has_waited(self.ticks, MAKES_ROOM_AFTER)
                && is_in_the_way(job)
        });
        let found = found.map(|(other, _)| *other);
        if let Some(other) = found {
            self.end_job(other, Outcome::DroppedSlow);
        }
        found.is_some()
    }

    /// Drops one of the requests that v1 keeps waiting, if together they take more than `most` of the
    /// room. It drops the youngest, so that the others finish: a v1 that is slow everywhere is
    /// compared, too.
    fn drop_at_slow_v1(
        &mut self,
        id: u32,
        most: usize,
        room_of: &dyn Fn(&Job) -> usize,
        is_in_the_way: &dyn Fn(&Job) -> bool,
    ) -> bool {
        let slow = self.jobs.iter().filter(|(other, job)| {
            **other != id
                && job.phase == Phase::V1
                && job.has_waited(self.ticks, MAKES_ROOM_AFTER)
                && is_in_the_way(job)
        });
        let (taken, youngest) = slow.fold((0_usize, None), |(taken, _), (other, job)| {
            (taken.saturating_add(room_of(job)), Some(*other))
        });
        let found = youngest.filter(|_| taken > most);
        if let Some(other) = found {
            self.end_job(other, Outcome::DroppedSlow);
        }
        found.is_some()
    }

    /// Drops the requests that have waited too long.
    pub(super) fn drop_timed_out(&mut self) {
        let jobs = self.jobs.iter();
        let late = jobs.filter(|(_, job)| job.has_waited(self.ticks, TIMES_OUT_AFTER));
        let late: Vec<u32> = late.map(|(id, _)| *id).collect();
        for id in late {
            self.end_job(id, Outcome::DroppedSlow);
        }
    }

    /// Ends the waiting of a request.
    pub(super) fn stop_waiting(&mut self, id: u32) {
        if let Some(job) = self.jobs.get_mut(&id)
            && std::mem::take(&mut job.is_waiting)
            && let Some(state) = rollout_state(&mut self.rollouts, job.sample)
        {
            state.waiting.give_back(job.account);
        }
    }

    /// Takes a slot for calls. A job that has one keeps it.
    pub(super) fn take_slot(&mut self, id: u32) -> bool {
        let configuration = std::rc::Rc::clone(&self.configuration);
        let Some(job) = self.jobs.get_mut(&id) else {
            return false;
        };
        let Some((_, shadow)) = parts(&configuration, job.sample) else {
            return false;
        };
        if !job.has_slot
            && let Some(state) = rollout_state(&mut self.rollouts, job.sample)
        {
            job.has_slot = !state.back_off.forbids(state.slots.taken(), shadow)
                && state.slots.take(job.account, shadow.max_in_flight);
        }
        job.has_slot
    }

    /// Releases the slot of a job, if it has one.
    pub(super) fn release_slot(&mut self, id: u32) {
        if let Some(job) = self.jobs.get_mut(&id)
            && std::mem::take(&mut job.has_slot)
            && let Some(state) = rollout_state(&mut self.rollouts, job.sample)
        {
            state.slots.give_back(job.account);
        }
    }
}
