//! Keys and elements, sorted in an order that does not depend on their positions.

use std::cmp::Ordering;

use crate::json_string::JsonString;
use crate::tape::{Children, Tape};

/// A key of an object or an element of a list, ready to be sorted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    /// Equal for equal values.
    pub(crate) hash: u64,
    /// The order of pairing among entries with equal hashes.
    pub(crate) weight: i64,
    /// Equal among entries with equal hashes if their numbers are exactly equal.
    pub(crate) numbers: u64,
    /// The node of the key or of the element.
    pub(crate) node: usize,
    /// The node of the element's key, if the list has keys.
    pub(crate) key: usize,
    /// The index of the element in its list.
    pub(crate) index: usize,
}

impl Entry {
    pub(crate) fn of_key(tape: &Tape<'_>, key: usize) -> Self {
        Self {
            hash: u64::from(tape.node(key).extra),
            weight: 0,
            numbers: 0,
            node: key,
            key,
            index: 0,
        }
    }

    pub(crate) fn of_element(index: usize, element: usize) -> Self {
        Self {
            hash: 0,
            weight: 0,
            numbers: 0,
            node: element,
            key: element,
            index,
        }
    }
}

/// Appends a key and the keys that follow it.
#[inline(never)]
pub(crate) fn push_keys(
    tape: &Tape<'_>,
    mut next: Option<usize>,
    mut rest: Children<'_, '_>,
    keys: &mut Vec<Entry>,
) {
    while let Some(key) = next {
        keys.push(Entry::of_key(tape, key));
        next = rest.next();
    }
}

/// Returns the elements of a list, without hashes.
#[inline(never)]
pub(crate) fn elements(tape: &Tape<'_>, list: usize) -> Vec<Entry> {
    let mut entries = Vec::new();
    for element in tape.elements(list) {
        entries.push(Entry::of_element(entries.len(), element));
    }
    entries
}

pub(crate) fn key<'a>(tape: &Tape<'a>, entry: &Entry) -> JsonString<'a> {
    tape.string(tape.node(entry.node))
}

/// Sorts keys by hash, and by text where hashes are equal, so that keys chosen to collide cost no more
/// than sorting.
pub(crate) fn sort_keys(tape: &Tape<'_>, keys: &mut [Entry]) {
    sort(keys, &|a, b| key(tape, a).compare(key(tape, b)));
}

pub(crate) fn sort_elements(elements: &mut [Entry]) {
    sort(elements, &|a, b| {
        (a.weight, a.index).cmp(&(b.weight, b.index))
    });
}

/// Like [`sort_elements`], but entries with equal hashes are sorted by their exact numbers.
pub(crate) fn sort_by_numbers(elements: &mut [Entry]) {
    sort(elements, &|a, b| {
        (a.numbers, a.index).cmp(&(b.numbers, b.index))
    });
}

/// Like [`sort_elements`], but entries with equal hashes are sorted by their position.
pub(crate) fn sort_by_index(elements: &mut [Entry]) {
    sort(elements, &|a, b| a.index.cmp(&b.index));
}

/// Sorts by heapsort: its worst case is as fast as its average, and its code is a tenth of the
/// library's sort.
fn sort(entries: &mut [Entry], tie: &dyn Fn(&Entry, &Entry) -> Ordering) {
    let is_less = |a: &Entry, b: &Entry| a.hash < b.hash || a.hash == b.hash && tie(a, b).is_lt();
    let length = entries.len();
    // The first steps build the heap from its end. Each later step moves the greatest entry behind it.
    for step in (0..length.wrapping_add(length >> 1)).rev() {
        let (mut parent, end) = match step.checked_sub(length) {
            Some(parent) => (parent, length),
            None => {
                entries.swap(0, step);
                (0, step)
            }
        };
        let Some(heap) = entries.get_mut(..end) else {
            return;
        };
        loop {
            let child = parent.wrapping_mul(2).wrapping_add(1);
            let Some(left) = heap.get(child) else { break };
            let is_right = heap
                .get(child.wrapping_add(1))
                .is_some_and(|right| is_less(left, right));
            let child = child.wrapping_add(usize::from(is_right));
            match (heap.get(parent), heap.get(child)) {
                (Some(above), Some(below)) if is_less(above, below) => heap.swap(parent, child),
                _ => break,
            }
            parent = child;
        }
    }
}

/// Merges two sorted lists.
pub(crate) struct Merge<'e> {
    left: &'e [Entry],
    right: &'e [Entry],
}

impl<'e> Merge<'e> {
    pub(crate) fn new(left: &'e [Entry], right: &'e [Entry]) -> Self {
        Self { left, right }
    }

    /// Returns the first entries of both lists, while neither is empty.
    pub(crate) fn heads(&self) -> Option<(&'e Entry, &'e Entry)> {
        self.left.first().zip(self.right.first())
    }

    /// Removes the lesser of the two first entries, given their order, or both if they are equal.
    #[inline(never)]
    pub(crate) fn take(
        &mut self,
        order: Option<Ordering>,
    ) -> (Option<&'e Entry>, Option<&'e Entry>) {
        let (left, right) = (self.left.split_first(), self.right.split_first());
        let left = left.filter(|_| order != Some(Ordering::Greater));
        let right = right.filter(|_| order != Some(Ordering::Less));
        if let Some((_, rest)) = left {
            self.left = rest;
        }
        if let Some((_, rest)) = right {
            self.right = rest;
        }
        (left.map(|(entry, _)| entry), right.map(|(entry, _)| entry))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sorts_whatever_comes() {
        for length in 0..200_u64 {
            let hash = |n: u64| n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 58;
            let mut entries: Vec<Entry> = (0..length)
                .map(|n| Entry {
                    hash: hash(n),
                    weight: i64::try_from(hash(n + 999)).unwrap(),
                    ..Entry::of_element(0, 0)
                })
                .collect();
            let mut expected: Vec<_> = entries
                .iter()
                .map(|entry| (entry.hash, entry.weight))
                .collect();
            expected.sort_unstable();
            sort_elements(&mut entries);
            let sorted: Vec<_> = entries
                .iter()
                .map(|entry| (entry.hash, entry.weight))
                .collect();
            assert_eq!(sorted, expected);
        }
    }
}
