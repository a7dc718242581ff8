//! Explains a `match` or a `when`: for each part the expected value, the value found, and whether it holds.

use crate::plan::Plan;
use crate::plan::path_match::PathMatch;
use crate::plan::request_match::{HeaderMatch, HeaderTest, RegionMatch, RequestMatch, When};
use crate::plan::segment_lookup::SegmentSet;
use crate::request::Request;
use crate::request::headers::Headers;

/// A part of a `match` or a `when`.
#[derive(Debug)]
pub struct Condition<'a> {
    /// The part, with the expected value and the value found.
    pub part: Part<'a>,
    /// Whether it holds; `None` if that is unknown.
    pub holds: Option<bool>,
}

/// A part of a condition, with the expected value and the value in the request.
#[derive(Debug)]
pub enum Part<'a> {
    /// One of these hosts.
    Host {
        /// The expected hosts, in lower case.
        wanted: &'a [String],
        /// The host of the request, without port and final dot; empty if there is none.
        found: &'a [u8],
    },
    /// A path that matches a pattern.
    Path {
        /// The pattern, as in the policy.
        wanted: Pattern<'a>,
        /// The path of the request, without its query.
        found: &'a [u8],
    },
    /// One of these methods.
    Method {
        /// The expected methods, in upper case.
        wanted: &'a [String],
        /// The method of the request, as sent.
        found: &'a [u8],
    },
    /// A header that matches a pattern.
    Header {
        /// The name of the header, in lower case.
        name: &'a str,
        /// The pattern that one of its values must match.
        wanted: Pattern<'a>,
        /// Its values; empty if the header is absent.
        found: Vec<&'a [u8]>,
    },
    /// The account is in at least one of these segments.
    In {
        /// The names of the segments.
        wanted: Vec<&'a str>,
        /// Those of `wanted` that the account is in.
        found: Vec<&'a str>,
    },
    /// The account is in none of these segments.
    NotIn {
        /// The names of the segments.
        wanted: Vec<&'a str>,
        /// Those of `wanted` that the account is in.
        found: Vec<&'a str>,
    },
    /// The proxy is in one of these regions.
    Regions {
        /// The expected regions, as in the proxy's locality.
        wanted: &'a [String],
    },
}

/// The expected value of a path or a header.
#[derive(Debug)]
pub enum Pattern<'a> {
    /// This value.
    Exact(&'a str),
    /// A value with this prefix.
    Prefix(&'a str),
    /// A path that matches this template.
    Template(String),
    /// Any value if true, and no value if false.
    Present(bool),
}

/// Whether all conditions hold. Unknown ones count as holding, as in [`When::holds`].
pub(super) fn all_hold(conditions: &[Condition<'_>]) -> bool {
    let fails = |condition: &Condition<'_>| condition.holds == Some(false);
    !conditions.iter().any(fails)
}

/// Evaluates every part of a rollout's `match`.
pub(super) fn evaluate_match<'a>(
    matches: &'a RequestMatch,
    request: &'a Request<'a>,
) -> Vec<Condition<'a>> {
    // Destructured so that a new field cannot be forgotten here.
    let RequestMatch {
        hosts,
        path,
        methods,
        headers,
    } = matches;
    let mut conditions = Vec::new();
    if !hosts.is_empty() {
        conditions.push(Condition {
            part: Part::Host {
                wanted: hosts,
                found: request.host,
            },
            holds: Some(matches.host_holds(request.host)),
        });
    }
    if let Some(path) = path {
        conditions.push(Condition {
            part: Part::Path {
                wanted: path_pattern(path),
                found: request.path,
            },
            holds: Some(matches.path_holds(request.path)),
        });
    }
    if !methods.is_empty() {
        conditions.push(Condition {
            part: Part::Method {
                wanted: methods,
                found: request.method,
            },
            holds: Some(matches.method_holds(request.method)),
        });
    }
    let headers = headers.iter();
    conditions.extend(headers.map(|header| evaluate_header(header, request.headers)));
    conditions
}

/// Evaluates every part of a rule's `when`.
pub(super) fn evaluate_when<'a>(
    when: &'a When,
    plan: &'a Plan,
    segments: &SegmentSet,
    request: &'a Request<'a>,
) -> Vec<Condition<'a>> {
    let When {
        within,
        outside,
        headers,
        regions,
        region,
    } = when;
    let wanted_and_found = |wanted: &SegmentSet| {
        let wanted = segment_names(plan, |segment| wanted.contains(segment));
        let is_in = segment_names(plan, |segment| segments.contains(segment));
        let found = wanted.iter().copied().filter(|name| is_in.contains(name));
        let found: Vec<&'a str> = found.collect();
        (wanted, found)
    };
    let mut conditions = Vec::new();
    if !regions.is_empty() {
        conditions.push(Condition {
            part: Part::Regions { wanted: regions },
            holds: match region {
                RegionMatch::Here => Some(true),
                RegionMatch::Elsewhere => Some(false),
                RegionMatch::Unknown => None,
            },
        });
    }
    if let Some(within) = within {
        let (wanted, found) = wanted_and_found(within);
        conditions.push(Condition {
            part: Part::In { wanted, found },
            holds: Some(when.within_holds(segments)),
        });
    }
    let (wanted, found) = wanted_and_found(outside);
    if !wanted.is_empty() {
        conditions.push(Condition {
            part: Part::NotIn { wanted, found },
            holds: Some(when.outside_holds(segments)),
        });
    }
    let headers = headers.iter();
    conditions.extend(headers.map(|header| evaluate_header(header, request.headers)));
    conditions
}

/// Returns the names of the segments for which `includes` is true, in the order of the policy.
pub(super) fn segment_names(plan: &Plan, includes: impl Fn(usize) -> bool) -> Vec<&str> {
    let names = plan.segment_names.iter().enumerate();
    names
        .filter(|(segment, _)| includes(*segment))
        .map(|(_, name)| name.as_str())
        .collect()
}

fn evaluate_header<'a>(header: &'a HeaderMatch, headers: Headers<'a>) -> Condition<'a> {
    let HeaderMatch { name, test } = header;
    Condition {
        part: Part::Header {
            name,
            wanted: match test {
                HeaderTest::Exact(exact) => Pattern::Exact(exact),
                HeaderTest::Prefix(prefix) => Pattern::Prefix(prefix),
                HeaderTest::Present(present) => Pattern::Present(*present),
            },
            found: headers.values(name).collect(),
        },
        holds: Some(header.holds(headers)),
    }
}

impl Pattern<'_> {
    /// Returns a value that matches; `None` if only an absent value does.
    #[must_use]
    pub fn example(&self) -> Option<&str> {
        match self {
            Self::Exact(text) | Self::Prefix(text) => Some(text),
            // `*` is itself a valid segment.
            Self::Template(template) => Some(match template.strip_suffix("/**") {
                Some("") => "/",
                Some(path) => path,
                None => template,
            }),
            Self::Present(true) => Some("1"),
            Self::Present(false) => None,
        }
    }
}

fn path_pattern(path: &PathMatch) -> Pattern<'_> {
    match path {
        PathMatch::Exact(exact) => Pattern::Exact(exact),
        PathMatch::Prefix(prefix) => Pattern::Prefix(prefix),
        PathMatch::Template(template) => Pattern::Template(template.to_string()),
    }
}
