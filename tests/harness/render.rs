//! Files of the folder `envoy/`, filled in as `turnout render` does it, and what a proxy discovers.

use turnout_core::Configuration;
use turnout_core::render::{WASM_PLACE, discovery, render};

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

/// What an Envoy of [`Bootstrap::live`](crate::envoy::Bootstrap::live) discovers: a plugin's
/// configuration, good or bad, for the filter that is built from the sources as they are.
#[must_use]
pub fn discovered(configuration: &str) -> String {
    let read = Configuration::from_json(configuration.as_bytes());
    let revision = read.map_or_else(
        |_| "refused".to_owned(),
        |read| read.plan.revision().to_string(),
    );
    let artifact = wasm::filter_wasm();
    let path = artifact.to_str().expect("a path in UTF-8");
    discovery(configuration, &revision, path)
}
