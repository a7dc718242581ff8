//! Keys and elements in an order that does not depend on where they stand.

use std::cmp::Ordering;

use super::tape::Tape;
use super::text::Text;

/// A key of an object or an element of a list, ready to be sorted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    /// Equal for what is equal.
    pub(super) hash: u64,
    /// Among those with one hash, the order in which they are paired.
    pub(super) weight: i128,
    /// The key of an object, or the element.
    pub(super) node: usize,
    /// Of an element with a key: its key.
    pub(super) key: usize,
    /// Of an element: its place in the list.
    pub(super) index: usize,
}

impl Entry {
    pub(super) fn of_key(tape: &Tape<'_>, key: usize) -> Self {
        Self {
            hash: u64::from(tape.node(key).extra),
            weight: 0,
            node: key,
            key,
            index: 0,
        }
    }

    pub(super) fn of_element(index: usize, element: usize) -> Self {
        Self {
            hash: 0,
            weight: 0,
            node: element,
            key: element,
            index,
        }
    }
}

pub(super) fn key<'a>(tape: &Tape<'a>, entry: &Entry) -> Text<'a> {
    tape.string(tape.node(entry.node))
}

/// Keys whose hashes are equal come in the order of their texts, so that even chosen ones cost no
/// more than sorting does.
pub(super) fn sort_keys(tape: &Tape<'_>, keys: &mut [Entry]) {
    sort(keys, &|a, b| key(tape, a).compare(key(tape, b)));
}

pub(super) fn sort_elements(elements: &mut [Entry]) {
    sort(elements, &|a, b| a.weight.cmp(&b.weight));
}

/// There is one sort in the filter: each further one is kilobytes.
fn sort(entries: &mut [Entry], tie: &dyn Fn(&Entry, &Entry) -> Ordering) {
    entries.sort_unstable_by(|a, b| a.hash.cmp(&b.hash).then_with(|| tie(a, b)));
}
