//! Hashes a value by what it means: the order of keys and of unordered lists, ignored values, and
//! values that are known to vary do not matter.

use crate::decimal;
use crate::finding::Part;
use crate::hash;
use crate::option_rules::EffectiveRules;
use crate::path_cursor::PathStep;
use crate::tape::NodeKind;
use crate::walk::{Walker, value};

impl Walker<'_, '_, '_> {
    /// Returns the hash of a value one step further down the path.
    pub(crate) fn hash_at(
        &mut self,
        place: PathStep,
        side: usize,
        node: usize,
        without_noise: bool,
    ) -> Option<u64> {
        let mark = self.cursor.enter(place);
        let hash = self.hash(side, node, without_noise);
        self.cursor.leave(&mark);
        hash
    }

    /// Returns the hash of a value of one side at the current path, or `None` if it is ignored.
    fn hash(&mut self, side: usize, node: usize, without_noise: bool) -> Option<u64> {
        let tape = self.tape(side);
        let found = tape.node(node);
        if !self.may_probe(found) {
            return None;
        }
        let here = self.look_up(found.kind, found.kind);
        if here.is_ignored {
            return None;
        }
        let kind = found.kind.hash();
        Some(match found.kind {
            NodeKind::Array | NodeKind::Object => {
                self.hash_children(side, node, without_noise, here)
            }
            // Only the type of a varying value counts.
            _ if without_noise && self.may_vary() => kind,
            NodeKind::Number if here.tolerance.is_some() => {
                let rank = decimal::rank(tape.raw(found));
                self.hashes.weight = self.hashes.weight.saturating_add(rank);
                let number = hash::then(self.cursor.name(), tape.hash_of_plain(found));
                self.hashes.numbers = self.hashes.numbers.wrapping_add(number);
                kind
            }
            _ => hash::then(kind, tape.hash_of_plain(found)),
        })
    }

    fn hash_children(
        &mut self,
        side: usize,
        node: usize,
        without_noise: bool,
        here: EffectiveRules<'_>,
    ) -> u64 {
        let tape = self.tape(side);
        let nodes = tape.nodes.len();
        // A cached hash would not add to the weight a second time.
        let is_kept = !self.cursor.has_tolerance();
        if is_kept
            && let Some(made @ 1..) = self.hashes.slot(side, without_noise, node, nodes).copied()
        {
            return made;
        }
        let kind = tape.node(node).kind;
        let hash = match kind {
            NodeKind::Object => self.hash_object(side, node, without_noise, here.is_map),
            _ if without_noise && self.may_vary() => 0,
            _ => self.hash_list(side, node, without_noise, here.unordered.is_some()),
        };
        let hash = hash::then(kind.hash(), hash);
        if is_kept && let Some(slot) = self.hashes.slot(side, without_noise, node, nodes) {
            *slot = hash;
        }
        hash
    }

    fn hash_object(
        &mut self,
        side: usize,
        object: usize,
        without_noise: bool,
        of_map: bool,
    ) -> u64 {
        let tape = self.tape(side);
        let mut sum = 0_u64;
        for key in tape.keys(object) {
            let place = PathStep::Key { side, key, of_map };
            let member = self.hash_at(place, side, value(key), without_noise);
            if let Some(member) = member {
                let key = hash::mix(u64::from(tape.node(key).extra));
                sum = sum.wrapping_add(hash::then(key, member));
            }
        }
        sum
    }

    fn hash_list(&mut self, side: usize, list: usize, without_noise: bool, unordered: bool) -> u64 {
        let tape = self.tape(side);
        let mut sum = 0_u64;
        for (index, element) in tape.elements(list).enumerate() {
            let place = PathStep::Element { index, unordered };
            let element = self.hash_at(place, side, element, without_noise);
            sum = match element {
                None => sum,
                Some(element) if unordered => sum.wrapping_add(hash::mix(element)),
                Some(element) => hash::then(sum, element),
            };
        }
        sum
    }

    /// Whether the value here is known to vary.
    #[inline(never)]
    pub(crate) fn may_vary(&mut self) -> bool {
        let cursor = &self.cursor;
        self.collector
            .may_vary(Part::Body, |pointer| cursor.folded(pointer))
    }
}
