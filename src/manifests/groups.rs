//! Which rollouts share a route object: all that a host has.
//!
//! A proxy looks for a route among those of the request's host alone. So each host has the rollouts
//! that name it and those that name none, in the order of the policy; and it has them in one object,
//! for two objects of one host compete.

use std::collections::{BTreeMap, BTreeSet};

use turnout_core::{Plan, Rollout};

use crate::error::Error;

/// Of all hosts that have no routes of their own.
pub(crate) const EVERY_HOST: &str = "*";

/// How many routes there may be in all: a rollout has some for each group of hosts.
const MOST: usize = 1_000;

/// Hosts that have the same rollouts.
pub(crate) struct Group<'p> {
    /// At least one.
    pub(crate) hosts: Vec<&'p str>,
    /// In the order of the policy; at least one.
    pub(crate) rollouts: Vec<&'p Rollout>,
}

/// The rollouts by hosts. `host_of` says for which host a rollout is that names none; `called` how
/// routes call a host.
pub(crate) fn groups<'p>(
    plan: &'p Plan,
    host_of: impl Fn(&'p Rollout) -> Result<&'p str, Error>,
    called: impl Fn(&'p str) -> &'p str,
) -> Result<Vec<Group<'p>>, Error> {
    let mut hosts = Vec::new();
    let mut of_host: BTreeMap<&str, BTreeSet<usize>> = BTreeMap::new();
    let mut of_all = Vec::new();
    for rollout in plan.rollouts() {
        let named = rollout.route_scope().hosts;
        let mut wanted: Vec<&str> = named.iter().map(|host| called(host)).collect();
        if named.is_empty() {
            of_all.push(rollout);
            wanted.push(host_of(rollout)?);
        }
        for host in wanted {
            let rollouts = of_host.entry(host).or_insert_with(|| {
                hosts.push(host);
                BTreeSet::new()
            });
            if !named.is_empty() {
                rollouts.insert(rollout.index);
            }
        }
    }
    let mut places: BTreeMap<&BTreeSet<usize>, usize> = BTreeMap::new();
    let mut groups: Vec<Group<'p>> = Vec::new();
    let mut routes: usize = 0;
    for host in hosts {
        let Some(indices) = of_host.get(host) else {
            continue;
        };
        let place = *places.entry(indices).or_insert(groups.len());
        if let Some(group) = groups.get_mut(place) {
            group.hosts.push(host);
            continue;
        }
        routes = routes
            .saturating_add(indices.len())
            .saturating_add(of_all.len());
        if routes > MOST {
            return Err(Error::TooManyRoutes { most: MOST });
        }
        let named = indices
            .iter()
            .filter_map(|index| plan.rollouts().get(*index));
        let mut rollouts: Vec<&Rollout> = of_all.iter().copied().chain(named).collect();
        rollouts.sort_by_key(|rollout| rollout.index);
        groups.push(Group {
            hosts: vec![host],
            rollouts,
        });
    }
    match groups.is_empty() {
        true => Err(Error::NoRollout),
        false => Ok(groups),
    }
}

impl Group<'_> {
    /// The name of the first rollout.
    pub(crate) fn name(&self) -> &str {
        self.rollouts.first().map_or("", |first| &first.name)
    }
}
