//! Places in a text: the bytes that a value takes, and the way to it.

use std::fmt;

use crate::diagnostics::problem;

/// Where a value stands in its text, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: usize,
    pub(crate) end: usize,
}

impl Span {
    /// Where it begins: an object that lacks something is shown by its brace.
    pub(crate) fn head(self) -> Self {
        Self {
            start: self.start,
            end: self.start.saturating_add(1).min(self.end),
        }
    }
}

/// The way from the document to a value. Its `Display` is a JSON Pointer, in which a long name is cut. The names are
/// as the author wrote them: who shows the pointer as text escapes it.
#[derive(Clone, Copy)]
pub(crate) enum JsonPointer<'p> {
    Root,
    Field(&'p JsonPointer<'p>, &'p str),
    Index(&'p JsonPointer<'p>, usize),
}

impl<'p> JsonPointer<'p> {
    pub(crate) fn field(&'p self, name: &'p str) -> JsonPointer<'p> {
        JsonPointer::Field(self, name)
    }

    pub(crate) fn index(&'p self, index: usize) -> JsonPointer<'p> {
        JsonPointer::Index(self, index)
    }
}

impl fmt::Display for JsonPointer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            JsonPointer::Root => Ok(()),
            JsonPointer::Field(parent, name) => {
                let escaped = name.replace('~', "~0").replace('/', "~1");
                write!(f, "{parent}/{}", problem::beginning(&escaped))
            }
            JsonPointer::Index(parent, index) => write!(f, "{parent}/{index}"),
        }
    }
}
