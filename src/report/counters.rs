//! Counters as Prometheus writes them.

use turnout_core::shadow::Outcome;

use crate::latency::Histogram;
use crate::outcomes::{Outcomes, named};

/// What the counters say of one rollout, all proxies together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counters {
    pub(crate) outcomes: Outcomes,
    pub(crate) sampled: u64,
    /// Outcomes that this version does not know.
    pub(crate) unknown: u64,
    /// In microseconds, each bucket with all below it.
    pub(crate) v1: Histogram,
    pub(crate) v2: Histogram,
}

/// One line that is a sample of Turnout's.
#[derive(Debug, PartialEq)]
pub(crate) enum Sample {
    Rollout(String, Count),
    /// Records by what became of them.
    Records(String, u64),
    /// A counter that the report has no use for, such as decisions.
    Other,
    /// A counter of shadows that does not say of which rollout.
    Unlabelled,
    /// A line that is no sample.
    Unreadable,
}

#[derive(Debug, PartialEq)]
pub(crate) enum Count {
    Outcome(Option<Outcome>, u64),
    Sampled(u64),
    V1(Option<u64>, u64),
    V2(Option<u64>, u64),
}

impl Counters {
    pub(crate) fn add(&mut self, count: &Count) {
        match *count {
            Count::Outcome(Some(outcome), count) => self.outcomes.add(outcome, count),
            Count::Outcome(None, count) => self.unknown = self.unknown.saturating_add(count),
            Count::Sampled(count) => self.sampled = self.sampled.saturating_add(count),
            Count::V1(bound, count) => self.v1.add(bound, count),
            Count::V2(bound, count) => self.v2.add(bound, count),
        }
    }
}

impl Sample {
    /// `None` where the line has nothing to do with Turnout.
    pub(crate) fn read(line: &str) -> Option<Self> {
        let line = line.trim();
        // Envoy leaves its prefixes away where it knows them; other versions and collectors do not.
        let bare = line.strip_prefix("envoy_").unwrap_or(line);
        let bare = bare.strip_prefix("wasmcustom_").unwrap_or(bare);
        let bare = bare.strip_prefix("turnout_")?;
        Some(Self::parsed(bare).unwrap_or(Self::Unreadable))
    }

    fn parsed(line: &str) -> Option<Self> {
        let name_ends = line.find(['{', ' ', '\t'])?;
        let (name, rest) = line.split_at_checked(name_ends)?;
        let name = name.strip_suffix("_total").unwrap_or(name);
        let (labels, rest) = match rest.strip_prefix('{') {
            Some(rest) => labels(rest)?,
            None => (Vec::new(), rest),
        };
        let value = whole(rest.split_ascii_whitespace().next()?)?;
        let label = |wanted: &str| {
            let found = labels.iter().find(|(name, _)| name == wanted);
            found.map(|(_, value)| value.as_str())
        };
        if name == "records" {
            return Some(label("what").map_or(Self::Unlabelled, |what| {
                Self::Records(what.to_owned(), value)
            }));
        }
        if !name.starts_with("shadow") {
            return Some(Self::Other);
        }
        let Some(rollout) = label("rollout") else {
            return Some(Self::Unlabelled);
        };
        let bound = || label("le").and_then(microseconds);
        let count = match name {
            "shadow" => match label("outcome") {
                Some(outcome) => Count::Outcome(named(outcome), value),
                None => return Some(Self::Unlabelled),
            },
            "shadow_sampled" => Count::Sampled(value),
            "shadow_v1_ms_bucket" => Count::V1(bound()?, value),
            "shadow_v2_ms_bucket" => Count::V2(bound()?, value),
            _ => return Some(Self::Other),
        };
        Some(Self::Rollout(rollout.to_owned(), count))
    }
}

/// Reads `a="b",c="d"}` and gives what stands behind it.
fn labels(text: &str) -> Option<(Vec<(String, String)>, &str)> {
    let mut labels = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches([',', ' ']);
        if let Some(behind) = rest.strip_prefix('}') {
            return Some((labels, behind));
        }
        let (name, behind) = rest.split_once("=\"")?;
        let (value, behind) = quoted(behind)?;
        labels.push((name.trim().to_owned(), value));
        rest = behind;
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

/// A count, also as `3e+03`.
fn whole(text: &str) -> Option<u64> {
    if let Ok(count) = text.parse() {
        return Some(count);
    }
    let count: f64 = text.parse().ok()?;
    // Formatted, because a cast would not say that it does not fit.
    (count >= 0.0)
        .then(|| format!("{count:.0}"))
        .and_then(|text| text.parse().ok())
}

/// Milliseconds with decimals as microseconds; the inner `None` is `+Inf`.
fn microseconds(ms: &str) -> Option<Option<u64>> {
    if ms == "+Inf" {
        return Some(None);
    }
    let (whole_ms, decimals) = ms.split_once('.').unwrap_or((ms, ""));
    let us = format!("{decimals:0<3}").get(..3)?.parse::<u64>().ok()?;
    let whole_us = whole(whole_ms)?.checked_mul(1_000)?;
    Some(Some(whole_us.saturating_add(us)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_chat(count: Count) -> Option<Sample> {
        Some(Sample::Rollout("chat".into(), count))
    }

    #[test]
    fn samples_are_read() {
        for (line, expected) in [
            (
                r#"turnout_shadow{rollout="chat",outcome="equal"} 97"#,
                of_chat(Count::Outcome(Some(Outcome::Equal), 97)),
            ),
            (
                r#"envoy_wasmcustom_turnout_shadow_total{pod="a\"b",outcome="v2_error",rollout="chat"} 3e+03 1795232300123"#,
                of_chat(Count::Outcome(Some(Outcome::V2Error), 3_000)),
            ),
            (
                r#"turnout_shadow{rollout="chat",outcome="of tomorrow"} 1"#,
                of_chat(Count::Outcome(None, 1)),
            ),
            (
                r#"turnout_shadow_sampled{rollout="chat"} 100"#,
                of_chat(Count::Sampled(100)),
            ),
            (
                r#"turnout_shadow_v1_ms_bucket{rollout="chat",le="0.5"} 4"#,
                of_chat(Count::V1(Some(500), 4)),
            ),
            (
                r#"turnout_shadow_v2_ms_bucket{rollout="chat",le="+Inf"} 4"#,
                of_chat(Count::V2(None, 4)),
            ),
            (
                r#"turnout_shadow_v2_ms_sum{rollout="chat"} 4.5"#,
                Some(Sample::Other),
            ),
            (
                r#"turnout_records{what="lost"} 2"#,
                Some(Sample::Records("lost".into(), 2)),
            ),
            (
                r#"turnout_decisions{rollout="chat",treatment="v1",reason="rule"} 2"#,
                Some(Sample::Other),
            ),
            ("turnout_shadow_chat_equal{} 2", Some(Sample::Unlabelled)),
            (
                r#"turnout_shadow{rollout="chat" 2"#,
                Some(Sample::Unreadable),
            ),
            (
                r#"turnout_shadow{rollout="chat",outcome="equal"} NaN"#,
                Some(Sample::Unreadable),
            ),
            (
                r#"turnout_shadow{rollout="chat",outcome="equal"} -1"#,
                Some(Sample::Unreadable),
            ),
            ("turnout_shadow", Some(Sample::Unreadable)),
            ("# TYPE turnout_shadow counter", None),
            ("envoy_wasm_turnout_vm_reload{} 0", None),
        ] {
            assert_eq!(Sample::read(line), expected, "{line}");
        }
    }
}
