//! The meaning of a series in Prometheus, by its labels.

use std::fmt::Write as _;

use turnout_admin::{Counter, GuardGauge, ParsedLine, SampleLine, StatsPage, parse_sample};

use crate::metric_names::MetricNames;
use crate::prometheus_response::Labels;

/// What a series of one proxy measures.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Measure {
    /// How long the proxy has run, in seconds.
    Uptime,
    /// The revision number of a plugin's active policy.
    Revision(String),
    /// A gauge of the guard of a rollout.
    Gauge(String, GuardGauge),
    /// A counter.
    Counter(Counter),
}

impl Measure {
    /// Whether only a proxy with the filter has this series.
    pub(crate) const fn is_of_filter(&self) -> bool {
        match self {
            Self::Revision(_) | Self::Gauge(..) => true,
            Self::Counter(counter) => !matches!(counter, Counter::Cluster(..)),
            Self::Uptime => false,
        }
    }

    /// Whether its values do not decrease while the proxy runs.
    pub(crate) const fn is_monotonic(&self) -> bool {
        matches!(self, Self::Uptime | Self::Counter(_))
    }

    /// Returns what a series measures, `None` if it is none of these.
    ///
    /// # Errors
    /// A sentence, if its name can mean two rollouts of the policy.
    pub(crate) fn of(labels: &Labels, names: &MetricNames) -> Result<Option<Self>, String> {
        let name = labels.get("__name__").map_or("", String::as_str);
        let mut page = StatsPage::default();
        // Any value does: only the place where the page has it counts.
        let result = match name.strip_prefix("envoy_") {
            Some(name) if !name.contains("turnout") => {
                let labels = labels.iter();
                let labels = labels.map(|(name, value)| (name.clone(), value.clone()));
                let sample = SampleLine {
                    name: name.to_owned(),
                    is_dotted: false,
                    labels: labels.collect(),
                    value: "0",
                };
                names.add_envoy_sample(&mut page, &sample)
            }
            _ => match parse_sample(&as_line(labels)) {
                ParsedLine::Sample(sample) => names.add_turnout_sample(&mut page, &sample),
                ParsedLine::Foreign | ParsedLine::Broken => return Ok(None),
            },
        };
        result.map_err(|error| format!("{}: {error}", turnout_text::escape_for_terminal(name)))?;
        Ok(Self::only_one(page))
    }

    /// What a page with one sample has.
    fn only_one(page: StatsPage) -> Option<Self> {
        if let Some((counter, _)) = page.counters.iter().next() {
            return Some(Self::Counter(counter.clone()));
        }
        if let Some((plugin, _)) = page.revision_numbers.into_iter().next() {
            return Some(Self::Revision(plugin));
        }
        if let Some((rollout, gauges)) = page.guards.into_iter().next() {
            let gauge = match (gauges.state, gauges.evidence_milli) {
                (Some(_), _) => GuardGauge::State,
                (None, Some(_)) => GuardGauge::EvidenceMilli,
                (None, None) => GuardGauge::ThresholdMilli,
            };
            return Some(Self::Gauge(rollout, gauge));
        }
        page.uptime.map(|_| Self::Uptime)
    }
}

/// The series as a line of Prometheus text.
fn as_line(labels: &Labels) -> String {
    let mut line = String::from("{");
    for (name, value) in labels {
        let value = value
            .replace('\\', "\\\\")
            .replace('"', "\\\"")
            .replace('\n', "\\n");
        let _ = write!(line, "{name}=\"{value}\",");
    }
    line.push_str("} 0");
    line
}

#[cfg(test)]
mod tests {
    use turnout_admin::{ClusterStat, GuardCounter, GuardEvent};
    use turnout_core::{Fraction, Plan, Reason, Treatment};

    use super::*;

    /// The names of a policy with these guarded rollouts.
    fn names(rollouts: &[(&str, u32)]) -> MetricNames {
        let rollouts = rollouts.iter().map(|(name, requests)| {
            serde_json::json!({
                "name": name,
                "match": { "path": { "prefix": format!("/{name}/") } },
                "v1": "v1",
                "v2": "a:b",
                "mode": "split",
                "rules": [{ "accounts": 100, "requests": requests }],
                "guard": {},
            })
        });
        let account =
            serde_json::json!({ "from": [{ "header": "x-account-sid" }], "format": "sid" });
        let policy = serde_json::json!({
            "version": 1,
            "account": account,
            "rollouts": rollouts.collect::<Vec<_>>(),
        });
        MetricNames::of(&Plan::from_json(&policy.to_string()).unwrap())
    }

    /// Parses `name a=b c=d`.
    fn labels(text: &str) -> Labels {
        let mut parts = text.split(' ');
        let name = parts.next().unwrap().to_owned();
        let pairs = parts.map(|part| part.split_once('=').unwrap());
        let pairs = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
        pairs.chain([("__name__".to_owned(), name)]).collect()
    }

    #[test]
    fn each_metric_of_a_reading_is_recognised() {
        let all = Some(Measure::Counter(Counter::Guard(GuardCounter {
            rollout: "chat-2".into(),
            requests: Fraction::from_percentage("5").unwrap(),
            arm: Treatment::V2,
            event: GuardEvent::All,
        })));
        let decision = Counter::Decision("chat-2".into(), Treatment::V1, Reason::OutsideRequests);
        let decision = Some(Measure::Counter(decision));
        let completed = Counter::Cluster("a_b".into(), ClusterStat::Completed);
        let revision = Some(Measure::Revision("turnout".into()));
        let names = names(&[("chat-2", 5)]);
        for (name, expected) in [
            (
                "turnout_guard_all rollout=chat-2 stratum=5 treatment=v2 pod=a\"b\\",
                all.clone(),
            ),
            (
                "envoy_wasmcustom_turnout_guard_all_total rollout=chat-2 stratum=5 treatment=v2",
                all.clone(),
            ),
            // `chat-2` at 5 %, or `chat` at 2.5 %: the policy has `chat-2`.
            ("turnout_guard_chat_2_5_v2_all instance=a", all),
            (
                "turnout_decisions_chat_2_v1_outside_requests",
                decision.clone(),
            ),
            (
                "wasmcustom.turnout.decisions.chat-2.v1.outside_requests",
                decision,
            ),
            (
                "envoy_turnout_guard_state rollout=chat",
                Some(Measure::Gauge("chat".into(), GuardGauge::State)),
            ),
            (
                "turnout_guard_evidence_milli rollout=chat",
                Some(Measure::Gauge("chat".into(), GuardGauge::EvidenceMilli)),
            ),
            (
                "turnout_guard_threshold_milli_chat",
                Some(Measure::Gauge("chat".into(), GuardGauge::ThresholdMilli)),
            ),
            ("turnout_revision plugin=turnout", revision.clone()),
            ("turnout_revision_turnout", revision),
            ("turnout_revision", None),
            ("envoy_server_uptime instance=a", Some(Measure::Uptime)),
            (
                "envoy_cluster_upstream_rq_completed envoy_cluster_name=a_b",
                Some(Measure::Counter(completed)),
            ),
            (
                "envoy_cluster_upstream_rq_completed envoy_cluster_name=other",
                None,
            ),
            ("envoy_cluster_upstream_rq_completed", None),
            ("turnout_shadow rollout=chat outcome=equal", None),
            ("up", None),
            ("", None),
        ] {
            assert_eq!(Measure::of(&labels(name), &names), Ok(expected), "{name}");
        }
    }

    #[test]
    fn a_name_of_two_rollouts_is_refused() {
        let labels = labels("turnout_guard_chat_2_5_v2_slow");
        let error = Measure::of(&labels, &MetricNames::default()).unwrap_err();
        assert!(
            error.starts_with("turnout_guard_chat_2_5_v2_slow: the name can mean"),
            "{error}"
        );
        // The percentages in the policy decide.
        let names = names(&[("chat", 7), ("chat-2", 5)]);
        assert!(Measure::of(&labels, &names).unwrap().is_some());
    }
}
