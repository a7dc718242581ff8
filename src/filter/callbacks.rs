//! Passes the proxy's callbacks to the SDK, except those for contexts that do not exist.
//!
//! The SDK panics at a callback for a context that it does not know, and at the creation of one that it
//! knows. Users of the SDK have seen Envoy make such calls, behind a filter for external processing
//! (proxy-wasm/proxy-wasm-rust-sdk#304). The proxy sees the functions of this file, by `exports/*.txt`.
#![expect(
    unsafe_code,
    reason = "exports are found by their names, so these may not be mangled; the SDK's are declared by theirs"
)]

use std::cell::RefCell;
use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};

use proxy_wasm::types::Action;

use crate::route::strip_trailers;

unsafe extern "C" {
    safe fn proxy_on_context_create(context: u32, parent: u32);
    safe fn proxy_on_configure(context: u32, size: usize) -> bool;
    safe fn proxy_on_tick(context: u32);
    safe fn proxy_on_request_headers(context: u32, count: usize, end: bool) -> Action;
    safe fn proxy_on_request_trailers(context: u32, count: usize) -> Action;
    safe fn proxy_on_delete(context: u32);
}

thread_local! {
    static CONTEXTS: RefCell<Contexts> = RefCell::default();
}

/// The ids of the contexts that the SDK has.
#[derive(Default)]
struct Contexts {
    plugins: Vec<u32>,
    requests: HashSet<u32, BuildHasherDefault<IdHasher>>,
}

impl Contexts {
    /// Adds a context. Returns `false` if it exists, or if it is a request of a plugin that does not.
    fn add(&mut self, context: u32, parent: u32) -> bool {
        if self.plugins.contains(&context) || self.requests.contains(&context) {
            return false;
        }
        if parent == 0 {
            self.plugins.push(context);
            return true;
        }
        self.plugins.contains(&parent) && self.requests.insert(context)
    }

    /// Removes a context. Returns `false` if it does not exist.
    fn remove(&mut self, context: u32) -> bool {
        if self.requests.remove(&context) {
            return true;
        }
        let index = self.plugins.iter().position(|plugin| *plugin == context);
        index.map(|index| self.plugins.swap_remove(index)).is_some()
    }
}

/// Hashes an id. The proxy assigns ids in ascending order, so nobody can choose ids that collide, and the
/// standard hasher's protection against that is not needed.
#[derive(Default)]
struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    /// Not called: an id is a `u32`.
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u32((*byte).into());
        }
    }

    /// Multiplies by 2⁶⁴ divided by the golden ratio, which spreads consecutive numbers over all bits.
    fn write_u32(&mut self, id: u32) {
        self.0 = (self.0 ^ u64::from(id)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

fn is_plugin(context: u32) -> bool {
    CONTEXTS.with_borrow(|contexts| contexts.plugins.contains(&context))
}

/// Passes a callback for a request on, if the request exists.
pub(crate) fn for_request(context: u32, callback: impl FnOnce() -> Action) -> Action {
    match CONTEXTS.with_borrow(|contexts| contexts.requests.contains(&context)) {
        true => callback(),
        false => Action::Continue,
    }
}

/// The context of a plugin has no parent. That of a request has the plugin's.
#[unsafe(no_mangle)]
extern "C" fn turnout_on_context_create(context: u32, parent: u32) {
    if CONTEXTS.with_borrow_mut(|contexts| contexts.add(context, parent)) {
        proxy_on_context_create(context, parent);
    }
}

/// Returns whether the configuration is accepted.
#[unsafe(no_mangle)]
extern "C" fn turnout_on_configure(context: u32, size: usize) -> bool {
    is_plugin(context) && proxy_on_configure(context, size)
}

#[unsafe(no_mangle)]
extern "C" fn turnout_on_tick(context: u32) {
    if is_plugin(context) {
        proxy_on_tick(context);
    }
}

#[unsafe(no_mangle)]
extern "C" fn turnout_on_request_headers(context: u32, count: usize, end: bool) -> Action {
    for_request(context, || proxy_on_request_headers(context, count, end))
}

/// The proxy calls it only for a request with trailers, which end the request.
#[unsafe(no_mangle)]
extern "C" fn turnout_on_request_trailers(context: u32, count: usize) -> Action {
    strip_trailers();
    for_request(context, || proxy_on_request_trailers(context, count))
}

#[unsafe(no_mangle)]
extern "C" fn turnout_on_delete(context: u32) {
    if CONTEXTS.with_borrow_mut(|contexts| contexts.remove(context)) {
        proxy_on_delete(context);
    }
}
