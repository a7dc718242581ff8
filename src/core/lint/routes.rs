//! Checks whether the routes of a running proxy serve each rollout, and whether they change requests after the
//! filter, so that shadow requests differ from the requests of users.

use std::collections::BTreeMap;

use turnout_text::json_string;

use crate::diagnostics::location::JsonPointer;
use crate::diagnostics::warning_code::WarningCode;
use crate::plan::route_scope::PathScope;
use crate::plan::shadow_plan::Rewrite;
use crate::plan::{Mode, Plan, Rollout};
use crate::proxy::wire_names::is_turnout_header;

use super::partial_plan::PartialPlan;
use super::warnings::Warnings;
use super::{Budget, TwoTurnouts, not_examined};

mod hosts;

use hosts::HostMatches;
use turnout_text::escape_for_terminal;

/// The most warnings about routes that one rollout gets; further ones are similar.
const MOST: usize = 5;

/// The routes of one running proxy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProxyRoutes {
    /// The name of the proxy in messages.
    pub proxy: String,
    /// The routes. Those of one virtual host are in its order.
    pub routes: Vec<Route>,
    /// The filter chains that have two Turnout filters.
    pub two_turnouts: Vec<TwoTurnouts>,
}

/// A route of a running proxy, or one cluster of a route with weights.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Route {
    /// The name of the route in messages.
    pub name: String,
    /// The number of the route configuration.
    pub configuration: usize,
    /// The number of the virtual host. Its routes are in order.
    pub virtual_host: usize,
    /// The domains of the virtual host, as Envoy writes them.
    pub domains: Vec<String>,
    /// The paths that the route matches.
    pub path: RoutePath,
    /// Whether the route ignores the case of paths.
    pub ignores_case: bool,
    /// The `x-turnout-treatment` that the route requires.
    pub treatment: Option<String>,
    /// The `x-turnout-cluster` that the route requires.
    pub cluster: Option<String>,
    /// Whether the route requires one of these headers, with any value.
    pub asks_turnout: bool,
    /// Whether the route has conditions other than host and path.
    pub asks_more: bool,
    /// The destination of the route's requests.
    pub target: Target,
    /// The changes that the route makes in requests.
    pub changes: Vec<RouteChange>,
}

/// The paths that a route matches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum RoutePath {
    /// Exactly this path.
    Exact(String),
    /// All paths with this prefix.
    Prefix(String),
    /// This path, and all paths that begin with it and a slash.
    Segments(String),
    /// The paths are unknown.
    #[default]
    Unknown,
}

/// The destination of a route's requests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Target {
    /// This cluster.
    Cluster(String),
    /// The cluster that the filter writes to `x-turnout-cluster`.
    TurnoutCluster,
    /// None: the proxy itself responds.
    Proxy,
    /// The destination is unknown.
    #[default]
    Unknown,
}

/// A change that a route makes in a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RouteChange {
    /// The prefix of the path.
    Prefix {
        /// The prefix that is replaced.
        from: String,
        /// The replacement.
        to: String,
    },
    /// The host.
    Host(String),
    /// A header, which gets a value or is removed.
    Header {
        /// The name.
        name: String,
        /// The value; `None` if the header is removed.
        value: Option<String>,
    },
    /// A change that a policy cannot declare, by its name in Envoy.
    Undeclarable(String),
}

pub(super) fn check(
    view: &PartialPlan<'_>,
    plan: &Plan,
    proxies: &[ProxyRoutes],
    warnings: &mut Warnings<'_>,
) {
    let rollouts = JsonPointer::Root.field("rollouts");
    let mut budget = Budget::new();
    for (rollout, seen) in plan.rollouts().iter().zip(&view.rollouts) {
        let at = rollouts.index(seen.index);
        let place = seen
            .name
            .as_ref()
            .map_or(seen.span.head(), |name| name.span);
        let cost: usize = proxies.iter().map(|proxy| proxy.routes.len()).sum();
        if !budget.spend(cost.saturating_add(1)) {
            not_examined(warnings, "rollouts and routes", (place, &at));
            return;
        }
        let mut all = Vec::new();
        for ProxyRoutes { proxy, routes, .. } in proxies {
            let served = serving(rollout, routes);
            if !served.is_unsure {
                unrouted(rollout, proxy, &served.by, (place, &at), warnings);
            }
            all.extend(served.by);
        }
        if rollout.shadow.is_some() {
            rewritten(rollout, &all, (place, &at.field("shadow")), warnings);
        }
    }
}

/// A route that serves a rollout, and the treatments that it serves.
#[derive(Clone, Copy)]
struct ServingRoute<'r> {
    route: &'r Route,
    v1: bool,
    v2: bool,
}

/// The routes by which a proxy serves a rollout.
struct ServingRoutes<'r> {
    by: Vec<ServingRoute<'r>>,
    /// Whether other routes may serve the rollout too, because their destination is unknown.
    is_unsure: bool,
}

/// Finds the routes that a rollout's requests can take. In each virtual host, the search ends at the first route
/// that takes all of them.
fn serving<'r>(rollout: &Rollout, routes: &'r [Route]) -> ServingRoutes<'r> {
    let mut served = ServingRoutes {
        by: Vec::new(),
        is_unsure: false,
    };
    let hosts = HostMatches::of(rollout, routes);
    let mut taken = None;
    for route in routes {
        if taken == Some(route.virtual_host)
            || !hosts.has(&route.domains, route.configuration)
            || !overlaps(rollout, route)
        {
            continue;
        }
        let (v1, v2) = versions(rollout, route);
        served.is_unsure |= route.target == Target::Unknown && !v1 && !v2;
        if v1 || v2 {
            served.by.push(ServingRoute { route, v1, v2 });
        }
        let is_end = v1 && v2 || route.target == Target::Proxy;
        if is_end && takes_all(rollout, route) {
            taken = Some(route.virtual_host);
        }
    }
    served
}

fn versions(rollout: &Rollout, route: &Route) -> (bool, bool) {
    let by_target = |cluster: &str| match &route.target {
        Target::Cluster(target) => target == cluster || route.asks_turnout,
        Target::TurnoutCluster => true,
        Target::Proxy => false,
        Target::Unknown => route.asks_turnout,
    };
    let is_asked = |treatment: &str, cluster: &str| {
        route
            .treatment
            .as_ref()
            .is_none_or(|asked| asked == treatment)
            && route.cluster.as_ref().is_none_or(|asked| asked == cluster)
    };
    let serves =
        |treatment: &str, cluster: &str| by_target(cluster) && is_asked(treatment, cluster);
    (serves("v1", &rollout.v1), serves("v2", &rollout.v2))
}

/// Whether a route can match a path of the rollout.
fn overlaps(rollout: &Rollout, route: &Route) -> bool {
    let reach = rollout.route_scope().path;
    let case = |path: &String| match route.ignores_case {
        true => path.to_ascii_lowercase(),
        false => path.clone(),
    };
    let (PathScope::Exact(text) | PathScope::Prefix(text)) = &reach;
    let (path, is_exact) = (case(text), matches!(reach, PathScope::Exact(_)));
    match &route.path {
        RoutePath::Unknown => true,
        RoutePath::Exact(exact) if is_exact => case(exact) == path,
        RoutePath::Exact(exact) => case(exact).starts_with(&path),
        RoutePath::Prefix(prefix) => {
            let prefix = case(prefix);
            path.starts_with(&prefix) || !is_exact && prefix.starts_with(&path)
        }
        RoutePath::Segments(prefix) => {
            let prefix = case(prefix);
            is_below(&path, &prefix) || path == prefix || !is_exact && prefix.starts_with(&path)
        }
    }
}

fn is_below(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix)
        .is_some_and(|rest| rest.starts_with('/'))
}

/// Whether a route takes all requests of the rollout that reach it, so that later routes get none.
fn takes_all(rollout: &Rollout, route: &Route) -> bool {
    let covers = match (&route.path, rollout.route_scope().path) {
        (RoutePath::Prefix(prefix), PathScope::Prefix(path) | PathScope::Exact(path)) => {
            path.starts_with(prefix.as_str())
        }
        (RoutePath::Segments(prefix), PathScope::Prefix(path)) => is_below(&path, prefix),
        (RoutePath::Segments(prefix), PathScope::Exact(path)) => {
            path == *prefix || is_below(&path, prefix)
        }
        (RoutePath::Exact(exact), PathScope::Exact(path)) => *exact == path,
        _ => false,
    };
    covers && !route.asks_more && route.treatment.is_none() && route.cluster.is_none()
}

fn unrouted(
    rollout: &Rollout,
    proxy: &str,
    serving: &[ServingRoute<'_>],
    place: (crate::diagnostics::location::Span, &JsonPointer<'_>),
    warnings: &mut Warnings<'_>,
) {
    let wants_v2 = matches!(rollout.mode, Mode::Split | Mode::On);
    let what = if rollout.mode == Mode::Off {
        return;
    } else if serving.is_empty() {
        "serves this rollout: none uses x-turnout-cluster or x-turnout-treatment, or routes to one of \
         its clusters"
    } else if wants_v2 && !serving.iter().any(|serving| serving.v2) {
        "sends requests of this rollout to v2"
    } else {
        return;
    };
    let instead = "copy the routes from envoy/cluster-header.yaml or \
                   envoy/treatment-header.yaml, or check the `match` and the clusters of the rollout";
    let what = format!("no route of {} {what}", escape_for_terminal(proxy));
    warnings.push(WarningCode::UnroutedRollout, place, what, instead);
}

fn rewritten(
    rollout: &Rollout,
    serving: &[ServingRoute<'_>],
    place: (crate::diagnostics::location::Span, &JsonPointer<'_>),
    warnings: &mut Warnings<'_>,
) {
    let Some(shadow) = &rollout.shadow else {
        return;
    };
    let declared = RewriteNeed::declared(&shadow.rewrite, rollout);
    // There is one warning for each distinct `rewrite`, with the first route that needs it.
    let mut needs: Vec<(RewriteNeed, ServingRoute<'_>, usize)> = Vec::new();
    for serving in serving {
        let need = RewriteNeed::of(serving.route, rollout);
        match needs.iter_mut().find(|(known, ..)| *known == need) {
            Some((_, first, count)) => {
                first.v1 |= serving.v1;
                *count = count.saturating_add(1);
            }
            None => needs.push((need, *serving, 0)),
        }
    }
    let differing = needs.iter().filter(|(need, ..)| *need != declared);
    for (need, ServingRoute { route, v1, .. }, more) in differing.take(MOST) {
        let version = if *v1 { "v1" } else { "v2" };
        let more = match more {
            0 => String::new(),
            more => format!(" (and {more} more)"),
        };
        let name = escape_for_terminal(&route.name);
        let what = match need.is_nothing() {
            true => format!(
                "shadow requests differ from what {version} gets: {name}{more} does not make the changes that \
                 `rewrite` declares"
            ),
            false => format!(
                "shadow requests differ from what {version} gets: {name}{more} changes requests after the \
                 filter: {}",
                need.words()
            ),
        };
        warnings.push(WarningCode::RewrittenRequest, place, what, need.instead());
    }
}

/// The changes that shadow requests need to equal the requests that a route sends.
#[derive(Debug, Default, PartialEq, Eq)]
struct RewriteNeed {
    prefix: Option<(String, String)>,
    host: Option<String>,
    headers: BTreeMap<String, Option<String>>,
    undeclarable: Vec<String>,
}

impl RewriteNeed {
    fn declared(rewrite: &Rewrite, rollout: &Rollout) -> Self {
        let prefix = rewrite.prefix.as_ref();
        Self {
            prefix: prefix.and_then(|(from, to)| effect(from, to, rollout)),
            host: rewrite.host.clone(),
            headers: rewrite.headers.iter().cloned().collect(),
            undeclarable: Vec::new(),
        }
    }

    fn of(route: &Route, rollout: &Rollout) -> Self {
        let mut need = Self::default();
        for change in &route.changes {
            match change {
                RouteChange::Prefix { from, to } => need.prefix = effect(from, to, rollout),
                RouteChange::Host(host) => need.host = Some(host.clone()),
                RouteChange::Header { name, value } => {
                    let name = name.to_ascii_lowercase();
                    // Turnout's headers are only for the route, and shadow requests do not have them.
                    if !is_turnout_header(name.as_bytes()) {
                        need.headers.insert(name, value.clone());
                    }
                }
                RouteChange::Undeclarable(field) => need.undeclarable.push(field.clone()),
            }
        }
        need
    }

    fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    fn is_declarable(&self) -> bool {
        self.prefix.is_some() || self.host.is_some() || !self.headers.is_empty()
    }

    fn words(&self) -> String {
        let mut words = Vec::new();
        if let Some((from, to)) = &self.prefix {
            words.push(format!(
                "the prefix {} → {}",
                escape_for_terminal(from),
                escape_for_terminal(to)
            ));
        }
        if let Some(host) = &self.host {
            words.push(format!("the host {}", escape_for_terminal(host)));
        }
        words.extend(self.headers.iter().map(|(name, value)| match value {
            Some(_) => format!("the header {}", escape_for_terminal(name)),
            None => format!("without the header {}", escape_for_terminal(name)),
        }));
        words.extend(
            self.undeclarable
                .iter()
                .map(|field| escape_for_terminal(field)),
        );
        words.join(", ")
    }

    /// Returns the text to write in the policy.
    fn instead(&self) -> String {
        let mut parts = Vec::new();
        if let Some((from, to)) = &self.prefix {
            let (from, to) = (json_string(from), json_string(to));
            parts.push(format!("\"prefix\": {{ \"from\": {from}, \"to\": {to} }}"));
        }
        if let Some(host) = &self.host {
            parts.push(format!("\"host\": {}", json_string(host)));
        }
        if !self.headers.is_empty() {
            let header = |(name, value): (&String, &Option<String>)| {
                let value = value
                    .as_deref()
                    .map_or_else(|| "null".to_owned(), json_string);
                format!("{}: {value}", json_string(name))
            };
            let headers: Vec<String> = self.headers.iter().map(header).collect();
            parts.push(format!("\"headers\": {{ {} }}", headers.join(", ")));
        }
        let declare = format!(
            "write \"rewrite\": {{ {} }} in its `shadow`",
            parts.join(", ")
        );
        let undeclarable: Vec<String> = self
            .undeclarable
            .iter()
            .map(|f| escape_for_terminal(f))
            .collect();
        let undeclarable = undeclarable.join(", ");
        match (self.is_declarable(), self.undeclarable.is_empty()) {
            (true, true) => declare,
            (false, true) => {
                "remove `rewrite` from its `shadow`, or route its requests the same way".into()
            }
            (true, false) => format!(
                "{declare}; {undeclarable} cannot be declared, so change the request before the filter \
                 instead"
            ),
            (false, false) => format!(
                "{undeclarable} cannot be declared, so change the request before the filter instead, or \
                 do not shadow these requests"
            ),
        }
    }
}

/// Returns what a prefix rewrite changes in the paths of the rollout; `None` if it changes nothing.
fn effect(from: &str, to: &str, rollout: &Rollout) -> Option<(String, String)> {
    let (PathScope::Exact(path) | PathScope::Prefix(path)) = rollout.route_scope().path;
    let (from, to) = match path.strip_prefix(from) {
        Some(rest) => (path.clone(), [to, rest].concat()),
        None => (from.to_owned(), to.to_owned()),
    };
    (from != to).then_some((from, to))
}

#[cfg(test)]
mod tests;
