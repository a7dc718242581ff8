//! Compiles the conditions on requests in rollouts and rules: hosts, paths, methods, headers.

use crate::diagnostics::error_code::ErrorCode;
use crate::diagnostics::location::JsonPointer;
use crate::diagnostics::problem::{Problem, excerpt};
use crate::plan::path_match::{PathMatch, PathTemplate, TemplateError, TemplateUse};
use crate::plan::request_match::{HeaderMatch, HeaderTest, RequestMatch};
use crate::policy::document;
use crate::policy::json::{Field, List, Located, LocatedText, Map, Reader};
use crate::proxy::wire_names::is_turnout_header;
use crate::request::ambiguity::is_host;

use super::{exactly_one, present};

/// The longest region, in bytes.
const LONGEST_REGION: usize = 128;

pub(crate) fn request_match(
    reader: &mut Reader<'_>,
    at: &JsonPointer<'_>,
    given: document::RawMatch<'_>,
) -> Option<RequestMatch> {
    let hosts = items(
        reader,
        &at.field("hosts"),
        given.hosts,
        "the list of hosts",
        host,
    );
    let methods = items(
        reader,
        &at.field("methods"),
        given.methods,
        "the list of methods",
        method,
    );
    let headers = headers(reader, &at.field("headers"), given.headers);
    let path = match given.path {
        Field::Given(path) => Some(path_match(reader, &at.field("path"), path)?),
        Field::Absent => None,
        Field::Bad => return None,
    };
    Some(RequestMatch {
        hosts,
        path,
        methods,
        headers,
    })
}

/// Compiles the items of a list, and reports an empty list, which would match nothing.
pub(super) fn items(
    reader: &mut Reader<'_>,
    at: &JsonPointer<'_>,
    list: Field<List<LocatedText<'_>>>,
    what: &'static str,
    compile: fn(&mut Reader<'_>, &JsonPointer<'_>, &LocatedText<'_>) -> Option<String>,
) -> Vec<String> {
    let Some(list) = list.into_value() else {
        return Vec::new();
    };
    if list.value.is_empty() {
        let problem = Problem::empty_list(what, "name one, or remove the list");
        reader.report(list.span, at, problem);
    }
    let mut compiled = Vec::with_capacity(list.value.len());
    for (index, item) in list.value.into_iter().enumerate() {
        compiled.extend(item.and_then(|item| compile(reader, &at.index(index), &item)));
    }
    compiled
}

fn host(reader: &mut Reader<'_>, at: &JsonPointer<'_>, host: &LocatedText<'_>) -> Option<String> {
    let text = &*host.value;
    let instead = match text {
        _ if text.contains('*') => "list each host by its full name",
        _ if text.contains("://") || text.contains('/') => "write the host alone, without a path",
        _ if has_port(text) => "write the host without its port; the match includes all its ports",
        _ if !text.is_empty() && is_host(text.as_bytes()) => {
            return Some(text.to_ascii_lowercase());
        }
        _ => "write a host name, for example `api.example.com`",
    };
    let what = format!("`{}` is not a host", excerpt(text));
    let problem = Problem::invalid(what, instead).with_code(ErrorCode::MalformedHost);
    reader.report(host.span, at, problem);
    None
}

/// Whether a host has a port. The colons of an IPv6 address are inside its brackets.
fn has_port(host: &str) -> bool {
    host.rsplit_once(']')
        .map_or(host, |(_, after)| after)
        .contains(':')
}

pub(super) fn method(
    reader: &mut Reader<'_>,
    at: &JsonPointer<'_>,
    method: &LocatedText<'_>,
) -> Option<String> {
    let text = &*method.value;
    if !is_token(text) {
        let what = format!("`{}` is not a method", excerpt(text));
        reader.report(
            method.span,
            at,
            Problem::invalid(what, "write one, for example `GET`")
                .with_code(ErrorCode::MalformedMethod),
        );
        return None;
    }
    // Methods are case-sensitive, and no client sends `get`.
    if text.bytes().any(|byte| byte.is_ascii_lowercase()) {
        let shown = excerpt(text);
        let what = format!("`{shown}` matches no request, because methods are upper case");
        let instead = format!("write `{}`", shown.to_ascii_uppercase());
        let problem = Problem::invalid(what, instead).with_code(ErrorCode::MalformedMethod);
        reader.report(method.span, at, problem);
        return None;
    }
    Some(text.to_owned())
}

/// Compiles a region, as in the locality of a proxy's node.
pub(super) fn region(
    reader: &mut Reader<'_>,
    at: &JsonPointer<'_>,
    region: &LocatedText<'_>,
) -> Option<String> {
    let text = &*region.value;
    if text.len() > LONGEST_REGION || !is_header_value(text) {
        let what = format!("`{}` is not a region", excerpt(text));
        let instead = "write the region of a proxy's locality, for example `us-east-1`";
        let problem = Problem::invalid(what, instead).with_code(ErrorCode::MalformedRegion);
        reader.report(region.span, at, problem);
        return None;
    }
    Some(text.to_owned())
}

fn path_match(
    reader: &mut Reader<'_>,
    at: &JsonPointer<'_>,
    path: Located<document::RawPath<'_>>,
) -> Option<PathMatch> {
    const KNOWN: &[&str] = &["exact", "prefix", "template"];
    let document::RawPath {
        exact,
        prefix,
        template: by_template,
    } = path.value;
    let given = [present(&exact), present(&prefix), present(&by_template)];
    let is_one = exactly_one(reader, path.span, at, "a path match", KNOWN, given);
    let exact = exact.into_value().and_then(|text| {
        let at = at.field("exact");
        plain_path(reader, &at, &text).map(PathMatch::Exact)
    });
    let prefix = prefix.into_value().and_then(|text| {
        let at = at.field("prefix");
        plain_path(reader, &at, &text).map(PathMatch::Prefix)
    });
    let by_template = by_template.into_value().and_then(|text| {
        let at = at.field("template");
        template(reader, &at, &text, TemplateUse::Match).map(PathMatch::Template)
    });
    is_one.and(exact.or(prefix).or(by_template))
}

pub(super) fn plain_path(
    reader: &mut Reader<'_>,
    at: &JsonPointer<'_>,
    path: &LocatedText<'_>,
) -> Option<String> {
    let problem = match &*path.value {
        text if !text.starts_with('/') => TemplateError::NoSlash,
        text if text.contains(['?', '#']) => TemplateError::Query,
        text => return Some(text.to_owned()),
    };
    reader.report(
        path.span,
        at,
        Problem::invalid(problem.what(), problem.help()).with_code(ErrorCode::MalformedPath),
    );
    None
}

pub(super) fn template(
    reader: &mut Reader<'_>,
    at: &JsonPointer<'_>,
    text: &LocatedText<'_>,
    purpose: TemplateUse,
) -> Option<PathTemplate> {
    match PathTemplate::parse(&text.value, purpose) {
        Ok(template) => Some(template),
        Err(problem) => {
            reader.report(
                text.span,
                at,
                Problem::invalid(problem.what(), problem.help())
                    .with_code(ErrorCode::MalformedPath),
            );
            None
        }
    }
}

pub(super) fn headers(
    reader: &mut Reader<'_>,
    at: &JsonPointer<'_>,
    headers: Field<Map<'_, Located<document::RawHeader<'_>>>>,
) -> Vec<HeaderMatch> {
    let mut compiled = Vec::new();
    for (name, given) in headers.into_value().map_or(Vec::new(), |map| map.0) {
        let at = at.field(&name.value);
        let name = header_name(reader, &at, &name);
        let test = given.and_then(|given| header_test(reader, &at, given));
        compiled.extend(
            name.zip(test)
                .map(|(name, test)| HeaderMatch { name, test }),
        );
    }
    compiled
}

fn header_test(
    reader: &mut Reader<'_>,
    at: &JsonPointer<'_>,
    header: Located<document::RawHeader<'_>>,
) -> Option<HeaderTest> {
    const KNOWN: &[&str] = &["exact", "prefix", "present"];
    let document::RawHeader {
        exact,
        prefix,
        present: presence,
    } = header.value;
    let given = [present(&exact), present(&prefix), present(&presence)];
    exactly_one(reader, header.span, at, "a header match", KNOWN, given)?;
    match (
        exact.into_value(),
        prefix.into_value(),
        presence.into_value(),
    ) {
        (Some(text), _, _) => Some(HeaderTest::Exact(text.value.into_owned())),
        (_, Some(text), _) => Some(HeaderTest::Prefix(text.value.into_owned())),
        (_, _, Some(present)) => Some(HeaderTest::Present(present)),
        (None, None, None) => None,
    }
}

/// Compiles the name of a header, in lower case, as proxies send it.
pub(super) fn header_name(
    reader: &mut Reader<'_>,
    at: &JsonPointer<'_>,
    name: &LocatedText<'_>,
) -> Option<String> {
    let text = &*name.value;
    let (what, instead) = if is_turnout_header(text.as_bytes()) {
        (
            "is Turnout's own header, which no client can send",
            "name another header",
        )
    } else if is_token(text) {
        return Some(text.to_ascii_lowercase());
    } else {
        (
            "is not a header name",
            "write letters, digits and hyphens, for example `x-account-sid`",
        )
    };
    let what = format!("`{}` {what}", excerpt(text));
    let problem = Problem::invalid(what, instead).with_code(ErrorCode::MalformedHeader);
    reader.report(name.span, at, problem);
    None
}

/// Whether a text is a token of RFC 9110, as header names and methods are.
fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

/// Whether a text is visible ASCII with inner spaces only.
pub(super) fn is_header_value(text: &str) -> bool {
    !text.is_empty()
        && text.trim() == text
        && text
            .bytes()
            .all(|byte| byte == b' ' || byte.is_ascii_graphic())
}
