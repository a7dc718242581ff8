//! Explains which account a request is for, source by source.

use crate::diagnostics::malformed_account::malformed_account;
use crate::plan::Plan;
use crate::plan::segment_lookup::SegmentSet;
use crate::request::Request;
use crate::request::account_id::{Account, Format, SourceValue};
use crate::request::account_sources::{AccountSources, Source};
use crate::request::basic_auth;

use super::condition::segment_names;

/// The account of a request: the content of each source, and its segments.
#[derive(Debug)]
pub struct AccountFound<'a> {
    /// The sources of `account.from`, in order.
    pub sources: Vec<SourceTried<'a>>,
    /// The segments of the account, in the order of the policy; empty if there is no account.
    pub segments: Vec<&'a str>,
}

/// One source of `account.from`.
#[derive(Debug)]
pub struct SourceTried<'a> {
    /// The source.
    pub name: SourceName<'a>,
    /// The content; `None` if an earlier source was present, so that this one is not read.
    pub content: Option<SourceContent>,
}

/// The name of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceName<'a> {
    /// The value of a header, by its lower-case name.
    Header(&'a str),
    /// The user name of `authorization: Basic …`.
    BasicAuth,
    /// `{account}` in a path, by its template.
    Path(String),
}

/// The content of a source.
#[derive(Debug)]
pub enum SourceContent {
    /// The source is absent, so the next one is read.
    Nothing,
    /// A credential that does not identify an account (an API key), so the next source is read.
    Credential(Vec<u8>),
    /// An account.
    Account(Vec<u8>),
    /// Something that is not an account.
    NoAccount {
        /// The value, if it could be read.
        value: Option<Vec<u8>>,
        /// Why it is not an account.
        why: String,
    },
}

/// Reads every source up to the first one that is present.
pub(super) fn find<'a>(plan: &'a Plan, request: &Request<'_>) -> AccountFound<'a> {
    let mut decided = false;
    let mut sources = Vec::with_capacity(plan.account.from.len());
    for (index, source) in plan.account.from.iter().enumerate() {
        let content = (!decided).then(|| read_source(plan, index, source, request));
        decided |= !matches!(
            content,
            Some(SourceContent::Nothing | SourceContent::Credential(_))
        );
        sources.push(SourceTried {
            name: source_name(source),
            content,
        });
    }
    let segments = match &request.account {
        Account::Known(account) => plan.segments.find(account),
        Account::Absent | Account::Malformed => SegmentSet::NONE,
    };
    AccountFound {
        sources,
        segments: segment_names(plan, |segment| segments.contains(segment)),
    }
}

pub(super) fn source_name(source: &Source) -> SourceName<'_> {
    match source {
        Source::Header(name) => SourceName::Header(name),
        Source::BasicAuthUsername => SourceName::BasicAuth,
        Source::Path(template) => SourceName::Path(template.to_string()),
    }
}

/// Reads one source. `index` is its index in `account.from`.
pub(super) fn read_source(
    plan: &Plan,
    index: usize,
    source: &Source,
    request: &Request<'_>,
) -> SourceContent {
    let AccountSources { format, .. } = plan.account;
    match plan
        .account
        .find(index, source, request.headers, request.path)
    {
        SourceValue::Absent => match (source, basic_auth::find_username(request.headers)) {
            (Source::BasicAuthUsername, SourceValue::Decoded(name)) => {
                SourceContent::Credential(name.as_slice().to_vec())
            }
            _ => SourceContent::Nothing,
        },
        SourceValue::Malformed => SourceContent::NoAccount {
            value: None,
            why: String::from(match source {
                Source::Header(_) => {
                    "the header occurs more than once, or its name has `_` instead of `-`"
                }
                Source::BasicAuthUsername => {
                    "expected one well-formed `authorization: Basic` header with a user name"
                }
                Source::Path(_) => {
                    "servers may read this path in different ways, or its escapes are malformed or too long"
                }
            }),
        },
        SourceValue::Plain(bytes) => parse_content(bytes, format),
        SourceValue::Decoded(bytes) => parse_content(bytes.as_slice(), format),
    }
}

fn parse_content(bytes: &[u8], format: Format) -> SourceContent {
    let value = bytes.to_vec();
    match format.parse_account(bytes) {
        Some(_) => SourceContent::Account(value),
        None => SourceContent::NoAccount {
            why: malformed_account(&String::from_utf8_lossy(&value), format).to_string(),
            value: Some(value),
        },
    }
}
