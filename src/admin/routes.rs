//! Reads the routes of a proxy from its configuration dump, as far as they concern Turnout.
//!
//! A dump that is malformed or exceeds the limit is an error, never a panic.

use std::io::Read;
use std::thread;
use std::time::Duration;

use serde::Deserialize;
use serde::de::IgnoredAny;
use turnout_core::lint::{ProxyRoutes, Route, RouteChange, RoutePath, Target};
use turnout_core::{CLUSTER_HEADER, TREATMENT_HEADER};
use turnout_text::escape_for_terminal;

use crate::address::distinct_admins;
use crate::client::AdminClient;
use crate::filter_chains::two_turnouts;

/// The timeout of a dump, which has every route of a proxy and the name of every secret.
const ANSWER: Duration = Duration::from_secs(10);
const PAGE: &str = "/config_dump";

/// Reads the routes of the proxies at these addresses, and their HTTP filter chains with two Turnout
/// filters. All proxies are asked at the same time.
///
/// An error is a sentence: an address is invalid, or a dump cannot be read.
#[must_use]
pub fn routes(addresses: &[String]) -> Vec<Result<ProxyRoutes, String>> {
    let addresses = distinct_admins(addresses);
    thread::scope(|scope| {
        let asked = addresses
            .iter()
            .map(|address| scope.spawn(|| of_proxy(address)));
        let asked: Vec<_> = asked.collect();
        let died = |_| Err("the routes of a proxy could not be read".into());
        let answers = asked
            .into_iter()
            .map(|asked| asked.join().unwrap_or_else(died));
        answers.collect()
    })
}

fn of_proxy(address: &str) -> Result<ProxyRoutes, String> {
    let admin = AdminClient::new(address, ANSWER)?;
    let proxy = escape_for_terminal(admin.address());
    let cannot = |why: &str| {
        format!(
            "cannot read the routes of {proxy}: {why}; pass the `admin` address of a running Envoy"
        )
    };
    let page = admin.request(PAGE);
    let page = page.map_err(|failure| cannot(&escape_for_terminal(&failure.to_string())))?;
    let dump = whole(page).map_err(|why| cannot(&why))?;
    let configurations = read(&dump).map_err(|why| cannot(&why))?;
    let mut routes = Vec::new();
    for (configuration, number) in configurations.iter().zip(0..) {
        configuration.add_to(&mut routes, number, &proxy);
    }
    Ok(ProxyRoutes {
        proxy,
        routes,
        two_turnouts: two_turnouts(&dump),
    })
}

fn whole(mut page: impl Read) -> Result<Vec<u8>, String> {
    let mut text = Vec::new();
    let read = page.read_to_end(&mut text);
    read.map_err(|error| escape_for_terminal(&error.to_string()))?;
    Ok(text)
}

fn read(dump: &[u8]) -> Result<Vec<Configuration>, String> {
    let dump: Dump = serde_json::from_slice(dump).map_err(|error| {
        format!(
            "its configuration dump is malformed ({})",
            escape_for_terminal(&error.to_string())
        )
    })?;
    let mut found = Vec::new();
    for part in dump.configs {
        let given = part
            .static_route_configs
            .into_iter()
            .chain(part.dynamic_route_configs);
        found.extend(given.filter_map(|given| given.route_config));
        let scoped = part.inline_scoped_route_configs.into_iter();
        let scoped = scoped.flat_map(|scoped| scoped.scoped_route_configs);
        found.extend(scoped.filter_map(|scoped| scoped.route_configuration));
    }
    Ok(found)
}

#[derive(Deserialize)]
struct Dump {
    configs: Vec<Part>,
}

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct Part {
    static_route_configs: Vec<Given>,
    dynamic_route_configs: Vec<Given>,
    inline_scoped_route_configs: Vec<Scoped>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Given {
    route_config: Option<Configuration>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Scoped {
    scoped_route_configs: Vec<ScopedRoute>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct ScopedRoute {
    route_configuration: Option<Configuration>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Configuration {
    name: String,
    virtual_hosts: Vec<VirtualHost>,
    request_headers_to_add: Vec<Added>,
    request_headers_to_remove: Vec<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct VirtualHost {
    name: String,
    domains: Vec<String>,
    routes: Vec<Entry>,
    matcher: Option<IgnoredAny>,
    request_headers_to_add: Vec<Added>,
    request_headers_to_remove: Vec<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Entry {
    name: String,
    r#match: Match,
    route: Option<Action>,
    request_headers_to_add: Vec<Added>,
    request_headers_to_remove: Vec<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Match {
    prefix: Option<String>,
    path: Option<String>,
    path_separated_prefix: Option<String>,
    headers: Vec<HeaderMatch>,
    query_parameters: Vec<IgnoredAny>,
    runtime_fraction: Option<IgnoredAny>,
    grpc: Option<IgnoredAny>,
    tls_context: Option<IgnoredAny>,
    dynamic_metadata: Vec<IgnoredAny>,
    filter_state: Vec<IgnoredAny>,
    cookies: Vec<IgnoredAny>,
    case_sensitive: Option<bool>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct HeaderMatch {
    name: String,
    exact_match: Option<String>,
    string_match: Option<StringMatch>,
    invert_match: bool,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct StringMatch {
    exact: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Action {
    cluster: Option<String>,
    cluster_header: Option<String>,
    weighted_clusters: Option<Weighted>,
    prefix_rewrite: Option<String>,
    regex_rewrite: Option<IgnoredAny>,
    path_rewrite_policy: Option<IgnoredAny>,
    path_rewrite: Option<IgnoredAny>,
    host_rewrite_literal: Option<String>,
    auto_host_rewrite: Option<bool>,
    host_rewrite_header: Option<String>,
    host_rewrite_path_regex: Option<IgnoredAny>,
    host_rewrite: Option<IgnoredAny>,
    append_x_forwarded_host: bool,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Weighted {
    clusters: Vec<WeightedCluster>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct WeightedCluster {
    name: String,
    cluster_header: Option<String>,
    host_rewrite_literal: Option<String>,
    request_headers_to_add: Vec<Added>,
    request_headers_to_remove: Vec<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Added {
    header: Header,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Header {
    key: String,
    value: String,
    raw_value: Option<IgnoredAny>,
}

impl Configuration {
    fn add_to(&self, routes: &mut Vec<Route>, configuration: usize, proxy: &str) {
        let of_configuration = headers(
            &self.request_headers_to_add,
            &self.request_headers_to_remove,
        );
        let hosts = self.virtual_hosts.iter();
        for host in hosts {
            // The numbers of virtual hosts are unique within a dump.
            let virtual_host = routes
                .last()
                .map_or(0, |last| last.virtual_host.saturating_add(1));
            let of_host = headers(
                &host.request_headers_to_add,
                &host.request_headers_to_remove,
            );
            let of_virtual_host = Route {
                configuration,
                virtual_host,
                domains: host.domains.clone(),
                ..Route::default()
            };
            if host.matcher.is_some() {
                routes.push(Route {
                    name: format!(
                        "the matcher of the virtual host {} of {} at {proxy}",
                        host.name, self.name
                    ),
                    ..of_virtual_host.clone()
                });
            }
            for (entry, place) in host.routes.iter().zip(1_usize..) {
                let called = match entry.name.as_str() {
                    "" => String::new(),
                    name => format!(" ({name})"),
                };
                let name = format!(
                    "route {place}{called} of the virtual host {} of {} at {proxy}",
                    host.name, self.name
                );
                let matched = Route {
                    name,
                    ..entry.r#match.route(&of_virtual_host)
                };
                let Some(action) = &entry.route else {
                    // This route is a direct response or a redirect.
                    routes.push(Route {
                        target: Target::Proxy,
                        ..matched
                    });
                    continue;
                };
                let changes = [
                    of_configuration.clone(),
                    of_host.clone(),
                    headers(
                        &entry.request_headers_to_add,
                        &entry.request_headers_to_remove,
                    ),
                    action.changes(&entry.r#match),
                ];
                let route = Route {
                    changes: changes.concat(),
                    ..matched
                };
                action.add_to(routes, &route);
            }
        }
    }
}

impl Match {
    /// Returns the route with the conditions of this match in addition to those of its virtual host.
    fn route(&self, of_virtual_host: &Route) -> Route {
        let mut route = Route {
            path: match (&self.prefix, &self.path_separated_prefix, &self.path) {
                (Some(prefix), _, _) => RoutePath::Prefix(prefix.clone()),
                (None, Some(prefix), _) => RoutePath::Segments(prefix.clone()),
                (None, None, Some(path)) => RoutePath::Exact(path.clone()),
                (None, None, None) => RoutePath::Unknown,
            },
            asks_more: !self.query_parameters.is_empty()
                || self.runtime_fraction.is_some()
                || self.grpc.is_some()
                || self.tls_context.is_some()
                || !self.dynamic_metadata.is_empty()
                || !self.filter_state.is_empty()
                || !self.cookies.is_empty(),
            ignores_case: self.case_sensitive == Some(false),
            ..of_virtual_host.clone()
        };
        for header in &self.headers {
            let is_named =
                |name: &str| header.name.eq_ignore_ascii_case(name) && !header.invert_match;
            let exact = header
                .string_match
                .as_ref()
                .and_then(|text| text.exact.as_ref());
            let exact = exact.or(header.exact_match.as_ref()).cloned();
            if is_named(TREATMENT_HEADER) {
                route.asks_turnout = true;
                route.treatment = exact;
            } else if is_named(CLUSTER_HEADER) {
                route.asks_turnout = true;
                route.cluster = exact;
            } else {
                route.asks_more = true;
            }
        }
        route
    }
}

impl Action {
    fn add_to(&self, routes: &mut Vec<Route>, route: &Route) {
        let target = |cluster: Option<&String>, header: Option<&String>| match (cluster, header) {
            (_, Some(header)) if header.eq_ignore_ascii_case(CLUSTER_HEADER) => {
                Target::TurnoutCluster
            }
            (Some(cluster), None) => Target::Cluster(cluster.clone()),
            _ => Target::Unknown,
        };
        let Some(weighted) = &self.weighted_clusters else {
            routes.push(Route {
                target: target(self.cluster.as_ref(), self.cluster_header.as_ref()),
                ..route.clone()
            });
            return;
        };
        for cluster in &weighted.clusters {
            let mut changes = route.changes.clone();
            changes.extend(headers(
                &cluster.request_headers_to_add,
                &cluster.request_headers_to_remove,
            ));
            changes.extend(cluster.host_rewrite_literal.clone().map(RouteChange::Host));
            let name = Some(&cluster.name).filter(|name| !name.is_empty());
            routes.push(Route {
                target: target(name, cluster.cluster_header.as_ref()),
                changes,
                ..route.clone()
            });
        }
    }

    fn changes(&self, matched: &Match) -> Vec<RouteChange> {
        let mut changes = Vec::new();
        let mut cannot = |is_there: bool, field: &str| {
            if is_there {
                changes.push(RouteChange::Undeclarable(field.to_owned()));
            }
        };
        let from = matched
            .prefix
            .as_ref()
            .or(matched.path_separated_prefix.as_ref());
        let from = from.or(matched.path.as_ref());
        let to = self.prefix_rewrite.as_ref().filter(|to| !to.is_empty());
        cannot(to.is_some() && from.is_none(), "prefix_rewrite");
        cannot(self.regex_rewrite.is_some(), "regex_rewrite");
        cannot(self.path_rewrite_policy.is_some(), "path_rewrite_policy");
        cannot(self.path_rewrite.is_some(), "path_rewrite");
        cannot(self.auto_host_rewrite == Some(true), "auto_host_rewrite");
        cannot(self.host_rewrite_header.is_some(), "host_rewrite_header");
        cannot(
            self.host_rewrite_path_regex.is_some(),
            "host_rewrite_path_regex",
        );
        cannot(self.host_rewrite.is_some(), "host_rewrite");
        cannot(self.append_x_forwarded_host, "append_x_forwarded_host");
        if let (Some(from), Some(to)) = (from, to) {
            changes.push(RouteChange::Prefix {
                from: from.clone(),
                to: to.clone(),
            });
        }
        let host = self
            .host_rewrite_literal
            .clone()
            .filter(|host| !host.is_empty());
        changes.extend(host.map(RouteChange::Host));
        changes
    }
}

fn headers(added: &[Added], removed: &[String]) -> Vec<RouteChange> {
    let added = added.iter().map(|added| {
        let Header {
            key,
            value,
            raw_value,
        } = &added.header;
        let plain = value.replace("%%", "");
        // A command operator such as `%REQ(x)%` has another value in each request.
        match raw_value.is_some() || plain.contains('%') {
            true => RouteChange::Undeclarable(format!("request_headers_to_add: {key}")),
            false => RouteChange::Header {
                name: key.clone(),
                value: Some(value.replace("%%", "%")),
            },
        }
    });
    let removed = removed.iter().map(|name| RouteChange::Header {
        name: name.clone(),
        value: None,
    });
    // Envoy removes headers before it adds any.
    removed.chain(added).collect()
}

#[cfg(test)]
mod tests;
