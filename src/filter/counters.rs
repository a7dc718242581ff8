//! Counters, `turnout.decisions.<rollout>.<treatment>.<reason>`, and the gauge `turnout.revision.<plugin>`.
//!
//! Loading a policy defines exactly the counters that its rollouts can need on this proxy, in any mode. So each
//! series begins at 0, and a counter that the previous configuration had goes on where it was, even if that ran in
//! another build's VM. When such a VM ends, Envoy drops the counters that this one has not defined. Within one VM
//! Envoy keeps the series of a removed rollout.

use std::mem;

use turnout_core::{
    Configuration, Decision, Inbound, NO_ROLLOUT, Plan, Reason, Revision, Rollout, Treatment,
    revision_gauge,
};

use crate::host::{self, MetricKind};

/// The counters of one policy, and what has been counted since the proxy was last told.
///
/// A call of the proxy costs more than all else that counting takes, so it is told of many requests at
/// once: at each tick, and before a policy goes.
pub(crate) struct Counters {
    no_rollout: Counter,
    /// By the rollout's index.
    rollouts: Vec<OfRollout>,
    /// Whether there is anything that the proxy has not been told.
    is_behind: bool,
}

/// By the reason's place in [`Reason::ALL`] and the treatment's in [`Treatment::ALL`].
type OfRollout = [[Counter; Treatment::ALL.len()]; Reason::ALL.len()];

#[derive(Default)]
struct Counter {
    /// Under which the proxy knows it; `None` until it counts, where the policy says that it never does.
    number: Option<u32>,
    untold: u32,
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
            is_behind: false,
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
            // Told once a second, it does not get that far.
            counter.untold = counter.untold.saturating_add(1);
            self.is_behind = true;
        }
    }

    /// Reports to the proxy all that has been counted under this plan.
    pub(crate) fn flush(&mut self, plan: &Plan) {
        if !mem::take(&mut self.is_behind) {
            return;
        }
        self.no_rollout
            .flush(NO_ROLLOUT, Treatment::V1, Reason::NoRollout);
        for (rollout, reasons) in plan.rollouts().iter().zip(&mut self.rollouts) {
            for (reason, treatments) in Reason::ALL.into_iter().zip(reasons) {
                for (treatment, counter) in Treatment::ALL.into_iter().zip(treatments) {
                    counter.flush(&rollout.name, treatment, reason);
                }
            }
        }
    }
}

impl Counter {
    fn defined(rollout: &str, treatment: Treatment, reason: Reason) -> Self {
        let mut counter = Self::default();
        counter.define(rollout, treatment, reason);
        counter
    }

    fn define(&mut self, rollout: &str, treatment: Treatment, reason: Reason) {
        let name = format!("turnout.decisions.{rollout}.{treatment}.{reason}");
        self.number = host::define_metric(MetricKind::Counter, &name);
    }

    fn flush(&mut self, rollout: &str, treatment: Treatment, reason: Reason) {
        let untold = mem::take(&mut self.untold);
        if untold == 0 {
            return;
        }
        if self.number.is_none() {
            self.define(rollout, treatment, reason);
        }
        if let Some(number) = self.number {
            host::add(number, untold.into());
        }
    }
}

/// Says which policy is in force. As a number: a text would be one more series for each policy that
/// the proxy has ever had.
pub(crate) fn tell_revision(plugin: &str, revision: &Revision) {
    if let Some(gauge) = host::define_metric(MetricKind::Gauge, &revision_gauge(plugin)) {
        host::record(gauge, revision.number());
    }
}

fn define_all(rollout: &Rollout, inbound: Inbound) -> OfRollout {
    Reason::ALL.map(|reason| {
        Treatment::ALL.map(
            |treatment| match rollout.can_decide(inbound, treatment, reason) {
                true => Counter::defined(&rollout.name, treatment, reason),
                false => Counter::default(),
            },
        )
    })
}
