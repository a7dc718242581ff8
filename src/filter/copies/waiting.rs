//! Sampled requests that wait: for the client to send the rest, for v1, for the client to read its answer.
//!
//! A client chooses how long that takes. So a waiting request takes none of the `max_in_flight` places, times out,
//! and makes room for others if room is scarce.

use turnout_core::shadow::{AccountKey, Outcome, Sample, share};

use super::job::Job;
use super::{Copies, of_rollout, parts};

/// How many requests may wait for each place of `max_in_flight`.
const WAITING_FOR_A_PLACE: usize = 4;
/// How long a request may wait in one [`Phase`], in ticks of one second. Then it is dropped.
const GIVEN_UP: u32 = 60;
/// How long a request may wait for its client or for v1, in ticks of one second, before it must make room for
/// others.
const MAKES_ROOM: u32 = 2;

/// What a job waits for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// The rest of the request, at the client's pace.
    Request,
    /// v1.
    V1,
    /// The rest of v1's answer, at the pace of the client and of v1.
    Answer,
}

impl Copies {
    /// Lets one more request of an account wait, and where too many do, gives up the one that a client has made
    /// wait longest: one of the same account where that has its share.
    pub(super) fn wait(&mut self, sample: Sample, account: AccountKey) -> bool {
        let configuration = std::rc::Rc::clone(&self.configuration);
        let Some((_, shadow)) = parts(&configuration, sample) else {
            return false;
        };
        let most = shadow.max_in_flight.saturating_mul(WAITING_FOR_A_PLACE);
        loop {
            let Some(state) = of_rollout(&mut self.rollouts, sample) else {
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
            if !self.give_up(0, &is_in_the_way)
                && !self.give_up_at_v1(0, half, &|_| 1, &is_in_the_way)
            {
                return false;
            }
        }
    }

    /// Makes room for so many bytes of an account, as far as requests can be given up for it.
    pub(super) fn make_room(&mut self, id: u32, account: AccountKey, bytes: usize) {
        loop {
            let own = self.accounts.get(&account);
            let is_own = own.is_some_and(|own| !own.fits(bytes, share(account, self.limit)));
            if !is_own && self.budget.fits(bytes, self.limit) {
                return;
            }
            let is_in_the_way = |job: &Job| !is_own || job.account == account;
            let half = self.limit / 2;
            if !self.give_up(id, &is_in_the_way)
                && !self.give_up_at_v1(id, half, &|job| job.charge.bytes(), &is_in_the_way)
            {
                return;
            }
        }
    }

    /// Gives up the oldest of the requests that a client makes wait, other than this one.
    fn give_up(&mut self, id: u32, is_in_the_way: &dyn Fn(&Job) -> bool) -> bool {
        let found = self.jobs.iter().find(|(other, job)| {
            **other != id
                && job.phase != Phase::V1
                && job.has_waited(self.ticks, MAKES_ROOM)
                && is_in_the_way(job)
        });
        let found = found.map(|(other, _)| *other);
        if let Some(other) = found {
            self.settle(other, Outcome::DroppedSlow);
        }
        found.is_some()
    }

    /// Gives up one of the requests at which v1 takes long, if together they take more than this of the room. Of
    /// those it is the youngest, so that the others come to their end: a v1 that is slow everywhere is compared too.
    fn give_up_at_v1(
        &mut self,
        id: u32,
        most: usize,
        room_of: &dyn Fn(&Job) -> usize,
        is_in_the_way: &dyn Fn(&Job) -> bool,
    ) -> bool {
        let slow = self.jobs.iter().filter(|(other, job)| {
            **other != id
                && job.phase == Phase::V1
                && job.has_waited(self.ticks, MAKES_ROOM)
                && is_in_the_way(job)
        });
        let (taken, youngest) = slow.fold((0_usize, None), |(taken, _), (other, job)| {
            (taken.saturating_add(room_of(job)), Some(*other))
        });
        let found = youngest.filter(|_| taken > most);
        if let Some(other) = found {
            self.settle(other, Outcome::DroppedSlow);
        }
        found.is_some()
    }

    /// Gives up what has waited too long.
    pub(super) fn give_up_late(&mut self) {
        let jobs = self.jobs.iter();
        let late = jobs.filter(|(_, job)| job.has_waited(self.ticks, GIVEN_UP));
        let late: Vec<u32> = late.map(|(id, _)| *id).collect();
        for id in late {
            self.settle(id, Outcome::DroppedSlow);
        }
    }

    /// A request has all that it waited for, or an outcome.
    pub(super) fn stop_waiting(&mut self, id: u32) {
        if let Some(job) = self.jobs.get_mut(&id)
            && std::mem::take(&mut job.is_waiting)
            && let Some(state) = of_rollout(&mut self.rollouts, job.sample)
        {
            state.waiting.give_back(job.account);
        }
    }

    /// Takes one of the places for calls; a job that has one keeps it.
    pub(super) fn take_place(&mut self, id: u32) -> bool {
        let configuration = std::rc::Rc::clone(&self.configuration);
        let Some(job) = self.jobs.get_mut(&id) else {
            return false;
        };
        let Some((_, shadow)) = parts(&configuration, job.sample) else {
            return false;
        };
        if !job.has_place
            && let Some(state) = of_rollout(&mut self.rollouts, job.sample)
        {
            job.has_place = !state.back_off.forbids(state.places.taken(), shadow)
                && state.places.take(job.account, shadow.max_in_flight);
        }
        job.has_place
    }

    /// Gives a place back, if the job has one.
    pub(super) fn leave_place(&mut self, id: u32) {
        if let Some(job) = self.jobs.get_mut(&id)
            && std::mem::take(&mut job.has_place)
            && let Some(state) = of_rollout(&mut self.rollouts, job.sample)
        {
            state.places.give_back(job.account);
        }
    }
}
