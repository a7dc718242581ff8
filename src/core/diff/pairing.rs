//! Which elements of two lists are equal, wherever they stand.

use std::cmp::Ordering;

use super::entry::{self, Entry, Merge};
use super::trail::Place;
use super::walk::{Pair, V1, V2, Walker};

impl Walker<'_, '_, '_> {
    /// Takes from both lists the elements that have an equal one in the other, each once. The rest
    /// comes in an order that depends on what the elements are and not on where they stand.
    ///
    /// Options below are counted here, once for the list that uses them more; what is compared
    /// afterwards uses none anew.
    pub(super) fn pair_equals(&mut self, elements: &mut Pair) {
        let is_counting = self.is_counting;
        // What varies is asked for only where it can matter.
        for without_noise in [false, true] {
            if elements.iter().any(Vec::is_empty) && without_noise {
                break;
            }
            let before = self.usage.counts.clone();
            let [ours, theirs] = elements;
            self.hash_elements(V1, ours, without_noise);
            let counted = std::mem::replace(&mut self.usage.counts, before);
            self.hash_elements(V2, theirs, without_noise);
            for (count, counted) in self.usage.counts.iter_mut().zip(counted) {
                *count = counted.max(*count);
            }
            self.is_counting = false;
            self.pair_hashes(elements);
        }
        self.is_counting = is_counting;
    }

    fn hash_elements(&mut self, side: usize, elements: &mut [Entry], without_noise: bool) {
        for element in elements.iter_mut() {
            self.hashes.weight = 0;
            let place = Place::Element {
                index: element.index,
                unordered: true,
            };
            let hash = self.hash_at(place, side, element.node, without_noise);
            element.hash = hash.unwrap_or_default();
            element.weight = self.hashes.weight;
        }
        entry::sort_elements(elements);
    }

    /// Both lists are sorted, so equal elements are met together; a hash alone proves nothing.
    fn pair_hashes(&mut self, elements: &mut Pair) {
        let [ours, theirs] = elements;
        let (mut rest_of_ours, mut rest_of_theirs) = (Vec::new(), Vec::new());
        let mut merge = Merge::new(ours, theirs);
        loop {
            let heads = merge.heads();
            let are_equal = heads.is_some_and(|(x, y)| x.hash == y.hash && self.are_equal(x, y));
            let order = heads.map(|(x, y)| match are_equal {
                true => Ordering::Equal,
                false => (x.hash, x.weight).cmp(&(y.hash, y.weight)),
            });
            match merge.take(order) {
                (None, None) => break,
                _ if are_equal => {}
                (x, y) => {
                    rest_of_ours.extend(x.copied());
                    rest_of_theirs.extend(y.copied());
                }
            }
        }
        *elements = [rest_of_ours, rest_of_theirs];
    }

    fn are_equal(&mut self, x: &Entry, y: &Entry) -> bool {
        let before = self.sink.findings.tally();
        let was = std::mem::replace(&mut self.is_probing, true);
        let place = Place::Element {
            index: x.index,
            unordered: true,
        };
        let are_equal = self.step(place, Some(x.node), Some(y.node));
        self.is_probing = was;
        if !are_equal {
            self.sink.findings.roll_back(before);
        }
        are_equal
    }
}
