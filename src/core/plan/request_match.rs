//! Which requests a rollout, or one of its rules, is about.

use crate::plan::path_match::PathMatch;
use crate::plan::segments::SegmentSet;
use crate::request::Request;
use crate::request::headers::Headers;

/// A rollout's `match`: every part that is given has to hold. By default none is, and all requests
/// match.
#[derive(Debug, Default, PartialEq, Eq)]
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
        self.host_holds(request.host) && self.holds_on_its_hosts(request)
    }

    /// Whether all but the host holds.
    #[inline]
    pub(crate) fn holds_on_its_hosts(&self, request: &Request<'_>) -> bool {
        self.path_holds(request.path)
            && self.method_holds(request.method)
            && self
                .headers
                .iter()
                .all(|header| header.holds(request.headers))
    }

    pub(crate) fn host_holds(&self, host: &[u8]) -> bool {
        // Most clients send hosts in lower case.
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

/// What a header has to be. One that is sent more than once holds when one of its values does.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct HeaderMatch {
    /// Lower case.
    pub(crate) name: String,
    pub(crate) test: HeaderTest,
}

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

/// Whether this proxy is in one of the regions that a rule names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum RegionMatch {
    /// It is, or the rule names none.
    #[default]
    Here,
    Elsewhere,
    /// The rule names regions, and the proxy does not say where it is.
    Unknown,
}

/// A rule's `when`: every part that is given has to hold.
#[derive(Debug, Default)]
pub(crate) struct When {
    /// The account is in at least one of these.
    pub(crate) within: Option<SegmentSet>,
    /// The account is in none of these.
    pub(crate) outside: SegmentSet,
    pub(crate) headers: Vec<HeaderMatch>,
    /// The proxy is in one of these; empty where the policy does not say.
    pub(crate) regions: Vec<String>,
    /// What `regions` comes to, once it is known where the proxy is.
    pub(crate) region: RegionMatch,
}

impl When {
    /// Whether all that is known holds. Where the place is unknown, it is not known whether all does.
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

    /// `None` where the proxy does not say in which region it is.
    pub(crate) fn set_region(&mut self, region: Option<&str>) {
        self.region = match region {
            _ if self.regions.is_empty() => RegionMatch::Here,
            None => RegionMatch::Unknown,
            Some(region) if self.regions.iter().any(|known| known == region) => RegionMatch::Here,
            Some(_) => RegionMatch::Elsewhere,
        };
    }
}
