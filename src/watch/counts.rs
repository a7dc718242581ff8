//! What proxies count, by what it is about.

use std::collections::BTreeMap;

use turnout_core::{Reason, Treatment};

/// One counter of a proxy.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Counter {
    /// Of a rollout.
    Decision(String, Treatment, Reason),
    /// Of a rollout, by the outcome's word.
    Shadow(String, String),
    /// Of a cluster, by its name in Envoy's statistics.
    Cluster(String, OfCluster),
}

/// What is counted of a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum OfCluster {
    /// Answered, by whomever.
    Completed,
    /// Answered with 5xx: by the upstream, or by Envoy because there was none to answer.
    Failed,
    ConnectFailures,
    Timeouts,
    Resets,
    Overflows,
}

impl OfCluster {
    /// With the name in Envoy's statistics.
    pub(crate) const ALL: [(Self, &'static str); 6] = [
        (Self::Completed, "upstream_rq_completed"),
        (Self::Failed, "upstream_rq_5xx"),
        (Self::ConnectFailures, "upstream_cx_connect_fail"),
        (Self::Timeouts, "upstream_rq_timeout"),
        (Self::Resets, "upstream_rq_rx_reset"),
        (Self::Overflows, "upstream_rq_pending_overflow"),
    ];

    /// Why requests fail, with words for it.
    pub(crate) const CAUSES: [(Self, &'static str); 4] = [
        (Self::ConnectFailures, "failed connections"),
        (Self::Timeouts, "timeouts"),
        (Self::Resets, "resets"),
        (Self::Overflows, "overflows"),
    ];
}

/// Counters by what they are about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts(BTreeMap<Counter, u64>);

impl Counts {
    pub(crate) fn insert(&mut self, counter: Counter, count: u64) {
        self.0.insert(counter, count);
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for (counter, count) in &other.0 {
            let sum = self.0.entry(counter.clone()).or_default();
            *sum = sum.saturating_add(*count);
        }
    }

    pub(crate) fn get(&self, counter: &Counter) -> Option<u64> {
        self.0.get(counter).copied()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Counter, u64)> {
        self.0.iter().map(|(counter, count)| (counter, *count))
    }

    /// What has come since an earlier look of the same proxy.
    pub(crate) fn since(&self, before: &Self) -> Self {
        let grown = self.0.iter().map(|(counter, now)| {
            let before = before.get(counter).unwrap_or_default();
            (counter.clone(), now.saturating_sub(before))
        });
        Self(grown.collect())
    }

    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&Counter) -> bool) {
        self.0.retain(|counter, _| keep(counter));
    }

    /// Whether one of them is less than before: a proxy that was started anew counts from 0.
    pub(crate) fn is_less_than(&self, before: &Self) -> bool {
        let mut all = self.0.iter();
        all.any(|(counter, now)| before.get(counter).is_some_and(|before| *now < before))
    }

    /// What a second brings, in thousandths, if this came in so many milliseconds.
    pub(crate) fn per_second(&self, milliseconds: u64) -> Self {
        let rates = self.0.iter().map(|(counter, count)| {
            let millionths = count.saturating_mul(1_000_000);
            let rate = millionths.checked_div(milliseconds).unwrap_or_default();
            (counter.clone(), rate)
        });
        Self(rates.collect())
    }
}
