//! What core alone has to show: the corpus, properties over any input, and no allocation.

mod allocations;
mod basic;
mod buckets;
mod decisions;
mod every_problem;
mod explain;
mod hashes;
mod hostile_policies;
mod lenient_basic;
mod lint;
mod logged;
mod packed;
mod policies;
mod properties;
mod rounds;
mod schema;
mod shadow;
mod simulate;
