//! The conditions of a policy: a rollout's `match` and a rule's `when`.

use crate::plan::path_match::PathMatch;
use crate::plan::segment_lookup::SegmentSet;
use crate::request::Request;
use crate::request::headers::Headers;

/// A rollout's `match`. Every part that is set must hold; without any part, all requests match.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct RequestMatch {
    /// The host is one of these, in lower case; empty for any host.
    pub(crate) hosts: Vec<String>,
    pub(crate) path: Option<PathMatch>,
    /// The method is one of these; empty for any method.
    pub(crate) methods: Vec<String>,
    pub(crate) headers: Vec<HeaderMatch>,
}

impl RequestMatch {
    /// Whether every part holds for a request.
    pub(crate) fn holds(&self, request: &Request<'_>) -> bool {
        self.host_holds(request.host) && self.holds_without_host(request)
    }

    /// Whether every part but the host holds.
    #[inline]
    pub(crate) fn holds_without_host(&self, request: &Request<'_>) -> bool {
        self.path_holds(request.path)
            && self.method_holds(request.method)
            && self
                .headers
                .iter()
                .all(|header| header.holds(request.headers))
    }

    pub(crate) fn host_holds(&self, host: &[u8]) -> bool {
        // The exact comparison comes first, because most clients send hosts in lower case.
        let is_host = |wanted: &String| {
            let wanted = wanted.as_bytes();
            host == wanted || host.eq_ignore_ascii_case(wanted)
        };
        self.hosts.is_empty() || self.hosts.iter().any(is_host)
    }

    pub(crate) fn path_holds(&self, path: &[u8]) -> bool {
        self.path.as_ref().is_none_or(|wanted| wanted.holds(path))
    }

    pub(crate) fn method_holds(&self, method: &[u8]) -> bool {
        let is_method = |wanted: &String| method == wanted.as_bytes();
        self.methods.is_empty() || self.methods.iter().any(is_method)
    }
}

/// A condition on a header. If the header occurs more than once, one value must pass the test.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct HeaderMatch {
    /// The name of the header, in lower case.
    pub(crate) name: String,
    pub(crate) test: HeaderTest,
}

/// The test of a header's value.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum HeaderTest {
    Exact(String),
    Prefix(String),
    Present(bool),
}

impl HeaderMatch {
    pub(crate) fn holds(&self, headers: Headers<'_>) -> bool {
        let mut values = headers.values(&self.name);
        match &self.test {
            HeaderTest::Exact(exact) => values.any(|value| value == exact.as_bytes()),
            HeaderTest::Prefix(prefix) => values.any(|value| value.starts_with(prefix.as_bytes())),
            HeaderTest::Present(present) => values.next().is_some() == *present,
        }
    }
}

/// Whether the region of this proxy is one of those that a condition names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum RegionMatch {
    /// The region is one of those, or the condition names none.
    #[default]
    Here,
    Elsewhere,
    /// The condition names regions, and the region of the proxy is not set.
    Unknown,
}

/// A rule's `when`. Every part that is set must hold.
#[derive(Debug, Default)]
pub(crate) struct When {
    /// The account is in at least one of these.
    pub(crate) within: Option<SegmentSet>,
    /// The account is in none of these.
    pub(crate) outside: SegmentSet,
    pub(crate) headers: Vec<HeaderMatch>,
    /// The proxy is in one of these; empty for any region.
    pub(crate) regions: Vec<String>,
    /// The result for `regions`, once the region of the proxy is set.
    pub(crate) region: RegionMatch,
}

impl When {
    /// Whether every part holds. An unknown region counts as holding, and the caller must check it.
    pub(crate) fn holds(&self, segments: &SegmentSet, headers: Headers<'_>) -> bool {
        self.region != RegionMatch::Elsewhere
            && self.within_holds(segments)
            && self.outside_holds(segments)
            && self.headers.iter().all(|header| header.holds(headers))
    }

    pub(crate) fn within_holds(&self, segments: &SegmentSet) -> bool {
        self.within
            .as_ref()
            .is_none_or(|within| within.intersects(segments))
    }

    pub(crate) fn outside_holds(&self, segments: &SegmentSet) -> bool {
        !self.outside.intersects(segments)
    }

    /// Sets the region of the proxy; `None` if it is unknown.
    pub(crate) fn set_region(&mut self, region: Option<&str>) {
        self.region = match region {
            _ if self.regions.is_empty() => RegionMatch::Here,
            None => RegionMatch::Unknown,
            Some(region) if self.regions.iter().any(|known| known == region) => RegionMatch::Here,
            Some(_) => RegionMatch::Elsewhere,
        };
    }
}
