//! A JSON text as a flat list of its values, in the order of the text.

use crate::finding::ValueType;
use crate::json_string::JsonString;
use crate::number::Number;
use crate::pattern::{Pattern, PatternStep};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NodeKind {
    Null,
    False,
    True,
    Number,
    String,
    Array,
    Object,
}

impl NodeKind {
    /// What the hashes of all values of a type have in common.
    pub(crate) fn hash(self) -> u64 {
        match self {
            Self::Null => 1,
            Self::False | Self::True => 2,
            Self::Number => 3,
            Self::String => 4,
            Self::Array => 5,
            Self::Object => 6,
        }
    }
}

impl NodeKind {
    pub(crate) fn value_type(self) -> ValueType {
        match self {
            Self::Null => ValueType::Null,
            Self::False | Self::True => ValueType::Boolean,
            Self::Number => ValueType::Number,
            Self::String => ValueType::String,
            Self::Array => ValueType::Array,
            Self::Object => ValueType::Object,
        }
    }
}

/// A value, or the key before one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Node {
    /// Where it stands in the text, in bytes; of a string with its quotes.
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// The node after it and all that is in it.
    pub(crate) next: usize,
    /// Of a key its hash, of a list or an object how many elements or members it has.
    pub(crate) extra: u32,
    pub(crate) kind: NodeKind,
    /// A string with escapes in it.
    pub(crate) escaped: bool,
}

impl Node {
    /// What stands where there is no node; nobody gets to see it.
    const NONE: Self = Self {
        start: 0,
        end: 0,
        next: usize::MAX,
        extra: 0,
        kind: NodeKind::Null,
        escaped: false,
    };
}

/// The values of a text. The first node is the whole document; a list is followed by its elements,
/// an object by its members, each a key and a value.
#[derive(Debug)]
pub(crate) struct Tape<'a> {
    pub(crate) text: &'a [u8],
    pub(crate) nodes: Vec<Node>,
}

impl<'a> Tape<'a> {
    pub(crate) fn node(&self, node: usize) -> Node {
        self.nodes.get(node).copied().unwrap_or(Node::NONE)
    }

    /// The value as it stands in the text.
    pub(crate) fn raw(&self, node: Node) -> &'a [u8] {
        self.text.get(node.start..node.end).unwrap_or_default()
    }

    /// A string or a key.
    pub(crate) fn string(&self, node: Node) -> JsonString<'a> {
        let inner = node.start.wrapping_add(1)..node.end.wrapping_sub(1);
        JsonString {
            raw: self.text.get(inner).unwrap_or_default(),
            escaped: node.escaped,
        }
    }

    /// The hash of a value that holds no others.
    #[inline(never)]
    pub(crate) fn hash_of_plain(&self, node: Node) -> u64 {
        match node.kind {
            NodeKind::String => self.string(node).hash(),
            NodeKind::Number => Number::read(self.raw(node)).hash(),
            kind => u64::from(kind == NodeKind::True),
        }
    }

    /// Whether two values that hold no others are equal.
    pub(crate) fn same_plain(&self, node: usize, other: &Tape<'_>, theirs: usize) -> bool {
        let (left, right) = (self.node(node), other.node(theirs));
        left.kind == right.kind
            && match left.kind {
                NodeKind::String => self.string(left).same(other.string(right)),
                NodeKind::Number => {
                    let (left, right) = (self.raw(left), other.raw(right));
                    left == right || Number::read(left).same(Number::read(right))
                }
                _ => true,
            }
    }

    /// What stands in a value at the end of a way without `*`.
    #[inline(never)]
    pub(crate) fn find(&self, value: usize, way: &Pattern) -> Option<usize> {
        way.steps().iter().try_fold(value, |value, step| {
            let PatternStep::Name { name, index } = step else {
                return None;
            };
            match self.node(value).kind {
                NodeKind::Object => {
                    let key = self
                        .keys(value)
                        .find(|key| self.string(self.node(*key)).is(name))?;
                    Some(key.wrapping_add(1))
                }
                NodeKind::Array => self.elements(value).nth((*index)?),
                _ => None,
            }
        })
    }

    /// The elements of a list.
    pub(crate) fn elements(&self, list: usize) -> Children<'_, 'a> {
        self.children(list, 0)
    }

    /// The keys of an object; the value of each is the node after it.
    pub(crate) fn keys(&self, object: usize) -> Children<'_, 'a> {
        self.children(object, 1)
    }

    fn children(&self, parent: usize, before: usize) -> Children<'_, 'a> {
        Children {
            tape: self,
            at: parent.wrapping_add(1),
            end: self.node(parent).next,
            before,
        }
    }
}

/// The elements of a list or the keys of an object.
#[derive(Clone)]
pub(crate) struct Children<'t, 'a> {
    tape: &'t Tape<'a>,
    at: usize,
    end: usize,
    /// How many nodes stand before the value: the key, or none.
    before: usize,
}

impl Iterator for Children<'_, '_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let at = self.at;
        if at >= self.end {
            return None;
        }
        self.at = self.tape.node(at.wrapping_add(self.before)).next;
        Some(at)
    }
}
