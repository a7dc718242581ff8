//! Tests of plans.
#![expect(
    clippy::arithmetic_side_effects,
    clippy::string_slice,
    reason = "a test that cannot go on has failed"
)]

mod corpus;
mod properties;
mod quiet_times;
mod step_policies;
