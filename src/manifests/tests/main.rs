//! Manifests: what they are, and where their routes lead. Whether a cluster takes them is asked of
//! what the command prints.
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
