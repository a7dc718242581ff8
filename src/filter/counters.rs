//! Counters, `turnout.decisions.<rollout>.<treatment>.<reason>`, and the gauge `turnout.revision.<plugin>`.
//!
//! Loading a policy defines exactly the counters that its rollouts can need on this proxy, in any mode.
//! So each series begins at 0, and a counter of the previous configuration continues, even if that ran
//! in another build's VM. When such a VM ends, Envoy drops the counters that this one has not defined.
//! Within one VM Envoy keeps the series of a removed rollout.

use std::mem;

use proxy_wasm::hostcalls::{define_metric, record_metric};
use proxy_wasm::types::MetricType;
use turnout_core::{
    Configuration, Decision, Inbound, NO_ROLLOUT, Reason, Revision, Rollout, Treatment,
    revision_gauge,
};

use crate::host;

/// The counters of one policy, and the counts that have not been flushed to the proxy.
///
/// A call to the proxy costs more than everything else about counting, so many requests are flushed at
/// once: at each tick, and before a policy is removed.
pub(crate) struct Counters {
    no_rollout: Counter,
    /// By the index of the rollout.
    rollouts: Vec<RolloutCounters>,
    /// True if unflushed counts remain.
    has_pending: bool,
}

/// By the index of the reason in [`Reason::ALL`] and of the treatment in [`Treatment::ALL`].
type RolloutCounters = [[Counter; Treatment::ALL.len()]; Reason::ALL.len()];

#[derive(Default)]
struct Counter {
    /// The proxy's id of the counter. `None` if no request of this policy can need it.
    number: Option<u32>,
    pending: u32,
}

impl Counters {
    pub(crate) fn define(configuration: &Configuration) -> Self {
        let rollouts = configuration.plan.rollouts().iter();
        let inbound = configuration.inbound;
        Self {
            no_rollout: Counter::defined(NO_ROLLOUT, Treatment::V1, Reason::NoRollout),
            rollouts: rollouts
                .map(|rollout| define_all(rollout, inbound))
                .collect(),
            has_pending: false,
        }
    }

    pub(crate) fn count(&mut self, decision: &Decision<'_>) {
        let counter = match decision.rollout {
            None => Some(&mut self.no_rollout),
            Some(rollout) => self
                .rollouts
                .get_mut(rollout.index)
                .and_then(|reasons| reasons.get_mut(decision.reason as usize))
                .and_then(|treatments| treatments.get_mut(decision.treatment as usize)),
        };
        if let Some(counter) = counter {
            // It is flushed once a second, so it does not get that high.
            counter.pending = counter.pending.saturating_add(1);
            self.has_pending = true;
        }
    }

    /// Reports to the proxy everything that has been counted.
    pub(crate) fn flush(&mut self) {
        if !mem::take(&mut self.has_pending) {
            return;
        }
        self.no_rollout.flush();
        let counters = self.rollouts.iter_mut().flatten().flatten();
        counters.for_each(Counter::flush);
    }
}

impl Counter {
    fn defined(rollout: &str, treatment: Treatment, reason: Reason) -> Self {
        let name = format!("turnout.decisions.{rollout}.{treatment}.{reason}");
        Self {
            number: define_metric(MetricType::Counter, &name).ok(),
            pending: 0,
        }
    }

    fn flush(&mut self) {
        let pending = mem::take(&mut self.pending);
        if pending > 0
            && let Some(number) = self.number
        {
            host::add(number, pending.into());
        }
    }
}

/// Publishes the revision of the active policy as a number. As text, it would add a series for every
/// policy that the proxy has ever had.
pub(crate) fn publish_revision(plugin: &str, revision: &Revision) {
    if let Ok(gauge) = define_metric(MetricType::Gauge, &revision_gauge(plugin)) {
        // The gauge has just been defined, so there is nothing to handle.
        let _ = record_metric(gauge, revision.number());
    }
}

fn define_all(rollout: &Rollout, inbound: Inbound) -> RolloutCounters {
    Reason::ALL.map(|reason| {
        Treatment::ALL.map(
            |treatment| match rollout.can_decide(inbound, treatment, reason) {
                true => Counter::defined(&rollout.name, treatment, reason),
                false => Counter::default(),
            },
        )
    })
}
