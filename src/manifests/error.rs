//! Why there are no manifests.

use std::fmt;

use turnout_core::visible;

use crate::document::LARGEST;

/// Why there are no manifests. Its `Display` says what is wrong and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// The policy names a cluster that is none of those that this kind of mesh makes.
    Cluster {
        /// Of which rollout.
        rollout: String,
        /// `v1` or `v2`.
        version: &'static str,
        /// What the policy says.
        found: String,
        /// What it looks like there, with an example.
        form: &'static str,
    },
    /// A name that Kubernetes does not take.
    Name {
        /// Of what.
        what: &'static str,
        /// What was given.
        found: String,
    },
    /// A label that is no `key=value`.
    Label(String),
    /// The policy has no rollout, so there is nothing to route.
    NoRollout,
    /// The object is larger than a cluster takes.
    TooLarge {
        /// `WasmPlugin`, for example.
        kind: &'static str,
        /// In JSON.
        bytes: usize,
    },
    /// The configuration is none, which is a defect of whoever made it.
    Configuration(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cluster {
                rollout,
                version,
                found,
                form,
            } => write!(
                f,
                "rollout {rollout}: `{}` as {version} is no cluster there; write {form}",
                visible(found)
            ),
            Self::Name { what, found } => write!(
                f,
                "`{}` is not a name of {what}; write 1 to 63 lower-case letters, digits and inner \
                 hyphens",
                visible(found)
            ),
            Self::Label(found) => write!(
                f,
                "`{}` is not a label; write key=value, for example istio=ingressgateway",
                visible(found)
            ),
            Self::NoRollout => f.write_str(
                "the policy has no rollout, so there is nothing to route; add one, in mode `off` to \
                 begin with",
            ),
            Self::TooLarge { kind, bytes } => write!(
                f,
                "the {kind} has {bytes} bytes, and a cluster takes about {LARGEST} in one object; \
                 give proxies such a policy by discovery (`--for envoy`, `turnout apply`), or make \
                 its segments smaller"
            ),
            Self::Configuration(why) => write!(f, "the configuration is not JSON: {why}"),
        }
    }
}

impl std::error::Error for Error {}
