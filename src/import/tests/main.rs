//! Imports of whole files, from the export to the decisions of the policy.
#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

mod cases;
mod hostile;
mod incomplete_exports;
mod mutations;
mod snapshots;
mod unsupported_exports;
mod values;
mod vectors;
