//! Renders a plugin configuration into a template file that has placeholders for it.
//!
//! A placeholder is a quoted string, `"@TURNOUT_CONFIGURATION@"` or `"@TURNOUT_WASM@"`. It is replaced by another
//! quoted string, which YAML and JSON read in the same way, so the template keeps its comments and layout.

use std::fmt;

use turnout_text::json_string;

/// The placeholder for the plugin configuration, with its quotes.
pub const CONFIGURATION_PLACEHOLDER: &str = "\"@TURNOUT_CONFIGURATION@\"";
/// The placeholder for the path of the filter's `.wasm`, with its quotes.
pub const WASM_PLACEHOLDER: &str = "\"@TURNOUT_WASM@\"";

/// Why a template cannot be rendered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RenderError {
    /// The template has no placeholder for the configuration.
    NoConfigurationPlace,
    /// A path of the `.wasm` is given, but the template has no placeholder for it.
    NoWasmPlace,
    /// The template has a placeholder for the path of the `.wasm`, but no path is given.
    NoWasm,
}

impl fmt::Display for RenderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoConfigurationPlace => write!(
                f,
                "the template has no placeholder for the configuration; write {CONFIGURATION_PLACEHOLDER} as the value of the plugin's configuration"
            ),
            Self::NoWasmPlace => write!(
                f,
                "the template has no placeholder for the path of the .wasm; write {WASM_PLACEHOLDER} as its filename, or do not give a path"
            ),
            Self::NoWasm => write!(
                f,
                "the template has a placeholder for the path of the .wasm ({WASM_PLACEHOLDER}), but no path is given"
            ),
        }
    }
}

impl std::error::Error for RenderError {}

/// Returns every mismatch between the placeholders of a template and the arguments of [`render`].
#[must_use]
pub fn placeholder_errors(template: &str, has_wasm: bool) -> Vec<RenderError> {
    let mut found = Vec::new();
    if !template.contains(CONFIGURATION_PLACEHOLDER) {
        found.push(RenderError::NoConfigurationPlace);
    }
    match (template.contains(WASM_PLACEHOLDER), has_wasm) {
        (true, false) => found.push(RenderError::NoWasm),
        (false, true) => found.push(RenderError::NoWasmPlace),
        (true, true) | (false, false) => {}
    }
    found
}

/// Renders a template.
///
/// # Errors
/// If the placeholders and the arguments do not match: the first of the [`placeholder_errors`].
pub fn render(
    template: &str,
    configuration: &str,
    wasm: Option<&str>,
) -> Result<String, RenderError> {
    if let Some(error) = placeholder_errors(template, wasm.is_some()).first() {
        return Err(*error);
    }
    // The configuration is inserted last, so that placeholders inside of it are not replaced.
    let with_wasm = match wasm {
        Some(wasm) => template.replace(WASM_PLACEHOLDER, &json_string(wasm)),
        None => template.to_owned(),
    };
    Ok(with_wasm.replace(CONFIGURATION_PLACEHOLDER, &json_string(configuration)))
}

/// The name of the filter's discovery resource.
pub const FILTER_NAME: &str = "turnout";

/// Renders what a proxy discovers (ECDS): a `DiscoveryResponse` in JSON with the filter, its configuration, and
/// the policy's revision as the version. `wasm` is the path of the filter on the proxy.
///
/// If the filter ever traps, the worker responds to its requests in flight with 503 under every failure
/// policy. With `FAIL_OPEN`, which this uses, that happens once: the worker then runs without the filter,
/// everyone on v1, until the next policy. With `FAIL_RELOAD` it responds with 503 for up to another second, and
/// again at each request that traps; with `FAIL_CLOSED` until the next policy. A policy that the filter refuses
/// is refused under all three.
#[must_use]
pub fn discovery(configuration: &str, revision: &str, wasm: &str) -> String {
    let [name, revision, wasm, configuration] =
        [FILTER_NAME, revision, wasm, configuration].map(json_string);
    format!(
        r#"{{
  "version_info": {revision},
  "resources": [ {{
    "@type": "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig",
    "name": {name},
    "typed_config": {{
      "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
      "config": {{
        "name": {name},
        "failure_policy": "FAIL_OPEN",
        "vm_config": {{
          "runtime": "envoy.wasm.runtime.v8",
          "code": {{ "local": {{ "filename": {wasm} }} }}
        }},
        "configuration": {{
          "@type": "type.googleapis.com/google.protobuf.StringValue",
          "value": {configuration}
        }}
      }}
    }}
  }} ]
}}
"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_placeholders_are_replaced() {
        let template = "a: \"@TURNOUT_WASM@\" # why\nb: \"@TURNOUT_CONFIGURATION@\"\n";
        let rendered = render(template, "{\n\t\"x\": \"\\u00e9é\"}", Some("/a b.wasm")).unwrap();
        assert_eq!(
            rendered,
            "a: \"/a b.wasm\" # why\nb: \"{\\n\\t\\\"x\\\": \\\"\\\\u00e9é\\\"}\"\n"
        );
    }

    #[test]
    fn placeholders_and_arguments_must_match() {
        use RenderError::*;
        assert_eq!(render("", "{}", None), Err(NoConfigurationPlace));
        assert_eq!(
            render(CONFIGURATION_PLACEHOLDER, "{}", Some("x")),
            Err(NoWasmPlace)
        );
        let both = [CONFIGURATION_PLACEHOLDER, WASM_PLACEHOLDER].concat();
        assert_eq!(render(&both, "{}", None), Err(NoWasm));
        assert_eq!(
            render(CONFIGURATION_PLACEHOLDER, "{}", None).as_deref(),
            Ok("\"{}\"")
        );
    }
}
