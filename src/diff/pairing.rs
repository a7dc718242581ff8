//! Pairs the equal elements of two lists, wherever they are.
//!
//! With a tolerance, an element may equal several elements that differ from each other, so the pairs
//! are a maximum matching. Most lists need no search: elements with equal hashes are first paired in
//! order.

use std::cmp::Ordering;

use crate::entry::{self, Entry, Merge};
use crate::matching::{Edge, Matching};
use crate::path_cursor::PathStep;
use crate::walk::{Pair, V1, V2, Walker};

/// What is known about the elements of two lists.
struct Search {
    /// Equal elements that are partners.
    pairs: Vec<(Entry, Entry)>,
    /// For each element of v1, by index: the last two elements of v2 that it was compared with and did
    /// not equal.
    asked: Vec<[(usize, Edge); 2]>,
}

/// The elements with equal hashes, where the hash leaves out noise.
struct Class {
    elements: Pair,
    matching: Matching,
}

/// The order in which elements with equal hashes are first paired.
#[derive(Clone, Copy, PartialEq, Eq)]
enum PairingOrder {
    Numbers,
    Index,
    Weight,
}

impl Walker<'_, '_, '_> {
    /// Removes from both lists the elements that have an equal one in the other list, so that as few as
    /// possible remain. If two or more elements of each list remain, there may be more than the
    /// minimum. The order of the remaining elements depends on their values and not on their positions.
    ///
    /// If this costs too much, `is_exhausted` is set and the remaining elements are meaningless. Lists
    /// of different lengths are not paired at all.
    ///
    /// Options that apply below are counted here, once for the list to which they apply more often.
    /// Later comparisons of these elements do not count them again.
    pub(crate) fn pair_equals(&mut self, elements: &mut Pair) {
        let is_counting = self.is_counting;
        let before = self.usage.counts.clone();
        let [ours, theirs] = elements;
        self.hash_elements(V1, ours, false);
        let counted = std::mem::replace(&mut self.usage.counts, before);
        self.hash_elements(V2, theirs, false);
        for (count, counted) in self.usage.counts.iter_mut().zip(counted) {
            *count = counted.max(*count);
        }
        self.is_counting = false;
        if ours.len() == theirs.len() {
            self.pair_hashed(elements);
        }
        self.is_counting = is_counting;
    }

    fn pair_hashed(&mut self, elements: &mut Pair) {
        let mut search = Search::new(elements);
        // Without tolerances all orders are the same.
        if elements.iter().flatten().any(|entry| entry.weight != 0) {
            for (by, sort) in [
                (
                    PairingOrder::Numbers,
                    entry::sort_by_numbers as fn(&mut [Entry]),
                ),
                (PairingOrder::Index, entry::sort_by_index),
            ] {
                elements.iter_mut().for_each(|side| sort(side));
                self.pair_as_they_come(elements, by, &mut search);
            }
            elements
                .iter_mut()
                .for_each(|side| entry::sort_elements(side));
        }
        self.pair_as_they_come(elements, PairingOrder::Weight, &mut search);
        if self.is_exhausted || elements.iter().any(Vec::is_empty) {
            return;
        }
        // Varying values are looked up only where they can matter.
        let [ours, theirs] = elements;
        self.hash_elements(V1, ours, true);
        self.hash_elements(V2, theirs, true);
        if have_common_hash(ours, theirs) {
            self.pair_by_search(elements, &mut search);
        }
    }

    #[inline(never)]
    fn hash_elements(&mut self, side: usize, elements: &mut [Entry], without_noise: bool) {
        for element in elements.iter_mut() {
            self.hashes.weight = 0;
            self.hashes.numbers = 0;
            let place = PathStep::Element {
                index: element.index,
                unordered: true,
            };
            let hash = self.hash_at(place, side, element.node, without_noise);
            element.hash = hash.unwrap_or_default();
            element.weight = self.hashes.weight;
            element.numbers = self.hashes.numbers;
        }
        entry::sort_elements(elements);
    }

    /// Pairs equal elements in one pass: both lists are sorted, so equal elements meet. An equal hash
    /// alone proves nothing.
    #[inline(never)]
    fn pair_as_they_come(&mut self, elements: &mut Pair, by: PairingOrder, search: &mut Search) {
        let [ours, theirs] = elements;
        let (mut rest_of_ours, mut rest_of_theirs) = (Vec::new(), Vec::new());
        let mut merge = Merge::new(ours, theirs);
        loop {
            let heads = merge.heads();
            let mut order = heads.map(|(x, y)| match by {
                PairingOrder::Numbers => (x.hash, x.numbers).cmp(&(y.hash, y.numbers)),
                PairingOrder::Index => (x.hash, x.index).cmp(&(y.hash, y.index)),
                PairingOrder::Weight => x.hash.cmp(&y.hash),
            });
            let mut is_pair = false;
            if let (Some((x, y)), Some(Ordering::Equal)) = (heads, order) {
                let Some(edge) = self.ask(x, y, search) else {
                    return;
                };
                is_pair = edge == Edge::Equal;
                if !is_pair && by == PairingOrder::Weight {
                    order = Some(x.weight.cmp(&y.weight));
                }
            }
            match merge.take(order) {
                (None, None) => break,
                (Some(x), Some(y)) if is_pair => search.pairs.push((*x, *y)),
                (x, y) => {
                    rest_of_ours.extend(x.copied());
                    rest_of_theirs.extend(y.copied());
                }
            }
        }
        *elements = [rest_of_ours, rest_of_theirs];
    }

    /// Pairs elements without a partner by moving others to new partners.
    #[inline(never)]
    fn pair_by_search(&mut self, elements: &mut Pair, search: &mut Search) {
        let mut all = std::mem::take(elements);
        let [ours, theirs] = &mut all;
        ours.extend(search.pairs.iter().map(|(x, _)| *x));
        theirs.extend(search.pairs.iter().map(|(_, y)| *y));
        self.hash_elements(V1, ours, true);
        self.hash_elements(V2, theirs, true);
        let mut classes = Class::all(&all, search);
        // First without noise: if every element can be paired this way, there is no noise.
        let mut can_all = classes.iter().all(Class::is_even);
        for class in &mut classes {
            for left in class.matching.left_without_partner() {
                can_all = can_all && self.augment(class, left, Edge::Equal, search);
            }
        }
        // The number of elements that are known to have no partner.
        let mut alone = 0_usize;
        for class in &mut classes {
            self.pair_noisy(class, search);
            for left in class.matching.left_without_partner() {
                let is_enough = alone > 1 || self.is_exhausted;
                if !is_enough && !self.augment(class, left, Edge::Noisy, search) {
                    alone = alone.saturating_add(usize::from(!self.is_exhausted));
                }
            }
        }
        if alone > 0 {
            // The lists certainly differ. The rest only improves the report.
            self.is_exhausted = false;
        }
        for class in &classes {
            self.count_noise(class, search);
            class.add_rest(elements);
        }
        elements
            .iter_mut()
            .for_each(|side| entry::sort_elements(side));
    }

    #[inline(never)]
    fn augment(&mut self, class: &mut Class, left: usize, least: Edge, search: &Search) -> bool {
        let Class { elements, matching } = class;
        let [ours, theirs] = &*elements;
        let mut ask = |left: usize, right: usize| {
            let (x, y) = (ours.get(left)?, theirs.get(right)?);
            search.edge(x, y).or_else(|| self.edge(x, y))
        };
        matching.augment(left, least, &mut ask) == Some(true)
    }

    /// Pairs elements without a partner in order.
    fn pair_noisy(&mut self, class: &mut Class, search: &mut Search) {
        let [ours, theirs] = &class.elements;
        let rights = class.matching.right_without_partner();
        for (left, right) in class
            .matching
            .left_without_partner()
            .into_iter()
            .zip(rights)
        {
            let (Some(x), Some(y)) = (ours.get(left), theirs.get(right)) else {
                return;
            };
            match self.ask(x, y, search) {
                None => return,
                Some(Edge::Absent) => {}
                Some(_) => class.matching.pair(left, right),
            }
        }
    }

    /// Counts the noise in which partners differ.
    fn count_noise(&mut self, class: &Class, search: &Search) {
        let [ours, theirs] = &class.elements;
        for (left, x) in ours.iter().enumerate() {
            let Some(right) = class.matching.partner(left) else {
                continue;
            };
            let Some(y) = theirs.get(right) else {
                return;
            };
            let known = search
                .edge(x, y)
                .or_else(|| class.matching.edge(left, right));
            if known == Some(Edge::Noisy) {
                self.probe(x, y);
            }
        }
    }

    #[inline(never)]
    fn ask(&mut self, x: &Entry, y: &Entry, search: &mut Search) -> Option<Edge> {
        if let Some(edge) = search.edge(x, y) {
            return Some(edge);
        }
        let edge = self.edge(x, y)?;
        if edge != Edge::Equal
            && let Some([last, before]) = search.asked.get_mut(x.index)
        {
            *before = *last;
            *last = (y.index, edge);
        }
        Some(edge)
    }

    /// Compares two elements. Returns `None` if that costs too much.
    #[inline(never)]
    fn edge(&mut self, x: &Entry, y: &Entry) -> Option<Edge> {
        let before = self.collector.findings.counts();
        let are_equal = self.probe(x, y);
        let after = self.collector.findings.counts();
        self.collector.findings.roll_back(before);
        let edge = match (are_equal, after.noisy == before.noisy) {
            (false, _) => Edge::Absent,
            (true, false) => Edge::Noisy,
            (true, true) => Edge::Equal,
        };
        (!self.is_exhausted).then_some(edge)
    }

    #[inline(never)]
    fn probe(&mut self, x: &Entry, y: &Entry) -> bool {
        let was = std::mem::replace(&mut self.is_probing, true);
        let place = PathStep::Element {
            index: x.index,
            unordered: true,
        };
        let are_equal = self.step(place, Some(x.node), Some(y.node));
        self.is_probing = was;
        are_equal
    }
}

impl Search {
    fn new(elements: &Pair) -> Self {
        let none = (usize::MAX, Edge::Absent);
        Self {
            pairs: Vec::new(),
            asked: vec![[none; 2]; indices(elements)],
        }
    }

    /// Returns the edge of two elements that were compared and are not equal.
    fn edge(&self, x: &Entry, y: &Entry) -> Option<Edge> {
        let asked = self.asked.get(x.index)?;
        let found = asked.iter().find(|(index, _)| *index == y.index);
        found.map(|(_, edge)| *edge)
    }
}

/// Returns one more than the highest index of an element.
#[inline(never)]
fn indices(elements: &Pair) -> usize {
    let last = elements.iter().flatten().map(|entry| entry.index).max();
    last.map_or(0, |last| last.saturating_add(1))
}

impl Class {
    /// Groups the elements, which are sorted by hash, together with their partners.
    fn all(elements: &Pair, search: &Search) -> Vec<Self> {
        let mut classes: Vec<Self> = Vec::new();
        let mut partners = vec![usize::MAX; indices(elements)];
        for (x, y) in &search.pairs {
            if let Some(partner) = partners.get_mut(x.index) {
                *partner = y.index;
            }
        }
        // The position of each element of v2 among those with its hash.
        let mut places = vec![usize::MAX; partners.len()];
        let mut rest = elements.each_ref().map(Vec::as_slice);
        while let Some(hash) = rest
            .iter()
            .filter_map(|side| Some(side.first()?.hash))
            .min()
        {
            let class = rest.each_mut().map(|side| {
                let others = side.iter().position(|entry| entry.hash != hash);
                let length = others.unwrap_or(side.len());
                let (class, rest) = side.split_at_checked(length).unwrap_or_default();
                *side = rest;
                class.to_vec()
            });
            let [ours, theirs] = &class;
            for (at, y) in theirs.iter().enumerate() {
                if let Some(place) = places.get_mut(y.index) {
                    *place = at;
                }
            }
            let mut matching = Matching::new(ours.len(), theirs.len());
            for (left, x) in ours.iter().enumerate() {
                let partner = partners.get(x.index).and_then(|index| places.get(*index));
                if let Some(right) = partner.filter(|right| **right < theirs.len()) {
                    matching.pair(left, *right);
                }
            }
            classes.push(Self {
                elements: class,
                matching,
            });
        }
        classes
    }

    fn is_even(&self) -> bool {
        let [ours, theirs] = &self.elements;
        ours.len() == theirs.len()
    }

    /// Appends the elements that have no partner.
    fn add_rest(&self, [ours, theirs]: &mut Pair) {
        let [lefts, rights] = &self.elements;
        for left in self.matching.left_without_partner() {
            ours.extend(lefts.get(left));
        }
        for right in self.matching.right_without_partner() {
            theirs.extend(rights.get(right));
        }
    }
}

/// Whether two sorted lists have elements with the same hash.
fn have_common_hash(ours: &[Entry], theirs: &[Entry]) -> bool {
    let mut merge = Merge::new(ours, theirs);
    loop {
        let order = merge.heads().map(|(x, y)| x.hash.cmp(&y.hash));
        match order {
            None => return false,
            Some(Ordering::Equal) => return true,
            order => merge.take(order),
        };
    }
}
