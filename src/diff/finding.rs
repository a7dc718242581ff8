//! What a comparison finds.

use std::borrow::Cow;

/// One difference between the two answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding<'a> {
    /// The part of the answer.
    pub part: Part,
    /// Where in that part, with nothing of a user's data in it: a JSON Pointer in which indices, and
    /// keys that look like data, are `*`. Empty for the status, `/name` for a header.
    pub pointer: String,
    /// Where in that part, with real indices (of v1, where v1 has the value) and keys. In an
    /// unordered list whose elements cannot be paired the index is `*`.
    pub exact: String,
    /// What kind of difference.
    pub kind: FindingKind,
    /// What it means for a client.
    pub severity: Severity,
    /// What v1 has there; `None` when it has nothing.
    pub v1: Option<Value<'a>>,
    /// What v2 has there; `None` when it has nothing.
    pub v2: Option<Value<'a>>,
}

/// One side of a finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value<'a> {
    /// Its type.
    pub kind: ValueType,
    /// As it was sent: a string of JSON with its quotes and escapes, several values of a header
    /// joined by `, `, the digits of a status.
    pub raw: Cow<'a, [u8]>,
}

macro_rules! words {
    ($(#[$about:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$doc])* $variant,)*
        }

        impl $name {
            /// Each of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The word for it in records.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }
        }
    };
}

words! {
    /// A part of an answer.
    Part {
        /// The status code.
        Status = "status",
        /// A header.
        Header = "header",
        /// The body.
        Body = "body",
    }
}

words! {
    /// What kind of difference.
    FindingKind {
        /// v1 has it, v2 has not.
        Missing = "missing",
        /// v2 has it, v1 has not.
        Extra = "extra",
        /// The types differ.
        Type = "type",
        /// The types are the same, the values differ.
        Value = "value",
        /// Two lists, or two bodies that are not JSON, of different lengths.
        Length = "length",
        /// Two lists with the same elements in another order.
        Order = "order",
    }
}

words! {
    /// What a difference means for a client, the least first.
    Severity {
        /// There is more than before.
        Additive = "additive",
        /// Something has another value.
        Changed = "changed",
        /// Something is gone, or is of another type, or the status is of another class.
        Breaking = "breaking",
    }
}

words! {
    /// The type of one side.
    ValueType {
        /// A string of JSON.
        String = "string",
        /// A number of JSON.
        Number = "number",
        /// `true` or `false`.
        Boolean = "boolean",
        /// `null`.
        Null = "null",
        /// An object of JSON.
        Object = "object",
        /// A list of JSON.
        Array = "array",
        /// A body that is not JSON, or that was not read as JSON.
        Bytes = "bytes",
        /// A status code.
        Status = "status",
        /// The values of a header.
        Header = "header",
    }
}

words! {
    /// Why two bodies were not compared.
    NotComparable {
        /// Their content encodings differ, or they are encoded and their bytes differ.
        Encoded = "encoded",
        /// Lists and objects within each other beyond the limit.
        TooDeep = "too_deep",
        /// Values beyond the limit.
        TooManyValues = "too_many_values",
        /// A key comes more than once in one object, so nobody can tell which value is meant.
        RepeatedKey = "repeated_key",
        /// To find out which elements of lists belong together takes more steps than the limit.
        TooManyPairs = "too_many_pairs",
    }
}

impl FindingKind {
    /// What a difference of this kind means where it is not about the status.
    pub(crate) fn severity(self) -> Severity {
        match self {
            Self::Extra => Severity::Additive,
            Self::Value | Self::Length | Self::Order => Severity::Changed,
            Self::Missing | Self::Type => Severity::Breaking,
        }
    }
}
