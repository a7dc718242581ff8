//! Files of the folder `envoy/`, rendered as by `turnout render`, and the files that a proxy discovers.

use turnout_core::Configuration;
use turnout_core::render::{WASM_PLACEHOLDER, discovery, render};

use crate::envoy;
use crate::wasm::Build;

/// A file of `envoy/` with a plugin configuration and the filter, which is built from the current
/// sources.
///
/// # Panics
/// When the file has no place for them.
#[must_use]
pub fn rendered(file: &str, configuration: &str) -> String {
    rendered_with(Build::Whole, file, configuration)
}

/// Like [`rendered`], with either build of the filter.
///
/// # Panics
/// When the file has no place for them.
#[must_use]
pub fn rendered_with(build: Build, file: &str, configuration: &str) -> String {
    let template = envoy::file(file);
    let artifact = build.artifact();
    let path = template
        .contains(WASM_PLACEHOLDER)
        .then(|| artifact.to_str().expect("a path in UTF-8"));
    render(&template, configuration, path).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// The file that an Envoy of [`Bootstrap::live`](crate::envoy::Bootstrap::live) discovers: a plugin configuration,
/// valid or not, for the filter that is built from the current sources.
#[must_use]
pub fn discovered(configuration: &str) -> String {
    discovered_with(Build::Whole, configuration)
}

/// Like [`discovered`], with either build of the filter.
#[must_use]
pub fn discovered_with(build: Build, configuration: &str) -> String {
    let read = Configuration::from_json(configuration.as_bytes());
    let revision = read.map_or_else(
        |_| "refused".to_owned(),
        |read| read.plan.revision().to_string(),
    );
    let artifact = build.artifact();
    let path = artifact.to_str().expect("a path in UTF-8");
    discovery(configuration, &revision, path)
}
