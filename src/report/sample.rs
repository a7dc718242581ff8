//! One line of counters, as Prometheus, OpenMetrics and Envoy's own page write it.

/// A name, its labels, and the text of the value.
#[derive(Debug, PartialEq)]
pub(crate) struct SampleLine<'a> {
    /// Without what Envoy and collectors write in front of `turnout`.
    pub(crate) name: String,
    /// Whether the name has dots between its parts, as on Envoy's own page, and not underscores.
    pub(crate) is_dotted: bool,
    pub(crate) labels: Vec<(String, String)>,
    /// A number, or a native histogram.
    pub(crate) value: &'a str,
}

/// What a line is.
pub(crate) enum Parsed<'a> {
    /// Nothing of Turnout.
    Foreign,
    /// It begins as a sample of Turnout, and is none.
    Broken,
    Sample(SampleLine<'a>),
}

/// Reads `name{label="value"} 1`, `{"name",label="value"} 1` and `name: 1`.
pub(crate) fn parse(line: &str) -> Parsed<'_> {
    let line = line.trim();
    if line.starts_with('{') {
        return match line.contains("turnout") {
            true => quoted_name(line).unwrap_or(Parsed::Foreign),
            false => Parsed::Foreign,
        };
    }
    let Some(bare) = own(line) else {
        return Parsed::Foreign;
    };
    plain_name(bare).map_or(Parsed::Broken, Parsed::Sample)
}

/// Without the prefixes, where something of Turnout follows them: Envoy leaves its own away where it
/// knows them, and other versions and collectors do not.
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
        // Behind a blank this may be a native histogram of a series without labels.
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

/// The name stands in quotes among the labels, or as the label `__name__`.
fn quoted_name(line: &str) -> Option<Parsed<'_>> {
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
        return Some(Parsed::Broken);
    };
    Some(Parsed::Sample(SampleLine {
        name: bare.get(1..)?.to_owned(),
        is_dotted: bare.starts_with('.'),
        labels,
        value,
    }))
}

/// The number, in front of a time and of an exemplar; or a whole native histogram.
fn value_of(rest: &str) -> Option<&str> {
    let rest = rest.trim();
    match rest.starts_with(['{', '=']) {
        true => Some(rest),
        false => rest.split_ascii_whitespace().next(),
    }
}

type Labels = Vec<(String, Option<String>)>;

/// Reads `a="b","c"="d","name"}` and gives what is behind it.
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

/// Reads up to the closing quote.
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

/// A count, also as `3e+03` or `3000.0`.
pub(crate) fn whole(text: &str) -> Option<u64> {
    if let Ok(count) = text.parse() {
        return Some(count);
    }
    let count: f64 = text.parse().ok()?;
    // Formatted, because a cast would not say that it does not fit.
    (count >= 0.0)
        .then(|| format!("{count:.0}"))
        .and_then(|text| text.parse().ok())
}

/// Milliseconds as microseconds, also as `1.8e+06`; the inner `None` is infinite.
pub(crate) fn microseconds(ms: &str) -> Option<Option<u64>> {
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
