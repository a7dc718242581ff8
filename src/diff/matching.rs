//! A maximum matching: as many pairs of two sides as possible, each element in at most one of them.

/// Whether two elements may be partners.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Edge {
    /// They differ.
    Absent,
    /// They differ only in noise.
    Noisy,
    /// They are equal.
    Equal,
}

/// The partners found so far, and the edges that were looked up to find them.
///
/// Elements of both sides are numbered from 0. Each edge is looked up at most once, and only for
/// elements of the left side that an augmenting path reaches.
pub(crate) struct Matching {
    partners_of_left: Vec<usize>,
    partners_of_right: Vec<usize>,
    /// For each element of the left side, its edges to the right side, once they have been looked up.
    rows: Vec<Vec<Edge>>,
}

/// Marks an element without a partner.
const NOBODY: usize = usize::MAX;

/// Returns the edge of a left and a right element, or `None` if that costs too much.
pub(crate) type EdgeLookup<'t> = dyn FnMut(usize, usize) -> Option<Edge> + 't;

impl Matching {
    pub(crate) fn new(left: usize, right: usize) -> Self {
        Self {
            partners_of_left: vec![NOBODY; left],
            partners_of_right: vec![NOBODY; right],
            rows: vec![Vec::new(); left],
        }
    }

    #[inline(never)]
    pub(crate) fn pair(&mut self, left: usize, right: usize) {
        set(&mut self.partners_of_left, left, right);
        set(&mut self.partners_of_right, right, left);
    }

    /// Returns the partner of an element of the left side.
    pub(crate) fn partner(&self, left: usize) -> Option<usize> {
        let partner = get(&self.partners_of_left, left);
        (partner != NOBODY).then_some(partner)
    }

    pub(crate) fn left_without_partner(&self) -> Vec<usize> {
        without_partner(&self.partners_of_left)
    }

    pub(crate) fn right_without_partner(&self) -> Vec<usize> {
        without_partner(&self.partners_of_right)
    }

    /// Returns the edge of two elements, if it has been looked up.
    pub(crate) fn edge(&self, left: usize, right: usize) -> Option<Edge> {
        self.rows.get(left)?.get(right).copied()
    }

    /// Finds a partner for an element of the left side along edges of at least `least`, moving other
    /// elements to new partners if necessary (an augmenting path). A failure is final. Returns `None`
    /// if the search costs too much.
    #[inline(never)]
    pub(crate) fn augment(
        &mut self,
        left: usize,
        least: Edge,
        ask: &mut EdgeLookup<'_>,
    ) -> Option<bool> {
        if !self.partners_of_right.contains(&NOBODY) {
            return Some(false);
        }
        let rights = self.partners_of_right.len();
        // For each element of the right side, the left element from which the search reached it.
        let mut came_from = vec![NOBODY; rights];
        let mut queue = vec![left];
        let mut next = 0_usize;
        while let Some(&current) = queue.get(next) {
            next = next.wrapping_add(1);
            let row = self.rows.get_mut(current)?;
            if row.is_empty() {
                for right in 0..rights {
                    row.push(ask(current, right)?);
                }
            }
            for (right, edge) in row.iter().enumerate() {
                if *edge < least || get(&came_from, right) != NOBODY {
                    continue;
                }
                set(&mut came_from, right, current);
                let partner = get(&self.partners_of_right, right);
                if partner == NOBODY {
                    self.turn(right, &came_from);
                    return Some(true);
                }
                queue.push(partner);
            }
        }
        Some(false)
    }

    /// Moves every element on the path that ends at an element of the right side to its new partner.
    fn turn(&mut self, last: usize, came_from: &[usize]) {
        let mut right = last;
        while right != NOBODY {
            let left = get(came_from, right);
            let before = get(&self.partners_of_left, left);
            self.pair(left, right);
            right = before;
        }
    }
}

fn get(elements: &[usize], at: usize) -> usize {
    elements.get(at).copied().unwrap_or(NOBODY)
}

#[inline(never)]
fn set(elements: &mut [usize], at: usize, value: usize) {
    if let Some(element) = elements.get_mut(at) {
        *element = value;
    }
}

#[inline(never)]
fn without_partner(partners: &[usize]) -> Vec<usize> {
    let mut alone = Vec::new();
    for (element, partner) in partners.iter().enumerate() {
        if *partner == NOBODY {
            alone.push(element);
        }
    }
    alone
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The largest number of pairs, found by trying every combination.
    fn most(edges: &[Vec<Edge>], least: Edge, left: usize, taken: u32) -> usize {
        let Some(row) = edges.get(left) else { return 0 };
        let next = left.saturating_add(1);
        let without = most(edges, least, next, taken);
        let with = row.iter().enumerate().filter_map(|(right, edge)| {
            let is_free = *edge >= least && taken >> right & 1 == 0;
            is_free.then(|| most(edges, least, next, taken | 1 << right).saturating_add(1))
        });
        with.max().unwrap_or(0).max(without)
    }

    fn pairs(matching: &Matching) -> Vec<(usize, usize)> {
        let lefts = 0..matching.rows.len();
        lefts
            .filter_map(|left| Some((left, matching.partner(left)?)))
            .collect()
    }

    #[test]
    fn as_many_are_paired_as_can_be() {
        let mut seed = 1_u64;
        let mut random = |below: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 33) % below
        };
        for _ in 0..2_000 {
            let (lefts, rights) = (random(6), random(6));
            let density = random(9);
            let edges: Vec<Vec<Edge>> = (0..lefts)
                .map(|_| {
                    let edge = |_| match random(10) {
                        n if n < density / 2 => Edge::Equal,
                        n if n < density => Edge::Noisy,
                        _ => Edge::Absent,
                    };
                    (0..rights).map(edge).collect()
                })
                .collect();
            let mut matching = Matching::new(edges.len(), usize::try_from(rights).unwrap());
            // First equal elements, then noisy ones, as the differ does.
            for least in [Edge::Equal, Edge::Noisy] {
                for left in matching.left_without_partner() {
                    let mut ask = |left: usize, right: usize| Some(edges[left][right]);
                    let _ = matching.augment(left, least, &mut ask);
                }
                assert_eq!(
                    pairs(&matching).len(),
                    most(&edges, least, 0, 0),
                    "{edges:?}"
                );
                let pairs = pairs(&matching);
                assert!(
                    pairs.iter().all(|&(l, r)| edges[l][r] >= least),
                    "{edges:?}"
                );
                let mut rights: Vec<_> = pairs.iter().map(|(_, right)| right).collect();
                rights.sort_unstable();
                rights.dedup();
                assert_eq!(rights.len(), pairs.len());
            }
        }
    }

    #[test]
    fn nothing_is_asked_once_it_costs_too_much() {
        let mut matching = Matching::new(3, 3);
        let mut asked = 0;
        let mut ask = |_, _| {
            asked += 1;
            (asked < 3).then_some(Edge::Absent)
        };
        assert_eq!(matching.augment(0, Edge::Equal, &mut ask), None);
        assert_eq!(asked, 3);
    }
}
