//! Which rollouts share a route object: those of the same hosts.
//!
//! Two objects for one host compete, and which of them wins is decided elsewhere.

use turnout_core::{Plan, Rollout};

use crate::error::Error;

/// The rollouts of some hosts, in the order of the policy.
pub(crate) struct Group<'p> {
    /// All hosts where there is none.
    pub(crate) hosts: Vec<&'p str>,
    pub(crate) rollouts: Vec<&'p Rollout>,
}

/// Rollouts whose hosts meet, directly or by others, are together; one that has all hosts is so with
/// every other one that has.
pub(crate) fn groups(plan: &Plan) -> Result<Vec<Group<'_>>, Error> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for rollout in plan.rollouts() {
        let hosts: Vec<&str> = rollout.reach().hosts.iter().map(String::as_str).collect();
        let mut joined = Group {
            hosts,
            rollouts: vec![rollout],
        };
        let (meeting, others) = groups.into_iter().partition(|group| joined.meets(group));
        groups = others;
        for group in meeting {
            joined.join(group);
        }
        groups.push(joined);
    }
    for group in &mut groups {
        group.rollouts.sort_by_key(|rollout| rollout.index);
    }
    groups.sort_by_key(|group| group.rollouts.first().map(|first| first.index));
    match groups.is_empty() {
        true => Err(Error::NoRollout),
        false => Ok(groups),
    }
}

impl<'p> Group<'p> {
    fn meets(&self, other: &Group<'p>) -> bool {
        match self.hosts.is_empty() {
            true => other.hosts.is_empty(),
            false => self.hosts.iter().any(|host| other.hosts.contains(host)),
        }
    }

    fn join(&mut self, other: Group<'p>) {
        for host in other.hosts {
            if !self.hosts.contains(&host) {
                self.hosts.push(host);
            }
        }
        self.rollouts.extend(other.rollouts);
    }
}
