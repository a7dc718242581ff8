//! What the counters of a proxy say of rollouts.

use turnout_admin::{ParsedLine, SampleLine, parse_count, parse_milliseconds, parse_sample};
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
    /// A counter of shadows that does not say of which rollout, or of which of two.
    Unlabelled(Option<TwoReadings>),
    /// Latencies in a form that only Prometheus has.
    NativeHistogram,
    /// A line that is no sample.
    Unreadable,
}

/// A counter without labels whose name two rollouts could have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TwoReadings {
    pub(crate) name: String,
    pub(crate) rollouts: [String; 2],
}

#[derive(Debug, PartialEq)]
pub(crate) enum Count {
    Outcome(Option<Outcome>, u64),
    Sampled(u64),
    Unproven(u64),
    V1(Option<u64>, u64),
    V2(Option<u64>, u64),
}

impl Counters {
    pub(crate) fn add(&mut self, count: &Count) {
        match *count {
            Count::Outcome(Some(outcome), count) => self.outcomes.add(outcome, count),
            Count::Outcome(None, count) => self.unknown = self.unknown.saturating_add(count),
            Count::Sampled(count) => self.sampled = self.sampled.saturating_add(count),
            Count::Unproven(count) => self.outcomes.add_unproven(count),
            Count::V1(bound, count) => self.v1.add(bound, count),
            Count::V2(bound, count) => self.v2.add(bound, count),
        }
    }
}

impl Sample {
    /// `None` where the line has nothing to do with Turnout.
    pub(crate) fn read(line: &str) -> Option<Self> {
        match parse_sample(line) {
            ParsedLine::Foreign => None,
            ParsedLine::Broken => Some(Self::Unreadable),
            ParsedLine::Sample(line) => Some(Self::of(&line).unwrap_or(Self::Unreadable)),
        }
    }

    fn of(line: &SampleLine<'_>) -> Option<Self> {
        let name = Name::new(line);
        let label = |wanted: &str| {
            let mut labels = line.labels.iter();
            labels.find_map(|(name, value)| (name == wanted).then_some(value.as_str()))
        };
        if let Some(what) = name.after("records") {
            let what = label("what").or(what);
            let value = parse_count(line.value)?;
            return Some(what.map_or(Self::Unlabelled(None), |what| {
                Self::Records(what.to_owned(), value)
            }));
        }
        if !name.text.starts_with("shadow") {
            return Some(Self::Other);
        }
        // When a counter began, and what a histogram has besides its buckets.
        let rest = ["created", "sum", "count"];
        if rest.iter().any(|part| name.before(part).is_some()) {
            return Some(Self::Other);
        }
        let mut readings = readings(&name, label("rollout"), label("outcome"));
        let (rollout, family) = match (readings.pop(), readings.pop()) {
            (Some(one), None) => one,
            (Some(one), Some(other)) => {
                return Some(Self::Unlabelled(Some(TwoReadings {
                    name: format!("turnout{}{}", name.separator, name.text),
                    rollouts: [other.0, one.0],
                })));
            }
            (None, _) => return Some(Self::Unlabelled(None)),
        };
        let is_histogram = matches!(family, Family::V1 | Family::V2);
        if is_histogram && line.value.starts_with(['{', '=']) {
            return Some(Self::NativeHistogram);
        }
        let count = match family {
            Family::InFlight => return Some(Self::Other),
            Family::Outcome(outcome) => Count::Outcome(named(&outcome), parse_count(line.value)?),
            Family::Sampled => Count::Sampled(parse_count(line.value)?),
            Family::Unproven => Count::Unproven(parse_count(line.value)?),
            Family::V1 | Family::V2 => {
                // Quantiles, and the histograms of Envoy's own page.
                if !name.is_bucket {
                    return Some(Self::Other);
                }
                let bound = label("le").and_then(parse_milliseconds)?;
                let value = parse_count(line.value)?;
                match family {
                    Family::V1 => Count::V1(bound, value),
                    _ => Count::V2(bound, value),
                }
            }
        };
        Some(Self::Rollout(rollout, count))
    }
}

/// What a counter counts of a rollout.
enum Family {
    Outcome(String),
    Sampled,
    Unproven,
    InFlight,
    V1,
    V2,
}

/// The name of a counter behind `turnout`.
struct Name<'a> {
    text: &'a str,
    separator: char,
    is_bucket: bool,
}

impl<'a> Name<'a> {
    fn new(line: &'a SampleLine<'_>) -> Self {
        let text = line.name.strip_suffix("_total").unwrap_or(&line.name);
        let bucket = text.strip_suffix("_bucket");
        Self {
            text: bucket.unwrap_or(text),
            separator: if line.is_dotted { '.' } else { '_' },
            is_bucket: bucket.is_some(),
        }
    }

    /// What follows this part; the inner `None` where nothing does.
    fn after(&self, part: &str) -> Option<Option<&'a str>> {
        match self.text.strip_prefix(part)? {
            "" => Some(None),
            rest => rest.strip_prefix(self.separator).map(Some),
        }
    }

    fn before(&self, part: &str) -> Option<&'a str> {
        self.text.strip_suffix(part)?.strip_suffix('_')
    }

    /// The name of a rollout, in which Prometheus' names have `_` for `-`.
    fn rollout(&self, text: &str) -> Option<String> {
        let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_".contains(c);
        let is_name = !text.is_empty() && text.chars().all(is_plain);
        is_name.then(|| match self.separator {
            '_' => text.replace('_', "-"),
            _ => text.to_owned(),
        })
    }
}

/// What a counter can mean: what its labels do not say is in its name, where Envoy's configuration lacks
/// some or all of `stats_tags`.
fn readings(
    name: &Name<'_>,
    rollout: Option<&str>,
    outcome: Option<&str>,
) -> Vec<(String, Family)> {
    let families = [
        ("shadow_sampled", Family::Sampled),
        ("shadow_unproven", Family::Unproven),
        ("shadow_in_flight", Family::InFlight),
        ("shadow_v1_ms", Family::V1),
        ("shadow_v2_ms", Family::V2),
    ];
    let mut readings = Vec::new();
    for (part, family) in families {
        let named = match (name.after(part), rollout) {
            (Some(None), Some(rollout)) => Some(rollout.to_owned()),
            (Some(Some(rest)), None) if outcome.is_none() => name.rollout(rest),
            _ => None,
        };
        readings.extend(named.map(|rollout| (rollout, family)));
    }
    let rest = match name.after("shadow") {
        Some(rest) if !name.is_bucket => rest,
        _ => return readings,
    };
    match (rest, rollout, outcome) {
        (None, Some(rollout), Some(outcome)) => {
            readings.push((rollout.to_owned(), Family::Outcome(outcome.to_owned())));
        }
        (Some(outcome), Some(rollout), None) if named(outcome).is_some() => {
            readings.push((rollout.to_owned(), Family::Outcome(outcome.to_owned())));
        }
        (Some(rollout), None, Some(outcome)) => {
            let rollout = name.rollout(rollout);
            let outcome = Family::Outcome(outcome.to_owned());
            readings.extend(rollout.map(|rollout| (rollout, outcome)));
        }
        (Some(rest), None, None) => {
            for outcome in Outcome::ALL {
                let outcome = outcome.as_str();
                let rollout = rest.strip_suffix(outcome);
                let rollout = rollout.and_then(|rest| rest.strip_suffix(name.separator));
                let rollout = rollout.and_then(|rollout| name.rollout(rollout));
                readings
                    .extend(rollout.map(|rollout| (rollout, Family::Outcome(outcome.to_owned()))));
            }
        }
        _ => {}
    }
    readings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_chat(count: Count) -> Option<Sample> {
        Some(Sample::Rollout("chat".into(), count))
    }

    #[test]
    fn a_name_that_two_rollouts_could_have_is_not_guessed() {
        for line in [
            "turnout_shadow_sampled_x_equal{} 4",
            "turnout_shadow_in_flight_equal{} 4",
        ] {
            let sample = Sample::read(line);
            assert!(
                matches!(&sample, Some(Sample::Unlabelled(Some(two))) if line.starts_with(&two.name)),
                "{sample:?}"
            );
        }
        let dotted = "wasmcustom.turnout.shadow.sampled-x.equal: 4";
        assert!(
            matches!(Sample::read(dotted), Some(Sample::Rollout(name, _)) if name == "sampled-x")
        );
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
            // Without `stats_tags`.
            (
                "turnout_shadow_chat_equal{} 2",
                of_chat(Count::Outcome(Some(Outcome::Equal), 2)),
            ),
            (
                "envoy_wasmcustom_turnout_shadow_chat_skipped_v1_busy_total 2 1795832282489",
                of_chat(Count::Outcome(Some(Outcome::SkippedV1Busy), 2)),
            ),
            (
                "turnout_shadow_big_chat_v2_error{} 2",
                Some(Sample::Rollout(
                    "big-chat".into(),
                    Count::Outcome(Some(Outcome::V2Error), 2),
                )),
            ),
            (
                "turnout_shadow_sampled_chat{} 2",
                of_chat(Count::Sampled(2)),
            ),
            (
                r#"turnout_shadow_v1_ms_chat_bucket{le="1.8e+06"} 7"#,
                of_chat(Count::V1(Some(1_800_000_000), 7)),
            ),
            (
                r#"turnout_shadow_v1_ms_chat_sum{} 7.5"#,
                Some(Sample::Other),
            ),
            (
                "turnout_records_logged{} 2",
                Some(Sample::Records("logged".into(), 2)),
            ),
            (
                "wasmcustom.turnout.shadow.chat-2.equal: 97",
                Some(Sample::Rollout(
                    "chat-2".into(),
                    Count::Outcome(Some(Outcome::Equal), 97),
                )),
            ),
            (
                "wasmcustom.turnout.shadow_sampled.chat: 97",
                of_chat(Count::Sampled(97)),
            ),
            (
                "wasmcustom.turnout.shadow_v1_ms.chat: P0(nan,1.0) P25(nan,1.025)",
                Some(Sample::Other),
            ),
            (
                "wasmcustom.turnout.records.lost: 3",
                Some(Sample::Records("lost".into(), 3)),
            ),
            (
                "wasmcustom.turnout.revision.turnout: 9",
                Some(Sample::Other),
            ),
            // With one of the two labels only.
            (
                r#"turnout_shadow_equal{rollout="chat"} 2"#,
                of_chat(Count::Outcome(Some(Outcome::Equal), 2)),
            ),
            (
                r#"turnout_shadow_chat{outcome="equal"} 2"#,
                of_chat(Count::Outcome(Some(Outcome::Equal), 2)),
            ),
            // Prometheus 3 and OpenMetrics.
            (
                r#"turnout_shadow_v1_ms_bucket{rollout="chat",le="1.0"} 3900 1795832282489"#,
                of_chat(Count::V1(Some(1_000), 3_900)),
            ),
            (
                r#"turnout_shadow_v1_ms_bucket{rollout="chat",le="+Inf"} 3900 # {trace_id="a b"} 0.67 1.5e9"#,
                of_chat(Count::V1(None, 3_900)),
            ),
            (
                r#"{"turnout_shadow","rollout"="chat",outcome="equal"} 4.0e+03"#,
                of_chat(Count::Outcome(Some(Outcome::Equal), 4_000)),
            ),
            (
                r#"{"wasmcustom.turnout.shadow.chat.equal",job="envoy"} 4"#,
                of_chat(Count::Outcome(Some(Outcome::Equal), 4)),
            ),
            (
                r#"{__name__="turnout_shadow_sampled",rollout="chat"} 4"#,
                of_chat(Count::Sampled(4)),
            ),
            (
                r#"turnout_shadow_created{rollout="chat",outcome="equal"} 1.7e9"#,
                Some(Sample::Other),
            ),
            (
                r#"turnout_shadow_v1_ms{rollout="chat"} {count:12,sum:100.0,schema:3}"#,
                Some(Sample::NativeHistogram),
            ),
            (
                r#"turnout_shadow_v2_ms{rollout="chat"} => {count:12, sum:100, (0.5,1]:3} @[1]"#,
                Some(Sample::NativeHistogram),
            ),
            (r#"{"up",job="turnout"} 1"#, None),
            ("# EOF", None),
            (
                "turnout_shadow_chat_odd{} 2",
                Some(Sample::Unlabelled(None)),
            ),
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
