//! Numbers distinct sets of segments, because many accounts share few of them.

use std::collections::BTreeMap;

use super::SegmentSet;

/// Assigns numbers to sets of segments. Number 0 is the empty set. A set that was built in two ways may have
/// two numbers.
pub(super) struct SegmentSetInterner {
    pub(super) sets: Vec<SegmentSet>,
    /// The number of each union: of two sets, or of a set and a segment.
    unions: BTreeMap<(u32, Addition), u32>,
}

/// The right-hand side of a union.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Addition {
    Segment(usize),
    Set(u32),
}

impl SegmentSetInterner {
    pub(super) fn new() -> Self {
        Self {
            sets: vec![SegmentSet::default()],
            unions: BTreeMap::new(),
        }
    }

    /// Returns the number of the set of one segment.
    pub(super) fn single(&mut self, segment: usize) -> u32 {
        self.unite(0, Addition::Segment(segment))
    }

    /// Returns the number of the union of two sets.
    pub(super) fn join(&mut self, a: u32, b: u32) -> u32 {
        self.unite(a, Addition::Set(b))
    }

    fn unite(&mut self, set: u32, addition: Addition) -> u32 {
        let Self { sets, unions } = self;
        *unions.entry((set, addition)).or_insert_with(|| {
            let get = |number: u32| sets.get(usize::try_from(number).unwrap_or(usize::MAX));
            let mut both = get(set).cloned().unwrap_or_default();
            match addition {
                Addition::Segment(segment) => both.insert(segment),
                Addition::Set(other) => both.union_with(get(other).unwrap_or(SegmentSet::NONE)),
            }
            let number = u32::try_from(sets.len()).unwrap_or_default();
            sets.push(both);
            number
        })
    }
}
