//! PromQL selectors for the metrics of proxies.

use std::fmt::Write as _;

use turnout_text::escape_for_terminal;

/// The metrics of the filter. The parts in brackets depend on the version of Envoy and on the collector.
const TURNOUT: &str = "(envoy_)?(wasmcustom[._]?)?turnout[._]";
/// The uptime of an Envoy.
const UPTIME: &str = "envoy_server_uptime";
/// The requests that a cluster has completed. OpenMetrics adds the suffix.
const COMPLETED: &str = "envoy_cluster_upstream_rq_completed(_total)?";
/// The label of a cluster's metrics.
const CLUSTER_LABEL: &str = "envoy_cluster_name";
/// The longest list of names in a selector, in bytes, so that the query fits into a URL.
const LONGEST_NAMES: usize = 2_000;
/// Labels of Turnout's metrics. They do not select proxies.
const METRIC_LABELS: [&str; 8] = [
    "__name__",
    "rollout",
    "stratum",
    "treatment",
    "reason",
    "outcome",
    "plugin",
    CLUSTER_LABEL,
];

/// A label matcher that selects proxies, such as `job="envoy"`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelMatcher(String);

impl LabelMatcher {
    /// Parses `label="value"`, or the same with `!=`, `=~` or `!~`.
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        let refuse = |what: &str| {
            Err(format!(
                "{what} in the matcher {}; write for example 'job=\"envoy\"'",
                escape_for_terminal(text)
            ))
        };
        let text = text.trim();
        let is_of_label = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let rest = text.trim_start_matches(is_of_label);
        let label = text.strip_suffix(rest).unwrap_or_default();
        if label.is_empty() || label.starts_with(|c: char| c.is_ascii_digit()) {
            return refuse("expected the name of a label");
        }
        if METRIC_LABELS.contains(&label) {
            return refuse(&format!("expected a label of a proxy, found `{label}`"));
        }
        let rest = rest.trim_start();
        let value = ["=~", "!~", "!=", "="]
            .into_iter()
            .find_map(|operator| rest.strip_prefix(operator));
        let Some(value) = value else {
            return refuse("expected `=`, `!=`, `=~` or `!~`");
        };
        match is_quoted(value.trim_start()) {
            true => Ok(Self(text.to_owned())),
            false => refuse("expected one value in double quotes"),
        }
    }
}

/// Whether a text is one string in double quotes.
fn is_quoted(text: &str) -> bool {
    let Some(inside) = text.strip_prefix('"') else {
        return false;
    };
    let mut chars = inside.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => return chars.as_str().is_empty(),
            '\\' => {
                chars.next();
            }
            c if c.is_control() => return false,
            _ => {}
        }
    }
    false
}

/// Writes selectors that have the matchers of the user.
#[derive(Clone, Debug)]
pub(crate) struct Selectors {
    matchers: String,
    clusters: Vec<String>,
}

impl Selectors {
    pub(crate) fn new(matchers: &[LabelMatcher], clusters: Vec<String>) -> Self {
        let mut text = String::new();
        for LabelMatcher(matcher) in matchers {
            text.push(',');
            text.push_str(matcher);
        }
        Self {
            matchers: text,
            clusters,
        }
    }

    /// `up` of all targets.
    pub(crate) fn up(&self) -> String {
        format!("up{{{}}}", self.matchers.trim_start_matches(','))
    }

    /// `up` of these instances.
    pub(crate) fn up_of<'a>(&self, instances: impl IntoIterator<Item = &'a str>) -> String {
        let instances = alternatives(instances);
        format!("up{{instance=~{}{}}}", quoted(&instances), self.matchers)
    }

    /// The metrics that show which proxies ran when: two of each proxy.
    pub(crate) fn presence(&self) -> String {
        self.named(&format!("{UPTIME}|{TURNOUT}revision.*"), "")
    }

    /// All metrics of a reading.
    pub(crate) fn readings(&self) -> String {
        let turnout = format!("{UPTIME}|{TURNOUT}(decisions|guard|revision).*");
        if self.clusters.is_empty() {
            return self.named(&turnout, "");
        }
        let names = alternatives(self.clusters.iter().map(String::as_str));
        // Metrics without the label match the empty alternative.
        let clusters = match names.len() {
            // The names are too long for one request, so it asks for all clusters.
            length if length > LONGEST_NAMES => String::new(),
            _ => format!(",{CLUSTER_LABEL}=~{}", quoted(&format!("|{names}"))),
        };
        self.named(&format!("{COMPLETED}|{turnout}"), &clusters)
    }

    fn named(&self, names: &str, more: &str) -> String {
        format!("{{__name__=~{}{more}{}}}", quoted(names), self.matchers)
    }
}

/// A regular expression for these texts.
fn alternatives<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    let mut pattern = String::new();
    for text in texts {
        if !pattern.is_empty() {
            pattern.push('|');
        }
        for c in text.chars() {
            if c.is_ascii_punctuation() && !matches!(c, '_' | '-' | ':' | '/') {
                pattern.push('\\');
            }
            pattern.push(c);
        }
    }
    pattern
}

/// A string of PromQL.
fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => {
                quoted.push('\\');
                quoted.push(c);
            }
            c if c.is_control() => {
                let _ = write!(quoted, "\\u{:04x}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_matcher_is_one_label_and_one_value() {
        for text in [
            r#"job="envoy""#,
            r#"job!="envoy""#,
            r#" pod=~"chat-.*" "#,
            r#"job !~ "a\"b""#,
            r#"_a1="""#,
        ] {
            let LabelMatcher(matcher) = LabelMatcher::parse(text).unwrap();
            assert_eq!(matcher, text.trim());
        }
        for (text, what) in [
            ("", "name of a label"),
            (r#"="envoy""#, "name of a label"),
            (r#"1a="envoy""#, "name of a label"),
            ("job", "expected `=`"),
            ("job=envoy", "in double quotes"),
            (r#"job="envoy"#, "in double quotes"),
            (r#"job="envoy\""#, "in double quotes"),
            (r#"job="a",pod="b""#, "in double quotes"),
            (r#"job="a"} or {a="b""#, "in double quotes"),
            (r#"rollout="chat""#, "found `rollout`"),
            (r#"__name__="up""#, "found `__name__`"),
        ] {
            let error = LabelMatcher::parse(text).unwrap_err();
            assert!(error.contains(what), "{text}: {error}");
        }
    }

    #[test]
    fn selectors_escape_what_they_contain() {
        let matcher = LabelMatcher::parse(r#"job="envoy""#).unwrap();
        let selectors = Selectors::new(&[matcher], vec!["a.b".into(), "c\"d".into()]);
        assert_eq!(selectors.up(), r#"up{job="envoy"}"#);
        assert_eq!(
            selectors.up_of(["10.0.0.1:9901", "x|y"]),
            r#"up{instance=~"10\\.0\\.0\\.1:9901|x\\|y",job="envoy"}"#
        );
        let readings = selectors.readings();
        assert!(
            readings.contains(r#",envoy_cluster_name=~"|a\\.b|c\\\"d",job="envoy"}"#),
            "{readings}"
        );
        let none = Selectors::new(&[], Vec::new());
        assert_eq!(none.up(), "up{}");
        assert!(!none.readings().contains("cluster"), "{}", none.readings());
        let long = Selectors::new(&[], vec!["a".repeat(3_000)]).readings();
        assert!(long.len() < 300 && long.contains(COMPLETED), "{long}");
    }
}
