//! A rollout's `shadow`, compiled: which requests are copied, and how.

mod rewrite;

use turnout_diff::Pattern;

use crate::bucketing::Fraction;
use crate::decision::Treatment;
use crate::plan::path_match::PathTemplate;
use crate::plan::request_match::When;

pub use rewrite::Rewrite;

/// Which requests are copied, how, and what is made of the answers.
#[derive(Debug)]
pub struct ShadowPlan {
    /// Where v1 is asked again, and where copies go; the rollout's own clusters unless given.
    pub(crate) clusters: [Option<String>; 2],
    pub(crate) when: When,
    pub(crate) accounts: Fraction,
    pub(crate) requests: Fraction,
    pub(crate) methods: Vec<String>,
    /// Lower case.
    pub(crate) idempotency_header: Option<String>,
    /// Lower case.
    pub(crate) strip_headers: Vec<String>,
    /// What the route changes in a request after the filter, and shadow requests go out with.
    pub rewrite: Rewrite,
    /// Of the request and of each answer.
    pub max_body_bytes: usize,
    /// Sampled requests without an outcome that one worker may hold.
    pub max_in_flight: usize,
    /// How long v2 has to answer, in milliseconds.
    pub timeout_ms: u32,
    /// How long nothing is copied once v2 has failed again and again, in milliseconds; 0 for never.
    pub back_off_ms: u32,
    /// When the copy leaves.
    pub send: SendTiming,
    pub(crate) routes: Vec<ShadowRoute>,
    /// What counts as a difference.
    pub compare: turnout_diff::Options,
    pub(crate) noise: Fraction,
    pub(crate) recheck: bool,
    pub(crate) reveal: Vec<Pattern>,
    /// Seconds from one summary to the next.
    pub summary_seconds: u32,
}

/// What a callback may need whatever the bodies are: maps of headers, findings, records and summaries.
const COMPARISON_BASE_BYTES: usize = 6 << 20;
/// For each byte that a body may have: it may be decoded, and moved as it grows.
const COMPARISON_BYTES_PER_BODY_BYTE: usize = 4;
/// For each byte of a body that is full of values: each takes two bytes at least, and a node on the tape, the
/// room for it to grow, and hashes on both sides.
const COMPARISON_BYTES_PER_VALUE: usize = 24 * size_of::<usize>();

/// When a copy leaves for v2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendTiming {
    /// Once v1 has answered: an answer that is not compared costs v2 nothing.
    AfterAnswer,
    /// Once the request has been read.
    WithRequest,
}

/// A route's name is its template: text of the policy, never of a client.
#[derive(Debug)]
pub(crate) struct ShadowRoute {
    pub(crate) name: String,
    pub(crate) template: PathTemplate,
}

impl ShadowPlan {
    /// The cluster of its own that a version has for copies, if any. Such a one has its own circuit
    /// breakers, so that copies take nothing from users.
    #[must_use]
    pub fn cluster(&self, version: Treatment) -> Option<&str> {
        let [v1, v2] = &self.clusters;
        match version {
            Treatment::V1 => v1.as_deref(),
            Treatment::V2 => v2.as_deref(),
        }
    }

    /// The bytes that one callback may need for a moment: for headers, for an answer that is decoded, and to
    /// compare two answers, whatever is in them.
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

    /// Whether a comparison looks at an answer's headers of this name.
    #[must_use]
    pub fn compares_header(&self, name: &[u8]) -> bool {
        let headers = &self.compare.headers;
        name == b"content-encoding" || headers.iter().any(|known| known.as_bytes() == name)
    }

    /// Whether values at a place of the body may be written as they are.
    pub(crate) fn reveals(&self, pointer: &str) -> bool {
        self.reveal
            .iter()
            .any(|pattern| names(pattern.as_str(), pointer))
    }
}

/// Whether a pattern names a place; both are written with the same escapes.
fn names(pattern: &str, pointer: &str) -> bool {
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
    fn a_pattern_names_whole_places() {
        for (pattern, pointer) in [("", ""), ("/a", "/a"), ("/a/*", "/a/0"), ("/*/b", "/a/b")] {
            assert!(names(pattern, pointer), "{pattern} {pointer}");
        }
        for (pattern, pointer) in [("", "/a"), ("/a", ""), ("/a", "/a/b"), ("/a/*", "/a")] {
            assert!(!names(pattern, pointer), "{pattern} {pointer}");
        }
    }
}
