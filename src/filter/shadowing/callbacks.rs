//! The callbacks that only shadowing needs: bodies, responses, and the responses to the plugin's own HTTP
//! calls. Those of a request are as in [`crate::callbacks`].
#![expect(
    unsafe_code,
    reason = "exports are found by their names, so these may not be mangled; the SDK's are declared by theirs"
)]

use proxy_wasm::types::Action;

use crate::callbacks::for_request;
use crate::worker::Worker;

unsafe extern "C" {
    safe fn proxy_on_request_body(context: u32, size: usize, end: bool) -> Action;
    safe fn proxy_on_response_headers(context: u32, count: usize, end: bool) -> Action;
    safe fn proxy_on_response_body(context: u32, size: usize, end: bool) -> Action;
    safe fn proxy_on_response_trailers(context: u32, count: usize) -> Action;
}

#[unsafe(no_mangle)]
extern "C" fn turnout_on_request_body(context: u32, size: usize, end: bool) -> Action {
    for_request(context, || proxy_on_request_body(context, size, end))
}

#[unsafe(no_mangle)]
extern "C" fn turnout_on_response_headers(context: u32, count: usize, end: bool) -> Action {
    for_request(context, || proxy_on_response_headers(context, count, end))
}

#[unsafe(no_mangle)]
extern "C" fn turnout_on_response_body(context: u32, size: usize, end: bool) -> Action {
    for_request(context, || proxy_on_response_body(context, size, end))
}

#[unsafe(no_mangle)]
extern "C" fn turnout_on_response_trailers(context: u32, count: usize) -> Action {
    for_request(context, || proxy_on_response_trailers(context, count))
}

/// Handles the end of a call of this plugin. Without headers there is no response.
///
/// It replaces the SDK's callback, which panics if a host call fails, and if the call was not made through
/// the SDK. The docs of [`crate::host`] say why it is not.
#[unsafe(no_mangle)]
extern "C" fn turnout_on_http_call_response(
    plugin: u32,
    token: u32,
    headers: usize,
    body_size: usize,
    _trailers: usize,
) {
    let plugin = Worker::with(|worker| worker.plugin(plugin)).flatten();
    if let Some(plugin) = plugin {
        plugin.with(|active| {
            active
                .shadowing
                .call_finished(token, headers > 0, body_size);
        });
    }
}
