//! Which requests a rollout, or one of its rules, is about.

use crate::headers::Headers;
use crate::path::PathMatch;
use crate::request::Request;
use crate::segments::SegmentSet;

/// A rollout's `match`: every part that is given has to hold. By default none is, and all requests
/// match.
#[derive(Debug, Default)]
pub(crate) struct RequestMatch {
    /// Lower case, one of them; empty where the policy does not say.
    pub(crate) hosts: Vec<String>,
    pub(crate) path: Option<PathMatch>,
    /// One of them; empty where the policy does not say.
    pub(crate) methods: Vec<String>,
    pub(crate) headers: Vec<HeaderMatch>,
}

impl RequestMatch {
    pub(crate) fn holds(&self, request: &Request<'_>) -> bool {
        self.host_holds(request.host)
            && self
                .path
                .as_ref()
                .is_none_or(|path| path.holds(request.path))
            && self.method_holds(request.method)
            && self
                .headers
                .iter()
                .all(|header| header.holds(request.headers))
    }

    fn host_holds(&self, host: &[u8]) -> bool {
        let is_host = |wanted: &String| host.eq_ignore_ascii_case(wanted.as_bytes());
        self.hosts.is_empty() || self.hosts.iter().any(is_host)
    }

    fn method_holds(&self, method: &[u8]) -> bool {
        let is_method = |wanted: &String| method == wanted.as_bytes();
        self.methods.is_empty() || self.methods.iter().any(is_method)
    }
}

/// What a header has to be. One that is sent more than once holds when one of its values does.
#[derive(Debug)]
pub(crate) struct HeaderMatch {
    /// Lower case.
    pub(crate) name: String,
    pub(crate) test: HeaderTest,
}

#[derive(Debug)]
pub(crate) enum HeaderTest {
    Exact(String),
    Prefix(String),
    Present(bool),
}

impl HeaderMatch {
    fn holds(&self, headers: Headers<'_>) -> bool {
        let mut values = headers.values(&self.name);
        match &self.test {
            HeaderTest::Exact(exact) => values.any(|value| value == exact.as_bytes()),
            HeaderTest::Prefix(prefix) => values.any(|value| value.starts_with(prefix.as_bytes())),
            HeaderTest::Present(present) => values.next().is_some() == *present,
        }
    }
}

/// A rule's `when`: every part that is given has to hold.
#[derive(Debug, Default)]
pub(crate) struct When {
    /// The account is in at least one of these.
    pub(crate) within: Option<SegmentSet>,
    /// The account is in none of these.
    pub(crate) outside: SegmentSet,
    pub(crate) headers: Vec<HeaderMatch>,
}

impl When {
    pub(crate) fn holds(&self, segments: &SegmentSet, headers: Headers<'_>) -> bool {
        self.within
            .as_ref()
            .is_none_or(|within| within.intersects(segments))
            && !self.outside.intersects(segments)
            && self.headers.iter().all(|header| header.holds(headers))
    }
}
