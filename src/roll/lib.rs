//! Moves a rollout through the steps of a plan.
//!
//! * [`RollPlan`] is the plan: the steps, when each one is over, and what to do if v2 is worse.
//! * [`StepPolicy`] is the policy of one step.
//! * [`Webhooks`] receive the sentences about a roll.

#![forbid(unsafe_code)]

mod plan;
mod quiet_time;
mod step_policy;
mod webhook;

pub use plan::{
    Bake, Forbidden, OnNotEnoughData, OnRegressed, RollPlan, RollStep, RuleChange, Then,
};
pub use quiet_time::{Days, MinuteOfDay, QuietTime};
pub use step_policy::StepPolicy;
pub use webhook::{Delivery, Webhooks};
