//! The calls to the proxy in callbacks for requests, ticks and responses to the filter's own calls.
//!
//! The SDK has these calls too, but it panics at a status that it does not expect. A panic traps the
//! worker's VM: its requests in flight fail, and it decides nothing until it is loaded again. Here a call
//! that the proxy refuses has no effect. The SDK also copies each header into strings of its own and
//! requires names to be UTF-8. It finds the context of a call's response in a table that only its own call
//! fills, and panics if the token is not there.
#![expect(
    unsafe_code,
    reason = "host functions are foreign; only this module calls them"
)]

#[cfg(feature = "shadowing")]
mod for_shadowing;

use std::ptr;

use proxy_wasm::types::MapType;

#[cfg(feature = "shadowing")]
pub(crate) use for_shadowing::{body, call, call_succeeded, increment, is_local_reply, log};

/// A status of the ABI is a number here: the SDK's `Status` does not have all of them, and a value that
/// an enum does not have is undefined behaviour.
type Status = u32;

const OK: Status = 0;
const CAS_MISMATCH: Status = 8;

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    fn proxy_get_header_map_pairs(map: u32, data: *mut *mut u8, size: *mut usize) -> Status;
    fn proxy_add_header_map_value(
        map: u32,
        name: *const u8,
        name_size: usize,
        value: *const u8,
        value_size: usize,
    ) -> Status;
    fn proxy_remove_header_map_value(map: u32, name: *const u8, name_size: usize) -> Status;
    fn proxy_set_property(
        path: *const u8,
        path_size: usize,
        value: *const u8,
        value_size: usize,
    ) -> Status;
    fn proxy_get_property(
        path: *const u8,
        path_size: usize,
        data: *mut *mut u8,
        size: *mut usize,
    ) -> Status;
    fn proxy_get_shared_data(
        key: *const u8,
        key_size: usize,
        data: *mut *mut u8,
        size: *mut usize,
        version: *mut u32,
    ) -> Status;
    fn proxy_set_shared_data(
        key: *const u8,
        key_size: usize,
        value: *const u8,
        value_size: usize,
        version: u32,
    ) -> Status;
    fn proxy_increment_metric(metric: u32, offset: i64) -> Status;
    fn proxy_record_metric(metric: u32, value: u64) -> Status;
    fn proxy_get_current_time_nanoseconds(time: *mut u64) -> Status;
    fn proxy_set_tick_period_milliseconds(period: u32) -> Status;
}

/// Adds a value to a request header, which keeps its other values. In this version of the ABI, every
/// change of a request header makes Envoy choose the route again, which is the purpose of the headers.
pub(crate) fn add_request_header(name: &str, value: &[u8]) {
    // SAFETY: the host reads the two slices during the call and keeps neither.
    unsafe {
        proxy_add_header_map_value(
            MapType::HttpRequestHeaders as u32,
            name.as_ptr(),
            name.len(),
            value.as_ptr(),
            value.len(),
        );
    }
}

/// Removes every value of a header.
pub(crate) fn remove_header(map: MapType, name: &[u8]) {
    // SAFETY: the host reads the slice during the call and does not keep it.
    unsafe {
        proxy_remove_header_map_value(map as u32, name.as_ptr(), name.len());
    }
}

/// Sets a property that access logs read as `%FILTER_STATE(wasm.<name>:PLAIN)%`.
pub(crate) fn set_property(name: &str, value: &[u8]) {
    // SAFETY: the host reads the two slices during the call and keeps neither.
    unsafe {
        proxy_set_property(name.as_ptr(), name.len(), value.as_ptr(), value.len());
    }
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

/// Returns the property at a path. Empty if the proxy does not have it. The steps of a path are separated by zero
/// bytes.
pub(crate) fn property(path: &[u8]) -> Vec<u8> {
    let (mut data, mut size) = (ptr::null_mut(), 0);
    // SAFETY: the host reads the path during the call and writes one word to each of the two
    // pointers, which are valid for it.
    let status =
        unsafe { proxy_get_property(path.as_ptr(), path.len(), &raw mut data, &raw mut size) };
    take_host_buffer(status, data, size)
}

/// Returns the number at a path; `None` if the proxy does not have it.
pub(crate) fn number(path: &[u8]) -> Option<u64> {
    let bytes = property(path);
    bytes.try_into().ok().map(u64::from_le_bytes)
}

/// Returns a value that the VMs with this `vm_id` share, and its version; `None` if there is none.
pub(crate) fn shared_data(key: &str) -> Option<(Vec<u8>, u32)> {
    let (mut data, mut size, mut version) = (ptr::null_mut(), 0, 0);
    // SAFETY: the host reads the key during the call and writes one word to each of the three pointers,
    // which are valid for it.
    let status = unsafe {
        proxy_get_shared_data(
            key.as_ptr(),
            key.len(),
            &raw mut data,
            &raw mut size,
            &raw mut version,
        )
    };
    (status == OK).then(|| (take_host_buffer(status, data, size), version))
}

/// What became of writing shared data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    Yes,
    /// The value has another version.
    Changed,
    Refused,
}

/// Writes shared data if it has this version, or if there is none yet. Version 0 always writes.
pub(crate) fn set_shared_data(key: &str, value: &[u8], version: u32) -> Written {
    // SAFETY: the host reads the slices during the call and keeps neither.
    let status = unsafe {
        proxy_set_shared_data(
            key.as_ptr(),
            key.len(),
            value.as_ptr(),
            value.len(),
            version,
        )
    };
    match status {
        OK => Written::Yes,
        CAS_MISMATCH => Written::Changed,
        _ => Written::Refused,
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

/// Ends the ticks of this plugin.
pub(crate) fn stop_ticks() {
    // SAFETY: no pointer is passed.
    unsafe {
        proxy_set_tick_period_milliseconds(0);
    }
}

/// Takes ownership of memory that the proxy allocated in this VM and filled.
fn take_host_buffer(status: Status, data: *mut u8, size: usize) -> Vec<u8> {
    if status != OK || data.is_null() {
        return Vec::new();
    }
    // SAFETY: the host has allocated `data` by the SDK's `proxy_on_memory_allocate`, which leaks a box of `size`
    // bytes; the host gives up the box.
    unsafe { Vec::from_raw_parts(data, size, size) }
}

/// All headers of a message in the proxy's format: the number of pairs, the lengths of each name and
/// value, then each name and value followed by a zero byte. Numbers are 32 bits, little-endian.
pub(crate) struct HeaderBuffer(Vec<u8>);

impl HeaderBuffer {
    /// Reads a header map. Empty if the proxy does not provide it.
    pub(crate) fn read(map: MapType) -> Self {
        let (mut data, mut size) = (ptr::null_mut(), 0);
        // SAFETY: the host writes one word to each of the two pointers, which are valid for it.
        let status =
            unsafe { proxy_get_header_map_pairs(map as u32, &raw mut data, &raw mut size) };
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
