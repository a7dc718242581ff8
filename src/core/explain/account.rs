//! Whom the request is for, source by source.

use crate::diagnostics::malformed_account::malformed_account;
use crate::plan::Plan;
use crate::plan::segments::SegmentSet;
use crate::request::Request;
use crate::request::account::{Account, Format, SourceValue};
use crate::request::account_sources::{AccountSources, Source};
use crate::request::basic_auth;

use super::condition::names;

/// What the request says of its account.
#[derive(Debug)]
pub struct AccountFound<'a> {
    /// The places of `account.from`, in order.
    pub sources: Vec<SourceTried<'a>>,
    /// The segments of the account, in the order of the policy; none where there is no account.
    pub segments: Vec<&'a str>,
}

/// One place of `account.from`.
#[derive(Debug)]
pub struct SourceTried<'a> {
    /// Where.
    pub name: SourceName<'a>,
    /// What was there; `None` where a place before it was present, so that it decided.
    pub content: Option<SourceContent>,
}

/// Where a request may say whom it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceName<'a> {
    /// The value of a header, by its lower-case name.
    Header(&'a str),
    /// The user name of `authorization: Basic …`.
    BasicAuth,
    /// `{account}` in a path, by its template.
    Path(String),
}

/// What a place held.
#[derive(Debug)]
pub enum SourceContent {
    /// Nothing: the next place is looked at.
    Nothing,
    /// A credential that names no account (an API key): the next place is looked at.
    Credential(Vec<u8>),
    /// An account.
    Account(Vec<u8>),
    /// Something that is no account.
    NoAccount {
        /// What, where it could be read at all.
        value: Option<Vec<u8>>,
        /// Why it is none.
        why: String,
    },
}

pub(super) fn found<'a>(plan: &'a Plan, request: &Request<'_>) -> AccountFound<'a> {
    let mut decided = false;
    let mut sources = Vec::with_capacity(plan.account.from.len());
    for (index, source) in plan.account.from.iter().enumerate() {
        let held = (!decided).then(|| held(plan, index, source, request));
        decided |= !matches!(
            held,
            Some(SourceContent::Nothing | SourceContent::Credential(_))
        );
        sources.push(SourceTried {
            name: name(source),
            content: held,
        });
    }
    let segments = match &request.account {
        Account::Known(account) => plan.segments.find(account),
        Account::Absent | Account::Malformed => SegmentSet::NONE,
    };
    AccountFound {
        sources,
        segments: names(plan, |segment| segments.contains(segment)),
    }
}

pub(super) fn name(source: &Source) -> SourceName<'_> {
    match source {
        Source::Header(name) => SourceName::Header(name),
        Source::BasicAuthUsername => SourceName::BasicAuth,
        Source::Path(template) => SourceName::Path(template.to_string()),
    }
}

/// What one of the places of `account.from` holds, by its index.
pub(super) fn held(
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
                Source::Header(_) => "the header comes more than once, or with `_` for `-`",
                Source::BasicAuthUsername => {
                    "no one `authorization: Basic` of which a user name can be read"
                }
                Source::Path(_) => {
                    "servers may read this path in more than one way, or it is broken or too long"
                }
            }),
        },
        SourceValue::Plain(bytes) => held_bytes(bytes, format),
        SourceValue::Decoded(bytes) => held_bytes(bytes.as_slice(), format),
    }
}

fn held_bytes(bytes: &[u8], format: Format) -> SourceContent {
    let value = bytes.to_vec();
    match format.parse_account(bytes) {
        Some(_) => SourceContent::Account(value),
        None => SourceContent::NoAccount {
            why: malformed_account(&String::from_utf8_lossy(&value), format).to_string(),
            value: Some(value),
        },
    }
}
