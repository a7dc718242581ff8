//! Locations in a text: the byte range of a value, and its JSON Pointer.

use std::fmt;

use crate::diagnostics::problem;

/// The byte range of a value in its text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// The first byte.
    pub start: usize,
    /// The byte after the last one.
    pub end: usize,
}

impl Span {
    /// Returns the first byte of the span. A missing field is reported at the opening brace of its object.
    #[must_use]
    pub fn head(self) -> Self {
        Self {
            start: self.start,
            end: self.start.saturating_add(1).min(self.end),
        }
    }
}

/// The path from the document to a value. Its `Display` is a JSON Pointer that shortens long names. It does not
/// escape the names, so code that shows the pointer as text has to escape it.
#[derive(Clone, Copy)]
pub enum JsonPointer<'p> {
    /// The document.
    Root,
    /// A field of an object.
    Field(&'p JsonPointer<'p>, &'p str),
    /// An item of a list.
    Index(&'p JsonPointer<'p>, usize),
}

impl<'p> JsonPointer<'p> {
    /// Returns the path of a field.
    #[must_use]
    pub fn field(&'p self, name: &'p str) -> JsonPointer<'p> {
        JsonPointer::Field(self, name)
    }

    /// Returns the path of an item.
    #[must_use]
    pub fn index(&'p self, index: usize) -> JsonPointer<'p> {
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
