//! Moves a rollout through the steps of a plan.
//!
//! * [`RollPlan`] is the plan: the steps, when each one is over, and what to do if v2 is worse.
//! * [`ParsedPlan::check`] checks a plan with its policy, and creates a [`StepPolicy`] for each step.
//! * [`Webhooks`] receive the sentences about a roll.

#![forbid(unsafe_code)]

mod check;
mod edited_text;
mod lint;
mod parsed_plan;
mod plan;
mod quiet_time;
mod step_policy;
#[cfg(test)]
mod tests;
mod webhook;

pub use check::Checked;
pub use parsed_plan::{ParsedPlan, schema};
pub use plan::{
    Bake, Forbidden, OnNotEnoughData, OnRegressed, PlanCode, RollPlan, RollStep, RuleChange, Then,
};
pub use quiet_time::{Days, MinuteOfDay, QuietTime};
pub use step_policy::StepPolicy;
pub use webhook::{Delivery, Webhooks};
