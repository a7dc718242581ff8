//! The names that Turnout has on the wire, and in logs.

/// The cluster that answers, for a route's `cluster_header`.
pub const CLUSTER_HEADER: &str = "x-turnout-cluster";
/// `v1` or `v2`, for header matches of a route.
pub const TREATMENT_HEADER: &str = "x-turnout-treatment";
/// `<rollout>=<treatment>`, one entry for each rollout that the request has met, joined by commas.
pub const DECISION_HEADER: &str = "x-turnout-decision";
/// On a copy, with the value `1`: whoever answers it answers no user.
pub const SHADOW_HEADER: &str = "x-turnout-shadow";
/// The property that tells access logs of a decision: `%FILTER_STATE(wasm.turnout:PLAIN)%`.
pub const LOG_PROPERTY: &str = "turnout";
/// What stands for the rollout where none matched, in logs and in counters; no rollout can have this
/// name.
pub const NO_ROLLOUT: &str = "-";

/// What the gauges of revisions begin with; behind it is the plugin's name, see [`revision_gauge`].
pub const REVISION_GAUGES: &str = "turnout.revision.";

const PREFIX: &[u8] = b"x-turnout-";

/// Whether a header belongs to Turnout, so that nobody else may send it.
///
/// An underscore counts as a hyphen, because CGI-like upstreams read both as one name.
#[must_use]
pub fn is_turnout_header(name: &[u8]) -> bool {
    name.len() >= PREFIX.len()
        && name.iter().zip(PREFIX).all(|(found, wanted)| match found {
            b'_' => *wanted == b'-',
            found => found.eq_ignore_ascii_case(wanted),
        })
}

/// The gauge that holds the number of the revision that a plugin runs. A proxy may have several plugins,
/// each with a policy of its own.
#[must_use]
pub fn revision_gauge(plugin: &str) -> String {
    format!("{REVISION_GAUGES}{}", plugin_label(plugin))
}

/// A plugin's name as a part of a metric's name. A character that is neither an ASCII letter, a digit, `-`
/// nor `_` becomes `_`, and a plugin without a name is `-`.
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
    fn a_plugins_gauge_has_its_name_without_what_a_metric_cannot_have() {
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
    fn knows_its_own_headers() {
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
