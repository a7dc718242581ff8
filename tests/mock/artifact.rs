//! The artifact itself.

use harness::wasm::filter_wasm;

/// Every worker of every proxy loads it.
const LARGEST: u64 = 400 * 1024;

#[test]
fn the_filter_is_small() {
    let size = std::fs::metadata(filter_wasm())
        .expect("the artifact")
        .len();
    assert!(size < LARGEST, "{size} bytes");
}
