//! Sets of segments, by numbers: many accounts share few of them.

use std::collections::BTreeMap;

use super::SegmentSet;

/// That of none is number 0. One set may have two numbers, where it came about in two ways.
pub(super) struct SegmentSetInterner {
    pub(super) sets: Vec<SegmentSet>,
    /// Of the set of both: a set is made of two others, or of the first one and a segment.
    joined: BTreeMap<(u32, Addition), u32>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Addition {
    Segment(usize),
    Set(u32),
}

impl SegmentSetInterner {
    pub(super) fn new() -> Self {
        Self {
            sets: vec![SegmentSet::default()],
            joined: BTreeMap::new(),
        }
    }

    /// The set of one segment.
    pub(super) fn single(&mut self, segment: usize) -> u32 {
        self.with(0, Addition::Segment(segment))
    }

    /// The set of all segments of both.
    pub(super) fn join(&mut self, a: u32, b: u32) -> u32 {
        self.with(a, Addition::Set(b))
    }

    fn with(&mut self, set: u32, part: Addition) -> u32 {
        let Self { sets, joined } = self;
        *joined.entry((set, part)).or_insert_with(|| {
            let get = |number: u32| sets.get(usize::try_from(number).unwrap_or(usize::MAX));
            let mut both = get(set).cloned().unwrap_or_default();
            match part {
                Addition::Segment(segment) => both.insert(segment),
                Addition::Set(other) => both.add(get(other).unwrap_or(SegmentSet::NONE)),
            }
            let number = u32::try_from(sets.len()).unwrap_or_default();
            sets.push(both);
            number
        })
    }
}
