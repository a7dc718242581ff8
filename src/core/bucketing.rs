//! Bucketing: the position of an account or request, and the range of positions that a percentage includes.
//!
//! The formulas are a contract that other implementations rely on; `tests/corpus/buckets.csv` fixes
//! them. All arithmetic is on integers: a position is 64 bits of XXH3 and a fraction is an upper bound on
//! positions, so raising a percentage only ever adds accounts or requests.

mod fraction;
pub(crate) mod hash;
pub(crate) mod percentage;
mod position;

pub use fraction::Fraction;
pub use position::{Position, Salt};
