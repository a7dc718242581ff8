//! Strategies for hostile input, for property tests.

use proptest::prelude::*;

/// Bytes, with a preference for those that have a meaning for a parser.
pub fn bytes(most: usize) -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![
        any::<u8>(),
        prop::sample::select(b"{}[]\",:\\/%*=.-+eE0123456789 \n\0:#?AC".to_vec()),
    ];
    prop::collection::vec(byte, 0..most)
}

/// A header that the filter reads, or another one, with a value that is meant for one of them.
pub fn header() -> impl Strategy<Value = (Vec<u8>, Vec<u8>)> {
    const NAMES: &[&str] = &[
        ":method",
        ":path",
        ":authority",
        "x-account-sid",
        "authorization",
        "x-request-id",
        "x-turnout-decision",
        "x-turnout-cluster",
        "x-beta",
    ];
    let name = prop_oneof![
        4 => prop::sample::select(NAMES).prop_map(|name| name.as_bytes().to_vec()),
        1 => bytes(20),
    ];
    let value = prop_oneof![
        bytes(80),
        "AC[0-9a-f]{32}".prop_map(String::into_bytes),
        "Basic [A-Za-z0-9+/=]{0,60}".prop_map(String::into_bytes),
        "/2010-04-01/Accounts/[AC0-9a-f%]{0,40}(/Calls)?".prop_map(String::into_bytes),
        "([a-z-]{0,12}=v[123],?){0,5}".prop_map(String::into_bytes),
    ];
    (name, value)
}
