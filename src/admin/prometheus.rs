//! Samples of Turnout's metrics, in Prometheus text, OpenMetrics, and the format of Envoy's stats page.

/// A sample of one of Turnout's metrics.
#[derive(Debug, PartialEq)]
pub struct SampleLine<'a> {
    /// The name after `turnout` and its separator.
    pub name: String,
    /// Whether the parts of the name are separated by dots, as on Envoy's stats page, and not by underscores.
    pub is_dotted: bool,
    /// The labels with their values.
    pub labels: Vec<(String, String)>,
    /// The text of the value: a number or a native histogram.
    pub value: &'a str,
}

/// The content of a line of metrics.
pub enum ParsedLine<'a> {
    /// Not a metric of Turnout.
    Foreign,
    /// A malformed sample of Turnout.
    Broken,
    /// A sample of Turnout.
    Sample(SampleLine<'a>),
}

/// Parses `name{label="value"} 1`, `{"name",label="value"} 1` or `name: 1`.
#[must_use]
pub fn parse_sample(line: &str) -> ParsedLine<'_> {
    let line = line.trim();
    if line.starts_with('{') {
        return match line.contains("turnout") {
            true => quoted_name(line).unwrap_or(ParsedLine::Foreign),
            false => ParsedLine::Foreign,
        };
    }
    let Some(bare) = own(line) else {
        return ParsedLine::Foreign;
    };
    plain_name(bare).map_or(ParsedLine::Broken, ParsedLine::Sample)
}

/// Parses a sample of Envoy in Prometheus text: `envoy_server_uptime{} 7`. The name in the result has no `envoy_`.
#[must_use]
pub fn parse_envoy_sample(line: &str) -> ParsedLine<'_> {
    match line.trim().strip_prefix("envoy") {
        Some(bare) if bare.starts_with('_') => {
            plain_name(bare).map_or(ParsedLine::Broken, ParsedLine::Sample)
        }
        _ => ParsedLine::Foreign,
    }
}

/// Strips the prefixes before `turnout`, and `turnout` itself. Some versions of Envoy and some collectors
/// write `envoy_` and `wasmcustom`.
fn own(name: &str) -> Option<&str> {
    let bare = name.strip_prefix("envoy_").unwrap_or(name);
    let bare = bare
        .strip_prefix("wasmcustom")
        .map_or(bare, |rest| rest.strip_prefix(['_', '.']).unwrap_or(bare));
    let bare = bare.strip_prefix("turnout")?;
    bare.starts_with(['_', '.']).then_some(bare)
}

fn plain_name(bare: &str) -> Option<SampleLine<'_>> {
    if let Some(bare) = bare.strip_prefix('.') {
        let (name, value) = bare.split_once(':')?;
        return Some(SampleLine {
            name: name.to_owned(),
            is_dotted: true,
            labels: Vec::new(),
            value: value.trim(),
        });
    }
    let bare = bare.strip_prefix('_')?;
    let name_ends = bare.find(['{', ' ', '\t'])?;
    let (name, rest) = bare.split_at_checked(name_ends)?;
    let (labels, rest) = match (rest.strip_prefix('{'), rest.trim_start().strip_prefix('{')) {
        (Some(inside), _) => labels(inside)?,
        // After a blank, this may be a native histogram of a series without labels.
        (None, Some(inside)) => labels(inside).unwrap_or_else(|| (Vec::new(), rest)),
        (None, None) => (Vec::new(), rest),
    };
    let labels = labels.into_iter();
    Some(SampleLine {
        name: name.to_owned(),
        is_dotted: false,
        labels: labels
            .filter_map(|(name, value)| Some((name, value?)))
            .collect(),
        value: value_of(rest)?,
    })
}

/// Parses a line whose name is quoted among the labels, or is the label `__name__`.
fn quoted_name(line: &str) -> Option<ParsedLine<'_>> {
    let (all, rest) = labels(line.strip_prefix('{')?)?;
    let mut name = None;
    let mut labels = Vec::new();
    for (label, value) in all {
        match value {
            None => name = Some(label),
            Some(value) if label == "__name__" => name = Some(value),
            Some(value) => labels.push((label, value)),
        }
    }
    let name = name?;
    let bare = own(&name)?;
    let Some(value) = value_of(rest) else {
        return Some(ParsedLine::Broken);
    };
    Some(ParsedLine::Sample(SampleLine {
        name: bare.get(1..)?.to_owned(),
        is_dotted: bare.starts_with('.'),
        labels,
        value,
    }))
}

/// Returns the number without the time and the exemplar after it, or a whole native histogram.
fn value_of(rest: &str) -> Option<&str> {
    let rest = rest.trim();
    match rest.starts_with(['{', '=']) {
        true => Some(rest),
        false => rest.split_ascii_whitespace().next(),
    }
}

type Labels = Vec<(String, Option<String>)>;

/// Parses `a="b","c"="d","name"}`, and returns the labels and the rest of the line.
fn labels(text: &str) -> Option<(Labels, &str)> {
    let mut labels = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches([',', ' ']);
        if let Some(behind) = rest.strip_prefix('}') {
            return Some((labels, behind));
        }
        let (name, behind) = match rest.strip_prefix('"') {
            Some(inside) => quoted(inside)?,
            None => {
                let end = rest.find(['=', '}', '"', ':'])?;
                let (name, behind) = rest.split_at_checked(end)?;
                (name.trim().to_owned(), behind)
            }
        };
        let behind = behind.trim_start();
        rest = match behind.strip_prefix('=') {
            Some(behind) => {
                let (value, behind) = quoted(behind.trim_start().strip_prefix('"')?)?;
                labels.push((name, Some(value)));
                behind
            }
            None if rest.starts_with('"') => {
                labels.push((name, None));
                behind
            }
            None => return None,
        };
    }
}

/// Parses a string up to its closing quote, and returns it with the rest of the line.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.chars();
    loop {
        match chars.next()? {
            '"' => return Some((value, chars.as_str())),
            '\\' => match chars.next()? {
                'n' => value.push('\n'),
                other => value.push(other),
            },
            other => value.push(other),
        }
    }
}

/// Parses a count: `3000`, `3000.0` or `3e+03`.
#[must_use]
pub fn parse_count(text: &str) -> Option<u64> {
    if let Ok(count) = text.parse() {
        return Some(count);
    }
    let count: f64 = text.parse().ok()?;
    // Formatted and parsed, because a cast would not report an overflow.
    (count >= 0.0)
        .then(|| format!("{count:.0}"))
        .and_then(|text| text.parse().ok())
}

/// Parses milliseconds, `0.5` or `1.8e+06`, and returns microseconds. `+Inf` is `Some(None)`.
#[must_use]
pub fn parse_milliseconds(ms: &str) -> Option<Option<u64>> {
    let ms: f64 = ms.parse().ok()?;
    if ms.is_infinite() && ms.is_sign_positive() {
        return Some(None);
    }
    if !ms.is_finite() || ms < 0.0 {
        return None;
    }
    let text = format!("{ms:.3}");
    let (whole_ms, decimals) = text.split_once('.')?;
    let us = decimals.parse::<u64>().ok()?;
    let whole_us = whole_ms.parse::<u64>().ok()?.checked_mul(1_000)?;
    Some(Some(whole_us.saturating_add(us)))
}
