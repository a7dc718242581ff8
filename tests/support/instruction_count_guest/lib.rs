//! Core alone as wasm, built like the filter. An interpreter counts the instructions of reading and deciding a
//! request, which are the same on every machine. `tests/mock/instruction_count.rs` runs it, and
//! `tests/mock/guard_digits.rs`.
#![expect(
    unsafe_code,
    reason = "the test finds functions by their names, so these may not be mangled"
)]

mod guard_digits;

use std::cell::RefCell;
use std::hint::black_box;

use turnout_core::{Configuration, Decision, Headers, Plan, Request, Time, decide};

thread_local! {
    /// The text that the host passes in.
    static TEXT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    static CONFIGURATION: RefCell<Option<Configuration>> = const { RefCell::new(None) };
    static REGION: RefCell<String> = const { RefCell::new(String::new()) };
}

#[cfg(target_os = "wasi")]
unsafe extern "C" {
    fn __wasm_call_ctors();
}

/// Called once, before everything else.
#[unsafe(no_mangle)]
extern "C" fn _initialize() {
    // SAFETY: the linker provides it, and the start of the module is the place to call it.
    #[cfg(target_os = "wasi")]
    unsafe {
        __wasm_call_ctors();
    }
}

/// Allocates memory for a text, which the next call reads.
#[unsafe(no_mangle)]
extern "C" fn text(size: usize) -> *mut u8 {
    TEXT.with_borrow_mut(|text| {
        *text = vec![0; size];
        text.as_mut_ptr()
    })
}

/// The text is the region of the proxy, empty without one.
#[unsafe(no_mangle)]
extern "C" fn place() {
    let region = String::from_utf8_lossy(&TEXT.take()).into_owned();
    REGION.set(region);
}

/// The text is a configuration. Returns whether it is valid.
#[unsafe(no_mangle)]
extern "C" fn configure() -> bool {
    let configuration = Configuration::from_json(&TEXT.take()).ok();
    CONFIGURATION.with_borrow_mut(|current| {
        *current = configuration.map(|mut configuration| {
            REGION.with_borrow(|region| configuration.plan.set_region(region));
            configuration
        });
        current.is_some()
    })
}

/// The text is a request: the name of a header, a zero byte, its value, a zero byte, and so on. Reads it so
/// many times.
#[unsafe(no_mangle)]
extern "C" fn read(times: u32) {
    repeat(times, |_, _| {});
}

/// Like `read`, and decides the request each time.
#[unsafe(no_mangle)]
extern "C" fn read_and_decide(times: u32) {
    repeat(times, |plan, request| {
        let decision: Decision<'_> = decide(plan, request);
        black_box(&decision);
    });
}

/// A hash of the evidence of so many random counts.
#[unsafe(no_mangle)]
extern "C" fn guard_digits(tables: u32) -> u64 {
    guard_digits::guard_digits(tables)
}

#[inline(always)]
fn repeat(times: u32, then: impl Fn(&Plan, &Request<'_>)) {
    TEXT.with_borrow(|text| {
        let mut parts = text.split(|byte| *byte == 0);
        let mut pairs = Vec::new();
        while let (Some(name), Some(value)) = (parts.next(), parts.next()) {
            pairs.push((name, value));
        }
        CONFIGURATION.with_borrow(|configuration| {
            let Some(Configuration { plan, inbound, .. }) = configuration else {
                return;
            };
            for _ in 0..times {
                let headers = Headers::new(black_box(&pairs));
                let request = plan.request(headers, *inbound, Time::from_seconds(1_796_115_600));
                then(plan, black_box(&request));
            }
        });
    });
}
