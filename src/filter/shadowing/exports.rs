//! The callbacks that only shadowing needs: bodies, responses, and the results of the plugin's own
//! calls.
#![expect(
    unsafe_code,
    reason = "the proxy finds functions by their names, so these may not be mangled"
)]

use super::Shadowing;
use crate::vm::{CONTINUE, Vm};

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_body(context: u32, size: usize, end: u32) -> u32 {
    observe(context, |shadowing, job| {
        shadowing.request_body(job, size, end != 0);
    })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_response_headers(context: u32, _count: usize, end: u32) -> u32 {
    observe(context, |shadowing, job| {
        shadowing.response_headers(job, end != 0);
    })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_response_body(context: u32, size: usize, end: u32) -> u32 {
    observe(context, |shadowing, job| {
        shadowing.response_body(job, size, end != 0);
    })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_response_trailers(context: u32, _count: usize) -> u32 {
    observe(context, |shadowing, job| {
        shadowing.response_body(job, 0, true);
    })
}

/// Reports the end of a call. Without headers there is no response.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_http_call_response(
    context: u32,
    token: u32,
    headers: usize,
    body_size: usize,
    _trailers: usize,
) {
    Vm::with(|vm| vm.call_finished(context, token, headers > 0, body_size));
}

/// Passes an event of a request or its response to its job.
fn observe(context: u32, observe: impl FnOnce(&mut Shadowing, u32)) -> u32 {
    Vm::with(|vm| vm.observe_shadowed(context, observe));
    CONTINUE
}
