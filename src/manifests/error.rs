//! The errors of a policy or of settings that a target cannot express.

use std::fmt;

use turnout_text::escape_for_terminal;

/// The maximum size of an object in etcd, in bytes, minus room for what the cluster adds.
pub const LARGEST: usize = 1_400_000;

/// Why no manifests were generated. Its `Display` says what is wrong, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// The policy names a cluster that this kind of mesh does not create.
    Cluster {
        /// The name of the rollout.
        rollout: String,
        /// `v1` or `v2`.
        treatment: &'static str,
        /// The cluster in the policy.
        found: String,
        /// The form of cluster names in the mesh, with an example.
        form: &'static str,
    },
    /// A name that Kubernetes does not accept.
    Name {
        /// The kind of thing that is named.
        what: &'static str,
        /// The invalid name.
        found: String,
    },
    /// A label that is not `key=value`.
    Label(String),
    /// A label that is set twice.
    LabelTwice(String),
    /// An invalid image name.
    Image(String),
    /// An invalid gateway name.
    Gateway(String),
    /// Shadow requests need Envoy clusters, and those of the rollout are services.
    Shadow {
        /// The name of the rollout.
        rollout: String,
        /// Envoy's clusters for v1 and v2.
        clusters: [String; 2],
    },
    /// A host that a route cannot have.
    Host(String),
    /// A path that a route cannot have.
    Path(String),
    /// More paths of one host than an `HTTPRoute` may have.
    TooManyPaths {
        /// The name of the rollout.
        rollout: String,
        /// The maximum number of other paths that overlap with a path of the host.
        most: usize,
    },
    /// More routes than are useful.
    TooManyRoutes {
        /// The maximum number in all objects.
        most: usize,
    },
    /// The policy has no rollout, so there is nothing to route.
    NoRollout,
    /// The object is larger than a cluster accepts.
    TooLarge {
        /// The kind of the object, such as `WasmPlugin`.
        kind: &'static str,
        /// The size of its JSON.
        bytes: usize,
    },
    /// The filter is configured not to write a header that the routes match.
    Header {
        /// Its name in the configuration.
        word: &'static str,
        /// The header of a request.
        header: &'static str,
    },
    /// The configuration is invalid, which is a bug of the caller.
    Configuration(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cluster {
                rollout,
                treatment,
                found,
                form,
            } => write!(
                f,
                "rollout {rollout}: `{}` for {treatment} is not a cluster of the target; expected {form}",
                escape_for_terminal(found)
            ),
            Self::Name { what, found } => write!(
                f,
                "`{}` is not a valid name of {what}; use 1 to 63 lower-case letters, digits and inner hyphens",
                escape_for_terminal(found)
            ),
            Self::Label(found) => write!(
                f,
                "`{}` is not a label; expected key=value, for example istio=ingressgateway",
                escape_for_terminal(found)
            ),
            Self::LabelTwice(key) => write!(
                f,
                "the label `{}` is set twice; set it once",
                escape_for_terminal(key)
            ),
            Self::Image(found) => write!(
                f,
                "`{}` is not an image name; expected one such as registry.example.com/turnout:0.1.0",
                escape_for_terminal(found)
            ),
            Self::Gateway(found) => write!(
                f,
                "`{}` is not a gateway name; expected NAME or NAMESPACE/NAME, for example istio-ingress/edge",
                escape_for_terminal(found)
            ),
            Self::Shadow {
                rollout,
                clusters: [v1, v2],
            } => write!(
                f,
                "rollout {rollout}: shadow requests need Envoy clusters, but its v1 and v2 are services; \
                 add \"v1\": \"{v1}\", \"v2\": \"{v2}\" to its `shadow`"
            ),
            Self::Host(found) => write!(
                f,
                "a route cannot have the host `{}`; expected a host name, for example api.example.com",
                escape_for_terminal(found)
            ),
            Self::Path(found) => write!(
                f,
                "the path `{}` is too long for a route; use at most 500 characters",
                escape_for_terminal(found)
            ),
            Self::TooManyPaths { rollout, most } => write!(
                f,
                "rollout {rollout}: its path overlaps with more than {most} other paths of a host, the maximum \
                 of a route object; name its hosts, or use paths that do not overlap"
            ),
            Self::TooManyRoutes { most } => write!(
                f,
                "the policy needs more than {most} routes; use the same hosts in more rollouts, or deliver it by \
                 discovery (`--for envoy`, `turnout apply`)"
            ),
            Self::NoRollout => f.write_str(
                "the policy has no rollout, so there is nothing to route; add one, for example in the mode `off`",
            ),
            Self::TooLarge { kind, bytes } => write!(
                f,
                "the {kind} has {bytes} bytes, but an object may have at most {LARGEST}; make the segments \
                 smaller, or deliver the policy by discovery (`--for envoy`, `turnout apply`)"
            ),
            Self::Header { word, header } => write!(
                f,
                "the routes match {header}, but --headers does not include it; add `{word}`"
            ),
            Self::Configuration(why) => write!(f, "the configuration is not JSON: {why}"),
        }
    }
}

impl std::error::Error for Error {}

/// The maximum number of errors that are kept; further ones are only counted.
const KEPT: usize = 100;

/// All errors, at least one. Its `Display` has a line for each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Errors {
    list: Vec<Error>,
    omitted: usize,
}

impl Errors {
    /// The errors in the order in which they were found.
    #[must_use]
    pub fn as_slice(&self) -> &[Error] {
        &self.list
    }
}

impl From<Error> for Errors {
    fn from(error: Error) -> Self {
        Self {
            list: vec![error],
            omitted: 0,
        }
    }
}

impl fmt::Display for Errors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.list.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{error}")?;
        }
        match self.omitted {
            0 => Ok(()),
            omitted => write!(f, "\nand {omitted} more"),
        }
    }
}

impl std::error::Error for Errors {}

/// Collects errors.
#[derive(Debug, Default)]
pub(crate) struct ErrorCollector {
    list: Vec<Error>,
    omitted: usize,
}

impl ErrorCollector {
    /// Adds an error, unless it was added before.
    pub(crate) fn push(&mut self, error: Error) {
        if self.list.contains(&error) {
            return;
        }
        match self.list.len() < KEPT {
            true => self.list.push(error),
            false => self.omitted = self.omitted.saturating_add(1),
        }
    }

    /// Returns the value, or adds the error and returns `None`.
    pub(crate) fn keep<T>(&mut self, result: Result<T, Error>) -> Option<T> {
        result.map_err(|error| self.push(error)).ok()
    }

    /// Returns all errors, if there are any.
    pub(crate) fn finish(self) -> Result<(), Errors> {
        let Self { list, omitted } = self;
        match list.is_empty() {
            true => Ok(()),
            false => Err(Errors { list, omitted }),
        }
    }
}
