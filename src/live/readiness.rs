//! Whether a proxy will hear of a change, before the change is made.

use std::fmt;

use turnout_admin::DiscoveryStats;
use turnout_text::escape_for_terminal;

use crate::preview::Version;

/// What a proxy is before a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// It runs what the folder holds.
    Ready,
    /// It does not answer. The sentence says why.
    Unreachable(String),
    /// It answers, and is no admin page of Envoy. The sentence says why.
    NotEnvoy(String),
    /// It discovers no filter of ours.
    NotDiscovered {
        /// It has one that it does not discover.
        has_static_filter: bool,
    },
    /// It runs something else than the folder holds.
    RunsAnother {
        /// What it runs, if it says so.
        running: Option<String>,
        /// What the folder holds.
        wanted: String,
    },
}

impl Readiness {
    /// `current` is what the folder holds.
    pub(crate) fn of(seen: &DiscoveryStats, current: Option<&Version>) -> Self {
        if !seen.is_discovered() {
            return Self::NotDiscovered {
                has_static_filter: seen.has_static_filter(),
            };
        }
        match current {
            Some(current) if !seen.runs(&current.revision, current.number) => Self::RunsAnother {
                running: seen.version().map(str::to_owned),
                wanted: current.revision.clone(),
            },
            _ => Self::Ready,
        }
    }
}

impl fmt::Display for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready => f.write_str("it is ready"),
            Self::Unreachable(why) => write!(f, "it does not answer: {}", escape_for_terminal(why)),
            Self::NotEnvoy(why) => {
                write!(
                    f,
                    "that is not the admin page of an Envoy: {}",
                    escape_for_terminal(why)
                )
            }
            Self::NotDiscovered {
                has_static_filter: true,
            } => f.write_str(
                "its Turnout comes from its own configuration, which no folder changes; take the \
                 filter from envoy/live-policy.yaml",
            ),
            Self::NotDiscovered {
                has_static_filter: false,
            } => f.write_str(
                "it discovers no filter named turnout; take it over from envoy/live-policy.yaml",
            ),
            Self::RunsAnother {
                running: Some(running),
                wanted,
            } => write!(
                f,
                "it runs {}, and the folder holds {}; does it watch another folder?",
                escape_for_terminal(running),
                escape_for_terminal(wanted)
            ),
            Self::RunsAnother {
                running: None,
                wanted,
            } => write!(
                f,
                "it does not say that it runs {}, which the folder holds",
                escape_for_terminal(wanted)
            ),
        }
    }
}
