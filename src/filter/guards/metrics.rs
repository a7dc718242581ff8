//! The metrics of a guard: the counters `turnout.guard.<rollout>.<stratum>.<arm>.<all|errors|slow>`, and the gauges
//! `turnout.guard_state.<rollout>`, `turnout.guard_evidence_milli.<rollout>` and
//! `turnout.guard_threshold_milli.<rollout>`.

use proxy_wasm::hostcalls::define_metric;
use proxy_wasm::types::MetricType;
use turnout_core::guard::{ArmCounts, GuardCounts, WorkerGuard};
use turnout_core::{Fraction, Treatment};

use crate::host;

/// The metrics of one guard, and what has been reported.
pub(super) struct GuardMetrics {
    /// State, evidence and threshold.
    gauges: [Option<u32>; 3],
    strata: Vec<StratumMetrics>,
}

struct StratumMetrics {
    requests: Fraction,
    /// By treatment: all, errors, slow.
    counters: [[Option<u32>; 3]; 2],
    reported: [ArmCounts; 2],
}

impl GuardMetrics {
    /// Defines the metrics. Called while a plugin is being configured.
    pub(super) fn define(rollout: &str, guard: &WorkerGuard) -> Self {
        let gauge = |what: &str| {
            let name = format!("turnout.guard_{what}.{rollout}");
            define_metric(MetricType::Gauge, &name).ok()
        };
        let has_slow = guard.settings().slow.is_some();
        let settled = guard.settled();
        let strata = settled.strata().iter().map(|stratum| {
            let counters = |arm: Treatment| {
                let counter = |kind: &str| {
                    let percentage = stratum.requests.to_string().replace('.', "_");
                    let name = format!("turnout.guard.{rollout}.{percentage}.{arm}.{kind}");
                    define_metric(MetricType::Counter, &name).ok()
                };
                let slow = has_slow.then(|| counter("slow")).flatten();
                [counter("all"), counter("errors"), slow]
            };
            StratumMetrics {
                requests: stratum.requests,
                counters: Treatment::ALL.map(counters),
                reported: [ArmCounts::default(); 2],
            }
        });
        Self {
            gauges: ["state", "evidence_milli", "threshold_milli"].map(gauge),
            strata: strata.collect(),
        }
    }

    /// Adds to the counters what has settled since the last call.
    pub(super) fn add_settled(&mut self, settled: &GuardCounts) {
        for stratum in settled.strata() {
            let mut metrics = self.strata.iter_mut();
            if let Some(metrics) = metrics
                .find(|metrics| metrics.requests.millionths() == stratum.requests.millionths())
            {
                metrics.add([stratum.arms.v1, stratum.arms.v2]);
            }
        }
    }

    /// Sets the gauges, which are those of all workers. Each worker does so at each tick, because others can set them
    /// too: Envoy tries each configuration in a VM of its own, and may then not use it.
    pub(super) fn set_gauges(&self, guard: &WorkerGuard) {
        let values = [
            guard.state().gauge(),
            guard.evidence().milli_log10(),
            guard.test().threshold_milli_log10(),
        ];
        for (gauge, value) in self.gauges.iter().zip(values) {
            if let Some(gauge) = gauge {
                host::record(*gauge, value);
            }
        }
    }
}

impl StratumMetrics {
    fn add(&mut self, settled: [ArmCounts; 2]) {
        let reported = std::mem::replace(&mut self.reported, settled);
        for ((counters, settled), reported) in self.counters.iter().zip(settled).zip(reported) {
            let kinds = [
                (settled.all, reported.all),
                (settled.errors, reported.errors),
                (settled.slow, reported.slow),
            ];
            for (counter, (settled, reported)) in counters.iter().zip(kinds) {
                let new = settled.saturating_sub(reported);
                if let Some(counter) = counter.filter(|_| new > 0) {
                    host::add(counter, i64::try_from(new).unwrap_or(i64::MAX));
                }
            }
        }
    }
}
