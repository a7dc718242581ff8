//! The metrics of guards: their names on Envoy's stats page and in Prometheus text, and their values for each rollout.

use std::fmt;

use turnout_core::guard::GuardState;
use turnout_core::{Fraction, Treatment};
use turnout_text::is_dns_label;

use crate::prometheus::SampleLine;

/// A metric of the guard of a rollout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GuardMetric {
    /// A counter.
    Counter(GuardCounter),
    /// A gauge, with the name of the rollout.
    Gauge(String, GuardGauge),
}

/// A counter of compared requests, in seconds that have settled.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct GuardCounter {
    /// The name of the rollout.
    pub rollout: String,
    /// The stratum: the percentage of its requests that take v2.
    pub requests: Fraction,
    /// The arm.
    pub arm: Treatment,
    /// Which requests of the arm it counts.
    pub event: GuardEvent,
}

/// The name after `turnout.` on Envoy's stats page.
impl fmt::Display for GuardCounter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stratum = self.requests.to_string().replace('.', "_");
        let (rollout, arm, event) = (&self.rollout, self.arm.as_str(), self.event.as_str());
        write!(f, "guard.{rollout}.{stratum}.{arm}.{event}")
    }
}

/// Which requests of an arm a counter counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum GuardEvent {
    /// All of them.
    All,
    /// Those with an error.
    Errors,
    /// Those that were slow.
    Slow,
}

/// A gauge of a guard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum GuardGauge {
    /// The state, as a number.
    State,
    /// 1,000 times the decimal logarithm of the evidence.
    EvidenceMilli,
    /// 1,000 times the decimal logarithm of the evidence at which the guard trips.
    ThresholdMilli,
}

/// What one proxy reports about the guard of one rollout.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GuardGauges {
    /// The state, or `None` if the proxy reports none that this version knows.
    pub state: Option<GuardState>,
    /// 1,000 times the decimal logarithm of the evidence; 0 for evidence below 1.
    pub evidence_milli: Option<u64>,
    /// 1,000 times the decimal logarithm of the evidence at which the guard trips.
    pub threshold_milli: Option<u64>,
}

impl GuardEvent {
    /// Each event with its name in the metrics.
    pub const ALL: [(Self, &'static str); 3] = [
        (Self::All, "all"),
        (Self::Errors, "errors"),
        (Self::Slow, "slow"),
    ];

    /// The name in the metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Errors => "errors",
            Self::Slow => "slow",
        }
    }
}

impl GuardGauge {
    /// Each gauge with its name in the metrics.
    pub const ALL: [(Self, &'static str); 3] = [
        (Self::State, "guard_state"),
        (Self::EvidenceMilli, "guard_evidence_milli"),
        (Self::ThresholdMilli, "guard_threshold_milli"),
    ];
}

impl GuardGauges {
    /// Sets the value of a gauge.
    pub const fn set(&mut self, gauge: GuardGauge, value: u64) {
        match gauge {
            GuardGauge::State => self.state = GuardState::from_gauge(value),
            GuardGauge::EvidenceMilli => self.evidence_milli = Some(value),
            GuardGauge::ThresholdMilli => self.threshold_milli = Some(value),
        }
    }
}

impl GuardMetric {
    /// Parses the part of a name after `turnout.` on Envoy's stats page: `guard.chat.0_5.v1.errors`.
    #[must_use]
    pub fn from_stat_name(name: &str) -> Option<Self> {
        let name = GuardName {
            text: name,
            separator: '.',
        };
        interpretations(&name, |_| None).pop()
    }

    /// Returns the possible meanings of a sample; none if it is not a metric of a guard.
    ///
    /// There is one if `stats_tags` gives the metrics labels. Otherwise, a name may have two:
    /// `turnout_guard_chat_2_5_v1_all` is of the rollout `chat` at 2.5 %, or of `chat-2` at 5 %. The names of the
    /// rollouts decide between them.
    #[must_use]
    pub fn from_sample(sample: &SampleLine<'_>) -> Vec<Self> {
        let name = GuardName {
            // OpenMetrics adds the suffix to counters.
            text: sample.name.strip_suffix("_total").unwrap_or(&sample.name),
            separator: if sample.is_dotted { '.' } else { '_' },
        };
        interpretations(&name, |wanted| {
            let mut labels = sample.labels.iter();
            labels.find_map(|(name, value)| (name == wanted).then_some(value.as_str()))
        })
    }

    /// The name of the rollout.
    #[must_use]
    pub fn rollout(&self) -> &str {
        match self {
            Self::Counter(counter) => &counter.rollout,
            Self::Gauge(rollout, _) => rollout,
        }
    }
}

/// A name after `turnout` and its separator. Parts of it may be labels instead.
struct GuardName<'a> {
    text: &'a str,
    separator: char,
}

fn interpretations<'a>(
    name: &GuardName<'a>,
    label: impl Fn(&str) -> Option<&'a str>,
) -> Vec<GuardMetric> {
    let mut interpretations = Vec::new();
    for (gauge, prefix) in GuardGauge::ALL {
        let rest = name.after(prefix);
        let rollout = rest.and_then(|rest| name.rollout(rest, label("rollout")));
        interpretations.extend(rollout.map(|rollout| GuardMetric::Gauge(rollout, gauge)));
    }
    let counters = counters(name, label).unwrap_or_default();
    interpretations.extend(counters.into_iter().map(GuardMetric::Counter));
    interpretations
}

fn counters<'a>(
    name: &GuardName<'a>,
    label: impl Fn(&str) -> Option<&'a str>,
) -> Option<Vec<GuardCounter>> {
    let (rest, event) = name.cut_last(name.after("guard")?);
    let (event, _) = GuardEvent::ALL
        .into_iter()
        .find(|(_, name)| *name == event)?;
    let (rest, arm) = match label("treatment") {
        Some(arm) => (rest, arm),
        None => name.cut_last(rest),
    };
    let arm = Treatment::ALL
        .into_iter()
        .find(|known| known.as_str() == arm)?;
    let strata = match label("stratum") {
        Some(stratum) => vec![(rest, stratum.to_owned())],
        None => name.strata(rest),
    };
    let counters = strata.into_iter().filter_map(|(rest, stratum)| {
        Some(GuardCounter {
            rollout: name.rollout(rest, label("rollout"))?,
            requests: percentage(&stratum)?,
            arm,
            event,
        })
    });
    Some(counters.collect())
}

impl<'a> GuardName<'a> {
    /// The rest of the name after this part; empty if there is none.
    fn after(&self, part: &str) -> Option<&'a str> {
        match self.text.strip_prefix(part)? {
            "" => Some(""),
            rest => rest.strip_prefix(self.separator),
        }
    }

    /// Cuts off the last part.
    fn cut_last<'t>(&self, text: &'t str) -> (&'t str, &'t str) {
        text.rsplit_once(self.separator).unwrap_or(("", text))
    }

    /// The texts that may be a stratum at the end, each with the text before it. In a name with underscores, a
    /// percentage with decimals has two parts.
    fn strata<'t>(&self, text: &'t str) -> Vec<(&'t str, String)> {
        let (rest, last) = self.cut_last(text);
        let mut strata = vec![(rest, last.to_owned())];
        if self.separator == '_' {
            let (rest, whole) = self.cut_last(rest);
            strata.push((rest, format!("{whole}_{last}")));
        }
        strata
    }

    /// The name of the rollout: either the label or the rest of the name. Names of Prometheus have `_` for `-`.
    fn rollout(&self, rest: &str, label: Option<&str>) -> Option<String> {
        let rollout = match (rest, label) {
            ("", Some(label)) => label.to_owned(),
            (rest, None) if self.separator == '_' => rest.replace('_', "-"),
            (rest, None) => rest.to_owned(),
            (_, Some(_)) => return None,
        };
        is_dns_label(&rollout).then_some(rollout)
    }
}

/// Parses a stratum such as `0_5`. Another notation of the same percentage is not a stratum.
fn percentage(stratum: &str) -> Option<Fraction> {
    let text = stratum.replace('_', ".");
    let requests = Fraction::from_percentage(&text)?;
    (requests.millionths() > 0 && requests.to_string() == text).then_some(requests)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prometheus::{ParsedLine, parse_sample};

    fn counter(rollout: &str, requests: &str, arm: Treatment, event: GuardEvent) -> GuardMetric {
        GuardMetric::Counter(GuardCounter {
            rollout: rollout.to_owned(),
            requests: Fraction::from_percentage(requests).unwrap(),
            arm,
            event,
        })
    }

    fn read(line: &str) -> Vec<GuardMetric> {
        match parse_sample(line) {
            ParsedLine::Sample(sample) => GuardMetric::from_sample(&sample),
            _ => panic!("{line}"),
        }
    }

    #[test]
    fn names_of_the_stats_page_are_read() {
        let errors = counter("chat-2", "0.5", Treatment::V2, GuardEvent::Errors);
        for (name, expected) in [
            ("guard.chat-2.0_5.v2.errors", Some(errors.clone())),
            (
                "guard.chat.10.v1.all",
                Some(counter("chat", "10", Treatment::V1, GuardEvent::All)),
            ),
            (
                "guard_state.chat",
                Some(GuardMetric::Gauge("chat".into(), GuardGauge::State)),
            ),
            (
                "guard_evidence_milli.10",
                Some(GuardMetric::Gauge("10".into(), GuardGauge::EvidenceMilli)),
            ),
            (
                "guard_threshold_milli.a",
                Some(GuardMetric::Gauge("a".into(), GuardGauge::ThresholdMilli)),
            ),
            ("guard", None),
            ("guard.", None),
            ("guard.chat.10.v1.fast", None),
            ("guard.chat.10.v3.all", None),
            ("guard.chat.0.v1.all", None),
            ("guard.chat.010.v1.all", None),
            ("guard.chat.1_50.v1.all", None),
            ("guard.chat.101.v1.all", None),
            ("guard.chat.1e1.v1.all", None),
            ("guard.10.v1.all", None),
            ("guard.a.b.10.v1.all", None),
            ("guard.a\u{1b}[2J.10.v1.all", None),
            ("guard_state", None),
            ("guard_state.", None),
            ("guard_state.a.b", None),
            ("guardian.chat.10.v1.all", None),
            ("decisions.chat.v1.rule", None),
        ] {
            assert_eq!(GuardMetric::from_stat_name(name), expected, "{name}");
        }
        assert_eq!(
            read("wasmcustom.turnout.guard.chat-2.0_5.v2.errors: 3"),
            [errors]
        );
    }

    #[test]
    fn samples_of_prometheus_are_read_with_and_without_labels() {
        let slow = counter("chat-2", "0.5", Treatment::V2, GuardEvent::Slow);
        for line in [
            r#"turnout_guard_slow{rollout="chat-2",stratum="0_5",treatment="v2"} 3"#,
            r#"envoy_wasmcustom_turnout_guard_slow_total{treatment="v2",instance="a:1",stratum="0_5",rollout="chat-2"} 3"#,
            r#"turnout_guard_0_5_v2_slow{rollout="chat-2"} 3"#,
            r#"turnout_guard_0_5_slow{rollout="chat-2",treatment="v2"} 3"#,
            r#"turnout_guard_chat_2_v2_slow{stratum="0_5"} 3"#,
        ] {
            assert_eq!(read(line), std::slice::from_ref(&slow), "{line}");
        }
        let state = GuardMetric::Gauge("chat-2".into(), GuardGauge::State);
        for line in [
            r#"turnout_guard_state{rollout="chat-2"} 2"#,
            "turnout_guard_state_chat_2{} 2",
        ] {
            assert_eq!(read(line), std::slice::from_ref(&state), "{line}");
        }
        for line in [
            r#"turnout_guard_state_a{rollout="chat-2"} 2"#,
            r#"turnout_guard_x_slow{rollout="chat-2",stratum="0_5",treatment="v2"} 3"#,
            r#"turnout_guard_slow{rollout="chat-2",stratum="0_5"} 3"#,
            r#"turnout_guard_slow{rollout="a b",stratum="0_5",treatment="v2"} 3"#,
            r#"turnout_decisions{rollout="chat-2",treatment="v2",reason="guard"} 3"#,
        ] {
            assert_eq!(read(line), [], "{line}");
        }
    }

    #[test]
    fn a_name_without_labels_may_have_two_meanings() {
        let all = |rollout: &str, requests: &str| {
            counter(rollout, requests, Treatment::V1, GuardEvent::All)
        };
        assert_eq!(
            read("turnout_guard_chat_2_5_v1_all{} 3"),
            [all("chat-2", "5"), all("chat", "2.5")]
        );
        // 2.50 % is written as 2.5 %.
        assert_eq!(
            read("turnout_guard_chat_2_50_v1_all{} 3"),
            [all("chat-2", "50")]
        );
        assert_eq!(read("turnout_guard_chat_0_5_v1_all{} 3").len(), 2);
        assert_eq!(read("turnout_guard_state_10_v1_all{} 3").len(), 2);
    }

    #[test]
    fn a_state_that_is_not_known_is_not_reported() {
        let mut gauges = GuardGauges::default();
        gauges.set(GuardGauge::State, 2);
        assert_eq!(gauges.state, Some(GuardState::Tripped));
        gauges.set(GuardGauge::State, 4);
        assert_eq!(gauges.state, None);
    }
}
