//! The names of Turnout's headers, properties and metrics.

/// The header with the selected cluster, for the `cluster_header` of a route.
pub const CLUSTER_HEADER: &str = "x-turnout-cluster";
/// The header with the treatment, `v1` or `v2`, for the header matches of routes.
pub const TREATMENT_HEADER: &str = "x-turnout-treatment";
/// The header with the decisions along the call chain: one entry `<rollout>=<treatment>` for each rollout,
/// separated by commas.
pub const DECISION_HEADER: &str = "x-turnout-decision";
/// The header that marks a shadow request, with the value `1`. No user sees its response.
pub const SHADOW_HEADER: &str = "x-turnout-shadow";
/// The property with the access-log entry of a decision: `%FILTER_STATE(wasm.turnout:PLAIN)%`.
pub const LOG_PROPERTY: &str = "turnout";
/// The name in logs and counters for requests of no rollout. No rollout can have this name.
pub const NO_ROLLOUT: &str = "-";

/// The prefix of revision gauges. The plugin's name follows; see [`revision_gauge`].
pub const REVISION_GAUGES: &str = "turnout.revision.";

const PREFIX: &[u8] = b"x-turnout-";

/// Whether a header name is reserved for Turnout.
///
/// An underscore counts as a hyphen, because upstreams with a CGI-like interface treat both as one name.
#[must_use]
#[inline]
pub fn is_turnout_header(name: &[u8]) -> bool {
    // The third byte alone rules out almost every other header, and each request has many.
    matches!(name, [_, _, b't' | b'T', ..]) && has_prefix(name)
}

fn has_prefix(name: &[u8]) -> bool {
    name.len() >= PREFIX.len()
        && name.iter().zip(PREFIX).all(|(found, wanted)| match found {
            b'_' => *wanted == b'-',
            found => found.eq_ignore_ascii_case(wanted),
        })
}

/// Returns the name of the gauge with a plugin's revision number. A proxy may have several plugins, each with its
/// own policy.
#[must_use]
pub fn revision_gauge(plugin: &str) -> String {
    format!("{REVISION_GAUGES}{}", plugin_label(plugin))
}

/// Converts a plugin's name to a part of a metric's name. Every character other than ASCII letters, digits, `-` and
/// `_` becomes `_`, and an empty name becomes `-`.
#[must_use]
pub fn plugin_label(plugin: &str) -> String {
    if plugin.is_empty() {
        return "-".to_owned();
    }
    let safe = |c: char| match c {
        '-' | '_' | '0'..='9' | 'A'..='Z' | 'a'..='z' => c,
        _ => '_',
    };
    plugin.chars().map(safe).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gauge_has_the_plugins_name_with_invalid_characters_replaced() {
        for (plugin, gauge) in [
            ("turnout", "turnout.revision.turnout"),
            ("Edge_2-a", "turnout.revision.Edge_2-a"),
            ("", "turnout.revision.-"),
            (
                "istio-ingress.turnout",
                "turnout.revision.istio-ingress_turnout",
            ),
            ("a/b:c d\n\"é", "turnout.revision.a_b_c_d___"),
        ] {
            assert_eq!(revision_gauge(plugin), gauge);
        }
    }

    #[test]
    fn reserved_headers_are_recognized_in_every_spelling() {
        for name in [
            "x-turnout-cluster",
            "X-Turnout-Anything",
            "x_turnout_treatment",
            "x-turnout-",
        ] {
            assert!(is_turnout_header(name.as_bytes()), "{name}");
        }
        for name in [
            "x-turnout",
            "x-turnouts-cluster",
            "turnout-cluster",
            "ax-turnout-cluster",
            "",
        ] {
            assert!(!is_turnout_header(name.as_bytes()), "{name}");
        }
    }
}
