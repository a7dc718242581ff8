//! Counters, `turnout.decisions.<rollout>.<treatment>.<reason>`, and the gauge `turnout.revision`.
//!
//! All that a policy can ever count is defined when it is loaded. So the number of series depends on
//! the policy alone, each begins at 0, and a counter that the configuration before had goes on where
//! it was.

use std::mem;

use turnout_core::{Decision, NO_ROLLOUT, Plan, Reason, Revision, Treatment};

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
    /// Under which the proxy knows it; `None` where it never counts.
    number: Option<u32>,
    untold: u32,
}

impl Counters {
    pub(crate) fn define(plan: &Plan) -> Self {
        Self {
            no_rollout: Counter::define(NO_ROLLOUT, Treatment::V1, Reason::NoRollout),
            rollouts: plan
                .rollouts()
                .iter()
                .map(|rollout| define_all(&rollout.name))
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

    /// Tells the proxy all that has been counted.
    pub(crate) fn flush(&mut self) {
        if !mem::take(&mut self.is_behind) {
            return;
        }
        let of_rollouts = self.rollouts.iter_mut().flatten().flatten();
        for counter in of_rollouts.chain([&mut self.no_rollout]) {
            counter.flush();
        }
    }
}

impl Counter {
    fn define(rollout: &str, treatment: Treatment, reason: Reason) -> Self {
        let name = format!("turnout.decisions.{rollout}.{treatment}.{reason}");
        Self {
            number: host::define_metric(MetricKind::Counter, &name),
            untold: 0,
        }
    }

    fn flush(&mut self) {
        let untold = mem::take(&mut self.untold);
        if let Some(number) = self.number
            && untold > 0
        {
            host::add(number, untold.into());
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
            match possible {
                true => Counter::define(rollout, treatment, reason),
                false => Counter::default(),
            }
        })
    })
}
