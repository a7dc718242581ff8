//! Why there are no manifests.

use std::fmt;

use turnout_text::escape_for_terminal;

/// What etcd takes in one object, in bytes, with room for what the cluster adds to it.
pub const LARGEST: usize = 1_400_000;

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
    /// A label that is given twice.
    LabelTwice(String),
    /// No name of an image.
    Image(String),
    /// No name of a gateway.
    Gateway(String),
    /// Copies go to Envoy's clusters, and those of the rollout are services.
    Shadow {
        /// Of which rollout.
        rollout: String,
        /// Envoy's clusters of v1 and v2.
        clusters: [String; 2],
    },
    /// A host that no route can name.
    Host(String),
    /// A path that no route can have.
    Path(String),
    /// More paths of one host than an `HTTPRoute` takes.
    TooManyPaths {
        /// Of which rollout.
        rollout: String,
        /// With how many others a path of a host may overlap.
        most: usize,
    },
    /// More routes than anyone reads.
    TooManyRoutes {
        /// In all objects.
        most: usize,
    },
    /// The policy has no rollout, so there is nothing to route.
    NoRollout,
    /// The object is larger than a cluster takes.
    TooLarge {
        /// `WasmPlugin`, for example.
        kind: &'static str,
        /// In JSON.
        bytes: usize,
    },
    /// The filter is told not to write what the routes match.
    Header {
        /// As the configuration calls it.
        word: &'static str,
        /// As a request calls it.
        header: &'static str,
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
                escape_for_terminal(found)
            ),
            Self::Name { what, found } => write!(
                f,
                "`{}` is not a name of {what}; write 1 to 63 lower-case letters, digits and inner \
                 hyphens",
                escape_for_terminal(found)
            ),
            Self::Label(found) => write!(
                f,
                "`{}` is not a label; write key=value, for example istio=ingressgateway",
                escape_for_terminal(found)
            ),
            Self::LabelTwice(key) => write!(
                f,
                "the label `{}` is given twice; give it once",
                escape_for_terminal(key)
            ),
            Self::Image(found) => write!(
                f,
                "`{}` is not the name of an image; write one, for example \
                 registry.example.com/turnout:0.1.0",
                escape_for_terminal(found)
            ),
            Self::Gateway(found) => write!(
                f,
                "`{}` is not a gateway; write its name, or NAMESPACE/NAME, for example \
                 istio-ingress/edge",
                escape_for_terminal(found)
            ),
            Self::Shadow {
                rollout,
                clusters: [v1, v2],
            } => write!(
                f,
                "rollout {rollout}: copies go to clusters of Envoy, and its v1 and v2 are services; \
                 write into its `shadow` \"v1\": \"{v1}\", \"v2\": \"{v2}\""
            ),
            Self::Host(found) => write!(
                f,
                "no route can be for the host `{}`; write a host name, for example api.example.com",
                escape_for_terminal(found)
            ),
            Self::Path(found) => write!(
                f,
                "`{}` is longer than the path of a route may be; write at most 500 characters",
                escape_for_terminal(found)
            ),
            Self::TooManyPaths { rollout, most } => write!(
                f,
                "rollout {rollout}: its paths overlap with more than {most} others of a host, and a \
                 route object takes no more; name its hosts, or paths that exclude each other"
            ),
            Self::TooManyRoutes { most } => write!(
                f,
                "there would be more than {most} routes; name the same hosts in more rollouts, or \
                 give proxies such a policy by discovery (`--for envoy`, `turnout apply`)"
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
            Self::Header { word, header } => write!(
                f,
                "the routes match {header}, and `--headers` leaves it out; write `{word}` too"
            ),
            Self::Configuration(why) => write!(f, "the configuration is not JSON: {why}"),
        }
    }
}

impl std::error::Error for Error {}

/// How many errors are kept; further ones are only counted.
const KEPT: usize = 100;

/// Everything that is wrong, at least one error. Its `Display` has a line for each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Errors {
    list: Vec<Error>,
    omitted: usize,
}

impl Errors {
    /// In the order in which they were found.
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

/// Errors while they are being found.
#[derive(Debug, Default)]
pub(crate) struct Found {
    list: Vec<Error>,
    omitted: usize,
}

impl Found {
    /// Notes an error, once.
    pub(crate) fn push(&mut self, error: Error) {
        if self.list.contains(&error) {
            return;
        }
        match self.list.len() < KEPT {
            true => self.list.push(error),
            false => self.omitted = self.omitted.saturating_add(1),
        }
    }

    /// The value, or `None` where there is an error, which is noted.
    pub(crate) fn keep<T>(&mut self, result: Result<T, Error>) -> Option<T> {
        result.map_err(|error| self.push(error)).ok()
    }

    /// Nothing, if there was no error.
    pub(crate) fn finish(self) -> Result<(), Errors> {
        let Self { list, omitted } = self;
        match list.is_empty() {
            true => Ok(()),
            false => Err(Errors { list, omitted }),
        }
    }
}
