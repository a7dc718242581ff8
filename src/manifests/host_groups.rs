//! Groups hosts by their rollouts: the rollouts of a host share a route object.
//!
//! A proxy searches only the routes of the request's host. So each host gets the rollouts that name it and those
//! that name no host, in the order of the policy. They are in one object, because two objects for one host would
//! conflict.

use std::collections::{BTreeMap, BTreeSet};

use turnout_core::{Plan, Rollout};

use crate::error::Error;

/// The host of routes for all hosts without routes of their own.
pub(crate) const EVERY_HOST: &str = "*";

/// The maximum number of routes in all objects: a rollout has some for each group of hosts.
const MOST: usize = 1_000;

/// Hosts with the same rollouts.
pub(crate) struct HostGroup<'p> {
    /// The hosts, at least one.
    pub(crate) hosts: Vec<&'p str>,
    /// The rollouts in the order of the policy, at least one.
    pub(crate) rollouts: Vec<&'p Rollout>,
}

/// Groups the hosts of a policy. `host_of` returns the host for a rollout that names none; `called` returns the name
/// of a host in routes.
pub(crate) fn host_groups<'p>(
    plan: &'p Plan,
    host_of: impl Fn(&'p Rollout) -> Result<&'p str, Error>,
    called: impl Fn(&'p str) -> &'p str,
) -> Result<Vec<HostGroup<'p>>, Error> {
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
    let mut groups: Vec<HostGroup<'p>> = Vec::new();
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
        groups.push(HostGroup {
            hosts: vec![host],
            rollouts,
        });
    }
    match groups.is_empty() {
        true => Err(Error::NoRollout),
        false => Ok(groups),
    }
}

impl HostGroup<'_> {
    /// The name of the first rollout.
    pub(crate) fn name(&self) -> &str {
        self.rollouts.first().map_or("", |first| &first.name)
    }
}
