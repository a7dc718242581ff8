//! The counters of rollouts, read from a dump of metrics.

use turnout_admin::{ParsedLine, SampleLine, parse_count, parse_milliseconds, parse_sample};
use turnout_core::shadow::Outcome;

use crate::latency::Histogram;
use crate::metric_names::{CounterKind, MetricName, interpretations};
use crate::outcomes::{Outcomes, outcome_by_name};

/// The counters of one rollout, summed over all proxies.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counters {
    pub(crate) outcomes: Outcomes,
    pub(crate) sampled: u64,
    /// The number of outcomes that this version does not know.
    pub(crate) unknown: u64,
    /// Response times of v1 in microseconds; each bucket includes all lower ones.
    pub(crate) v1: Histogram,
    pub(crate) v2: Histogram,
}

/// One line of a metric of Turnout.
#[derive(Debug, PartialEq)]
pub(crate) enum MetricSample {
    Rollout(String, ShadowCount),
    /// A counter `turnout.records`.
    Records(String, u64),
    /// A metric that the report does not use, such as decisions.
    Other,
    /// A counter of shadowing without a rollout, or with two possible ones.
    Unlabelled(Option<AmbiguousCounter>),
    /// A native histogram, which is not supported.
    NativeHistogram,
    /// A malformed line.
    Unreadable,
}

/// A counter without labels that may belong to two rollouts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AmbiguousCounter {
    pub(crate) name: String,
    pub(crate) rollouts: [String; 2],
}

/// A count of one rollout.
#[derive(Debug, PartialEq)]
pub(crate) enum ShadowCount {
    Outcome(Option<Outcome>, u64),
    Sampled(u64),
    Unproven(u64),
    V1(Option<u64>, u64),
    V2(Option<u64>, u64),
}

impl Counters {
    pub(crate) fn add(&mut self, count: &ShadowCount) {
        match *count {
            ShadowCount::Outcome(Some(outcome), count) => self.outcomes.add(outcome, count),
            ShadowCount::Outcome(None, count) => self.unknown = self.unknown.saturating_add(count),
            ShadowCount::Sampled(count) => self.sampled = self.sampled.saturating_add(count),
            ShadowCount::Unproven(count) => self.outcomes.add_unproven(count),
            ShadowCount::V1(bound, count) => self.v1.add(bound, count),
            ShadowCount::V2(bound, count) => self.v2.add(bound, count),
        }
    }
}

impl MetricSample {
    /// Parses a line; `None` if it is not a metric of Turnout.
    pub(crate) fn parse(line: &str) -> Option<Self> {
        match parse_sample(line) {
            ParsedLine::Foreign => None,
            ParsedLine::Broken => Some(Self::Unreadable),
            ParsedLine::Sample(line) => Some(Self::interpret(&line).unwrap_or(Self::Unreadable)),
        }
    }

    fn interpret(line: &SampleLine<'_>) -> Option<Self> {
        let name = MetricName::new(line);
        let label = |wanted: &str| {
            let mut labels = line.labels.iter();
            labels.find_map(|(name, value)| (name == wanted).then_some(value.as_str()))
        };
        if let Some(kind) = name.after("records") {
            let kind = label("what").or(kind);
            let value = parse_count(line.value)?;
            return Some(kind.map_or(Self::Unlabelled(None), |kind| {
                Self::Records(kind.to_owned(), value)
            }));
        }
        if !name.text.starts_with("shadow") {
            return Some(Self::Other);
        }
        // The time of a counter's creation, and the parts of a histogram besides its buckets.
        let suffixes = ["created", "sum", "count"];
        if suffixes.iter().any(|part| name.before(part).is_some()) {
            return Some(Self::Other);
        }
        let mut interpretations = interpretations(&name, label("rollout"), label("outcome"));
        let (rollout, kind) = match (interpretations.pop(), interpretations.pop()) {
            (Some(one), None) => one,
            (Some(one), Some(other)) => {
                return Some(Self::Unlabelled(Some(AmbiguousCounter {
                    name: format!("turnout{}{}", name.separator, name.text),
                    rollouts: [other.0, one.0],
                })));
            }
            (None, _) => return Some(Self::Unlabelled(None)),
        };
        let is_histogram = matches!(kind, CounterKind::V1 | CounterKind::V2);
        if is_histogram && line.value.starts_with(['{', '=']) {
            return Some(Self::NativeHistogram);
        }
        let count = match kind {
            CounterKind::InFlight => return Some(Self::Other),
            CounterKind::Outcome(outcome) => {
                ShadowCount::Outcome(outcome_by_name(&outcome), parse_count(line.value)?)
            }
            CounterKind::Sampled => ShadowCount::Sampled(parse_count(line.value)?),
            CounterKind::Unproven => ShadowCount::Unproven(parse_count(line.value)?),
            CounterKind::V1 | CounterKind::V2 => {
                // Quantiles, and histograms of Envoy's admin page.
                if !name.is_bucket {
                    return Some(Self::Other);
                }
                let bound = label("le").and_then(parse_milliseconds)?;
                let value = parse_count(line.value)?;
                match kind {
                    CounterKind::V1 => ShadowCount::V1(bound, value),
                    _ => ShadowCount::V2(bound, value),
                }
            }
        };
        Some(Self::Rollout(rollout, count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_chat(count: ShadowCount) -> Option<MetricSample> {
        Some(MetricSample::Rollout("chat".into(), count))
    }

    #[test]
    fn an_ambiguous_name_is_not_guessed() {
        for line in [
            "turnout_shadow_sampled_x_equal{} 4",
            "turnout_shadow_in_flight_equal{} 4",
        ] {
            let sample = MetricSample::parse(line);
            assert!(
                matches!(&sample, Some(MetricSample::Unlabelled(Some(counter))) if line.starts_with(&counter.name)),
                "{sample:?}"
            );
        }
        let dotted = "wasmcustom.turnout.shadow.sampled-x.equal: 4";
        assert!(
            matches!(MetricSample::parse(dotted), Some(MetricSample::Rollout(name, _)) if name == "sampled-x")
        );
    }

    #[test]
    fn samples_are_parsed() {
        for (line, expected) in [
            (
                r#"turnout_shadow{rollout="chat",outcome="equal"} 97"#,
                of_chat(ShadowCount::Outcome(Some(Outcome::Equal), 97)),
            ),
            (
                r#"envoy_wasmcustom_turnout_shadow_total{pod="a\"b",outcome="v2_error",rollout="chat"} 3e+03 1795232300123"#,
                of_chat(ShadowCount::Outcome(Some(Outcome::V2Error), 3_000)),
            ),
            (
                r#"turnout_shadow{rollout="chat",outcome="of tomorrow"} 1"#,
                of_chat(ShadowCount::Outcome(None, 1)),
            ),
            (
                r#"turnout_shadow_sampled{rollout="chat"} 100"#,
                of_chat(ShadowCount::Sampled(100)),
            ),
            (
                r#"turnout_shadow_v1_ms_bucket{rollout="chat",le="0.5"} 4"#,
                of_chat(ShadowCount::V1(Some(500), 4)),
            ),
            (
                r#"turnout_shadow_v2_ms_bucket{rollout="chat",le="+Inf"} 4"#,
                of_chat(ShadowCount::V2(None, 4)),
            ),
            (
                r#"turnout_shadow_v2_ms_sum{rollout="chat"} 4.5"#,
                Some(MetricSample::Other),
            ),
            (
                r#"turnout_records{what="lost"} 2"#,
                Some(MetricSample::Records("lost".into(), 2)),
            ),
            (
                r#"turnout_decisions{rollout="chat",treatment="v1",reason="rule"} 2"#,
                Some(MetricSample::Other),
            ),
            // Without `stats_tags`.
            (
                "turnout_shadow_chat_equal{} 2",
                of_chat(ShadowCount::Outcome(Some(Outcome::Equal), 2)),
            ),
            (
                "envoy_wasmcustom_turnout_shadow_chat_skipped_v1_busy_total 2 1795832282489",
                of_chat(ShadowCount::Outcome(Some(Outcome::SkippedV1Busy), 2)),
            ),
            (
                "turnout_shadow_big_chat_v2_error{} 2",
                Some(MetricSample::Rollout(
                    "big-chat".into(),
                    ShadowCount::Outcome(Some(Outcome::V2Error), 2),
                )),
            ),
            (
                "turnout_shadow_sampled_chat{} 2",
                of_chat(ShadowCount::Sampled(2)),
            ),
            (
                r#"turnout_shadow_v1_ms_chat_bucket{le="1.8e+06"} 7"#,
                of_chat(ShadowCount::V1(Some(1_800_000_000), 7)),
            ),
            (
                r#"turnout_shadow_v1_ms_chat_sum{} 7.5"#,
                Some(MetricSample::Other),
            ),
            (
                "turnout_records_logged{} 2",
                Some(MetricSample::Records("logged".into(), 2)),
            ),
            (
                "wasmcustom.turnout.shadow.chat-2.equal: 97",
                Some(MetricSample::Rollout(
                    "chat-2".into(),
                    ShadowCount::Outcome(Some(Outcome::Equal), 97),
                )),
            ),
            (
                "wasmcustom.turnout.shadow_sampled.chat: 97",
                of_chat(ShadowCount::Sampled(97)),
            ),
            (
                "wasmcustom.turnout.shadow_v1_ms.chat: P0(nan,1.0) P25(nan,1.025)",
                Some(MetricSample::Other),
            ),
            (
                "wasmcustom.turnout.records.lost: 3",
                Some(MetricSample::Records("lost".into(), 3)),
            ),
            (
                "wasmcustom.turnout.revision.turnout: 9",
                Some(MetricSample::Other),
            ),
            // With one of the two labels only.
            (
                r#"turnout_shadow_equal{rollout="chat"} 2"#,
                of_chat(ShadowCount::Outcome(Some(Outcome::Equal), 2)),
            ),
            (
                r#"turnout_shadow_chat{outcome="equal"} 2"#,
                of_chat(ShadowCount::Outcome(Some(Outcome::Equal), 2)),
            ),
            // Prometheus 3 and OpenMetrics.
            (
                r#"turnout_shadow_v1_ms_bucket{rollout="chat",le="1.0"} 3900 1795832282489"#,
                of_chat(ShadowCount::V1(Some(1_000), 3_900)),
            ),
            (
                r#"turnout_shadow_v1_ms_bucket{rollout="chat",le="+Inf"} 3900 # {trace_id="a b"} 0.67 1.5e9"#,
                of_chat(ShadowCount::V1(None, 3_900)),
            ),
            (
                r#"{"turnout_shadow","rollout"="chat",outcome="equal"} 4.0e+03"#,
                of_chat(ShadowCount::Outcome(Some(Outcome::Equal), 4_000)),
            ),
            (
                r#"{"wasmcustom.turnout.shadow.chat.equal",job="envoy"} 4"#,
                of_chat(ShadowCount::Outcome(Some(Outcome::Equal), 4)),
            ),
            (
                r#"{__name__="turnout_shadow_sampled",rollout="chat"} 4"#,
                of_chat(ShadowCount::Sampled(4)),
            ),
            (
                r#"turnout_shadow_created{rollout="chat",outcome="equal"} 1.7e9"#,
                Some(MetricSample::Other),
            ),
            (
                r#"turnout_shadow_v1_ms{rollout="chat"} {count:12,sum:100.0,schema:3}"#,
                Some(MetricSample::NativeHistogram),
            ),
            (
                r#"turnout_shadow_v2_ms{rollout="chat"} => {count:12, sum:100, (0.5,1]:3} @[1]"#,
                Some(MetricSample::NativeHistogram),
            ),
            (r#"{"up",job="turnout"} 1"#, None),
            ("# EOF", None),
            (
                "turnout_shadow_chat_odd{} 2",
                Some(MetricSample::Unlabelled(None)),
            ),
            (
                r#"turnout_shadow{rollout="chat" 2"#,
                Some(MetricSample::Unreadable),
            ),
            (
                r#"turnout_shadow{rollout="chat",outcome="equal"} NaN"#,
                Some(MetricSample::Unreadable),
            ),
            (
                r#"turnout_shadow{rollout="chat",outcome="equal"} -1"#,
                Some(MetricSample::Unreadable),
            ),
            ("turnout_shadow", Some(MetricSample::Unreadable)),
            ("# TYPE turnout_shadow counter", None),
            ("envoy_wasm_turnout_vm_reload{} 0", None),
        ] {
            assert_eq!(MetricSample::parse(line), expected, "{line}");
        }
    }
}
