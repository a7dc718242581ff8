//! What of a request goes along with its copy.

use crate::proxy::wire_names::is_turnout_header;
use crate::request::headers::Headers;

use super::ShadowPlan;

/// Headers that are about one connection, or about the body's way over it, and not about the
/// request. A copy with `content-length` and no body would hang until its time is up; where there is
/// a body, the proxy writes the length itself. `expect` would ask for an answer before the body.
const HOP_BY_HOP: &[&[u8]] = &[
    b"connection",
    b"content-length",
    b"expect",
    b"http2-settings",
    b"keep-alive",
    b"proxy-authenticate",
    b"proxy-authorization",
    b"proxy-connection",
    b"te",
    b"trailer",
    b"transfer-encoding",
    b"upgrade",
];

/// Headers by which a client could have the proxy retry a copy, or wait longer for it.
const PROXY_CONTROL: &[&[u8]] = &[
    b"x-envoy-attempt",
    b"x-envoy-expected",
    b"x-envoy-hedge",
    b"x-envoy-max-retries",
    b"x-envoy-retr",
    b"x-envoy-upstream",
];

/// The headers of a request that its copy carries, in their order: all but those about the
/// connection, those that the policy strips, and Turnout's own, which the copy has of its own.
///
/// `accept-encoding` is replaced too: an answer that is compressed could not be compared.
pub fn carry<'a>(
    headers: Headers<'a>,
    shadow: &ShadowPlan,
) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
    let nominates = headers.values("connection").next().is_some();
    headers.iter().filter(move |(name, _)| {
        is_carried(name, shadow) && !(nominates && is_nominated(name, headers))
    })
}

fn is_carried(name: &[u8], shadow: &ShadowPlan) -> bool {
    !(HOP_BY_HOP.contains(&name)
        || name == b"accept-encoding"
        || PROXY_CONTROL.iter().any(|prefix| name.starts_with(prefix))
        || is_turnout_header(name)
        || shadow
            .strip_headers
            .iter()
            .any(|stripped| stripped.as_bytes() == name))
}

/// Whether `connection` says that a header is about the connection. It cannot say so of the method or
/// the path, without which there is no copy.
fn is_nominated(name: &[u8], headers: Headers<'_>) -> bool {
    !name.starts_with(b":")
        && headers
            .values("connection")
            .flat_map(|value| value.split(|byte| *byte == b','))
            .any(|token| token.trim_ascii().eq_ignore_ascii_case(name))
}
