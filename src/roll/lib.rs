//! Moves a rollout through the steps of a plan.
//!
//! * [`RollPlan`] is the plan: the steps, when each one is over, and what to do if v2 is worse.
//! * [`ParsedPlan::check`] checks a plan with its policy, and creates a [`StepPolicy`] for each step.
//! * [`tick`] decides what a roll does next, from its [`RollState`] and what it sees.
//! * [`Driver`] carries that out in a [`World`], and [`StateFile`] keeps the state.
//! * [`schedule`] estimates how long each step takes.
//! * [`Webhooks`] receive the sentences about a roll.

#![forbid(unsafe_code)]

mod check;
mod driver;
mod edited_text;
mod event;
mod inputs;
mod lint;
mod machine;
mod parsed_plan;
mod plan;
mod quiet_time;
mod record_effect;
mod roll_state;
mod schedule;
mod serde_time;
mod state_file;
mod step_judgment;
mod step_policy;
mod steps;
#[cfg(test)]
mod tests;
mod wait;
mod webhook;

pub use check::Checked;
pub use driver::{Driver, ProxyReadings, World};
pub use event::{Event, EventCode};
pub use inputs::{Effect, EffectResult, FolderPolicy, Inputs, ProxyRevision, Tick};
pub use machine::tick;
pub use parsed_plan::{ParsedPlan, schema};
pub use plan::{
    Bake, Forbidden, OnNotEnoughData, OnRegressed, PlanCode, RollPlan, RollStep, RuleChange, Then,
};
pub use quiet_time::{Days, MinuteOfDay, QuietTime};
pub use record_effect::record_effect;
pub use roll_state::{Baked, Outcome, Phase, RollState, StepRecord};
pub use schedule::{StepSchedule, Traffic, schedule};
pub use state_file::{SavedRoll, StateFile};
pub use step_judgment::StepJudgment;
pub use step_policy::StepPolicy;
pub use steps::Steps;
pub use wait::{Wait, WaitCode};
pub use webhook::{Delivery, Webhooks};
