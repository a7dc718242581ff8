//! All guards of a worker's VM, from one configuration to the next.

use std::cell::RefCell;
use std::mem;
use std::rc::Rc;

use log::warn;
use turnout_core::guard::{RolloutGuard, guard_id};
use turnout_core::{Plan, Rollout};

use super::metrics::GuardMetrics;
use super::shared_slots::{Content, Others, SharedSlots, Slot, forget};

/// The number of workers to assume where they cannot share their counts, because a filter cannot read the number of
/// workers. Each of them then trips at alpha divided by this number.
const ASSUMED_WORKERS: u32 = 128;

/// The guards of a worker. A guard continues as long as a configuration in use has it, and its requests are counted
/// in it whatever configuration decided them.
#[derive(Default)]
pub(crate) struct WorkerGuards {
    guards: Vec<SharedGuard>,
    slots: SharedSlots,
}

/// A guard, shared by the configurations that have it.
pub(crate) type SharedGuard = Rc<RefCell<GuardedRollout>>;

/// A guard with what connects it to the other workers.
pub(crate) struct GuardedRollout {
    id: u64,
    rollout: String,
    pub(super) guard: RolloutGuard,
    sharing: Sharing,
    /// False once the rollout has been defined differently. The guard then only counts the rest of its requests.
    is_current: bool,
    metrics: GuardMetrics,
    workers: u32,
}

/// How a guard shares its counts.
enum Sharing {
    /// It has not ticked. Envoy tries each configuration in a VM that never ticks, and drops the VM without a call.
    NotYet,
    Shared(Slot),
    /// The proxy refuses, or all slots are in use.
    Alone,
}

impl WorkerGuards {
    /// Returns the guards of a policy, by the index of the rollout: those of its rollouts that have one. A guard of the
    /// same definition continues.
    pub(crate) fn of_policy(&mut self, plugin: &str, plan: &Plan) -> Vec<Option<SharedGuard>> {
        if plan
            .rollouts()
            .iter()
            .all(|rollout| rollout.guard.is_none())
        {
            return Vec::new();
        }
        let contents = self.slots.read();
        let rollouts = plan.rollouts().iter();
        let guards = rollouts.map(|rollout| {
            let epoch = rollout.guard.as_ref()?.epoch;
            let id = guard_id(plugin, &rollout.name);
            self.continued(id, epoch)
                .or_else(|| self.armed(id, rollout, &contents))
        });
        guards.collect()
    }

    /// Returns the current guard with this id.
    fn current(&self, id: u64) -> Option<&SharedGuard> {
        self.guards.iter().find(|known| {
            let known = known.borrow();
            known.is_current && known.id == id
        })
    }

    /// Returns the current guard with this id if it has this epoch.
    fn continued(&self, id: u64, epoch: u64) -> Option<SharedGuard> {
        let known = self.current(id)?;
        let is_same = known.borrow().guard.guard().epoch() == epoch;
        is_same.then(|| Rc::clone(known))
    }

    /// Creates the guard of a rollout. It takes the place of the one that was armed for an earlier definition.
    fn armed(&mut self, id: u64, rollout: &Rollout, contents: &[Content]) -> Option<SharedGuard> {
        let guard = RolloutGuard::new(rollout)?;
        let mut sharing = Sharing::NotYet;
        if let Some(replaced) = self.current(id) {
            let mut replaced = replaced.borrow_mut();
            replaced.is_current = false;
            sharing = mem::replace(&mut replaced.sharing, Sharing::Alone);
        }
        let mut guard = GuardedRollout {
            id,
            rollout: rollout.name.clone(),
            metrics: GuardMetrics::define(&rollout.name, guard.guard()),
            guard,
            sharing,
            is_current: true,
            workers: 0,
        };
        // The other workers may have found something before this one began, for example in another build.
        guard.tick(contents);
        let guard = Rc::new(RefCell::new(guard));
        self.guards.push(Rc::clone(&guard));
        Some(guard)
    }

    /// Ends a second in all guards.
    pub(crate) fn tick(&mut self) {
        if self.guards.is_empty() {
            return;
        }
        let contents = self.slots.tick();
        for guard in &self.guards {
            let mut guard = guard.borrow_mut();
            if matches!(guard.sharing, Sharing::NotYet) {
                guard.sharing = self
                    .slots
                    .take(guard.id)
                    .map_or(Sharing::Alone, Sharing::Shared);
            }
            guard.tick(&contents);
        }
    }

    /// Ends the guards that no configuration has any more. `is_replaced` is true if a later policy of the same plugin
    /// does not have them; else another VM may continue them.
    pub(crate) fn end_unused(&mut self, is_replaced: bool) {
        let is_used = |guard: &SharedGuard| Rc::strong_count(guard) > 1;
        if self.guards.iter().all(is_used) {
            return;
        }
        let contents = self.slots.read();
        let slots = &mut self.slots;
        self.guards.retain(|guard| {
            let is_used = is_used(guard);
            if !is_used {
                guard.borrow_mut().end(slots, &contents, is_replaced);
            }
            is_used
        });
    }
}

impl GuardedRollout {
    fn tick(&mut self, contents: &[Content]) {
        let epoch = self.guard.guard().epoch();
        let slot = match &self.sharing {
            Sharing::Shared(slot) => Some(slot),
            Sharing::NotYet | Sharing::Alone => None,
        };
        let is_alone = matches!(self.sharing, Sharing::Alone);
        let others = match is_alone {
            true => Others::none(epoch),
            false => Others::of(self.id, slot, epoch, contents),
        };
        let workers = if is_alone {
            ASSUMED_WORKERS
        } else {
            others.workers
        };
        let guard = self.guard.guard_mut();
        if workers != self.workers {
            self.workers = workers;
            guard.set_workers(workers, !is_alone);
        }
        let change = guard.tick(&others.counts);
        if let Sharing::Shared(slot) = &mut self.sharing {
            let mut snapshot = Vec::new();
            guard.write_snapshot(&mut snapshot);
            if !slot.write(&snapshot, contents) {
                self.sharing = Sharing::NotYet;
            }
        }
        self.metrics.add_settled(&guard.settled());
        if !self.is_current {
            return;
        }
        self.metrics.set_gauges(guard);
        // All workers find it within a second; one of them logs it.
        if let Some(change) = change.filter(|_| others.is_first) {
            warn!("turnout: {}", guard.sentence(&self.rollout, change));
        }
    }

    /// Counts what has not settled, because no request is left, and leaves the counts to the other workers unless the
    /// rollout has no guard any more.
    fn end(&mut self, slots: &mut SharedSlots, contents: &[Content], is_replaced: bool) {
        let guard = self.guard.guard_mut();
        guard.finish();
        self.metrics.add_settled(&guard.settled());
        let slot = match mem::replace(&mut self.sharing, Sharing::Alone) {
            Sharing::Shared(slot) => Some(slot),
            Sharing::NotYet | Sharing::Alone => None,
        };
        if self.is_current && is_replaced {
            forget(self.id, slot.as_ref(), contents);
        } else if let Some(slot) = slot {
            let mut snapshot = Vec::new();
            guard.write_snapshot(&mut snapshot);
            slots.end(&slot, &snapshot, contents);
        }
    }
}
