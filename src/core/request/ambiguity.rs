//! Ambiguous requests: a server may assign them to another rollout than the proxy does.
//!
//! Such a request belongs to no rollout and gets v1, because another rollout could send it to v2.

use crate::plan::{Plan, Rollout};
use crate::request::Request;
use crate::request::path_spelling::{LenientPath, is_plain};
use crate::request::swar;

/// The part of a request that servers may read in different ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ambiguity {
    /// The host is neither a name nor an address.
    Host,
    /// The method is not in upper case, and some rollout matches methods.
    Method,
    /// A lenient server reads the path as one of another rollout, or the path contains `.` or `..` segments.
    Path,
}

impl Ambiguity {
    /// The ambiguous part, in one word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Method => "method",
            Self::Path => "path",
        }
    }
}

impl Plan {
    /// Returns why a server may assign a request to another rollout than `found`, the first that matches.
    #[inline]
    pub(crate) fn ambiguity(&self, found: &Rollout, request: &Request<'_>) -> Option<Ambiguity> {
        // A host or method that equals one in the policy is well-formed, so only rollouts that match all
        // hosts or all methods need a check.
        if found.matches.hosts.is_empty() && !is_host(request.host) {
            return Some(Ambiguity::Host);
        }
        if found.matches.methods.is_empty()
            && !is_method(request.method)
            && self.distinguishes_methods()
        {
            return Some(Ambiguity::Method);
        }
        let is_ambiguous = !is_plain(request.path) && self.is_path_ambiguous(found, request);
        is_ambiguous.then_some(Ambiguity::Path)
    }

    fn distinguishes_methods(&self) -> bool {
        let mut rollouts = self.rollouts.iter();
        rollouts.any(|rollout| !rollout.matches.methods.is_empty())
    }

    #[inline(never)]
    fn is_path_ambiguous(&self, found: &Rollout, request: &Request<'_>) -> bool {
        let Some(lenient) = LenientPath::normalize(request.path) else {
            let mut rollouts = self.rollouts.iter();
            return rollouts.any(|rollout| rollout.matches.path.is_some());
        };
        let read = Request {
            path: lenient.as_slice(),
            ..*request
        };
        match self.first_match(&read) {
            // A later rollout that matches every path matches this request whatever its path is.
            Some(other) if other.index > found.index => other.matches.path.is_some(),
            Some(other) => other.index != found.index,
            None => false,
        }
    }
}

/// Whether a host without port and final dot can be a name or an address. An empty one can, because a
/// request need not have a host.
pub(crate) fn is_host(host: &[u8]) -> bool {
    if let [b'[', address @ .., b']'] = host {
        let is_allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b":.%-_~".contains(byte);
        return !address.is_empty() && address.iter().all(is_allowed);
    }
    host.is_empty() || swar::is_dotted_name(host)
}

/// Whether the bytes can be a method in upper case. An empty method is allowed, because replayed logs may
/// not have one.
fn is_method(method: &[u8]) -> bool {
    let is_allowed = |byte: &u8| matches!(byte, b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_');
    method.iter().all(is_allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_has_labels_or_is_an_address_in_brackets() {
        for host in [
            "",
            "a",
            "localhost",
            "api.example.com",
            "API.Example.COM",
            "a_b.c-d",
            "-",
            "10.0.0.1",
            "xn--bcher-kva.example",
            "[::1]",
            "[fe80::1%25eth0]",
            "[v1.a]",
        ] {
            assert!(is_host(host.as_bytes()), "{host:?}");
        }
        for host in [
            ".",
            "..",
            "a..b",
            ".a",
            "a.",
            "user@a",
            "user:secret@a",
            ":8080",
            "a:b",
            "a:80:80",
            "a,b",
            "a, b",
            "a b",
            "a\t",
            "a\0",
            "a/b",
            "a?b",
            "a#b",
            "a\\b",
            "a%2eb",
            "*",
            "*.a",
            "b\u{fc}cher.de",
            "[",
            "[]",
            "[::1",
            "::1",
            "[::1]a",
            "a[::1]",
            "[::1][::1]",
            "[a@b]",
            "[::1]:",
            "a;b",
            "a=b",
            "a!",
        ] {
            assert!(!is_host(host.as_bytes()), "{host:?}");
        }
    }
}
