//! Checks whether a proxy will receive a change, before the change is made.

use std::fmt;

use turnout_admin::DiscoveryStats;
use turnout_text::escape_for_terminal;

use crate::preview::PolicySnapshot;

/// Whether a proxy will receive a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// It runs the policy in the folder.
    Ready,
    /// It does not respond. The sentence says why.
    Unreachable(String),
    /// The response is not from an Envoy admin endpoint. The sentence says why.
    NotEnvoy(String),
    /// It does not discover the filter `turnout`.
    NotDiscovered {
        /// Whether it has a Turnout filter in its own configuration.
        has_static_filter: bool,
    },
    /// It runs another policy than the one in the folder.
    RunsAnother {
        /// The revision that it runs, if it shows one.
        running: Option<String>,
        /// The revision in the folder.
        wanted: String,
    },
}

impl Readiness {
    /// Returns the readiness of a proxy with these stats. `current` is the policy in the folder.
    pub(crate) fn of(seen: &DiscoveryStats, current: Option<&PolicySnapshot>) -> Self {
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
            Self::Unreachable(why) => write!(f, "it does not respond: {}", escape_for_terminal(why)),
            Self::NotEnvoy(why) => {
                write!(
                    f,
                    "it is not an Envoy admin endpoint: {}",
                    escape_for_terminal(why)
                )
            }
            Self::NotDiscovered {
                has_static_filter: true,
            } => f.write_str(
                "it has Turnout in its own configuration, which a folder cannot change; use the filter of \
                 envoy/live-policy.yaml",
            ),
            Self::NotDiscovered {
                has_static_filter: false,
            } => f.write_str(
                "it does not discover a filter named turnout; add the one of envoy/live-policy.yaml",
            ),
            Self::RunsAnother {
                running: Some(running),
                wanted,
            } => write!(
                f,
                "it runs {}, but the folder has {}; does it watch another folder?",
                escape_for_terminal(running),
                escape_for_terminal(wanted)
            ),
            Self::RunsAnother {
                running: None,
                wanted,
            } => write!(
                f,
                "it does not confirm that it runs {}, which the folder has",
                escape_for_terminal(wanted)
            ),
        }
    }
}
