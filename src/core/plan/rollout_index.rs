//! Which rollout has a request, without asking all of them.
//!
//! The first rollout whose `match` holds has a request. Those that cannot hold are told by the host and
//! by how the path begins: whatever a `match` says of paths, all of them begin with one text, its
//! *head*. The heads of a host are kept in order. Of those that a path begins with the longest stands
//! right before the path, or encloses what stands there; and each knows the next shorter one that
//! encloses it. So they are found by halving once and then going from head to head.
//!
//! What is found is asked, as if there were no index: it never says that a `match` holds.

use crate::plan::path_match::PathMatch;
use crate::plan::request_match::RequestMatch;

/// Rollouts by their hosts and heads.
#[derive(Debug, Default)]
pub(crate) struct RolloutIndex {
    /// Of each rollout its head.
    heads: Vec<String>,
    /// In the order of the hosts, which are lower case and each there once.
    by_host: Vec<(String, HostGroup)>,
    /// Those that name no host.
    any_host: HostGroup,
}

/// Rollouts of one host.
#[derive(Debug, Default)]
struct HostGroup {
    /// In the order of their heads, each of them there once.
    nodes: Vec<PrefixNode>,
    /// Those of each node, in the order of the policy.
    rollouts: Vec<u32>,
}

/// Rollouts that have one head.
#[derive(Debug)]
struct PrefixNode {
    /// Where they begin in the group.
    start: u32,
    /// The longest of the heads that enclose this one.
    outer: Option<u32>,
    /// The first rollout of this node and of all that enclose it.
    first: u32,
}

impl RolloutIndex {
    /// Of rollouts in the order of the policy.
    pub(crate) fn new<'m>(matches: impl IntoIterator<Item = &'m RequestMatch>) -> Self {
        let mut heads = Vec::new();
        let mut any_host = Vec::new();
        let mut by_host = Vec::new();
        for (rollout, matches) in (0_u32..).zip(matches) {
            heads.push(head(matches));
            if matches.hosts.is_empty() {
                any_host.push(rollout);
            }
            by_host.extend(matches.hosts.iter().map(|host| (host.as_str(), rollout)));
        }
        by_host.sort_unstable();
        by_host.dedup();
        let groups = by_host.chunk_by(|(one, _), (next, _)| one == next);
        let groups = groups.filter_map(|group| {
            let (host, _) = group.first()?;
            let rollouts = group.iter().map(|(_, rollout)| *rollout);
            Some(((*host).to_owned(), HostGroup::new(rollouts, &heads)))
        });
        Self {
            by_host: groups.collect(),
            any_host: HostGroup::new(any_host, &heads),
            heads,
        }
    }

    /// The first rollout that holds, of all that can hold for a host and a path. `holds` need not ask for
    /// the host again.
    pub(crate) fn first(
        &self,
        host: &[u8],
        path: &[u8],
        holds: impl Fn(usize) -> bool,
    ) -> Option<usize> {
        let mut found = None;
        for group in self.group_of(host).into_iter().chain([&self.any_host]) {
            found = group.first_before(found, path, &self.heads, &holds);
        }
        found
    }

    fn group_of(&self, host: &[u8]) -> Option<&HostGroup> {
        let found = if host.iter().any(u8::is_ascii_uppercase) {
            let lower = || host.iter().map(u8::to_ascii_lowercase);
            self.by_host
                .binary_search_by(|(known, _)| known.bytes().cmp(lower()))
        } else {
            self.by_host
                .binary_search_by(|(known, _)| known.as_bytes().cmp(host))
        };
        let (_, group) = self.by_host.get(found.ok()?)?;
        Some(group)
    }
}

/// What every path begins with for which this can hold.
fn head(matches: &RequestMatch) -> String {
    match &matches.path {
        None => String::new(),
        Some(PathMatch::Exact(text) | PathMatch::Prefix(text)) => text.clone(),
        Some(PathMatch::Template(template)) => template.beginning(),
    }
}

impl HostGroup {
    /// Of rollouts in the order of the policy.
    fn new(rollouts: impl IntoIterator<Item = u32>, heads: &[String]) -> Self {
        let with_head = |rollout| (text(heads, rollout), rollout);
        let mut rollouts: Vec<(&str, u32)> = rollouts.into_iter().map(with_head).collect();
        // As the hosts are sorted: another kind of sorting would be kilobytes of the filter.
        rollouts.sort_unstable();
        let mut nodes: Vec<PrefixNode> = Vec::new();
        // The nodes that enclose what comes next, each with its head.
        let mut open: Vec<(u32, &str)> = Vec::new();
        let mut start = 0;
        for same in rollouts.chunk_by(|(one, _), (next, _)| one == next) {
            let Some((head, first)) = same.first() else {
                continue;
            };
            while open
                .pop_if(|(_, outer)| !head.starts_with(*outer))
                .is_some()
            {}
            let outer = open.last().map(|(outer, _)| *outer);
            let outermost = outer.and_then(|outer| nodes.get(place(outer)));
            let number = u32::try_from(nodes.len()).unwrap_or(u32::MAX);
            nodes.push(PrefixNode {
                start,
                outer,
                first: outermost.map_or(*first, |outer| outer.first.min(*first)),
            });
            open.push((number, head));
            start = start.saturating_add(u32::try_from(same.len()).unwrap_or(u32::MAX));
        }
        nodes.shrink_to_fit();
        let rollouts = rollouts.into_iter().map(|(_, rollout)| rollout).collect();
        Self { nodes, rollouts }
    }

    /// The first rollout that holds, if it is before one that was found already.
    fn first_before(
        &self,
        mut found: Option<usize>,
        path: &[u8],
        heads: &[String],
        holds: &impl Fn(usize) -> bool,
    ) -> Option<usize> {
        let head = |node: &PrefixNode| {
            let rollout = self.rollouts.get(place(node.start)).copied();
            text(heads, rollout.unwrap_or(u32::MAX)).as_bytes()
        };
        let behind = self.nodes.partition_point(|node| head(node) <= path);
        let mut next = behind.checked_sub(1);
        while let Some(number) = next {
            let Some(node) = self.nodes.get(number) else {
                break;
            };
            let is_before = |rollout: u32| found.is_none_or(|found| place(rollout) < found);
            if !is_before(node.first) {
                break;
            }
            if path.starts_with(head(node)) {
                let before = self.rollouts_of(number).iter().copied();
                let mut before = before.take_while(|rollout| is_before(*rollout)).map(place);
                found = before.find(|rollout| holds(*rollout)).or(found);
            }
            next = node.outer.map(place);
        }
        found
    }

    fn rollouts_of(&self, node: usize) -> &[u32] {
        let start = |node: usize| self.nodes.get(node).map(|node| place(node.start));
        let end = start(node.saturating_add(1)).unwrap_or(self.rollouts.len());
        let rollouts = start(node).and_then(|start| self.rollouts.get(start..end));
        rollouts.unwrap_or_default()
    }
}

fn text(heads: &[String], rollout: u32) -> &str {
    heads.get(place(rollout)).map_or("", String::as_str)
}

fn place(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests;
