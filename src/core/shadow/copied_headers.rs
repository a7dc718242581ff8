//! Selects the headers that a shadow request copies from the user's request.

use crate::proxy::wire_names::is_turnout_header;
use crate::request::headers::Headers;

use super::ShadowPlan;

/// Headers of the connection or of the body's transfer, not of the request. With `content-length` and
/// no body, a shadow request would hang until it times out; the proxy writes the length of a body
/// itself. `expect` would wait for an interim response.
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

/// Prefixes of headers with which a client could make the proxy retry a shadow request or wait longer
/// for it.
const PROXY_CONTROL: &[&[u8]] = &[
    b"x-envoy-attempt",
    b"x-envoy-expected",
    b"x-envoy-hedge",
    b"x-envoy-max-retries",
    b"x-envoy-retr",
    b"x-envoy-upstream",
];

/// Returns the headers that a shadow request copies, in order: all except connection headers, headers
/// that the policy strips, and Turnout's own, which are set for each shadow request.
///
/// `accept-encoding` is replaced, too, because compressed responses may not be comparable.
pub fn copied_headers<'a>(
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

/// Whether `connection` names a header. It cannot name the method or the path, which every request
/// needs.
fn is_nominated(name: &[u8], headers: Headers<'_>) -> bool {
    !name.starts_with(b":")
        && headers
            .values("connection")
            .flat_map(|value| value.split(|byte| *byte == b','))
            .any(|token| token.trim_ascii().eq_ignore_ascii_case(name))
}
