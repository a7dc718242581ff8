//! Runs a roll: looks at the world, decides, saves the state, and acts.

use turnout_core::Time;
use turnout_judge::{Ledger, Observation, Scrape};

use crate::event::Event;
use crate::inputs::{Effect, EffectResult, FolderPolicy, Inputs, ProxyRevision, Tick};
use crate::machine::tick;
use crate::record_effect::record_effect;
use crate::roll_state::{Outcome, Phase};
use crate::state_file::SavedRoll;
use crate::step_judgment::StepJudgment;
use crate::steps::Steps;

/// The longest time between the looks of two processes that counts, in seconds. A clock that has jumped in between must not
/// end a plan.
const LONGEST_GAP: u64 = 3_600;

/// What is read of the proxies at one look.
#[derive(Debug, Default)]
pub struct ProxyReadings {
    /// Readings since the last look, in the order of time, also of proxies that are gone now. Only a source with a memory
    /// has them.
    pub earlier: Vec<Scrape>,
    /// The last reading of each proxy, and which proxies are missing.
    pub current: Vec<Scrape>,
}

/// What a roll looks at and acts on.
pub trait World {
    /// Returns the time.
    fn now(&mut self) -> Time;

    /// Returns the milliseconds since the previous call, by a clock that never jumps; `None` at the first call.
    fn elapsed_milliseconds(&mut self) -> Option<u64>;

    /// Returns the active policy of the folder.
    fn folder(&mut self) -> FolderPolicy;

    /// Reads the proxies. `since_ms` is the time of the newest reading that the roll has seen, in milliseconds since
    /// 1970.
    fn readings(&mut self, since_ms: Option<u64>) -> ProxyReadings;

    /// Judges what was counted since a step was active. `number` is the number of the revision that the proxies should
    /// run.
    fn judge(
        &mut self,
        step: usize,
        observation: &Observation,
        number: Option<u64>,
    ) -> Option<StepJudgment>;

    /// Applies the policy of a step. If `is_return`, it is applied even if a proxy is not ready.
    fn apply(&mut self, step: usize, is_return: bool, why: &str) -> EffectResult;

    /// Halts the rollout.
    fn halt(&mut self, why: &str) -> EffectResult;

    /// Saves the state.
    ///
    /// # Errors
    /// A sentence, if it is not saved.
    fn save(&mut self, saved: &SavedRoll) -> Result<(), String>;

    /// Shows what has happened.
    fn event(&mut self, event: &Event);
}

/// Runs a roll in a [`World`].
#[derive(Clone, Debug)]
pub struct Driver<'a> {
    steps: Steps<'a>,
    saved: SavedRoll,
    expected_proxies: Option<usize>,
    save_failure: Option<String>,
}

impl<'a> Driver<'a> {
    /// Returns the driver of a roll with this state.
    #[must_use]
    pub const fn new(steps: Steps<'a>, saved: SavedRoll, expected_proxies: Option<usize>) -> Self {
        Self {
            steps,
            saved,
            expected_proxies,
            save_failure: None,
        }
    }

    /// Returns the state.
    #[must_use]
    pub const fn saved(&self) -> &SavedRoll {
        &self.saved
    }

    /// Returns why the state could not be saved the last time, if it could not.
    #[must_use]
    pub fn save_failure(&self) -> Option<&str> {
        self.save_failure.as_deref()
    }

    /// Looks at the world once and acts. Returns how the roll has ended, if it has.
    ///
    /// The state is saved before the roll acts, so that after a kill it is known what was about to be done. Rolling back
    /// does not wait for that.
    pub fn tick(&mut self, world: &mut impl World) -> Option<Outcome> {
        self.tick_once(world);
        // If the step before could not be applied, the rollout is halted at once.
        if self.saved.roll.is_urgent() {
            self.tick_once(world);
        }
        self.saved.roll.outcome()
    }

    fn tick_once(&mut self, world: &mut impl World) {
        let now = world.now();
        let since_last = now
            .seconds()
            .saturating_sub(self.saved.roll.updated.seconds());
        let since_last = u64::try_from(since_last).unwrap_or_default();
        let since_last = since_last.min(LONGEST_GAP);
        let elapsed = world.elapsed_milliseconds();
        let folder = world.folder();
        let ledger = self.saved.ledger.as_ref();
        let ProxyReadings {
            earlier,
            current: mut scrapes,
        } = world.readings(ledger.and_then(Ledger::newest_reading_ms));
        self.ignore_guards_of_others(&folder, &mut scrapes);
        let inputs = Inputs {
            now,
            elapsed_milliseconds: elapsed.unwrap_or_else(|| since_last.saturating_mul(1_000)),
            quiet_until: self.steps.plan().quiet_until(now),
            proxies: scrapes.iter().map(revision).collect(),
            expected_proxies: self.expected_proxies,
            judgment: self.judge(world, &earlier, &scrapes, &folder),
            folder,
        };
        let Tick {
            state,
            begins_counts,
            effect,
            events,
        } = tick(self.steps, self.saved.roll.clone(), &inputs);
        let before = self.saved.clone();
        self.saved.roll = state;
        if begins_counts {
            let ledger = self.saved.ledger.get_or_insert_default();
            ledger.start_over(&scrapes);
        } else if self.saved.roll.baseline.is_none() {
            self.saved.ledger = None;
        }
        let is_safe = matches!(self.saved.roll.phase, Phase::RollingBack { .. });
        // An end that is not saved would be forgotten by the next process.
        let matters = effect.is_some() || self.saved.roll.outcome().is_some();
        if !self.save(world) && matters && !is_safe {
            // It is decided again at the next look.
            self.saved = before;
            return;
        }
        for event in events {
            world.event(&event);
        }
        let Some(effect) = effect else {
            return;
        };
        let result = match &effect {
            Effect::Apply {
                step,
                is_return,
                why,
            } => world.apply(*step, *is_return, &in_history(why)),
            Effect::Halt { why } => world.halt(&in_history(why)),
        };
        let now = world.now();
        let events = record_effect(self.steps, &mut self.saved.roll, &effect, &result, now);
        self.save(world);
        for event in events {
            world.event(&event);
        }
    }

    fn judge(
        &mut self,
        world: &mut impl World,
        earlier: &[Scrape],
        scrapes: &[Scrape],
        folder: &FolderPolicy,
    ) -> Option<StepJudgment> {
        let baseline = self.saved.roll.baseline?;
        let ledger = self.saved.ledger.as_mut()?;
        ledger.record_unseen(earlier);
        ledger.record(scrapes);
        let step = self.saved.roll.phase.step();
        let number = match folder {
            FolderPolicy::Active(active) => Some(active.number),
            _ => self.steps.policy(step).map(|it| it.revision.number()),
        };
        world.judge(baseline.step, &ledger.observation(), number)
    }

    /// Removes the gauges of guards from the readings of proxies that run a policy other than those of the plan, because
    /// a guard that has tripped there does not judge a step.
    fn ignore_guards_of_others(&self, folder: &FolderPolicy, scrapes: &mut [Scrape]) {
        let of_folder = match folder {
            FolderPolicy::Active(active) => Some(active.number),
            _ => None,
        };
        let of_baseline = self.saved.roll.baseline.and_then(|it| it.number);
        let known = [of_folder, of_baseline];
        for scrape in scrapes {
            let Scrape::Read(reading) = scrape else {
                continue;
            };
            let mut policies = self.steps.policies().iter();
            let is_known = known.contains(&reading.revision_number)
                || policies.any(|it| Some(it.revision.number()) == reading.revision_number);
            if !is_known {
                reading.guards.clear();
            }
        }
    }

    fn save(&mut self, world: &mut impl World) -> bool {
        let saved = world.save(&self.saved);
        self.save_failure = saved.err();
        self.save_failure.is_none()
    }
}

fn revision(scrape: &Scrape) -> ProxyRevision {
    match scrape {
        Scrape::Read(reading) => ProxyRevision {
            name: reading.proxy.clone(),
            number: reading.revision_number,
            missing: None,
        },
        Scrape::Missing { proxy, why } => ProxyRevision {
            name: proxy.clone(),
            number: None,
            missing: Some(why.clone()),
        },
    }
}

/// Returns a reason as the history of the folder has it, which lists changes of people too.
fn in_history(why: &str) -> String {
    format!("roll: {why}")
}
