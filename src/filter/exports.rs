//! The callbacks of proxy-wasm (ABI 0.2.1) that every build of this filter needs. Those for shadowing
//! are in `shadowing/exports.rs`.
#![expect(
    unsafe_code,
    reason = "the proxy finds functions by their names, so these may not be mangled"
)]

use crate::shadowing::Shadowing;
use crate::stream::strip_trailers;
use crate::vm::{CONTINUE, Vm};

#[cfg(target_os = "wasi")]
unsafe extern "C" {
    fn __wasm_call_ctors();
}

/// Called once, before anything else.
#[unsafe(no_mangle)]
extern "C" fn _initialize() {
    // SAFETY: the linker generates this function to be called once, when the module starts.
    #[cfg(target_os = "wasi")]
    unsafe {
        __wasm_call_ctors();
    }
}

/// Its name declares the ABI version.
#[unsafe(no_mangle)]
extern "C" fn proxy_abi_version_0_2_1() {}

/// Allocates memory that the proxy fills. It is freed as a `Vec<u8>` whose length and capacity are
/// `size`.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_memory_allocate(size: usize) -> *mut u8 {
    Box::into_raw(Box::<[u8]>::new_uninit_slice(size)).cast()
}

/// The context of a plugin has no parent; the context of a request has the plugin's.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_context_create(context: u32, parent: u32) {
    Vm::with(|vm| vm.create(context, parent));
}

/// Returns whether the configuration is accepted.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_configure(context: u32, size: usize) -> u32 {
    let is_taken = Vm::with(|vm| vm.configure(context, size));
    is_taken.unwrap_or(false).into()
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_headers(context: u32, _count: usize, end: u32) -> u32 {
    Vm::with(|vm| vm.request_headers(context, end != 0));
    CONTINUE
}

/// The proxy calls it only for a request with trailers, which end the request.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_trailers(context: u32, _count: usize) -> u32 {
    strip_trailers();
    Vm::with(|vm| vm.observe_shadowed(context, Shadowing::request_trailers));
    CONTINUE
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_tick(context: u32) {
    Vm::with(|vm| vm.tick(context));
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_delete(context: u32) {
    Vm::with(|vm| vm.delete(context));
}
