//! The calls that only shadowing needs: bodies, responses, durations, records, and the plugin's own HTTP
//! calls.

use std::ptr;

use proxy_wasm::types::{BufferType, LogLevel, MapType};

use super::{HeaderBuffer, OK, Status, add, property, take_host_buffer};

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    fn proxy_log(level: u32, message: *const u8, message_size: usize) -> Status;
    fn proxy_get_buffer_bytes(
        buffer: u32,
        start: usize,
        max_size: usize,
        data: *mut *mut u8,
        size: *mut usize,
    ) -> Status;
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
    ) -> Status;
}

/// Writes a line to the proxy's log.
pub(crate) fn log(level: LogLevel, line: &str) {
    // SAFETY: the host reads the slice during the call and does not keep it.
    unsafe {
        proxy_log(level as u32, line.as_ptr(), line.len());
    }
}

/// Whether the response is a local reply of the proxy: upstream did not respond, or a filter refused
/// the request. If the proxy does not say, the response is taken to be from upstream.
pub(crate) fn is_local_reply() -> bool {
    // The steps of a path are separated by zero bytes.
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
    (status == OK).then_some(token)
}

/// Whether the reported response has a success status.
pub(crate) fn call_succeeded() -> bool {
    let buffer = HeaderBuffer::read(MapType::HttpCallResponseHeaders);
    let pairs = buffer.pairs();
    let status = pairs.iter().find(|(name, _)| *name == b":status");
    status.is_some_and(|(_, value)| value.starts_with(b"2"))
}

/// Reads the first bytes of a body. Empty if the proxy does not provide it.
pub(crate) fn body(body: BufferType, max_size: usize) -> Vec<u8> {
    let (mut data, mut size) = (ptr::null_mut(), 0);
    // SAFETY: the host writes one word to each of the two pointers, which are valid for it.
    let status =
        unsafe { proxy_get_buffer_bytes(body as u32, 0, max_size, &raw mut data, &raw mut size) };
    take_host_buffer(status, data, size)
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
