//! The proxy's functions that a request needs.
//!
//! The SDK wraps them too, but panics on any status that it does not expect and on a header name
//! that is not UTF-8, copies every header, and allocates to set a property. On the request path a
//! panic is an outage, so here a call that the proxy refuses is a call that did nothing.
#![expect(
    unsafe_code,
    reason = "host functions are foreign, and they are all called here"
)]

use std::ptr;

use proxy_wasm::types::MapType;

const REQUEST: u32 = MapType::HttpRequestHeaders as u32;

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    fn proxy_get_header_map_pairs(map: u32, data: *mut *mut u8, size: *mut usize) -> u32;
    fn proxy_add_header_map_value(
        map: u32,
        name: *const u8,
        name_size: usize,
        value: *const u8,
        value_size: usize,
    ) -> u32;
    fn proxy_remove_header_map_value(map: u32, name: *const u8, name_size: usize) -> u32;
    fn proxy_set_property(
        path: *const u8,
        path_size: usize,
        value: *const u8,
        value_size: usize,
    ) -> u32;
    fn proxy_increment_metric(metric: u32, offset: i64) -> u32;
    fn proxy_call_foreign_function(
        name: *const u8,
        name_size: usize,
        arguments: *const u8,
        arguments_size: usize,
        results: *mut *mut u8,
        results_size: *mut usize,
    ) -> u32;
}

/// Adds a value; those that the header has stay.
pub(crate) fn add_request_header(name: &str, value: &[u8]) {
    // SAFETY: the host reads the two slices during the call and keeps neither.
    unsafe {
        proxy_add_header_map_value(
            REQUEST,
            name.as_ptr(),
            name.len(),
            value.as_ptr(),
            value.len(),
        );
    }
}

/// Removes every value of a header.
pub(crate) fn remove_request_header(name: &[u8]) {
    // SAFETY: the host reads the slice during the call and does not keep it.
    unsafe {
        proxy_remove_header_map_value(REQUEST, name.as_ptr(), name.len());
    }
}

/// Access logs read it as `%FILTER_STATE(wasm.<name>:PLAIN)%`.
pub(crate) fn set_property(name: &str, value: &[u8]) {
    // SAFETY: the host reads the two slices during the call and keeps neither.
    unsafe {
        proxy_set_property(name.as_ptr(), name.len(), value.as_ptr(), value.len());
    }
}

pub(crate) fn increment(metric: u32) {
    // SAFETY: no pointer is passed.
    unsafe {
        proxy_increment_metric(metric, 1);
    }
}

/// Has the proxy choose the route anew, by the headers as they are now. For a filter of ABI 0.2.1
/// Envoy does so at each change of a header, for later ones it does not.
pub(crate) fn clear_route_cache() {
    const NAME: &str = "clear_route_cache";
    let (mut results, mut size) = (ptr::null_mut(), 0);
    // SAFETY: the host reads the name during the call and writes one word to each of the two
    // pointers, which are valid for it. The function has no arguments and no results.
    unsafe {
        proxy_call_foreign_function(
            NAME.as_ptr(),
            NAME.len(),
            ptr::null(),
            0,
            &raw mut results,
            &raw mut size,
        );
    }
}

/// All headers of a request, in the form in which the proxy hands them over: the number of pairs,
/// the lengths of each name and value, then each name and value with a zero byte behind it. Numbers
/// are 32 bits, little-endian.
pub(crate) struct HeaderBuffer(Vec<u8>);

impl HeaderBuffer {
    /// Empty when the proxy does not give them.
    pub(crate) fn of_request() -> Self {
        let (mut data, mut size) = (ptr::null_mut(), 0);
        // SAFETY: the host writes one word to each of the two pointers, which are valid for it.
        let status = unsafe { proxy_get_header_map_pairs(REQUEST, &raw mut data, &raw mut size) };
        if status != 0 || data.is_null() {
            return Self(Vec::new());
        }
        // SAFETY: the host has allocated `data` by the SDK's `proxy_on_memory_allocate`, which
        // forgets a `Vec<u8>` of capacity `size`; it has filled all of it and leaves it to us.
        Self(unsafe { Vec::from_raw_parts(data, size, size) })
    }

    /// Names and values; nothing where the form is not kept.
    pub(crate) fn pairs(&self) -> Vec<(&[u8], &[u8])> {
        self.read_pairs().unwrap_or_default()
    }

    fn read_pairs(&self) -> Option<Vec<(&[u8], &[u8])>> {
        let (count, rest) = split_number(&self.0)?;
        let (mut lengths, mut texts) = rest.split_at_checked(count.checked_mul(8)?)?;
        let mut pairs = Vec::with_capacity(count);
        while !lengths.is_empty() {
            let (name, after_name) = split_number(lengths)?;
            let (value, after_value) = split_number(after_name)?;
            lengths = after_value;
            let (name, rest) = split_text(texts, name)?;
            let (value, rest) = split_text(rest, value)?;
            texts = rest;
            pairs.push((name, value));
        }
        Some(pairs)
    }
}

fn split_number(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (number, rest) = bytes.split_first_chunk::<4>()?;
    Some((usize::try_from(u32::from_le_bytes(*number)).ok()?, rest))
}

fn split_text(bytes: &[u8], length: usize) -> Option<(&[u8], &[u8])> {
    let (text, rest) = bytes.split_at_checked(length)?;
    Some((text, rest.strip_prefix(b"\0")?))
}
