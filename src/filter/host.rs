//! The host functions of proxy-wasm (ABI 0.2.1) that this filter needs.
//!
//! On the request path a panic is an outage, so a call that the proxy refuses has no effect.
#![expect(
    unsafe_code,
    reason = "host functions are foreign, and they are all called here"
)]

#[cfg(feature = "shadowing")]
mod shadow_calls;

use std::ptr;

#[cfg(feature = "shadowing")]
pub(crate) use shadow_calls::{
    CALL_BODY, CALL_HEADERS, REQUEST_BODY, RESPONSE_BODY, RESPONSE_HEADERS, body, call,
    call_succeeded, increment, is_local_reply,
};

/// A header map, by its number in the ABI.
#[derive(Clone, Copy)]
pub(crate) struct Map(u32);

pub(crate) const REQUEST_HEADERS: Map = Map(0);
pub(crate) const REQUEST_TRAILERS: Map = Map(1);

/// A buffer, by its number in the ABI.
#[derive(Clone, Copy)]
pub(crate) struct Body(u32);

const PLUGIN_CONFIGURATION: Body = Body(7);

#[derive(Clone, Copy)]
pub(crate) enum LogLevel {
    #[cfg(feature = "shadowing")]
    Trace = 0,
    #[cfg(feature = "shadowing")]
    Debug = 1,
    Info = 2,
    Warn = 3,
    Error = 4,
    #[cfg(feature = "shadowing")]
    Critical = 5,
}

#[derive(Clone, Copy)]
pub(crate) enum MetricKind {
    Counter = 0,
    Gauge = 1,
    #[cfg(feature = "shadowing")]
    Histogram = 2,
}

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    fn proxy_log(level: u32, message: *const u8, message_size: usize) -> u32;
    fn proxy_get_buffer_bytes(
        buffer: u32,
        start: usize,
        max_size: usize,
        data: *mut *mut u8,
        size: *mut usize,
    ) -> u32;
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
    fn proxy_get_property(
        path: *const u8,
        path_size: usize,
        data: *mut *mut u8,
        size: *mut usize,
    ) -> u32;
    fn proxy_define_metric(kind: u32, name: *const u8, name_size: usize, metric: *mut u32) -> u32;
    fn proxy_increment_metric(metric: u32, offset: i64) -> u32;
    fn proxy_record_metric(metric: u32, value: u64) -> u32;
    fn proxy_get_current_time_nanoseconds(time: *mut u64) -> u32;
    fn proxy_set_tick_period_milliseconds(period: u32) -> u32;
}

/// Writes a line to the proxy's log.
pub(crate) fn log(level: LogLevel, line: &str) {
    // SAFETY: the host reads the slice during the call and does not keep it.
    unsafe {
        proxy_log(level as u32, line.as_ptr(), line.len());
    }
}

/// Reads a part of the plugin's configuration. Only available while the plugin is being configured.
pub(crate) fn plugin_configuration(start: usize, most: usize) -> Vec<u8> {
    read_buffer(PLUGIN_CONFIGURATION, start, most)
}

/// Adds a value to a request header, which keeps its other values. In this version of the ABI, every
/// change of a request header makes Envoy choose the route again, which is the purpose of the headers.
pub(crate) fn add_request_header(name: &str, value: &[u8]) {
    // SAFETY: the host reads the two slices during the call and keeps neither.
    unsafe {
        proxy_add_header_map_value(
            REQUEST_HEADERS.0,
            name.as_ptr(),
            name.len(),
            value.as_ptr(),
            value.len(),
        );
    }
}

/// Removes every value of a header.
pub(crate) fn remove(map: Map, name: &[u8]) {
    // SAFETY: the host reads the slice during the call and does not keep it.
    unsafe {
        proxy_remove_header_map_value(map.0, name.as_ptr(), name.len());
    }
}

/// Sets a property that access logs read as `%FILTER_STATE(wasm.<name>:PLAIN)%`.
pub(crate) fn set_property(name: &str, value: &[u8]) {
    // SAFETY: the host reads the two slices during the call and keeps neither.
    unsafe {
        proxy_set_property(name.as_ptr(), name.len(), value.as_ptr(), value.len());
    }
}

/// Returns the region of the proxy's locality, or an empty string.
pub(crate) fn region() -> String {
    // The second is the path in older proxies.
    const PATHS: [&[u8]; 2] = [b"xds\0node\0locality\0region", b"node\0locality\0region"];
    let mut regions = PATHS.into_iter().map(property);
    let region = regions.find(|found| !found.is_empty());
    region
        .and_then(|found| String::from_utf8(found).ok())
        .unwrap_or_default()
}

/// Returns the plugin's name in the proxy's configuration, or an empty string.
pub(crate) fn plugin_name() -> String {
    String::from_utf8(property(b"plugin_name")).unwrap_or_default()
}

/// Returns the property at a path whose steps are separated by zero bytes. Empty if the proxy does not
/// have it.
fn property(path: &[u8]) -> Vec<u8> {
    let (mut data, mut size) = (ptr::null_mut(), 0);
    // SAFETY: the host reads the path during the call and writes one word to each of the two
    // pointers, which are valid for it.
    let status =
        unsafe { proxy_get_property(path.as_ptr(), path.len(), &raw mut data, &raw mut size) };
    take_host_buffer(status, data, size)
}

/// Defines a metric and returns its id. A metric with this name that exists already continues.
pub(crate) fn define_metric(kind: MetricKind, name: &str) -> Option<u32> {
    let mut metric = 0;
    // SAFETY: the host reads the name during the call and writes one word to `metric`.
    let status =
        unsafe { proxy_define_metric(kind as u32, name.as_ptr(), name.len(), &raw mut metric) };
    (status == 0).then_some(metric)
}

/// Adds to a counter or a gauge. The offset may be negative for a gauge.
pub(crate) fn add(metric: u32, offset: i64) {
    // SAFETY: no pointer is passed.
    unsafe {
        proxy_increment_metric(metric, offset);
    }
}

/// Sets a gauge, or adds a value to a histogram.
pub(crate) fn record(metric: u32, value: u64) {
    // SAFETY: no pointer is passed.
    unsafe {
        proxy_record_metric(metric, value);
    }
}

/// Returns nanoseconds since 1970, or 0 if the proxy does not know.
pub(crate) fn now() -> u64 {
    let mut time = 0;
    // SAFETY: the host writes one number to the pointer, which is valid for it.
    unsafe {
        proxy_get_current_time_nanoseconds(&raw mut time);
    }
    time
}

/// Sets the period at which the proxy calls `proxy_on_tick` of this plugin; 0 stops it.
pub(crate) fn set_tick_period(milliseconds: u32) {
    // SAFETY: no pointer is passed.
    unsafe {
        proxy_set_tick_period_milliseconds(milliseconds);
    }
}

fn read_buffer(body: Body, start: usize, max_size: usize) -> Vec<u8> {
    let (mut data, mut size) = (ptr::null_mut(), 0);
    // SAFETY: the host writes one word to each of the two pointers, which are valid for it.
    let status =
        unsafe { proxy_get_buffer_bytes(body.0, start, max_size, &raw mut data, &raw mut size) };
    take_host_buffer(status, data, size)
}

/// Takes ownership of memory that the proxy allocated in this VM and filled.
fn take_host_buffer(status: u32, data: *mut u8, size: usize) -> Vec<u8> {
    if status != 0 || data.is_null() {
        return Vec::new();
    }
    // SAFETY: the host has allocated `data` by `proxy_on_memory_allocate`, which leaks a box of `size` bytes; the
    // host gives up the box.
    unsafe { Vec::from_raw_parts(data, size, size) }
}

/// All headers of a message in the proxy's format: the number of pairs, the lengths of each name and
/// value, then each name and value followed by a zero byte. Numbers are 32 bits, little-endian.
pub(crate) struct HeaderBuffer(Vec<u8>);

impl HeaderBuffer {
    /// Reads a header map. Empty if the proxy does not provide it.
    pub(crate) fn read(map: Map) -> Self {
        let (mut data, mut size) = (ptr::null_mut(), 0);
        // SAFETY: the host writes one word to each of the two pointers, which are valid for it.
        let status = unsafe { proxy_get_header_map_pairs(map.0, &raw mut data, &raw mut size) };
        Self(take_host_buffer(status, data, size))
    }

    /// The number of bytes it holds.
    #[cfg(feature = "shadowing")]
    pub(crate) fn held_bytes(&self) -> usize {
        self.0.capacity()
    }

    /// Returns the names and values, or nothing if the format is wrong.
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
