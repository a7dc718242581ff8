//! The parts of a `match` or a `when`: what is wanted, what was found, and whether it holds.

use crate::plan::Plan;
use crate::plan::path_match::PathMatch;
use crate::plan::request_match::{HeaderMatch, HeaderTest, RegionMatch, RequestMatch, When};
use crate::plan::segments::SegmentSet;
use crate::request::Request;
use crate::request::headers::Headers;

/// A part of a `match` or a `when`.
#[derive(Debug)]
pub struct Condition<'a> {
    /// Which, with what is wanted and what was found.
    pub part: Part<'a>,
    /// Whether it holds; `None` where that cannot be known.
    pub holds: Option<bool>,
}

/// What a part wants, and what the request has.
#[derive(Debug)]
pub enum Part<'a> {
    /// One of these hosts.
    Host {
        /// Lower case.
        wanted: &'a [String],
        /// Without port and final dot; empty where the request names none.
        found: &'a [u8],
    },
    /// A path like this.
    Path {
        /// As the policy says.
        wanted: Pattern<'a>,
        /// Without its query.
        found: &'a [u8],
    },
    /// One of these methods.
    Method {
        /// Upper case.
        wanted: &'a [String],
        /// As sent.
        found: &'a [u8],
    },
    /// A header like this.
    Header {
        /// Lower case.
        name: &'a str,
        /// What one of its values has to be.
        wanted: Pattern<'a>,
        /// Each of its values; empty where it is not there.
        found: Vec<&'a [u8]>,
    },
    /// The account is in at least one of these segments.
    In {
        /// By their names.
        wanted: Vec<&'a str>,
        /// Those of `wanted` that the account is in.
        found: Vec<&'a str>,
    },
    /// The account is in none of these segments.
    NotIn {
        /// By their names.
        wanted: Vec<&'a str>,
        /// Those of `wanted` that the account is in.
        found: Vec<&'a str>,
    },
    /// The proxy is in one of these regions.
    Regions {
        /// As in the proxy's locality.
        wanted: &'a [String],
    },
}

/// What a path or a header has to be.
#[derive(Debug)]
pub enum Pattern<'a> {
    /// This.
    Exact(&'a str),
    /// Something that begins so.
    Prefix(&'a str),
    /// A path of this shape.
    Template(String),
    /// Something, or nothing.
    Present(bool),
}

/// Whether all that is known holds, as [`When::holds`].
pub(super) fn hold(conditions: &[Condition<'_>]) -> bool {
    let fails = |condition: &Condition<'_>| condition.holds == Some(false);
    !conditions.iter().any(fails)
}

pub(super) fn of_match<'a>(
    matches: &'a RequestMatch,
    request: &'a Request<'a>,
) -> Vec<Condition<'a>> {
    // Taken apart so that a new part cannot be forgotten here.
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
                wanted: of_path(path),
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
    conditions.extend(headers.map(|header| of_header(header, request.headers)));
    conditions
}

pub(super) fn of_when<'a>(
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
        region: place,
    } = when;
    let both = |wanted: &SegmentSet| {
        let wanted = names(plan, |segment| wanted.contains(segment));
        let is_in = names(plan, |segment| segments.contains(segment));
        let found = wanted.iter().copied().filter(|name| is_in.contains(name));
        let found: Vec<&'a str> = found.collect();
        (wanted, found)
    };
    let mut conditions = Vec::new();
    if !regions.is_empty() {
        conditions.push(Condition {
            part: Part::Regions { wanted: regions },
            holds: match place {
                RegionMatch::Here => Some(true),
                RegionMatch::Elsewhere => Some(false),
                RegionMatch::Unknown => None,
            },
        });
    }
    if let Some(within) = within {
        let (wanted, found) = both(within);
        conditions.push(Condition {
            part: Part::In { wanted, found },
            holds: Some(when.within_holds(segments)),
        });
    }
    let (wanted, found) = both(outside);
    if !wanted.is_empty() {
        conditions.push(Condition {
            part: Part::NotIn { wanted, found },
            holds: Some(when.outside_holds(segments)),
        });
    }
    let headers = headers.iter();
    conditions.extend(headers.map(|header| of_header(header, request.headers)));
    conditions
}

/// The names of some segments, in the order of the policy.
pub(super) fn names(plan: &Plan, is_one: impl Fn(usize) -> bool) -> Vec<&str> {
    let names = plan.segment_names.iter().enumerate();
    names
        .filter(|(segment, _)| is_one(*segment))
        .map(|(_, name)| name.as_str())
        .collect()
}

fn of_header<'a>(header: &'a HeaderMatch, headers: Headers<'a>) -> Condition<'a> {
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
    /// Something that it takes; `None` where that is nothing.
    #[must_use]
    pub fn example(&self) -> Option<&str> {
        match self {
            Self::Exact(text) | Self::Prefix(text) => Some(text),
            // A star is itself a segment of some text.
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

pub(super) fn of_path(path: &PathMatch) -> Pattern<'_> {
    match path {
        PathMatch::Exact(exact) => Pattern::Exact(exact),
        PathMatch::Prefix(prefix) => Pattern::Prefix(prefix),
        PathMatch::Template(template) => Pattern::Template(template.to_string()),
    }
}
