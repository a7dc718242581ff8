//! What the machine sees: the policy of the folder, the proxies, the verdict and the bake.

use turnout_judge::Verdict;

use super::Machine;
use crate::inputs::FolderPolicy;
use crate::roll_state::{Baked, Baseline};

impl Machine<'_> {
    /// Whether this is the root of the policy that is active before a step.
    pub(super) fn is_root_before(&self, step: usize, root: &str) -> bool {
        let state = &self.tick.state;
        match step.checked_sub(1) {
            Some(before) if state.steps.get(before).is_some_and(|it| it.ended.is_some()) => {
                self.steps.has_root(before, root)
            }
            // The roll has begun with this step.
            _ => state.revision_before.as_deref() == Some(root),
        }
    }

    pub(super) fn is_halted(&self) -> bool {
        let FolderPolicy::Active(active) = &self.inputs.folder else {
            return false;
        };
        let rollout = &self.steps.plan().rollout;
        active.halts.everyone || active.halts.rollouts.contains(rollout)
    }

    /// Returns the step whose policy is active: this one, the one before, or none.
    pub(super) fn active_step(&self, step: usize) -> Option<usize> {
        let active = match &self.inputs.folder {
            FolderPolicy::Active(active) => active,
            _ => return self.tick.state.applied_step,
        };
        let steps = [Some(step), step.checked_sub(1)];
        let mut steps = steps.into_iter().flatten();
        steps.find(|step| self.steps.has_root(*step, &active.root))
    }

    pub(super) fn is_root_of_plan(&self, root: &str) -> bool {
        let mut steps = 0..self.steps.policies().len();
        steps.any(|step| self.steps.has_root(step, root))
            || self.tick.state.revision_before.as_deref() == Some(root)
    }

    /// Returns the number of the revision that the proxies should run.
    pub(super) fn wanted_number(&self, step: usize) -> Option<u64> {
        match &self.inputs.folder {
            FolderPolicy::Active(active) => Some(active.number),
            _ => self.steps.policy(step).map(|it| it.revision.number()),
        }
    }

    /// Whether every proxy was read and runs the step.
    pub(super) fn all_run(&self, step: usize) -> bool {
        let number = self.wanted_number(step);
        let proxies = &self.inputs.proxies;
        let are_enough = proxies.len() >= self.inputs.expected_proxies.unwrap_or(1).max(1);
        are_enough
            && proxies
                .iter()
                .all(|proxy| proxy.number.is_some() && proxy.number == number)
    }

    /// Whether a proxy runs the step.
    pub(super) fn is_run(&self, step: usize) -> bool {
        let number = self.wanted_number(step);
        let mut proxies = self.inputs.proxies.iter();
        number.is_some() && proxies.any(|proxy| proxy.number == number)
    }

    pub(super) fn is_any_read(&self) -> bool {
        let mut proxies = self.inputs.proxies.iter();
        proxies.any(|proxy| proxy.number.is_some())
    }

    /// Names the proxies that run a step of the plan other than this one.
    pub(super) fn proxies_of_other_steps(&self, but: Option<usize>) -> Vec<String> {
        let steps = 0..self.steps.policies().len();
        let others = steps.filter(|step| Some(*step) != but);
        let numbers = others.filter_map(|step| Some(self.steps.policy(step)?.revision.number()));
        let numbers: Vec<u64> = numbers.collect();
        let proxies = self.inputs.proxies.iter();
        let running = proxies.filter(|proxy| proxy.number.is_some_and(|it| numbers.contains(&it)));
        running.map(|proxy| proxy.name.clone()).collect()
    }

    /// Whether a proxy runs another revision than that of the baseline, or the folder was changed since.
    pub(super) fn runs_another(&self) -> bool {
        let baseline = self.tick.state.baseline;
        let number = baseline.and_then(|it| it.number);
        let sequence = baseline.and_then(|it| it.sequence);
        let is_changed = match &self.inputs.folder {
            FolderPolicy::Active(active) => {
                Some(active.number) != number || Some(active.sequence) != sequence
            }
            _ => false,
        };
        let mut numbers = self.inputs.proxies.iter().filter_map(|proxy| proxy.number);
        is_changed || numbers.any(|other| Some(other) != number)
    }

    /// Starts to count. `number`: the number of the revision that every proxy runs, if every one runs the step.
    pub(super) fn count_from_now(&mut self, step: usize, number: Option<u64>) {
        let sequence = self.sequence();
        let state = &mut self.tick.state;
        state.baseline = Some(Baseline {
            step,
            number,
            sequence,
        });
        state.baked = Baked::default();
        self.tick.begins_counts = true;
    }

    /// Returns the sequence number of the folder's last change.
    pub(super) fn sequence(&self) -> Option<u64> {
        match &self.inputs.folder {
            FolderPolicy::Active(active) => Some(active.sequence),
            _ => None,
        }
    }

    pub(super) fn verdict(&self) -> Option<Verdict> {
        self.inputs.judgment.as_ref().map(|it| it.verdict)
    }

    pub(super) fn is_regressed(&self) -> bool {
        self.tick.state.baseline.is_some() && self.verdict() == Some(Verdict::Regressed)
    }

    /// Adds what was observed since the last look to the bake. Returns whether every proxy runs the step.
    pub(super) fn bake(&mut self, step: usize) -> bool {
        let is_steady = self.all_run(step) && !self.runs_another();
        self.note_judgment(step);
        let elapsed = self.inputs.elapsed_milliseconds;
        let judgment = self.inputs.judgment.as_ref();
        let observed = judgment.map(|it| it.observed_seconds);
        let baked = &mut self.tick.state.baked;
        if let Some(judgment) = judgment {
            baked.requests = judgment.v2_requests;
        }
        let observed = observed.unwrap_or(baked.observed_seconds);
        if is_steady && baked.is_steady {
            let of_proxies = observed.saturating_sub(baked.observed_seconds);
            baked.milliseconds = baked.milliseconds.saturating_add(elapsed);
            baked.proxy_seconds = baked.proxy_seconds.saturating_add(of_proxies);
        }
        baked.observed_seconds = observed;
        baked.is_steady = is_steady;
        is_steady
    }

    pub(super) fn note_judgment(&mut self, step: usize) {
        let judgment = self.inputs.judgment.clone();
        if let (Some(record), Some(_)) = (self.tick.state.steps.get_mut(step), &judgment) {
            record.judgment = judgment;
        }
    }

    /// Whether the requests and the minutes of the bake are over.
    pub(super) fn is_baked(&self, step: usize) -> bool {
        self.bake_parts(step) == Some([true, true])
    }

    /// Whether the minutes of the bake are over and its requests are not.
    pub(super) fn lacks_only_requests(&self, step: usize) -> bool {
        self.bake_parts(step) == Some([false, true])
    }

    /// Whether the requests of the bake are over, and whether its minutes are; `None` if the step has no bake.
    fn bake_parts(&self, step: usize) -> Option<[bool; 2]> {
        let baked = &self.tick.state.baked;
        let bake = self.steps.bake(step)?;
        Some([
            baked.requests >= bake.requests,
            baked.seconds() >= bake.minutes.saturating_mul(60),
        ])
    }
}
