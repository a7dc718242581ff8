//! The requests of a rollout as a route match: its hosts and paths.

use crate::plan::Rollout;
use crate::plan::path_match::PathMatch;

/// The hosts and paths of a rollout's requests. It includes every request of the rollout, and may include
/// others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteScope<'p> {
    /// In lower case, without port; empty for all hosts.
    pub hosts: &'p [String],
    /// The paths, which begin with `/`.
    pub path: PathScope,
}

/// A path match that every kind of route can express.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathScope {
    /// This path.
    Exact(String),
    /// All paths that begin with these bytes.
    Prefix(String),
}

impl Rollout {
    /// Returns the hosts and paths of the requests that this rollout can have.
    #[must_use]
    pub fn route_scope(&self) -> RouteScope<'_> {
        RouteScope {
            hosts: &self.matches.hosts,
            path: match &self.matches.path {
                None => PathScope::Prefix("/".to_owned()),
                Some(PathMatch::Exact(path)) => PathScope::Exact(path.clone()),
                Some(PathMatch::Prefix(prefix)) => PathScope::Prefix(prefix.clone()),
                Some(PathMatch::Template(template)) => PathScope::Prefix(template.literal_prefix()),
            },
        }
    }
}
