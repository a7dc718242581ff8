//! Sets of segments, by numbers: many accounts share few of them.

use std::collections::BTreeMap;

use super::SegmentSet;

/// That of none is number 0.
pub(super) struct Numbered {
    pub(super) sets: Vec<SegmentSet>,
    numbers: BTreeMap<SegmentSet, u32>,
    /// The number of both together.
    joined: BTreeMap<(u32, u32), u32>,
}

impl Numbered {
    pub(super) fn new() -> Self {
        Self {
            sets: vec![SegmentSet::default()],
            numbers: BTreeMap::new(),
            joined: BTreeMap::new(),
        }
    }

    /// The set of one segment.
    pub(super) fn single(&mut self, segment: usize) -> u32 {
        let mut set = SegmentSet::default();
        set.insert(segment);
        self.number(set)
    }

    /// The set of all segments of both.
    pub(super) fn join(&mut self, a: u32, b: u32) -> u32 {
        if let Some(known) = self.joined.get(&(a, b)) {
            return *known;
        }
        let mut set = self.get(a).clone();
        let segments: Vec<usize> = self.get(b).iter().collect();
        segments.into_iter().for_each(|segment| set.insert(segment));
        let number = self.number(set);
        self.joined.insert((a, b), number);
        number
    }

    fn get(&self, number: u32) -> &SegmentSet {
        let set = usize::try_from(number).ok();
        let set = set.and_then(|number| self.sets.get(number));
        set.unwrap_or(SegmentSet::NONE)
    }

    fn number(&mut self, set: SegmentSet) -> u32 {
        if let Some(known) = self.numbers.get(&set) {
            return *known;
        }
        let number = u32::try_from(self.sets.len()).unwrap_or_default();
        self.sets.push(set.clone());
        self.numbers.insert(set, number);
        number
    }
}
