//! Compares lists: ordered, unordered, or paired by a key of their elements.

use crate::entry::{self, Entry, Merge};
use crate::finding::FindingKind;
use crate::hash;
use crate::path_cursor::PathStep;
use crate::pattern::Pattern;
use crate::tape::NodeKind;
use crate::walk::{Pair, V1, V2, Walker};

impl Walker<'_, '_, '_> {
    pub(crate) fn lists(
        &mut self,
        a: usize,
        b: usize,
        unordered: Option<Option<&Pattern>>,
    ) -> bool {
        match unordered {
            None => self.ordered(a, b),
            Some(_) if self.are_elements_ignored(a, b) => true,
            Some(key) => match key.and_then(|key| self.keyed(a, b, key)) {
                _ if self.is_exhausted => self.give_up(),
                Some(pairs) => self.pairs(pairs),
                None => self.unordered(a, b),
            },
        }
    }

    fn ordered(&mut self, a: usize, b: usize) -> bool {
        let [v1, v2] = self.tapes;
        if v1.node(a).extra != v2.node(b).extra && !self.is_surplus_ignored(a, b) {
            return self.found(FindingKind::Length, Some(a), Some(b));
        }
        let before = self.collector.findings.counts();
        let mut different: Pair = [Vec::new(), Vec::new()];
        for (index, (x, y)) in v1.elements(a).zip(v2.elements(b)).enumerate() {
            let place = PathStep::Element {
                index,
                unordered: false,
            };
            if self.step(place, Some(x), Some(y)) {
                continue;
            }
            // A different order is noise only if the list itself varies.
            if self.is_probing && !self.may_vary() {
                return false;
            }
            let [ours, theirs] = &mut different;
            ours.push(Entry::of_element(index, x));
            theirs.push(Entry::of_element(index, y));
        }
        match different.each_ref().map(Vec::len) {
            [0, _] => return true,
            [1, _] => return false,
            _ => {}
        }
        // The same elements in another order are one finding instead of one for each element. Elements
        // that are equal in place are not looked at again.
        let found = self.collector.findings.counts();
        let was = std::mem::replace(&mut self.is_counting, false);
        self.pair_equals(&mut different);
        self.is_counting = was;
        if self.is_exhausted {
            if self.is_probing || self.may_vary() {
                self.collector.findings.roll_back(before);
                return self.give_up();
            }
            // Elements that differ in place certainly differ.
            self.is_exhausted = false;
            self.collector.findings.roll_back(found);
            return false;
        }
        if different.iter().all(Vec::is_empty) {
            self.collector.findings.roll_back(before);
            return self.found(FindingKind::Order, Some(a), Some(b));
        }
        self.collector.findings.roll_back(found);
        false
    }

    /// Whether every element that only the longer list has is ignored.
    fn is_surplus_ignored(&mut self, a: usize, b: usize) -> bool {
        let [v1, v2] = self.tapes;
        let (ours, theirs) = (v1.node(a).extra, v2.node(b).extra);
        let (side, longer) = if ours > theirs { (V1, a) } else { (V2, b) };
        let tape = self.tape(side);
        // Lists without options below need no look at their elements.
        let mut is_ignored = !self.cursor.is_plain();
        let mut common = ours.min(theirs);
        for (index, element) in tape.elements(longer).enumerate() {
            if common > 0 {
                common = common.wrapping_sub(1);
            } else if is_ignored {
                let kind = tape.node(element).kind;
                let place = PathStep::Element {
                    index,
                    unordered: false,
                };
                let mark = self.cursor.enter(place);
                is_ignored = self.look_up(kind, kind).is_ignored;
                self.cursor.leave(&mark);
            }
        }
        is_ignored
    }

    fn unordered(&mut self, a: usize, b: usize) -> bool {
        let [v1, v2] = self.tapes;
        let mut rest: Pair = [entry::elements(v1, a), entry::elements(v2, b)];
        self.pair_equals(&mut rest);
        if self.is_exhausted {
            return self.give_up();
        }
        let [ours, theirs] = &rest;
        match (ours.as_slice(), theirs.as_slice()) {
            ([], []) => true,
            (ours, theirs) if ours.len() != theirs.len() => {
                self.found(FindingKind::Length, Some(a), Some(b))
            }
            ([_], [_]) if self.is_probing => false,
            ([x], [y]) => {
                let place = PathStep::Element {
                    index: x.index,
                    unordered: true,
                };
                let was = std::mem::replace(&mut self.is_counting, false);
                let same = self.step(place, Some(x.node), Some(y.node));
                self.is_counting = was;
                same
            }
            (ours, theirs) => {
                let [x, y] = [ours, theirs].map(|side| side.first().map(|entry| entry.node));
                let mark = self.cursor.enter(PathStep::AnyElement);
                let same = self.found(FindingKind::Value, x, y);
                self.cursor.leave(&mark);
                same
            }
        }
    }

    /// Whether all elements of an unordered list are ignored. Only `*` can name them.
    fn are_elements_ignored(&mut self, a: usize, b: usize) -> bool {
        if self.cursor.is_plain() {
            return false;
        }
        let mark = self.cursor.enter(PathStep::AnyElement);
        let is_ignored = self.cursor.is_ignored();
        if is_ignored {
            let [ours, theirs] = self.tapes;
            let is_longer = ours.node(a).extra > theirs.node(b).extra;
            let (tape, list) = if is_longer { (ours, a) } else { (theirs, b) };
            for element in tape.elements(list) {
                let kind = tape.node(element).kind;
                self.look_up(kind, kind);
            }
        }
        self.cursor.leave(&mark);
        is_ignored
    }

    /// Gives up on a list that could not be compared. This is not a difference.
    fn give_up(&mut self) -> bool {
        // While probing, the caller has to give up too.
        if !self.is_probing {
            self.is_exhausted = false;
            self.is_uncompared = true;
        }
        true
    }

    /// Sorts the elements of both lists by their keys. Returns `None` if an element has no key, or the
    /// same key as another.
    fn keyed(&mut self, a: usize, b: usize, key: &Pattern) -> Option<Pair> {
        let ours = self.by_key(V1, a, key)?;
        let theirs = self.by_key(V2, b, key)?;
        Some([ours, theirs])
    }

    fn by_key(&mut self, side: usize, list: usize, key: &Pattern) -> Option<Vec<Entry>> {
        let tape = self.tape(side);
        let mut entries = entry::elements(tape, list);
        for entry in &mut entries {
            entry.key = tape.find(entry.node, key)?;
            let found = tape.node(entry.key);
            if matches!(found.kind, NodeKind::Array | NodeKind::Object) {
                return None;
            }
            entry.hash = hash::then(found.kind.hash(), tape.hash_of_plain(found));
        }
        entry::sort_elements(&mut entries);
        for pair in entries.windows(2) {
            if let [x, y] = pair
                && x.hash == y.hash
            {
                // Only deliberate collisions have different keys and one hash. Sorting them is not
                // worth it.
                self.is_exhausted |= !tape.same_plain(x.key, tape, y.key);
                return None;
            }
        }
        Some(entries)
    }

    fn pairs(&mut self, [ours, theirs]: Pair) -> bool {
        let mut merge = Merge::new(&ours, &theirs);
        let mut same = true;
        while same || !self.is_probing {
            let order = merge.heads().map(|(x, y)| x.hash.cmp(&y.hash));
            let (x, y) = merge.take(order);
            let Some(first) = x.or(y) else { break };
            let place = PathStep::Element {
                index: first.index,
                unordered: true,
            };
            let [a, b] = [x, y].map(|entry| entry.map(|entry| entry.node));
            same &= match (x, y) {
                // Two different keys have the same hash.
                (Some(x), Some(y)) if !self.same_plain(x.key, y.key) => {
                    self.step(place, a, None) & self.step(place, None, b)
                }
                _ => self.step(place, a, b),
            };
        }
        same
    }
}
