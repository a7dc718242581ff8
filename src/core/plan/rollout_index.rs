//! Finds candidate rollouts by host and path prefix, without evaluating every `match`.
//!
//! A request belongs to the first rollout whose `match` holds. The index rules out rollouts by host and by
//! path prefix: every path that a `match` accepts begins with the same text, the literal *prefix* of the
//! match. The index keeps the prefixes of each host sorted, and each prefix has a link to the next shorter
//! prefix of it. Binary search finds the last prefix that sorts before the path; from there the links lead
//! to every prefix of the path.
//!
//! The index only returns candidates. The `match` of each one is evaluated as if there were no index.

use crate::plan::path_match::PathMatch;
use crate::plan::request_match::RequestMatch;

/// Rollouts by host and path prefix.
#[derive(Debug, Default)]
pub(crate) struct RolloutIndex {
    /// The literal path prefix of each rollout.
    prefixes: Vec<String>,
    /// Sorted by host. Hosts are in lower case and distinct.
    by_host: Vec<(String, HostGroup)>,
    /// The rollouts that match any host.
    any_host: HostGroup,
}

/// Rollouts of one host.
#[derive(Debug, Default)]
struct HostGroup {
    /// Sorted by prefix. Prefixes are distinct.
    nodes: Vec<PrefixNode>,
    /// The rollouts of each node, in the order of the policy.
    rollouts: Vec<u32>,
}

/// The rollouts that share a prefix.
#[derive(Debug)]
struct PrefixNode {
    /// The index of the first of them in `HostGroup::rollouts`.
    start: u32,
    /// The node with the longest prefix that is a shorter prefix of this one.
    parent: Option<u32>,
    /// The first rollout of this node and its ancestors.
    first: u32,
}

impl RolloutIndex {
    /// Builds the index. `matches` are those of the rollouts, in the order of the policy.
    pub(crate) fn new<'m>(matches: impl IntoIterator<Item = &'m RequestMatch>) -> Self {
        let mut prefixes = Vec::new();
        let mut any_host = Vec::new();
        let mut by_host = Vec::new();
        for (rollout, matches) in (0_u32..).zip(matches) {
            prefixes.push(literal_prefix(matches));
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
            Some(((*host).to_owned(), HostGroup::new(rollouts, &prefixes)))
        });
        Self {
            by_host: groups.collect(),
            any_host: HostGroup::new(any_host, &prefixes),
            prefixes,
        }
    }

    /// Returns the first candidate for a host and a path that satisfies `holds`, which need not check the host
    /// again.
    pub(crate) fn find_first(
        &self,
        host: &[u8],
        path: &[u8],
        holds: impl Fn(usize) -> bool,
    ) -> Option<usize> {
        let mut found = None;
        for group in self.group_of(host).into_iter().chain([&self.any_host]) {
            found = group.find_before(found, path, &self.prefixes, &holds);
        }
        found
    }

    /// Returns the rollouts of a host, in whatever case it is sent.
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

/// Returns the text that begins every path for which a `match` can hold.
fn literal_prefix(matches: &RequestMatch) -> String {
    match &matches.path {
        None => String::new(),
        Some(PathMatch::Exact(text) | PathMatch::Prefix(text)) => text.clone(),
        Some(PathMatch::Template(template)) => template.literal_prefix(),
    }
}

impl HostGroup {
    /// Groups rollouts, which are in the order of the policy, by prefix.
    fn new(rollouts: impl IntoIterator<Item = u32>, prefixes: &[String]) -> Self {
        let with_prefix = |rollout| (prefix_of(prefixes, rollout), rollout);
        let mut rollouts: Vec<(&str, u32)> = rollouts.into_iter().map(with_prefix).collect();
        // Uses the same sort as for hosts, because another instance would add kilobytes to the filter.
        rollouts.sort_unstable();
        let mut nodes: Vec<PrefixNode> = Vec::new();
        // The ancestors of the next node, with their prefixes.
        let mut ancestors: Vec<(u32, &str)> = Vec::new();
        let mut start = 0;
        for same in rollouts.chunk_by(|(one, _), (next, _)| one == next) {
            let Some((prefix, first)) = same.first() else {
                continue;
            };
            while ancestors
                .pop_if(|(_, ancestor)| !prefix.starts_with(*ancestor))
                .is_some()
            {}
            let parent = ancestors.last().map(|(parent, _)| *parent);
            let parent_node = parent.and_then(|parent| nodes.get(to_index(parent)));
            let number = u32::try_from(nodes.len()).unwrap_or(u32::MAX);
            nodes.push(PrefixNode {
                start,
                parent,
                first: parent_node.map_or(*first, |parent| parent.first.min(*first)),
            });
            ancestors.push((number, prefix));
            start = start.saturating_add(u32::try_from(same.len()).unwrap_or(u32::MAX));
        }
        nodes.shrink_to_fit();
        let rollouts = rollouts.into_iter().map(|(_, rollout)| rollout).collect();
        Self { nodes, rollouts }
    }

    /// Returns the first candidate before `found` that satisfies `holds`, or else `found` itself.
    fn find_before(
        &self,
        mut found: Option<usize>,
        path: &[u8],
        prefixes: &[String],
        holds: &impl Fn(usize) -> bool,
    ) -> Option<usize> {
        let prefix = |node: &PrefixNode| {
            let rollout = self.rollouts.get(to_index(node.start)).copied();
            prefix_of(prefixes, rollout.unwrap_or(u32::MAX)).as_bytes()
        };
        let end = self.nodes.partition_point(|node| prefix(node) <= path);
        let mut next = end.checked_sub(1);
        while let Some(number) = next {
            let Some(node) = self.nodes.get(number) else {
                break;
            };
            let is_before = |rollout: u32| found.is_none_or(|found| to_index(rollout) < found);
            if !is_before(node.first) {
                break;
            }
            if path.starts_with(prefix(node)) {
                let before = self.rollouts_of(number).iter().copied();
                let mut before = before
                    .take_while(|rollout| is_before(*rollout))
                    .map(to_index);
                found = before.find(|rollout| holds(*rollout)).or(found);
            }
            next = node.parent.map(to_index);
        }
        found
    }

    fn rollouts_of(&self, node: usize) -> &[u32] {
        let start = |node: usize| self.nodes.get(node).map(|node| to_index(node.start));
        let end = start(node.saturating_add(1)).unwrap_or(self.rollouts.len());
        let rollouts = start(node).and_then(|start| self.rollouts.get(start..end));
        rollouts.unwrap_or_default()
    }
}

fn prefix_of(prefixes: &[String], rollout: u32) -> &str {
    prefixes.get(to_index(rollout)).map_or("", String::as_str)
}

fn to_index(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests;
