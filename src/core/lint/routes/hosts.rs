//! Finds the virtual hosts that get the requests of a rollout: in each route configuration, for each host, the one
//! with the most specific domain.

use std::collections::BTreeMap;

use crate::plan::Rollout;

use super::Route;

/// The closest domain for each host of a rollout, in each route configuration.
pub(super) struct HostMatches<'p> {
    hosts: &'p [String],
    closest: BTreeMap<(usize, &'p str), Closeness>,
}

/// How specific a domain is, in Envoy's order: the name, the longest `*suffix`, the longest `prefix*`, and `*`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Closeness {
    All,
    Prefix(usize),
    Suffix(usize),
    Name,
}

impl<'p> HostMatches<'p> {
    pub(super) fn of(rollout: &'p Rollout, routes: &[Route]) -> Self {
        let hosts = rollout.route_scope().hosts;
        let mut closest = BTreeMap::new();
        let mut virtual_host = None;
        for route in routes {
            if virtual_host.replace(route.virtual_host) == Some(route.virtual_host) {
                continue;
            }
            for (host, domain) in pairs(hosts, &route.domains) {
                // A domain with a port only matches requests with this port.
                if let Some(closeness) = closeness(host, domain).filter(|_| !has_port(domain)) {
                    let known = closest
                        .entry((route.configuration, host))
                        .or_insert(closeness);
                    *known = closeness.max(*known);
                }
            }
        }
        Self { hosts, closest }
    }

    /// Whether a virtual host with these domains gets requests of the rollout.
    pub(super) fn has(&self, domains: &[String], configuration: usize) -> bool {
        self.hosts.is_empty()
            || pairs(self.hosts, domains).any(|(host, domain)| {
                closeness(host, domain).is_some_and(|closeness| {
                    let closest = self.closest.get(&(configuration, host));
                    has_port(domain) || closest == Some(&closeness)
                })
            })
    }
}

fn pairs<'h, 'd>(
    hosts: &'h [String],
    domains: &'d [String],
) -> impl Iterator<Item = (&'h str, &'d str)> {
    hosts.iter().flat_map(move |host| {
        domains
            .iter()
            .map(move |domain| (host.as_str(), domain.as_str()))
    })
}

/// Matches a host, in lower case and without port, with a domain: `*`, `*.suffix`, `prefix.*` or a name.
fn closeness(host: &str, domain: &str) -> Option<Closeness> {
    let domain = domain.to_ascii_lowercase();
    let name = without_port(&domain);
    let (is_in, closeness) = match (name.strip_prefix('*'), name.strip_suffix('*')) {
        (Some(""), _) => (true, Closeness::All),
        // The star matches at least one character.
        (Some(suffix), _) => (
            host.len() > suffix.len() && host.ends_with(suffix),
            Closeness::Suffix(suffix.len()),
        ),
        (None, Some(prefix)) => (
            host.len() > prefix.len() && host.starts_with(prefix),
            Closeness::Prefix(prefix.len()),
        ),
        (None, None) => (host == name, Closeness::Name),
    };
    is_in.then_some(closeness)
}

fn has_port(domain: &str) -> bool {
    without_port(domain).len() < domain.len()
}

fn without_port(domain: &str) -> &str {
    match domain.rsplit_once(':') {
        Some((name, port)) if port == "*" || port.bytes().all(|c| c.is_ascii_digit()) => name,
        _ => domain,
    }
}
