//! Which requests a rollout can have, as far as a route can say it.

use crate::plan::Rollout;
use crate::plan::path_match::PathMatch;

/// The hosts and the paths of a rollout's requests: all that it has, and maybe more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reach<'p> {
    /// Lower case, without port; all hosts where there is none.
    pub hosts: &'p [String],
    /// Beginning with `/`.
    pub path: PathReach,
}

/// Paths, as routes know them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathReach {
    /// This one.
    Exact(String),
    /// All that begin so, byte for byte.
    Prefix(String),
}

impl Rollout {
    /// Which requests this rollout can have.
    #[must_use]
    pub fn reach(&self) -> Reach<'_> {
        Reach {
            hosts: &self.matches.hosts,
            path: match &self.matches.path {
                None => PathReach::Prefix("/".to_owned()),
                Some(PathMatch::Exact(path)) => PathReach::Exact(path.clone()),
                Some(PathMatch::Prefix(prefix)) => PathReach::Prefix(prefix.clone()),
                Some(PathMatch::Template(template)) => PathReach::Prefix(template.beginning()),
            },
        }
    }
}
