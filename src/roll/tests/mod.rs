//! Tests of plans, and of rolls in a simulated world.
#![expect(
    clippy::arithmetic_side_effects,
    clippy::string_slice,
    reason = "a test that cannot go on has failed"
)]

mod actions;
mod audit;
mod corpus;
mod model;
mod properties;
mod quiet_times;
mod scenarios;
mod schedules;
mod simulated_world;
mod step_policies;
