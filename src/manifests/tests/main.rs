//! The contents of manifests, and where their routes lead. The tests of the command check that a cluster accepts
//! them.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test that cannot go on has failed"
)]

mod configuration;
mod errors;
mod fixtures;
mod routes;
mod snapshots;
mod yaml;
