//! The `--inbound` argument: whether a proxy trusts the headers of earlier hops.

use clap::ValueEnum;
use turnout_core::Inbound;

/// The values of `--inbound`.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum InboundArg {
    /// No: anyone can send them, so they are removed.
    Strip,
    /// Yes: this proxy is behind one that removes them.
    Trust,
}

impl From<InboundArg> for Inbound {
    fn from(word: InboundArg) -> Self {
        match word {
            InboundArg::Strip => Self::Strip,
            InboundArg::Trust => Self::Trust,
        }
    }
}
