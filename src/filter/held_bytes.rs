//! The bytes that Turnout holds in this worker, for all plugins of its VM, and the gauge
//! `turnout.held_bytes`.

use proxy_wasm::hostcalls::define_metric;
use proxy_wasm::types::MetricType;
use turnout_core::ByteBudget;

use crate::host;

/// The budget of this VM, and the part of it that this worker has added to the gauge, which all workers
/// share.
#[derive(Default)]
pub(crate) struct HeldBytes {
    pub(crate) budget: ByteBudget,
    gauge: Option<u32>,
    in_gauge: i64,
}

impl HeldBytes {
    /// Defines the gauge. Called while a plugin is being configured.
    pub(crate) fn define(&mut self) {
        self.gauge = define_metric(MetricType::Gauge, "turnout.held_bytes").ok();
    }

    /// Adds the change since the last call to the gauge.
    pub(crate) fn publish(&mut self) {
        let held = i64::try_from(self.budget.held()).unwrap_or(i64::MAX);
        let change = held.saturating_sub(self.in_gauge);
        if change != 0
            && let Some(gauge) = self.gauge
        {
            host::add(gauge, change);
            self.in_gauge = held;
        }
    }
}
