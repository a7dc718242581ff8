//! The compiled `shadow` of a rollout: which requests are shadowed, and how.

mod rewrite;

use turnout_diff::Pattern;

use crate::bucketing::Fraction;
use crate::decision::Treatment;
use crate::plan::path_match::PathTemplate;
use crate::plan::request_match::When;

pub use rewrite::Rewrite;

/// Which requests are shadowed, how they are sent, and how the responses are compared.
#[derive(Debug)]
pub struct ShadowPlan {
    /// The clusters for shadow requests to v1 (the second one, for noise) and to v2; `None` for the rollout's
    /// own cluster.
    pub(crate) clusters: [Option<String>; 2],
    /// The condition for sampling a request.
    pub(crate) when: When,
    /// The percentage of accounts that is sampled.
    pub(crate) accounts: Fraction,
    /// The percentage of requests of these accounts that is sampled.
    pub(crate) requests: Fraction,
    pub(crate) methods: Vec<String>,
    /// The name in lower case.
    pub(crate) idempotency_header: Option<String>,
    /// Names in lower case.
    pub(crate) strip_headers: Vec<String>,
    /// The changes that the route makes after the filter, which shadow requests need too.
    pub rewrite: Rewrite,
    /// The maximum length of the request body and of each response body.
    pub max_body_bytes: usize,
    /// The maximum number of sampled requests without an outcome in one worker.
    pub max_in_flight: usize,
    /// The timeout for v2, in milliseconds.
    pub timeout_ms: u32,
    /// How long shadowing pauses after repeated failures of v2, in milliseconds; 0 disables back-off.
    pub back_off_ms: u32,
    /// When the shadow request is sent.
    pub send: SendTiming,
    pub(crate) routes: Vec<ShadowRoute>,
    /// The options of the comparison.
    pub compare: turnout_diff::Options,
    /// The percentage of sampled requests that is also sent to v1 a second time, to learn noise.
    pub(crate) noise: Fraction,
    pub(crate) recheck: bool,
    /// The places in a body whose values records may contain.
    pub(crate) reveal: Vec<Pattern>,
    /// The interval between summaries, in seconds.
    pub summary_seconds: u32,
}

/// The bytes that a callback may need independent of bodies: for headers, findings, records and summaries.
const COMPARISON_BASE_BYTES: usize = 6 << 20;
/// The bytes needed for each byte of a body, which may be decoded and reallocated as it grows.
const COMPARISON_BYTES_PER_BODY_BYTE: usize = 4;
/// The bytes needed for each byte of a body that is full of values. A value has at least two bytes of text, and
/// needs a node on the tape with room to grow, and hashes for both sides.
const COMPARISON_BYTES_PER_VALUE: usize = 24 * size_of::<usize>();

/// When a shadow request is sent to v2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendTiming {
    /// After the response of v1, so that it costs v2 nothing if that response cannot be compared.
    AfterAnswer,
    /// As soon as the request has been read.
    WithRequest,
}

/// A group of requests in summaries. Its name is its template: text from the policy, never from a client.
#[derive(Debug)]
pub(crate) struct ShadowRoute {
    pub(crate) name: String,
    pub(crate) template: PathTemplate,
}

impl ShadowPlan {
    /// Returns the separate cluster for shadow requests to v1 or v2, if one is set. It has its own circuit
    /// breakers, so that shadow requests do not count against those of users.
    #[must_use]
    pub fn cluster(&self, treatment: Treatment) -> Option<&str> {
        let [v1, v2] = &self.clusters;
        match treatment {
            Treatment::V1 => v1.as_deref(),
            Treatment::V2 => v2.as_deref(),
        }
    }

    /// Estimates the bytes that one callback may need temporarily: for headers, for a decoded response, and to
    /// compare two responses with any content.
    #[must_use]
    pub fn working_bytes(&self) -> usize {
        let values = self.compare.limits.values;
        let bytes = self.max_body_bytes;
        COMPARISON_BASE_BYTES
            .saturating_add(bytes.saturating_mul(COMPARISON_BYTES_PER_BODY_BYTE))
            .saturating_add(
                bytes
                    .min(values.saturating_mul(2))
                    .saturating_mul(COMPARISON_BYTES_PER_VALUE),
            )
    }

    /// The names of the routes, in the order of the policy.
    pub fn routes(&self) -> impl Iterator<Item = &str> {
        self.routes.iter().map(|route| route.name.as_str())
    }

    /// Whether the comparison reads response headers with this name.
    #[must_use]
    pub fn compares_header(&self, name: &[u8]) -> bool {
        let headers = &self.compare.headers;
        name == b"content-encoding" || headers.iter().any(|known| known.as_bytes() == name)
    }

    /// Whether records may contain the values at a JSON pointer of the body.
    pub(crate) fn reveals(&self, pointer: &str) -> bool {
        self.reveal
            .iter()
            .any(|pattern| is_match(pattern.as_str(), pointer))
    }
}

/// Whether a pattern matches a JSON pointer. Both use the same escapes.
fn is_match(pattern: &str, pointer: &str) -> bool {
    let mut steps = pointer.split('/');
    pattern.split('/').all(|wanted| {
        steps
            .next()
            .is_some_and(|step| wanted == "*" || wanted == step)
    }) && steps.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_whole_pointers() {
        for (pattern, pointer) in [("", ""), ("/a", "/a"), ("/a/*", "/a/0"), ("/*/b", "/a/b")] {
            assert!(is_match(pattern, pointer), "{pattern} {pointer}");
        }
        for (pattern, pointer) in [("", "/a"), ("/a", ""), ("/a", "/a/b"), ("/a/*", "/a")] {
            assert!(!is_match(pattern, pointer), "{pattern} {pointer}");
        }
    }
}
