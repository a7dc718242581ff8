//! What happens between two looks of a roll: to the proxies, the clock, the disk, and by people.

use proptest::prelude::*;

use super::simulated_world::{Policy, Simulation};

#[derive(Clone, Copy, Debug)]
pub(super) enum Action {
    /// Nothing but time, in seconds.
    Wait(u64),
    V2Worse(bool),
    Missing(usize, bool),
    Refuses(usize, bool),
    RestartProxy(usize),
    Invalid(bool),
    ApplyFails(bool),
    HaltFails(bool),
    FolderUnreadable(bool),
    /// The clock of this machine jumps, by seconds.
    ClockJumps(i64),
    PersonHalts,
    PersonResumes,
    PersonApplies,
    /// A person applies the step before again.
    PersonReturnsToStepBefore,
    PersonReturns,
    /// The roll is killed at this step of its next look.
    Kill(usize),
    /// The disk is full from this step on of its next look.
    DiskFull(usize),
    /// The roll is ended and not started for this many seconds.
    Down(u64),
}

impl Action {
    pub(super) const fn is_of_person(self) -> bool {
        matches!(
            self,
            Self::PersonHalts
                | Self::PersonResumes
                | Self::PersonApplies
                | Self::PersonReturns
                | Self::PersonReturnsToStepBefore
        )
    }
}

pub(super) fn actions() -> impl Strategy<Value = Vec<Action>> {
    let action = prop_oneof![
        30 => (1_u64..90).prop_map(Action::Wait),
        1 => prop::bool::weighted(0.8).prop_map(Action::V2Worse),
        4 => (0_usize..2, prop::bool::weighted(0.3)).prop_map(|(it, is)| Action::Missing(it, is)),
        3 => (0_usize..2, prop::bool::weighted(0.3)).prop_map(|(it, is)| Action::Refuses(it, is)),
        2 => (0_usize..2).prop_map(Action::RestartProxy),
        2 => prop::bool::weighted(0.4).prop_map(Action::Invalid),
        2 => prop::bool::weighted(0.4).prop_map(Action::ApplyFails),
        1 => prop::bool::weighted(0.4).prop_map(Action::HaltFails),
        2 => prop::bool::weighted(0.3).prop_map(Action::FolderUnreadable),
        2 => (-100_000_i64..100_000).prop_map(Action::ClockJumps),
        1 => Just(Action::PersonHalts),
        2 => Just(Action::PersonResumes),
        1 => Just(Action::PersonApplies),
        1 => Just(Action::PersonReturnsToStepBefore),
        2 => Just(Action::PersonReturns),
        6 => (0_usize..10).prop_map(Action::Kill),
        1 => (0_usize..8).prop_map(Action::DiskFull),
        2 => (1_u64..400).prop_map(Action::Down),
    ];
    prop::collection::vec(action, 1..120)
}

impl Simulation {
    /// What a person does, and what breaks or heals.
    pub(super) fn happens(&mut self, action: Action) {
        match action {
            Action::V2Worse(is_worse) => self.is_v2_worse = is_worse,
            Action::Missing(proxy, is_missing) => self.proxies[proxy].is_missing = is_missing,
            Action::Refuses(proxy, refuses) => self.proxies[proxy].refuses = refuses,
            Action::RestartProxy(proxy) => self.restart_proxy(proxy),
            Action::Invalid(is_invalid) => self.is_invalid = is_invalid,
            Action::ApplyFails(fails) => self.apply_fails = fails,
            Action::HaltFails(fails) => self.halt_fails = fails,
            Action::FolderUnreadable(is_unreadable) => self.is_folder_unreadable = is_unreadable,
            Action::ClockJumps(seconds) => self.clock_offset += seconds,
            Action::PersonHalts => {
                self.halted_by_person = true;
                self.sequence += 1;
            }
            Action::PersonResumes => {
                self.sequence += u64::from(self.halted_by_person);
                self.halted_by_person = false;
            }
            Action::PersonApplies if self.replaced.is_none() => {
                self.replaced = Some(self.policy);
                self.audit.is_refused = false;
                self.policy = Policy::Foreign;
                self.sequence += 1;
            }
            // The roll itself returns from a step that some proxies refused. A roll that was killed while it applied a step
            // cannot know that someone has returned from it.
            Action::PersonReturnsToStepBefore
                if !self.audit.is_refused && !self.audit.was_killed =>
            {
                if let (Policy::Step(step @ 1..), None) = (self.policy, self.replaced) {
                    self.replaced = Some(self.policy);
                    self.policy = Policy::Step(step - 1);
                    self.sequence += 1;
                }
            }
            Action::PersonReturns => {
                if let Some(policy) = self.replaced.take() {
                    self.policy = policy;
                    self.sequence += 1;
                }
            }
            _ => {}
        }
        self.deliver();
    }

    /// Everything works again, and people have undone what they did.
    pub(super) fn becomes_reliable(&mut self) {
        for proxy in 0..self.proxies.len() {
            self.happens(Action::Missing(proxy, false));
            self.happens(Action::Refuses(proxy, false));
        }
        self.happens(Action::Invalid(false));
        self.happens(Action::ApplyFails(false));
        self.happens(Action::HaltFails(false));
        self.happens(Action::FolderUnreadable(false));
        self.happens(Action::PersonResumes);
        self.happens(Action::PersonReturns);
    }
}
