//! Tests of core alone: the corpus, properties of any input, and allocations.

mod access_log;
mod allocations;
mod basic_auth;
mod buckets;
mod decisions;
mod explain;
mod guard;
mod hashes;
mod lint;
mod packed_accounts;
mod policies;
mod properties;
mod schema;
mod shadow;
