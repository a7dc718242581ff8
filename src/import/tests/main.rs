//! Imports, from files as the tools export them to what the policy decides.
#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

mod cases;
mod exports;
mod guesses;
mod hostile;
mod mutations;
mod other_exports;
mod values;
mod vectors;
