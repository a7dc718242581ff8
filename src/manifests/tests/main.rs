//! Manifests: what they are, whether a cluster takes them, and where their routes lead.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test that cannot go on has failed"
)]

mod configuration;
mod errors;
mod given;
mod published;
mod routes;
mod snapshots;
mod yaml;
