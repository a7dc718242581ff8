//! Files of the folder `envoy/`, filled in as `turnout render` does it.

use turnout_core::render::{WASM_PLACE, render};

use crate::{envoy, wasm};

/// A file of `envoy/` with a plugin's configuration in it, and the filter that is built from the
/// sources as they are.
///
/// # Panics
/// When the file has no place for them.
#[must_use]
pub fn rendered(file: &str, configuration: &str) -> String {
    let template = envoy::file(file);
    let artifact = wasm::filter_wasm();
    let path = template
        .contains(WASM_PLACE)
        .then(|| artifact.to_str().expect("a path in UTF-8"));
    render(&template, configuration, path).unwrap_or_else(|error| panic!("{file}: {error}"))
}
