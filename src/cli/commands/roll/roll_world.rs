//! The world of a roll: the folder, the proxies, the clock, and the people who watch.

use std::time::{Duration, Instant};

use turnout_core::Time;
use turnout_judge::{Criteria, Observation, judge};
use turnout_live::Directory;
use turnout_roll::{
    Delivery, EffectResult, Event, FolderPolicy, ProxyReadings, SavedRoll, StateFile, StepJudgment,
    Webhooks, World,
};

use crate::support::time_arg::now;

use super::Arguments;
use super::plan_of_roll::PlanOfRoll;
use super::policy_change::PolicyChange;
use super::progress::Progress;
use super::proxy_source::ProxySource;

/// The world of a roll.
pub(super) struct RollWorld<'a> {
    arguments: &'a Arguments,
    plan: &'a PlanOfRoll,
    directory: Option<Directory>,
    source: ProxySource,
    change: PolicyChange,
    state_file: StateFile,
    webhooks: Webhooks,
    progress: Progress,
    last_look: Option<Instant>,
    /// The step that was active at the last look.
    step: usize,
}

impl<'a> RollWorld<'a> {
    /// Prepares the world. The error is a sentence.
    pub(super) fn new(
        arguments: &'a Arguments,
        plan: &'a PlanOfRoll,
        state_file: StateFile,
        webhooks: Webhooks,
        progress: Progress,
    ) -> Result<Self, String> {
        Ok(Self {
            arguments,
            plan,
            directory: arguments.dir.as_ref().map(Directory::new),
            source: ProxySource::new(arguments, plan)?,
            change: PolicyChange::new(arguments)?,
            state_file,
            webhooks,
            progress,
            last_look: None,
            step: 0,
        })
    }

    /// Shows the state after a look.
    pub(super) fn show(&mut self, saved: &SavedRoll) {
        self.progress.show(&saved.roll);
    }

    /// Removes the bars.
    pub(super) fn clear(&mut self) {
        self.progress.clear();
    }

    /// Waits until all notifications are delivered or given up.
    pub(super) fn finish(self, within: Duration) -> Vec<Delivery> {
        self.webhooks.finish(within)
    }
}

impl World for RollWorld<'_> {
    fn now(&mut self) -> Time {
        now()
    }

    fn elapsed_milliseconds(&mut self) -> Option<u64> {
        let now = Instant::now();
        let last = self.last_look.replace(now)?;
        let elapsed = now.saturating_duration_since(last).as_millis();
        Some(u64::try_from(elapsed).unwrap_or(u64::MAX))
    }

    fn folder(&mut self) -> FolderPolicy {
        let Some(directory) = &self.directory else {
            return FolderPolicy::NoFolder;
        };
        match directory.active_revision() {
            Ok(None) => FolderPolicy::Empty,
            Ok(Some(active)) => FolderPolicy::Active(active),
            Err(error) => FolderPolicy::Unreadable(error.to_string()),
        }
    }

    fn readings(&mut self, since_ms: Option<u64>) -> ProxyReadings {
        self.source.readings(since_ms)
    }

    fn judge(
        &mut self,
        step: usize,
        observation: &Observation,
        number: Option<u64>,
    ) -> Option<StepJudgment> {
        self.step = step;
        let rollout = self.plan.judged.get(step)?;
        let criteria = Criteria {
            excess: self.plan.plan.excess,
            proxies: self.arguments.expected_proxies(),
            revision_number: number,
        };
        Some(StepJudgment::of(&judge(rollout, observation, &criteria)))
    }

    fn apply(&mut self, step: usize, is_return: bool, why: &str) -> EffectResult {
        self.step = step;
        self.change
            .apply(self.plan, self.arguments, step, is_return, why)
    }

    fn halt(&mut self, why: &str) -> EffectResult {
        self.change.halt(self.plan, self.step, why)
    }

    fn save(&mut self, saved: &SavedRoll) -> Result<(), String> {
        self.state_file.write(saved)
    }

    fn event(&mut self, event: &Event) {
        self.progress.event(event);
        if event.is_news() {
            let rollout = &self.plan.plan.rollout;
            self.webhooks
                .notify(&format!("turnout roll, {rollout}: {}", event.text));
        }
    }
}
