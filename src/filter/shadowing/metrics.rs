//! The shadow metrics of one rollout.

use proxy_wasm::hostcalls::define_metric;
use proxy_wasm::types::MetricType;
use turnout_core::shadow::Outcome;

use super::MICRO;
use crate::host;

pub(super) struct ShadowMetrics {
    sampled: Option<u32>,
    unproven: Option<u32>,
    /// By the index of the outcome in [`Outcome::ALL`].
    outcomes: [Option<u32>; Outcome::ALL.len()],
    v1_ms: Option<u32>,
    v2_ms: Option<u32>,
    in_flight: Option<u32>,
    /// The part of the gauge that this worker has added. All workers share the gauge.
    published_in_flight: i64,
}

impl ShadowMetrics {
    pub(super) fn define(rollout: &str) -> Self {
        let histogram = |version: &str| {
            let name = format!("turnout.shadow_{version}_ms.{rollout}");
            define_metric(MetricType::Histogram, &name).ok()
        };
        let sampled = format!("turnout.shadow_sampled.{rollout}");
        let unproven = format!("turnout.shadow_unproven.{rollout}");
        let in_flight = format!("turnout.shadow_in_flight.{rollout}");
        Self {
            sampled: define_metric(MetricType::Counter, &sampled).ok(),
            unproven: define_metric(MetricType::Counter, &unproven).ok(),
            outcomes: Outcome::ALL.map(|outcome| {
                let name = format!("turnout.shadow.{rollout}.{outcome}");
                define_metric(MetricType::Counter, &name).ok()
            }),
            v1_ms: histogram("v1"),
            v2_ms: histogram("v2"),
            in_flight: define_metric(MetricType::Gauge, &in_flight).ok(),
            published_in_flight: 0,
        }
    }

    pub(super) fn sampled(&self) {
        self.sampled.into_iter().for_each(host::increment);
    }

    /// Counts a difference at a place where v1 may still turn out to vary.
    pub(super) fn unproven(&self) {
        self.unproven.into_iter().for_each(host::increment);
    }

    pub(super) fn count(&self, outcome: Outcome) {
        let metric = self.outcomes.get(outcome as usize).copied().flatten();
        metric.into_iter().for_each(host::increment);
    }

    /// Records durations in microseconds. Less than a millisecond counts as one.
    pub(super) fn latencies(&self, v1_us: u64, v2_us: u64) {
        for (metric, micros) in [(self.v1_ms, v1_us), (self.v2_ms, v2_us)] {
            if let Some(metric) = metric {
                host::record(metric, micros.div_ceil(MICRO));
            }
        }
    }

    pub(super) fn in_flight(&mut self, now: usize) {
        let now = i64::try_from(now).unwrap_or(i64::MAX);
        let change = now.saturating_sub(self.published_in_flight);
        if change != 0
            && let Some(metric) = self.in_flight
        {
            host::add(metric, change);
            self.published_in_flight = now;
        }
    }
}
