//! A policy text, parsed once for all operations on it.

use crate::diagnostics::Document;
use crate::diagnostics::error_code::ErrorCode;
use crate::diagnostics::location::{JsonPointer, Span};
use crate::diagnostics::problem::Problem;
use crate::policy::document::RawPolicy;
use crate::policy::json::Reader;
use crate::policy::read::{self, expected};

/// A policy text, parsed.
///
/// It holds the JSON with the location of each value, and the problems of its form. Each method is defined next to
/// what it computes: [`compile`](Self::compile), [`lint`](Self::lint), [`account_files`](Self::account_files) and
/// [`inline_accounts`](Self::inline_accounts).
#[derive(Clone)]
pub struct ParsedPolicy<'t> {
    /// Holds the text and the problems so far. Compiling the document reports further problems to it.
    pub(crate) reader: Reader<'t>,
    /// `None` if the text is not a JSON object.
    pub(crate) document: Option<RawPolicy<'t>>,
}

impl<'t> ParsedPolicy<'t> {
    /// Parses a policy text. Problems are kept for [`compile`](Self::compile) and [`lint`](Self::lint).
    #[must_use]
    pub fn parse(text: &'t str) -> Self {
        Self::read(Reader::new(Document::Policy, text))
    }

    /// Parses the bytes of a policy file. Bytes that are not UTF-8 are an error of the policy.
    #[must_use]
    pub fn from_bytes(bytes: &'t [u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::parse(text),
            Err(error) => Self::not_utf8(bytes, error.valid_up_to()),
        }
    }

    /// Returns the text. Of a file that is not UTF-8, it is the part before the first error.
    #[must_use]
    pub fn text(&self) -> &'t str {
        self.reader.document()
    }

    /// Parses the text of the reader.
    pub(crate) fn read(mut reader: Reader<'t>) -> Self {
        let root = reader.root(expected::POLICY);
        Self {
            document: root.and_then(|root| read::policy(&mut reader, root)),
            reader,
        }
    }

    fn not_utf8(bytes: &'t [u8], valid_up_to: usize) -> Self {
        let valid = bytes.get(..valid_up_to).unwrap_or_default();
        let valid = std::str::from_utf8(valid).unwrap_or_default();
        let mut reader = Reader::new(Document::Policy, valid);
        let span = Span {
            start: valid_up_to,
            end: valid_up_to,
        };
        let (what, instead) = invalid_utf8(bytes);
        let problem = Problem::invalid(what, instead).with_code(ErrorCode::NotUtf8);
        reader.report(span, &JsonPointer::Root, problem);
        Self {
            reader,
            document: None,
        }
    }
}

/// Describes what is wrong with bytes that are not UTF-8, and what to do about it.
#[must_use]
pub fn invalid_utf8(bytes: &[u8]) -> (&'static str, &'static str) {
    match bytes {
        [0x1f, 0x8b, ..] => ("the file is compressed by gzip", "decompress it first"),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => ("the text is UTF-16", "save it as UTF-8"),
        _ => ("the text is not UTF-8", "save it as JSON in UTF-8"),
    }
}
