//! Findings: the differences that a comparison reports.

use std::borrow::Cow;

/// One difference between the two responses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding<'a> {
    /// The part of the response.
    pub part: Part,
    /// The folded place: a JSON Pointer without user data, in which `*` replaces each index and each
    /// key that looks like data. It is empty for the status and `/name` for a header.
    pub pointer: String,
    /// The exact place: a JSON Pointer with indices (those of v1, if v1 has the value) and keys. In an
    /// unordered list whose elements cannot be paired, the index is `*`.
    pub exact: String,
    /// The kind of difference.
    pub kind: FindingKind,
    /// What the difference means for a client.
    pub severity: Severity,
    /// The value in v1, if there is one.
    pub v1: Option<Value<'a>>,
    /// The value in v2, if there is one.
    pub v2: Option<Value<'a>>,
}

/// One side of a finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value<'a> {
    /// The type of the value.
    pub kind: ValueType,
    /// The value as it was sent: a JSON string with quotes and escapes, the values of a header joined
    /// by `, `, or the digits of a status.
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
            /// All variants.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name in records.
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
    /// A part of a response.
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
    /// The kind of difference.
    FindingKind {
        /// Only v1 has the value.
        Missing = "missing",
        /// Only v2 has the value.
        Extra = "extra",
        /// The types differ.
        Type = "type",
        /// The types are the same, the values differ.
        Value = "value",
        /// Two lists, or two bodies that are not JSON, have different lengths.
        Length = "length",
        /// Two lists have the same elements in another order.
        Order = "order",
    }
}

words! {
    /// What a difference means for a client, from the mildest to the worst.
    Severity {
        /// v2 has something more.
        Additive = "additive",
        /// A value differs.
        Changed = "changed",
        /// A value is missing or has another type, or the status is of another class.
        Breaking = "breaking",
    }
}

words! {
    /// The type of one side.
    ValueType {
        /// A JSON string.
        String = "string",
        /// A JSON number.
        Number = "number",
        /// `true` or `false`.
        Boolean = "boolean",
        /// `null`.
        Null = "null",
        /// A JSON object.
        Object = "object",
        /// A JSON array.
        Array = "array",
        /// A body that is not JSON or was not parsed as JSON.
        Bytes = "bytes",
        /// A status code.
        Status = "status",
        /// The values of a header.
        Header = "header",
    }
}

words! {
    /// Why two bodies could not be compared.
    NotComparable {
        /// The content encodings differ, or encoded bodies have different bytes.
        Encoded = "encoded",
        /// Lists and objects are nested more deeply than the limit.
        TooDeep = "too_deep",
        /// There are more values than the limit.
        TooManyValues = "too_many_values",
        /// An object repeats a key, and clients disagree on which value counts.
        RepeatedKey = "repeated_key",
        /// Pairing the elements of lists takes more steps than the limit.
        TooManyPairs = "too_many_pairs",
    }
}

impl FindingKind {
    /// Returns the severity of such a difference in a header or a body.
    pub(crate) fn severity(self) -> Severity {
        match self {
            Self::Extra => Severity::Additive,
            Self::Value | Self::Length | Self::Order => Severity::Changed,
            Self::Missing | Self::Type => Severity::Breaking,
        }
    }
}
