//! Counters of the filter and of the clusters, with their values.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use turnout_core::guard::{ArmCounts, Arms, GuardCounts};
use turnout_core::{Reason, Treatment};

use crate::guard_metrics::{GuardCounter, GuardEvent, GuardMetric};
use crate::stats::TURNOUT;

const DECISIONS: &str = "wasmcustom.turnout.decisions.";
const SHADOW: &str = "wasmcustom.turnout.shadow.";
const CLUSTER: &str = "cluster.";
/// The longest name of a rollout or an outcome: names in a policy are DNS labels.
const LONGEST_LABEL: usize = 63;

/// One counter of a proxy.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Counter {
    /// Decisions of a rollout.
    Decision(String, Treatment, Reason),
    /// Shadow requests of a rollout, by outcome.
    Shadow(String, String),
    /// A stat of a cluster, by the cluster's name in Envoy's stats.
    Cluster(String, ClusterStat),
    /// Requests that the guard of a rollout compares.
    Guard(GuardCounter),
}

impl Counter {
    /// Parses the name on Envoy's stats page: `wasmcustom.turnout.decisions.chat.v2.rule`.
    #[must_use]
    pub fn from_stat_name(name: &str) -> Option<Self> {
        if let Some(name) = name.strip_prefix(DECISIONS) {
            let (rollout, rest) = name.split_once('.')?;
            let (treatment, reason) = rest.split_once('.')?;
            let treatment = Treatment::ALL
                .into_iter()
                .find(|known| known.as_str() == treatment)?;
            let reason = Reason::ALL
                .into_iter()
                .find(|known| known.as_str() == reason)?;
            return Some(Self::Decision(label(rollout)?, treatment, reason));
        }
        if let Some(name) = name.strip_prefix(SHADOW) {
            let (rollout, outcome) = name.split_once('.')?;
            return Some(Self::Shadow(label(rollout)?, label(outcome)?));
        }
        if let Some(name) = name.strip_prefix(TURNOUT) {
            return match GuardMetric::from_stat_name(name)? {
                GuardMetric::Counter(counter) => Some(Self::Guard(counter)),
                GuardMetric::Gauge(..) => None,
            };
        }
        let (cluster, stat) = name.strip_prefix(CLUSTER)?.rsplit_once('.')?;
        let (what, _) = ClusterStat::ALL
            .into_iter()
            .find(|(_, name)| *name == stat)?;
        Some(Self::Cluster(cluster.to_owned(), what))
    }
}

/// The name on Envoy's stats page.
impl fmt::Display for Counter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Decision(rollout, treatment, reason) => {
                write!(
                    f,
                    "{DECISIONS}{rollout}.{}.{}",
                    treatment.as_str(),
                    reason.as_str()
                )
            }
            Self::Shadow(rollout, outcome) => write!(f, "{SHADOW}{rollout}.{outcome}"),
            Self::Cluster(cluster, stat) => write!(f, "{CLUSTER}{cluster}.{}", stat.as_str()),
            Self::Guard(counter) => write!(f, "{TURNOUT}{counter}"),
        }
    }
}

/// Returns the text if it is a valid name of the policy or of the filter.
fn label(text: &str) -> Option<String> {
    let is_plain = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || b"-_".contains(&c);
    let is_label = (1..=LONGEST_LABEL).contains(&text.len()) && text.bytes().all(is_plain);
    is_label.then(|| text.to_owned())
}

/// A stat of a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ClusterStat {
    /// Requests with a response, whether from the upstream or from Envoy.
    Completed,
    /// Requests with a 5xx response: from the upstream, or from Envoy because no upstream responded.
    Failed,
    /// Failed connections.
    ConnectFailures,
    /// Requests that timed out.
    Timeouts,
    /// Requests that the upstream reset.
    Resets,
    /// Requests rejected by a circuit breaker.
    Overflows,
}

impl ClusterStat {
    /// Each stat with its name in Envoy's stats.
    pub const ALL: [(Self, &'static str); 6] = [
        (Self::Completed, "upstream_rq_completed"),
        (Self::Failed, "upstream_rq_5xx"),
        (Self::ConnectFailures, "upstream_cx_connect_fail"),
        (Self::Timeouts, "upstream_rq_timeout"),
        (Self::Resets, "upstream_rq_rx_reset"),
        (Self::Overflows, "upstream_rq_pending_overflow"),
    ];

    /// The stats that say why requests fail, with a description.
    pub const CAUSES: [(Self, &'static str); 4] = [
        (Self::ConnectFailures, "failed connections"),
        (Self::Timeouts, "timeouts"),
        (Self::Resets, "resets"),
        (Self::Overflows, "overflows"),
    ];

    /// The name in Envoy's stats.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        let found = Self::ALL.into_iter().find(|(stat, _)| *stat == self);
        found.map_or("", |(_, name)| name)
    }
}

/// Counters and their values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CounterValues(BTreeMap<Counter, u64>);

impl CounterValues {
    /// Sets the value of a counter.
    pub fn insert(&mut self, counter: Counter, count: u64) {
        self.0.insert(counter, count);
    }

    /// Adds the values of `other`.
    pub fn add(&mut self, other: &Self) {
        for (counter, count) in &other.0 {
            let sum = self.0.entry(counter.clone()).or_default();
            *sum = sum.saturating_add(*count);
        }
    }

    /// Returns the value of a counter.
    #[must_use]
    pub fn get(&self, counter: &Counter) -> Option<u64> {
        self.0.get(counter).copied()
    }

    /// Returns the counters with their values.
    pub fn iter(&self) -> impl Iterator<Item = (&Counter, u64)> {
        self.0.iter().map(|(counter, count)| (counter, *count))
    }

    /// Returns what the guards have counted, by rollout.
    #[must_use]
    pub fn guard_counts(&self) -> BTreeMap<&str, GuardCounts> {
        let mut guards: BTreeMap<&str, GuardCounts> = BTreeMap::new();
        for (counter, count) in self.iter() {
            let Counter::Guard(counter) = counter else {
                continue;
            };
            let mut counts = ArmCounts::default();
            match counter.event {
                GuardEvent::All => counts.all = count,
                GuardEvent::Errors => counts.errors = count,
                GuardEvent::Slow => counts.slow = count,
            }
            let mut arms = Arms::default();
            *arms.get_mut(counter.arm) = counts;
            let guard = guards.entry(&counter.rollout).or_default();
            guard.add(counter.requests, arms);
        }
        guards
    }

    /// Returns the increase since an earlier reading of the same proxy.
    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        let grown = self.0.iter().map(|(counter, now)| {
            let before = before.get(counter).unwrap_or_default();
            (counter.clone(), now.saturating_sub(before))
        });
        Self(grown.collect())
    }

    /// Keeps the counters for which `keep` returns true.
    pub fn retain(&mut self, mut keep: impl FnMut(&Counter) -> bool) {
        self.0.retain(|counter, _| keep(counter));
    }

    /// Whether any value is lower than before, which a restart of the proxy causes.
    #[must_use]
    pub fn is_less_than(&self, before: &Self) -> bool {
        let mut all = self.0.iter();
        all.any(|(counter, now)| before.get(counter).is_some_and(|before| *now < before))
    }

    /// Returns the rates per second, in thousandths, of an increase over this many milliseconds.
    #[must_use]
    pub fn per_second(&self, milliseconds: u64) -> Self {
        let rates = self.0.iter().map(|(counter, count)| {
            let millionths = count.saturating_mul(1_000_000);
            let rate = millionths.checked_div(milliseconds).unwrap_or_default();
            (counter.clone(), rate)
        });
        Self(rates.collect())
    }
}

/// An object with the names of the stats page.
impl Serialize for CounterValues {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(
            self.iter()
                .map(|(counter, count)| (counter.to_string(), count)),
        )
    }
}

impl<'de> Deserialize<'de> for CounterValues {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let named = BTreeMap::<String, u64>::deserialize(deserializer)?;
        let values = named.into_iter().map(|(name, count)| {
            let counter = Counter::from_stat_name(&name);
            let unknown = || D::Error::custom(format!("unknown counter `{}`", name.escape_debug()));
            Ok((counter.ok_or_else(unknown)?, count))
        });
        values.collect::<Result<_, _>>().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_survive_serialization() {
        let names = [
            "cluster.outbound|80||a.b_1.upstream_rq_5xx",
            "wasmcustom.turnout.decisions.chat-2.v1.outside_requests",
            "wasmcustom.turnout.guard.chat-2.0_5.v2.slow",
            "wasmcustom.turnout.guard.chat-2.100.v2.all",
            "wasmcustom.turnout.shadow.chat-2.equal",
        ];
        let mut values = CounterValues::default();
        for (name, count) in names.into_iter().zip([0, 1, u64::MAX, 3, 4]) {
            values.insert(Counter::from_stat_name(name).unwrap(), count);
        }
        let json = serde_json::to_string(&values).unwrap();
        for name in names {
            assert!(json.contains(&format!("\"{name}\":")), "{json}");
        }
        assert_eq!(
            serde_json::from_str::<CounterValues>(&json).unwrap(),
            values
        );
        for damaged in [
            r#"{"wasmcustom.turnout.guard.a.10.v3.all":1}"#,
            r#"{"":1}"#,
            "[]",
        ] {
            assert!(
                serde_json::from_str::<CounterValues>(damaged).is_err(),
                "{damaged}"
            );
        }
    }
}
