//! A request: the parts of it that a decision depends on.

pub(crate) mod account_id;
pub(crate) mod account_sources;
pub(crate) mod ambiguity;
pub(crate) mod basic_auth;
pub(crate) mod headers;
pub(crate) mod path_spelling;
pub(crate) mod swar;

use crate::decision::Treatment;
use crate::policy::time::Time;
use crate::proxy::decision_header::{self, Inbound};
use crate::request::account_id::Account;
use crate::request::headers::Headers;

/// The input of [`decide`](crate::decide()), created by [`Plan::request`](crate::Plan::request). It
/// borrows from the headers and copies nothing.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    pub(crate) headers: Headers<'a>,
    pub(crate) method: &'a [u8],
    /// Without port and final dot, in the case in which it was sent.
    pub(crate) host: &'a [u8],
    /// Without query and fragment.
    pub(crate) path: &'a [u8],
    /// The `x-request-id`.
    pub(crate) id: Option<&'a [u8]>,
    /// Whether the decisions of earlier hops are trusted.
    pub(crate) inbound: Inbound,
    /// The time of the decision, which selects the step of a ramp.
    pub(crate) at: Time,
    /// The account that the request is for.
    pub account: Account<'a>,
}

impl<'a> Request<'a> {
    /// Reads everything but the account. A missing pseudo-header counts as empty.
    pub(crate) fn new(headers: Headers<'a>, inbound: Inbound, at: Time) -> Self {
        let mut request = Self {
            headers,
            method: b"",
            host: b"",
            path: b"",
            id: None,
            inbound,
            at,
            account: Account::Absent,
        };
        // Lengths are compared first, because most headers are none of these.
        for (name, value) in headers.iter() {
            match name.len() {
                5 if name == b":path" => request.path = path_of(value),
                7 if name == b":method" => request.method = value,
                10 if name == b":authority" => request.host = host_of(value),
                12 if name == b"x-request-id" => request.id = Some(value),
                _ => {}
            }
        }
        request
    }

    /// The `x-request-id`.
    #[must_use]
    pub fn id(&self) -> Option<&'a [u8]> {
        self.id
    }

    /// Whether it is a gRPC request, by its content type.
    #[must_use]
    pub fn is_grpc(&self) -> bool {
        let mut types = self.headers.values("content-type");
        types.any(|value| value.starts_with(b"application/grpc"))
    }

    /// The method, in the case in which it was sent.
    #[must_use]
    pub fn method(&self) -> &'a [u8] {
        self.method
    }

    /// The host, without port and final dot.
    #[must_use]
    pub fn host(&self) -> &'a [u8] {
        self.host
    }

    /// The path, without query and fragment.
    #[must_use]
    pub fn path(&self) -> &'a [u8] {
        self.path
    }

    /// Returns the treatment that a trusted earlier hop decided for a rollout.
    pub(crate) fn decided_upstream(&self, rollout: &str) -> Option<Treatment> {
        match self.inbound {
            Inbound::Strip => None,
            Inbound::Trust => decision_header::find_decision(self.headers, rollout),
        }
    }

    /// Returns the headers if earlier hops are trusted, and no headers otherwise.
    pub(crate) fn trusted_headers(&self) -> Headers<'a> {
        match self.inbound {
            Inbound::Strip => Headers::new(&[]),
            Inbound::Trust => self.headers,
        }
    }
}

/// Cuts query and fragment off a request target.
fn path_of(target: &[u8]) -> &[u8] {
    let end = memchr::memchr2(b'?', b'#', target);
    end.and_then(|end| target.get(..end)).unwrap_or(target)
}

/// Cuts port and final dot off an authority: `example.com.:8080` becomes `example.com`, and
/// `[::1]:8080` becomes `[::1]`.
fn host_of(authority: &[u8]) -> &[u8] {
    let mut before_port = authority;
    while let [before @ .., b'0'..=b'9'] = before_port {
        before_port = before;
    }
    let host = before_port.strip_suffix(b":").unwrap_or(authority);
    match host.strip_suffix(b".").unwrap_or(host) {
        // An authority that is only a port or a dot is kept as it is, so that it matches no host.
        b"" => authority,
        host => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_has_no_port_and_no_final_dot() {
        for (authority, host) in [
            ("example.com", "example.com"),
            ("example.com:8080", "example.com"),
            ("example.com.:8080", "example.com"),
            ("[::1]:8080", "[::1]"),
            ("[::1]", "[::1]"),
            ("", ""),
            (":", ":"),
            (":8080", ":8080"),
            (".", "."),
            ("a..", "a."),
            ("user@a:80", "user@a"),
        ] {
            assert_eq!(
                host_of(authority.as_bytes()),
                host.as_bytes(),
                "{authority}"
            );
        }
    }

    #[test]
    fn a_path_ends_before_its_query() {
        for (target, path) in [("/a?b=/c", "/a"), ("/a#b", "/a"), ("/a", "/a"), ("", "")] {
            assert_eq!(path_of(target.as_bytes()), path.as_bytes(), "{target}");
        }
    }
}
