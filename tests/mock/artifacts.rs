//! The WebAssembly artifacts.

use support::wasm::{filter_wasm, lean_wasm};

/// Every worker of every proxy loads the filter.
const LARGEST: u64 = 560 * 1024;
const LARGEST_LEAN: u64 = 420 * 1024;

#[test]
fn the_filter_is_small() {
    for (artifact, largest) in [(filter_wasm(), LARGEST), (lean_wasm(), LARGEST_LEAN)] {
        let size = std::fs::metadata(&artifact).expect("the artifact").len();
        assert!(size < largest, "{}: {size} bytes", artifact.display());
    }
}
