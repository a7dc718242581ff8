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
    /// Returns a hash of the type, which is part of the hash of each value.
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

/// A value, or a key, which comes right before its value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Node {
    /// The range in the text, in bytes. For a string it includes the quotes.
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// The index of the next node that is not inside this one.
    pub(crate) next: usize,
    /// The hash of a key, or the number of elements or members.
    pub(crate) extra: u32,
    pub(crate) kind: NodeKind,
    /// Whether a string has escapes.
    pub(crate) escaped: bool,
}

impl Node {
    /// Stands in for a node that does not exist.
    const NONE: Self = Self {
        start: 0,
        end: 0,
        next: usize::MAX,
        extra: 0,
        kind: NodeKind::Null,
        escaped: false,
    };
}

/// The values of a text. The first node is the whole document. The elements of a list follow the list.
/// The members of an object follow the object, each a key and a value.
#[derive(Debug)]
pub(crate) struct Tape<'a> {
    pub(crate) text: &'a [u8],
    pub(crate) nodes: Vec<Node>,
}

impl<'a> Tape<'a> {
    pub(crate) fn node(&self, node: usize) -> Node {
        self.nodes.get(node).copied().unwrap_or(Node::NONE)
    }

    /// Returns the bytes of a value in the text.
    pub(crate) fn raw(&self, node: Node) -> &'a [u8] {
        self.text.get(node.start..node.end).unwrap_or_default()
    }

    /// Returns a string or a key.
    pub(crate) fn string(&self, node: Node) -> JsonString<'a> {
        let inner = node.start.wrapping_add(1)..node.end.wrapping_sub(1);
        JsonString {
            raw: self.text.get(inner).unwrap_or_default(),
            escaped: node.escaped,
        }
    }

    /// Returns the hash of a value that is neither a list nor an object.
    #[inline(never)]
    pub(crate) fn hash_of_plain(&self, node: Node) -> u64 {
        match node.kind {
            NodeKind::String => self.string(node).hash(),
            NodeKind::Number => Number::read(self.raw(node)).hash(),
            kind => u64::from(kind == NodeKind::True),
        }
    }

    /// Whether two values are equal. Neither may be a list or an object.
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

    /// Returns the value at a path without `*`.
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

    /// Iterates over the elements of a list.
    pub(crate) fn elements(&self, list: usize) -> Children<'_, 'a> {
        self.children(list, 0)
    }

    /// Iterates over the keys of an object. The value of each is the next node.
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

/// Iterates over the elements of a list or the keys of an object.
#[derive(Clone)]
pub(crate) struct Children<'t, 'a> {
    tape: &'t Tape<'a>,
    at: usize,
    end: usize,
    /// The number of nodes before the value: 1 for a key, else 0.
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
