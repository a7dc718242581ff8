//! Counts the requests of a log that a policy change moves.

use std::io::{self, Read};

use serde::Serialize;
use turnout_core::Treatment;

use crate::log_entry::LogEntry;
use crate::log_fields::LogFields;
use crate::log_summary::LogSummary;
use crate::policy_at::PolicyAt;
use crate::replay::{Replay, RequestCounter, RequestVisitor};
use crate::saturating::{add, increase};
use crate::traffic_report::with_request;

/// The effect of a change on the requests of a log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MovedRequests {
    /// What was read.
    pub log: LogSummary,
    #[serde(skip)]
    rollouts: Vec<(String, Counts)>,
}

/// The requests of a rollout, by the treatment that serves them before and after.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RequestChange {
    /// All requests that match the rollout before or after.
    pub requests: u64,
    /// Requests on v1 before and on v2 after.
    pub v1_to_v2: u64,
    /// Requests on v2 before and on v1 after.
    pub v2_to_v1: u64,
    /// The same per day; `None` if the log covers less than a minute.
    pub v1_to_v2_per_day: Option<u64>,
    /// The same per day; `None` if the log covers less than a minute.
    pub v2_to_v1_per_day: Option<u64>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    requests: u64,
    v1_to_v2: u64,
    v2_to_v1: u64,
}

impl MovedRequests {
    /// Replays a log with both policies.
    ///
    /// # Errors
    /// If the input cannot be read.
    pub fn between(
        old: PolicyAt<'_>,
        new: PolicyAt<'_>,
        replay: &Replay,
        input: impl Read,
    ) -> io::Result<Self> {
        let (tally, log) = replay.run(input, || Both {
            versions: [old, new],
            // In the order of the new policy, then of the old one.
            counts: [new, old].map(|v| vec![Counts::default(); v.plan.rollouts().len()]),
        })?;
        let mut rollouts: Vec<(String, Counts)> = Vec::new();
        for (version, counts) in [new, old].iter().zip(tally.counts) {
            for (rollout, counts) in version.plan.rollouts().iter().zip(counts) {
                match rollouts.iter_mut().find(|(name, _)| *name == rollout.name) {
                    Some((_, known)) => known.merge(counts),
                    None => rollouts.push((rollout.name.clone(), counts)),
                }
            }
        }
        Ok(Self { log, rollouts })
    }

    /// The requests of one rollout.
    #[must_use]
    pub fn of(&self, rollout: &str) -> Option<RequestChange> {
        let (_, counts) = self.rollouts.iter().find(|(name, _)| name == rollout)?;
        let a_day = |count| self.log.span.and_then(|span| span.per_day(count));
        Some(RequestChange {
            requests: counts.requests,
            v1_to_v2: counts.v1_to_v2,
            v2_to_v1: counts.v2_to_v1,
            v1_to_v2_per_day: a_day(counts.v1_to_v2),
            v2_to_v1_per_day: a_day(counts.v2_to_v1),
        })
    }
}

struct Both<'p> {
    versions: [PolicyAt<'p>; 2],
    counts: [Vec<Counts>; 2],
}

impl RequestVisitor for Both<'_> {
    fn request(&mut self, entry: &LogEntry<'_>, fields: &LogFields) {
        let [old, new] = self.versions.map(|version| {
            with_request(version.plan, version.at, entry, fields, |_, decision| {
                (
                    decision.rollout.map(|rollout| rollout.index),
                    decision.served(),
                )
            })
        });
        // A request counts in the rollout that has it, or that had it before.
        let [in_new, in_old] = &mut self.counts;
        let counts = match (new.0, old.0) {
            (Some(index), _) => in_new.get_mut(index),
            (None, Some(index)) => in_old.get_mut(index),
            (None, None) => None,
        };
        let Some(counts) = counts else {
            return;
        };
        increase(&mut counts.requests);
        match (old.1, new.1) {
            (Treatment::V1, Treatment::V2) => increase(&mut counts.v1_to_v2),
            (Treatment::V2, Treatment::V1) => increase(&mut counts.v2_to_v1),
            _ => {}
        }
    }
}

impl RequestCounter for Both<'_> {
    fn merge(&mut self, other: Self) {
        let ours = self.counts.iter_mut().flatten();
        for (ours, theirs) in ours.zip(other.counts.into_iter().flatten()) {
            ours.merge(theirs);
        }
    }
}

impl Counts {
    fn merge(&mut self, other: Self) {
        add(&mut self.requests, other.requests);
        add(&mut self.v1_to_v2, other.v1_to_v2);
        add(&mut self.v2_to_v1, other.v2_to_v1);
    }
}
