//! Puts a proxy's configuration into a file of any kind that has places for it.
//!
//! A place is a quoted string, `"@TURNOUT_CONFIGURATION@"` or `"@TURNOUT_WASM@"`, and is replaced
//! by another quoted string, which YAML and JSON read alike. So the file keeps its comments and its
//! layout, and no one pastes JSON into YAML.

use std::fmt;

use turnout_text::json_string;

/// Where the plugin's configuration goes, quotes included.
pub const CONFIGURATION_PLACEHOLDER: &str = "\"@TURNOUT_CONFIGURATION@\"";
/// Where the path of the filter's `.wasm` goes, quotes included.
pub const WASM_PLACEHOLDER: &str = "\"@TURNOUT_WASM@\"";

/// Why a template cannot be filled in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RenderError {
    /// It has no place for the configuration.
    NoConfigurationPlace,
    /// A path of the `.wasm` is given, and the template has no place for it.
    NoWasmPlace,
    /// The template has a place for the path of the `.wasm`, and none is given.
    NoWasm,
}

impl fmt::Display for RenderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoConfigurationPlace => write!(
                f,
                "the template has no place for the configuration; write {CONFIGURATION_PLACEHOLDER} as the value of the plugin's configuration"
            ),
            Self::NoWasmPlace => write!(
                f,
                "the template has no place for the path of the .wasm; write {WASM_PLACEHOLDER} as its filename, or give no path"
            ),
            Self::NoWasm => write!(
                f,
                "the template has a place for the path of the .wasm ({WASM_PLACEHOLDER}); give the path"
            ),
        }
    }
}

impl std::error::Error for RenderError {}

/// Whatever does not fit between a template and what is given.
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

/// Fills in a template.
///
/// # Errors
/// When the template's places and what is given do not fit each other: the first of the [`misfits`].
pub fn render(
    template: &str,
    configuration: &str,
    wasm: Option<&str>,
) -> Result<String, RenderError> {
    if let Some(error) = placeholder_errors(template, wasm.is_some()).first() {
        return Err(*error);
    }
    // The configuration comes last: nothing in it is a place.
    let with_wasm = match wasm {
        Some(wasm) => template.replace(WASM_PLACEHOLDER, &json_string(wasm)),
        None => template.to_owned(),
    };
    Ok(with_wasm.replace(CONFIGURATION_PLACEHOLDER, &json_string(configuration)))
}

/// The name under which the filter is discovered.
pub const FILTER_NAME: &str = "turnout";

/// What a proxy discovers (ECDS): a `DiscoveryResponse` in JSON, with the filter, its configuration
/// and the policy's revision as the version. `wasm` is where the proxy finds the filter.
///
/// Should the filter ever trap, that worker answers its requests in flight with 503, under any
/// failure policy. `FAIL_OPEN`, which stands here, does it once: then the worker goes on as if there
/// were no filter, everyone on v1, until the next policy. `FAIL_RELOAD` answers 503 for up to a
/// second more, and again at each request that traps; `FAIL_CLOSED` until the next policy. A policy
/// that the filter refuses is refused under all three.
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
    fn fills_both_places() {
        let template = "a: \"@TURNOUT_WASM@\" # why\nb: \"@TURNOUT_CONFIGURATION@\"\n";
        let rendered = render(template, "{\n\t\"x\": \"\\u00e9é\"}", Some("/a b.wasm")).unwrap();
        assert_eq!(
            rendered,
            "a: \"/a b.wasm\" # why\nb: \"{\\n\\t\\\"x\\\": \\\"\\\\u00e9é\\\"}\"\n"
        );
    }

    #[test]
    fn places_and_what_is_given_have_to_fit() {
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
