//! Compiles the `rewrite` of a shadow: the changes that the route makes in requests.

use crate::diagnostics::error_code::ErrorCode;
use crate::diagnostics::location::{JsonPointer, Span};
use crate::diagnostics::problem::{Problem, excerpt};
use crate::plan::shadow_plan::Rewrite;
use crate::policy::document::{self, RawPrefixPair, RawRewriteHeader, RawRewritePrefix};
use crate::policy::json::{Field, Located, LocatedText, Map, Reader};
use crate::policy::read::expected;

use super::{request_match, required};

/// Compiles a rewrite. `matched_prefix` is the path prefix in the rollout's `match`, if it has one.
pub(super) fn rewrite(
    reader: &mut Reader<'_>,
    at: &JsonPointer<'_>,
    given: Located<document::RawRewrite<'_>>,
    matched_prefix: Option<&str>,
) -> Option<Rewrite> {
    let Located { value, span } = given;
    if let (Field::Absent, Field::Absent, Field::Absent) =
        (&value.prefix, &value.host, &value.headers)
    {
        let what = "the rewrite changes nothing";
        let instead = "add a `prefix`, a `host` or `headers`, or remove it";
        reader.report(
            span.head(),
            at,
            Problem::invalid(what, instead).with_code(ErrorCode::EmptyRewrite),
        );
    }
    let prefix = match value.prefix {
        Field::Absent => Some(None),
        Field::Bad => None,
        Field::Given(given) => prefix(reader, &at.field("prefix"), given, matched_prefix).map(Some),
    };
    let host = match value.host {
        Field::Absent => Some(None),
        Field::Bad => None,
        Field::Given(host) => rewritten_host(reader, &at.field("host"), &host).map(Some),
    };
    let headers = headers(reader, &at.field("headers"), value.headers);
    Some(Rewrite {
        prefix: prefix?,
        host: host?,
        headers,
    })
}

fn prefix(
    reader: &mut Reader<'_>,
    at: &JsonPointer<'_>,
    given: RawRewritePrefix<'_>,
    matched_prefix: Option<&str>,
) -> Option<(String, String)> {
    match given {
        RawRewritePrefix::OfMatch(to) => {
            let to_path = request_match::plain_path(reader, at, &to);
            let Some(from) = matched_prefix else {
                let what =
                    "there is no prefix to replace: the `match` of the rollout has no `prefix`";
                let instead =
                    "write both prefixes, for example { \"from\": \"/api/\", \"to\": \"/\" }";
                let problem =
                    Problem::invalid(what, instead).with_code(ErrorCode::MalformedRewrite);
                reader.report(to.span, at, problem);
                return None;
            };
            Some((from.to_owned(), to_path?))
        }
        RawRewritePrefix::Between(Located { value, span }) => {
            let RawPrefixPair { from, to } = value;
            let from = side(reader, span, at, "from", from);
            let to = side(reader, span, at, "to", to);
            Some((from?, to?))
        }
    }
}

fn side(
    reader: &mut Reader<'_>,
    span: Span,
    at: &JsonPointer<'_>,
    field: &'static str,
    text: Field<LocatedText<'_>>,
) -> Option<String> {
    let text = required(reader, span, at, field, expected::PATH_PREFIX, text)?;
    request_match::plain_path(reader, &at.field(field), &text)
}

fn rewritten_host(
    reader: &mut Reader<'_>,
    at: &JsonPointer<'_>,
    host: &LocatedText<'_>,
) -> Option<String> {
    let text = &*host.value;
    if request_match::is_header_value(text) && !text.contains([' ', '/', '@']) {
        return Some(text.to_owned());
    }
    let what = format!("`{}` is not a host", excerpt(text));
    let instead = "write a host, for example `api.internal` or `api.internal:8080`";
    let problem = Problem::invalid(what, instead).with_code(ErrorCode::MalformedHost);
    reader.report(host.span, at, problem);
    None
}

fn headers(
    reader: &mut Reader<'_>,
    at: &JsonPointer<'_>,
    headers: Field<Map<'_, RawRewriteHeader<'_>>>,
) -> Vec<(String, Option<String>)> {
    let mut compiled = Vec::new();
    for (name, given) in headers.into_value().map_or(Vec::new(), |map| map.0) {
        let at = at.field(&name.value);
        let name = request_match::header_name(reader, &at, &name);
        let value = match given {
            None => continue,
            Some(RawRewriteHeader::Remove) => None,
            Some(RawRewriteHeader::Set(value)) => {
                let text = value.value.into_owned();
                if !text.is_empty() && !request_match::is_header_value(&text) {
                    let what = format!("`{}` cannot be sent as a header value", excerpt(&text));
                    let instead = "write visible ASCII, without spaces at its ends";
                    let problem =
                        Problem::invalid(what, instead).with_code(ErrorCode::MalformedHeader);
                    reader.report(value.span, &at, problem);
                    continue;
                }
                Some(text)
            }
        };
        compiled.extend(name.map(|name| (name, value)));
    }
    compiled
}
