//! What the proxy calls where requests are copied: with the rest of the request, with the answer to it,
//! and with the answers to calls of the plugin's own.
#![expect(
    unsafe_code,
    reason = "the proxy finds functions by their names, so these may not be mangled"
)]

use super::Copies;
use crate::vm::{CONTINUE, Vm};

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_body(context: u32, size: usize, end: u32) -> u32 {
    see(context, |copies, job| {
        copies.request_body(job, size, end != 0);
    })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_response_headers(context: u32, _count: usize, end: u32) -> u32 {
    see(context, |copies, job| copies.answer_headers(job, end != 0))
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_response_body(context: u32, size: usize, end: u32) -> u32 {
    see(context, |copies, job| {
        copies.answer_body(job, size, end != 0);
    })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_response_trailers(context: u32, _count: usize) -> u32 {
    see(context, |copies, job| copies.answer_body(job, 0, true))
}

/// The answer to a call of the plugin's own; one without headers says that there is none.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_http_call_response(
    context: u32,
    token: u32,
    headers: usize,
    body_size: usize,
    _trailers: usize,
) {
    Vm::with(|vm| vm.call_answered(context, token, headers > 0, body_size));
}

/// Something more of a request, or of its answer, goes by.
fn see(context: u32, see: impl FnOnce(&mut Copies, u32)) -> u32 {
    Vm::with(|vm| vm.copied(context, see));
    CONTINUE
}
