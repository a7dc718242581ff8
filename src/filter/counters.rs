//! Counters, `turnout.decisions.<rollout>.<treatment>.<reason>`, and the gauge `turnout.revision`.
//!
//! All that a policy can ever count is defined when it is loaded. So the number of series depends on
//! the policy alone, each begins at 0, and a counter that the configuration before had goes on where
//! it was.

use turnout_core::{Decision, Plan, Reason, Revision, Treatment};

use crate::host::{self, MetricKind};

/// What stands for the rollout where none matched; no rollout can have this name.
pub(crate) const NO_ROLLOUT: &str = "-";

/// The numbers under which the proxy knows the counters of one policy.
pub(crate) struct Counters {
    no_rollout: Option<u32>,
    /// By the rollout's index.
    rollouts: Vec<OfRollout>,
}

/// By the reason's place in [`Reason::ALL`] and the treatment's in [`Treatment::ALL`].
type OfRollout = [[Option<u32>; Treatment::ALL.len()]; Reason::ALL.len()];

impl Counters {
    pub(crate) fn define(plan: &Plan) -> Self {
        Self {
            no_rollout: define(NO_ROLLOUT, Treatment::V1, Reason::NoRollout),
            rollouts: plan
                .rollouts()
                .iter()
                .map(|rollout| define_all(&rollout.name))
                .collect(),
        }
    }

    pub(crate) fn count(&self, decision: &Decision<'_>) {
        let metric = match decision.rollout {
            None => self.no_rollout,
            Some(rollout) => self
                .rollouts
                .get(rollout.index)
                .and_then(|reasons| reasons.get(decision.reason as usize))
                .and_then(|treatments| treatments.get(decision.treatment as usize))
                .copied()
                .flatten(),
        };
        if let Some(metric) = metric {
            host::increment(metric);
        }
    }
}

/// Says which policy is in force. As a number: a text would be one more series for each policy that
/// the proxy has ever had.
pub(crate) fn tell_revision(revision: &Revision) {
    if let Some(gauge) = host::define_metric(MetricKind::Gauge, "turnout.revision") {
        host::record(gauge, revision.number());
    }
}

fn define_all(rollout: &str) -> OfRollout {
    Reason::ALL.map(|reason| {
        Treatment::ALL.map(|treatment| {
            let possible = reason != Reason::NoRollout && reason.treatments().contains(&treatment);
            possible
                .then(|| define(rollout, treatment, reason))
                .flatten()
        })
    })
}

fn define(rollout: &str, treatment: Treatment, reason: Reason) -> Option<u32> {
    let name = format!("turnout.decisions.{rollout}.{treatment}.{reason}");
    host::define_metric(MetricKind::Counter, &name)
}
