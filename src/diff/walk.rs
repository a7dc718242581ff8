//! Compares two JSON bodies value by value.

use std::borrow::Cow;

use crate::decimal;
use crate::entry::{self, Entry, Merge};
use crate::finding::{FindingKind, Part, Value};
use crate::finding_collector::FindingCollector;
use crate::hash_cache::HashCache;
use crate::option_rules::EffectiveRules;
use crate::option_usage::OptionUsage;
use crate::path_cursor::{PathCursor, PathStep};
use crate::tape::{Node, NodeKind, Tape};

/// Compares two values, which need not be at the same place. It recurses as deeply as the parser
/// allows.
pub(crate) struct Walker<'t, 's, 'a> {
    /// v1 and v2.
    pub(crate) tapes: [&'t Tape<'a>; 2],
    pub(crate) cursor: PathCursor<'t, 'a>,
    pub(crate) collector: &'t mut FindingCollector<'s, 'a>,
    pub(crate) usage: &'t mut OptionUsage,
    /// Whether only equality is asked for: no findings are made, and the first difference ends the
    /// comparison.
    pub(crate) is_probing: bool,
    /// Whether the use of options is counted. It is not while the same values are looked at again.
    pub(crate) is_counting: bool,
    pub(crate) hashes: HashCache,
    /// The number of steps that pairing may still take.
    steps: usize,
    /// Whether there are no steps left. Results of probing are then meaningless.
    pub(crate) is_exhausted: bool,
    /// Whether some list could not be compared.
    pub(crate) is_uncompared: bool,
    /// Emptied lists, kept to reuse their memory.
    spare: Vec<Pair>,
}

/// Keys or elements of v1 and of v2.
pub(crate) type Pair = [Vec<Entry>; 2];

/// The index of v1 in pairs.
pub(crate) const V1: usize = 0;
/// The index of v2 in pairs.
pub(crate) const V2: usize = 1;

impl<'t, 's, 'a> Walker<'t, 's, 'a> {
    pub(crate) fn new(
        tapes: [&'t Tape<'a>; 2],
        cursor: PathCursor<'t, 'a>,
        collector: &'t mut FindingCollector<'s, 'a>,
        usage: &'t mut OptionUsage,
        steps: usize,
    ) -> Self {
        Self {
            tapes,
            cursor,
            collector,
            usage,
            is_probing: false,
            is_counting: true,
            hashes: HashCache::default(),
            steps,
            is_exhausted: false,
            is_uncompared: false,
            spare: Vec::new(),
        }
    }

    /// Compares two values. Returns whether there is no finding; noise is not a finding.
    pub(crate) fn walk(&mut self, a: usize, b: usize) -> bool {
        let [v1, v2] = self.tapes;
        let (left, right) = (v1.node(a), v2.node(b));
        if !self.may_probe(left) || !self.may_probe(right) {
            return true;
        }
        if self.cursor.is_plain() && v1.raw(left) == v2.raw(right) {
            return true;
        }
        let here = self.look_up(left.kind, right.kind);
        if here.is_ignored {
            return true;
        }
        let kind = match (left.kind, right.kind) {
            (NodeKind::Object, NodeKind::Object) => return self.objects(a, b, here.is_map),
            (NodeKind::Array, NodeKind::Array) => return self.lists(a, b, here.unordered),
            _ if self.same_plain(a, b) => return true,
            (NodeKind::Number, NodeKind::Number) if self.is_within(left, right, here) => {
                return true;
            }
            (left, right) if left.value_type() == right.value_type() => FindingKind::Value,
            _ => FindingKind::Type,
        };
        self.found(kind, Some(a), Some(b))
    }

    /// Pays the steps for a value while probing. Returns whether there were enough.
    #[inline(never)]
    pub(crate) fn may_probe(&mut self, node: Node) -> bool {
        if !self.is_probing {
            return true;
        }
        let length = match node.kind {
            NodeKind::Array | NodeKind::Object if !self.cursor.is_plain() => 0,
            _ => node.end.saturating_sub(node.start),
        };
        let left = self.steps.checked_sub((length >> 6).saturating_add(1));
        self.is_exhausted |= left.is_none();
        self.steps = left.unwrap_or_default();
        !self.is_exhausted
    }

    /// Whether two values are equal. Neither may be a list or an object.
    pub(crate) fn same_plain(&self, a: usize, b: usize) -> bool {
        let [v1, v2] = self.tapes;
        v1.same_plain(a, v2, b)
    }

    fn is_within(&self, left: Node, right: Node, here: EffectiveRules<'t>) -> bool {
        let [v1, v2] = self.tapes;
        let allowed = here.tolerance;
        allowed.is_some_and(|allowed| decimal::within(v1.raw(left), v2.raw(right), allowed))
    }

    /// Compares the members of two objects. The usual case, the same keys in the same order, needs no
    /// search.
    fn objects(&mut self, a: usize, b: usize, of_map: bool) -> bool {
        let [v1, v2] = self.tapes;
        let (mut left, mut right) = (v1.keys(a), v2.keys(b));
        let mut same = true;
        let mut rest = [Vec::new(), Vec::new()];
        loop {
            match (left.next(), right.next()) {
                (None, None) => return same,
                (Some(x), Some(y)) if self.same_key(x, y) => {
                    same &= self.member(Some(x), Some(y), of_map);
                    if !same && self.is_probing {
                        return false;
                    }
                }
                (x, y) => {
                    if let Some(spare) = self.spare.pop() {
                        rest = spare;
                    }
                    let [ours, theirs] = &mut rest;
                    entry::push_keys(v1, x, left, ours);
                    entry::push_keys(v2, y, right, theirs);
                    break;
                }
            }
        }
        same &= self.members(&mut rest, of_map);
        for keys in &mut rest {
            keys.clear();
        }
        self.spare.push(rest);
        same
    }

    /// Compares members in any order.
    fn members(&mut self, keys: &mut Pair, of_map: bool) -> bool {
        let [v1, v2] = self.tapes;
        let [ours, theirs] = keys;
        entry::sort_keys(v1, ours);
        entry::sort_keys(v2, theirs);
        let mut merge = Merge::new(ours, theirs);
        let mut same = true;
        while same || !self.is_probing {
            let order = merge.heads().map(|(x, y)| {
                let text = || entry::key(v1, x).compare(entry::key(v2, y));
                x.hash.cmp(&y.hash).then_with(text)
            });
            let (x, y) = match merge.take(order) {
                (None, None) => break,
                (x, y) => (x.map(|entry| entry.node), y.map(|entry| entry.node)),
            };
            same &= self.member(x, y, of_map);
        }
        same
    }

    fn same_key(&self, x: usize, y: usize) -> bool {
        let [v1, v2] = self.tapes;
        let (left, right) = (v1.node(x), v2.node(y));
        left.extra == right.extra && v1.string(left).same(v2.string(right))
    }

    /// Compares the values of a key that at least one side has.
    #[inline(never)]
    fn member(&mut self, x: Option<usize>, y: Option<usize>, of_map: bool) -> bool {
        let (side, key) = match (x, y) {
            (Some(x), _) => (V1, x),
            (None, y) => (V2, y.unwrap_or_default()),
        };
        let place = PathStep::Key { side, key, of_map };
        self.step(place, x.map(value), y.map(value))
    }

    /// Compares the values one step further down the path, where one side may have none.
    #[inline(never)]
    pub(crate) fn step(&mut self, place: PathStep, a: Option<usize>, b: Option<usize>) -> bool {
        let mark = self.cursor.enter(place);
        let same = match (a, b) {
            (Some(a), Some(b)) => self.walk(a, b),
            (a, b) => {
                let lone = a.map(|a| (V1, a)).or(b.map(|b| (V2, b)));
                let (side, node) = lone.unwrap_or_default();
                let kind = self.tape(side).node(node).kind;
                let found = if side == V1 {
                    FindingKind::Missing
                } else {
                    FindingKind::Extra
                };
                self.look_up(kind, kind).is_ignored || self.found(found, a, b)
            }
        };
        self.cursor.leave(&mark);
        same
    }

    /// Returns the rules for the current place, given the types of both values.
    #[inline(never)]
    pub(crate) fn look_up(&mut self, left: NodeKind, right: NodeKind) -> EffectiveRules<'t> {
        let mut here = EffectiveRules::default();
        if self.cursor.is_plain() {
            return here;
        }
        for (index, rule) in self.cursor.rules_here() {
            if rule.is_for(left) || rule.is_for(right) {
                here.add(rule.effect);
                if self.is_counting {
                    self.usage.count(index);
                }
            }
        }
        here
    }

    /// Reports a difference. Returns whether it is noise.
    #[inline(never)]
    pub(crate) fn found(&mut self, kind: FindingKind, a: Option<usize>, b: Option<usize>) -> bool {
        let severity = kind.severity();
        let cursor = &self.cursor;
        if self
            .collector
            .is_noise(severity, Part::Body, |pointer| cursor.folded(pointer))
        {
            return true;
        }
        if !self.is_probing {
            let mut places = [String::new(), String::new()];
            if self.collector.findings.has_room() {
                let [folded, exact] = &mut places;
                cursor.folded(folded);
                cursor.exact(exact);
            }
            let (v1, v2) = (self.side(V1, a), self.side(V2, b));
            self.collector
                .push(Part::Body, places, kind, severity, v1, v2);
        }
        false
    }

    fn side(&self, side: usize, node: Option<usize>) -> Option<Value<'a>> {
        let tape = self.tape(side);
        let node = tape.node(node?);
        Some(Value {
            kind: node.kind.value_type(),
            raw: Cow::Borrowed(tape.raw(node)),
        })
    }

    pub(crate) fn tape(&self, side: usize) -> &'t Tape<'a> {
        let [v1, v2] = self.tapes;
        if side == V1 { v1 } else { v2 }
    }
}

/// Returns the node of a key's value.
pub(crate) fn value(key: usize) -> usize {
    key.wrapping_add(1)
}
