//! The `--for` argument of `lint` and `schema`: a kind of document.

use clap::ValueEnum;

/// A kind of document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum DocumentKind {
    /// A policy.
    Policy,
    /// A plan of `turnout roll`.
    Roll,
}
