//! What core alone has to show: the corpus, properties over any input, and no allocation.

mod access_log;
mod allocations;
mod basic_auth;
mod buckets;
mod decisions;
mod explain;
mod hashes;
mod lint;
mod packed_accounts;
mod policies;
mod properties;
mod schema;
mod shadow;
