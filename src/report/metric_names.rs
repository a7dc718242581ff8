//! Finds the rollout and the kind of a counter by its name and labels.

use turnout_admin::SampleLine;
use turnout_core::shadow::Outcome;

use crate::outcomes::outcome_by_name;

/// The kind of a counter of a rollout.
pub(crate) enum CounterKind {
    Outcome(String),
    Sampled,
    Unproven,
    InFlight,
    V1,
    V2,
}

/// The part of a metric's name after `turnout`.
pub(crate) struct MetricName<'a> {
    pub(crate) text: &'a str,
    pub(crate) separator: char,
    pub(crate) is_bucket: bool,
}

impl<'a> MetricName<'a> {
    pub(crate) fn new(line: &'a SampleLine<'_>) -> Self {
        let text = line.name.strip_suffix("_total").unwrap_or(&line.name);
        let bucket = text.strip_suffix("_bucket");
        Self {
            text: bucket.unwrap_or(text),
            separator: if line.is_dotted { '.' } else { '_' },
            is_bucket: bucket.is_some(),
        }
    }

    /// The rest of the name after this part; the inner `None` if there is none.
    pub(crate) fn after(&self, part: &str) -> Option<Option<&'a str>> {
        match self.text.strip_prefix(part)? {
            "" => Some(None),
            rest => rest.strip_prefix(self.separator).map(Some),
        }
    }

    /// The name before this suffix.
    pub(crate) fn before(&self, part: &str) -> Option<&'a str> {
        self.text.strip_suffix(part)?.strip_suffix('_')
    }

    /// Converts a part of the name to the name of a rollout. Names of Prometheus have `_` for `-`.
    fn rollout(&self, text: &str) -> Option<String> {
        let is_name_char =
            |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_".contains(c);
        let is_name = !text.is_empty() && text.chars().all(is_name_char);
        is_name.then(|| match self.separator {
            '_' => text.replace('_', "-"),
            _ => text.to_owned(),
        })
    }
}

/// The possible meanings of a counter. Without all `stats_tags` in Envoy's configuration, the rollout and the
/// outcome may be in the name instead of labels.
pub(crate) fn interpretations(
    name: &MetricName<'_>,
    rollout: Option<&str>,
    outcome: Option<&str>,
) -> Vec<(String, CounterKind)> {
    let kinds = [
        ("shadow_sampled", CounterKind::Sampled),
        ("shadow_unproven", CounterKind::Unproven),
        ("shadow_in_flight", CounterKind::InFlight),
        ("shadow_v1_ms", CounterKind::V1),
        ("shadow_v2_ms", CounterKind::V2),
    ];
    let mut interpretations = Vec::new();
    for (part, kind) in kinds {
        let rollout_name = match (name.after(part), rollout) {
            (Some(None), Some(rollout)) => Some(rollout.to_owned()),
            (Some(Some(rest)), None) if outcome.is_none() => name.rollout(rest),
            _ => None,
        };
        interpretations.extend(rollout_name.map(|rollout| (rollout, kind)));
    }
    let rest = match name.after("shadow") {
        Some(rest) if !name.is_bucket => rest,
        _ => return interpretations,
    };
    match (rest, rollout, outcome) {
        (None, Some(rollout), Some(outcome)) => {
            interpretations.push((rollout.to_owned(), CounterKind::Outcome(outcome.to_owned())));
        }
        (Some(outcome), Some(rollout), None) if outcome_by_name(outcome).is_some() => {
            interpretations.push((rollout.to_owned(), CounterKind::Outcome(outcome.to_owned())));
        }
        (Some(rollout), None, Some(outcome)) => {
            let rollout = name.rollout(rollout);
            let outcome = CounterKind::Outcome(outcome.to_owned());
            interpretations.extend(rollout.map(|rollout| (rollout, outcome)));
        }
        (Some(rest), None, None) => {
            for outcome in Outcome::ALL {
                let outcome = outcome.as_str();
                let rollout = rest.strip_suffix(outcome);
                let rollout = rollout.and_then(|rest| rest.strip_suffix(name.separator));
                let rollout = rollout.and_then(|rollout| name.rollout(rollout));
                interpretations.extend(
                    rollout.map(|rollout| (rollout, CounterKind::Outcome(outcome.to_owned()))),
                );
            }
        }
        _ => {}
    }
    interpretations
}
