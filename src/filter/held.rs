//! What Turnout holds in this worker, for all plugins of its VM, and the gauge `turnout.held_bytes`.

use turnout_core::ByteBudget;

use crate::host::{self, MetricKind};

/// The budget of this VM, and what of it this worker has put into the gauge, which all workers share.
#[derive(Default)]
pub(crate) struct Held {
    pub(crate) budget: ByteBudget,
    gauge: Option<u32>,
    in_gauge: i64,
}

impl Held {
    /// Makes the gauge known. Called while a plugin is configured.
    pub(crate) fn define(&mut self) {
        self.gauge = host::define_metric(MetricKind::Gauge, "turnout.held_bytes");
    }

    /// Adds what has changed since the last call.
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
