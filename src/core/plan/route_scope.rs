//! Which requests a rollout can have, as far as a route can say it.

use crate::plan::Rollout;
use crate::plan::path_match::PathMatch;

/// The hosts and the paths of a rollout's requests: all that it has, and maybe more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteScope<'p> {
    /// Lower case, without port; all hosts where there is none.
    pub hosts: &'p [String],
    /// Beginning with `/`.
    pub path: PathScope,
}

/// Paths, as routes know them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathScope {
    /// This one.
    Exact(String),
    /// All that begin so, byte for byte.
    Prefix(String),
}

impl Rollout {
    /// Which requests this rollout can have.
    #[must_use]
    pub fn route_scope(&self) -> RouteScope<'_> {
        RouteScope {
            hosts: &self.matches.hosts,
            path: match &self.matches.path {
                None => PathScope::Prefix("/".to_owned()),
                Some(PathMatch::Exact(path)) => PathScope::Exact(path.clone()),
                Some(PathMatch::Prefix(prefix)) => PathScope::Prefix(prefix.clone()),
                Some(PathMatch::Template(template)) => PathScope::Prefix(template.beginning()),
            },
        }
    }
}
