//! Any bytes are a configuration or have errors: each error has a position in the text and a one-line message, and
//! the errors are sorted by position.
#![no_main]

use libfuzzer_sys::fuzz_target;
use turnout_core::{Configuration, Inbound, Plan};

fuzz_target!(|bytes: &[u8]| {
    let _ = Configuration::from_json(bytes);
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let alone = Plan::from_json(text);
    if let Err(diagnostics) = &alone {
        let list = diagnostics.as_slice();
        assert!(!list.is_empty());
        assert!(list.is_sorted_by_key(|diagnostic| diagnostic.span.start));
        for diagnostic in list {
            assert!(text.get(diagnostic.span.clone()).is_some(), "{diagnostic}");
            assert!(!diagnostic.to_string().contains('\n'), "{diagnostic}");
        }
        return;
    }
    // A valid policy is also valid inside of a configuration.
    let configuration = Configuration::to_json(text, Inbound::Strip);
    assert!(Configuration::from_json(configuration.as_bytes()).is_ok());
});
