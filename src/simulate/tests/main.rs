//! Reports of lists and logs agree with `decide` for each account and request.
#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::arithmetic_side_effects, reason = "tests count small things")]
#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

mod account_report;
mod change;
mod contradictions;
mod corpus;
mod injection;
mod not_requests;
mod policies;
mod traffic_report;
