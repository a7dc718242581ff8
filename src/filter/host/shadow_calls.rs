//! The host functions that only shadowing needs: bodies, responses, and the plugin's own HTTP calls.

use std::ptr;

use super::{Body, HeaderBuffer, Map, add, property, read_buffer};

pub(crate) const RESPONSE_HEADERS: Map = Map(2);
/// Available in the callback that reports the response to a call.
pub(crate) const CALL_HEADERS: Map = Map(6);

pub(crate) const REQUEST_BODY: Body = Body(0);
pub(crate) const RESPONSE_BODY: Body = Body(1);
/// Available in the callback that reports the response to a call.
pub(crate) const CALL_BODY: Body = Body(4);

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    fn proxy_http_call(
        cluster: *const u8,
        cluster_size: usize,
        headers: *const u8,
        headers_size: usize,
        body: *const u8,
        body_size: usize,
        trailers: *const u8,
        trailers_size: usize,
        timeout_ms: u32,
        token: *mut u32,
    ) -> u32;
}

/// Whether the response is a local reply of the proxy: upstream did not respond, or a filter refused
/// the request. If the proxy does not say, the response is taken to be from upstream.
pub(crate) fn is_local_reply() -> bool {
    let details = property(b"response\0code_details");
    !(details.is_empty() || details == b"via_upstream")
}

pub(crate) fn increment(metric: u32) {
    add(metric, 1);
}

/// Sends an HTTP call and returns its token. Returns `None` if it cannot be sent: the cluster does not
/// exist, or a header is missing that every request has.
pub(crate) fn call(
    cluster: &str,
    headers: &[(&[u8], &[u8])],
    body: &[u8],
    timeout_ms: u32,
) -> Option<u32> {
    let headers = serialized(headers)?;
    let mut token = 0;
    // SAFETY: the host reads the slices during the call, keeps none of them, and writes one word to
    // `token`. There are no trailers.
    let status = unsafe {
        proxy_http_call(
            cluster.as_ptr(),
            cluster.len(),
            headers.as_ptr(),
            headers.len(),
            body.as_ptr(),
            body.len(),
            ptr::null(),
            0,
            timeout_ms,
            &raw mut token,
        )
    };
    (status == 0).then_some(token)
}

/// Whether the reported response has a success status.
pub(crate) fn call_succeeded() -> bool {
    let buffer = HeaderBuffer::read(CALL_HEADERS);
    let pairs = buffer.pairs();
    let status = pairs.iter().find(|(name, _)| *name == b":status");
    status.is_some_and(|(_, value)| value.starts_with(b"2"))
}

/// Reads the first bytes of a body. Empty if the proxy does not provide it.
pub(crate) fn body(body: Body, max_size: usize) -> Vec<u8> {
    read_buffer(body, 0, max_size)
}

/// Encodes pairs in the format of [`HeaderBuffer`], or returns `None` if they are too long for it.
fn serialized(pairs: &[(&[u8], &[u8])]) -> Option<Vec<u8>> {
    let number = |length: usize| Some(u32::try_from(length).ok()?.to_le_bytes());
    let texts = pairs
        .iter()
        .map(|(name, value)| name.len().saturating_add(value.len()));
    let size = texts.fold(4_usize, |size, texts| {
        size.saturating_add(texts).saturating_add(10)
    });
    let mut bytes = Vec::with_capacity(size);
    bytes.extend(number(pairs.len())?);
    for (name, value) in pairs {
        bytes.extend(number(name.len())?);
        bytes.extend(number(value.len())?);
    }
    for (name, value) in pairs {
        for text in [name, value] {
            bytes.extend_from_slice(text);
            bytes.push(0);
        }
    }
    Some(bytes)
}
