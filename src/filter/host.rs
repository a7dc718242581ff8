//! What the proxy offers: its functions (proxy-wasm, ABI 0.2.1), as far as this filter needs them.
//!
//! On the request path a panic is an outage, so a call that the proxy refuses is a call that did
//! nothing.
#![expect(
    unsafe_code,
    reason = "host functions are foreign, and they are all called here"
)]

#[cfg(feature = "copies")]
mod copying;

use std::ptr;

#[cfg(feature = "copies")]
pub(crate) use copying::{
    CALL_BODY, CALL_HEADERS, REQUEST_BODY, RESPONSE_BODY, RESPONSE_HEADERS, body, call,
    call_succeeded, increment, is_own_answer,
};

/// A map of headers, as the ABI numbers them.
#[derive(Clone, Copy)]
pub(crate) struct Map(u32);

pub(crate) const REQUEST_HEADERS: Map = Map(0);
pub(crate) const REQUEST_TRAILERS: Map = Map(1);

/// A body, or a piece of one, as the ABI numbers it.
#[derive(Clone, Copy)]
pub(crate) struct Body(u32);

const PLUGIN_CONFIGURATION: Body = Body(7);

#[derive(Clone, Copy)]
pub(crate) enum LogLevel {
    #[cfg(feature = "copies")]
    Trace = 0,
    #[cfg(feature = "copies")]
    Debug = 1,
    Info = 2,
    Warn = 3,
    Error = 4,
    #[cfg(feature = "copies")]
    Critical = 5,
}

#[derive(Clone, Copy)]
pub(crate) enum MetricKind {
    Counter = 0,
    Gauge = 1,
    #[cfg(feature = "copies")]
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

/// A part of the plugin's configuration, which is readable while the plugin is being configured.
pub(crate) fn plugin_configuration(start: usize, most: usize) -> Vec<u8> {
    part(PLUGIN_CONFIGURATION, start, most)
}

/// Adds a value; those that the header has stay. At this version of the ABI each change of a request's
/// header has Envoy choose the route anew, which is what the headers are for.
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

/// Removes every value of a name.
pub(crate) fn remove(map: Map, name: &[u8]) {
    // SAFETY: the host reads the slice during the call and does not keep it.
    unsafe {
        proxy_remove_header_map_value(map.0, name.as_ptr(), name.len());
    }
}

/// Access logs read it as `%FILTER_STATE(wasm.<name>:PLAIN)%`.
pub(crate) fn set_property(name: &str, value: &[u8]) {
    // SAFETY: the host reads the two slices during the call and keeps neither.
    unsafe {
        proxy_set_property(name.as_ptr(), name.len(), value.as_ptr(), value.len());
    }
}

/// The region of the proxy's locality; empty when it has none.
pub(crate) fn region() -> String {
    // The second is what older proxies call it.
    const PATHS: [&[u8]; 2] = [b"xds\0node\0locality\0region", b"node\0locality\0region"];
    let mut regions = PATHS.into_iter().map(property);
    let region = regions.find(|found| !found.is_empty());
    region
        .and_then(|found| String::from_utf8(found).ok())
        .unwrap_or_default()
}

/// What the proxy's configuration calls this plugin; empty when it has no name.
pub(crate) fn plugin_name() -> String {
    String::from_utf8(property(b"plugin_name")).unwrap_or_default()
}

/// What the proxy knows under a path, whose steps are separated by zero bytes; nothing when it does
/// not know.
fn property(path: &[u8]) -> Vec<u8> {
    let (mut data, mut size) = (ptr::null_mut(), 0);
    // SAFETY: the host reads the path during the call and writes one word to each of the two
    // pointers, which are valid for it.
    let status =
        unsafe { proxy_get_property(path.as_ptr(), path.len(), &raw mut data, &raw mut size) };
    handed_over(status, data, size)
}

/// A number for a metric; one that is known by this name already goes on where it was.
pub(crate) fn define_metric(kind: MetricKind, name: &str) -> Option<u32> {
    let mut metric = 0;
    // SAFETY: the host reads the name during the call and writes one word to `metric`.
    let status =
        unsafe { proxy_define_metric(kind as u32, name.as_ptr(), name.len(), &raw mut metric) };
    (status == 0).then_some(metric)
}

/// Adds to a counter, or to a gauge, which may also be taken from.
pub(crate) fn add(metric: u32, offset: i64) {
    // SAFETY: no pointer is passed.
    unsafe {
        proxy_increment_metric(metric, offset);
    }
}

/// The value of a gauge, or one more of a histogram.
pub(crate) fn record(metric: u32, value: u64) {
    // SAFETY: no pointer is passed.
    unsafe {
        proxy_record_metric(metric, value);
    }
}

/// Nanoseconds since 1970; 0 when the proxy does not say.
pub(crate) fn now() -> u64 {
    let mut time = 0;
    // SAFETY: the host writes one number to the pointer, which is valid for it.
    unsafe {
        proxy_get_current_time_nanoseconds(&raw mut time);
    }
    time
}

/// How often the proxy calls `proxy_on_tick` of this plugin; 0 for never.
pub(crate) fn set_tick_period(milliseconds: u32) {
    // SAFETY: no pointer is passed.
    unsafe {
        proxy_set_tick_period_milliseconds(milliseconds);
    }
}

fn part(body: Body, start: usize, max_size: usize) -> Vec<u8> {
    let (mut data, mut size) = (ptr::null_mut(), 0);
    // SAFETY: the host writes one word to each of the two pointers, which are valid for it.
    let status =
        unsafe { proxy_get_buffer_bytes(body.0, start, max_size, &raw mut data, &raw mut size) };
    handed_over(status, data, size)
}

/// What the proxy has written into memory that it asked us for.
fn handed_over(status: u32, data: *mut u8, size: usize) -> Vec<u8> {
    if status != 0 || data.is_null() {
        return Vec::new();
    }
    // SAFETY: the host has allocated `data` by `proxy_on_memory_allocate`, which leaks a box of
    // `size` bytes; it leaves it to us.
    unsafe { Vec::from_raw_parts(data, size, size) }
}

/// All headers of a message, in the form in which the proxy hands them over: the number of pairs,
/// the lengths of each name and value, then each name and value with a zero byte behind it. Numbers
/// are 32 bits, little-endian.
pub(crate) struct HeaderBuffer(Vec<u8>);

impl HeaderBuffer {
    /// Empty when the proxy does not give them.
    pub(crate) fn of(map: Map) -> Self {
        let (mut data, mut size) = (ptr::null_mut(), 0);
        // SAFETY: the host writes one word to each of the two pointers, which are valid for it.
        let status = unsafe { proxy_get_header_map_pairs(map.0, &raw mut data, &raw mut size) };
        Self(handed_over(status, data, size))
    }

    /// The bytes that it holds.
    #[cfg(feature = "copies")]
    pub(crate) fn held_bytes(&self) -> usize {
        self.0.capacity()
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
