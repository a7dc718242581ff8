//! Counters of the filter and of the clusters, with their values.

use std::collections::BTreeMap;

use turnout_core::guard::{ArmCounts, Arms, GuardCounts};
use turnout_core::{Reason, Treatment};

use crate::guard_metrics::{GuardCounter, GuardEvent};

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
