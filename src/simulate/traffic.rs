//! Replays an access log under a policy, and counts requests by decision.

use std::io::{self, Read};

use serde::Serialize;
use turnout_core::{
    Account, Decision, Headers, Inbound, Mode, Plan, Reason, Request, Time, Treatment, decide,
};

use crate::contradictions::{Contradiction, Contradictions};
use crate::counts::{add, increase};
use crate::fields::{Entry, Fields, Part};
use crate::lacks::{Lack, Lacks};
use crate::log::{LogRead, Replay, Tally, as_text};

/// What a policy decides for the requests of a log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Traffic {
    /// When it is decided.
    #[serde(serialize_with = "as_text")]
    pub at: Time,
    /// What was read.
    pub log: LogRead,
    /// Requests that no rollout has.
    pub no_rollout: u64,
    /// Each rollout, in the order of the policy.
    pub rollouts: Vec<RolloutTraffic>,
    /// What the log does not say, though the policy asks for it.
    pub lacks: Vec<Lack>,
    /// Requests whose lines say that something else was decided than can be.
    pub contradictions: Vec<Contradiction>,
}

/// What one rollout decides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RolloutTraffic {
    /// Its name.
    pub rollout: String,
    /// `off`, `dark`, `shadow`, `split` or `on`.
    pub mode: &'static str,
    /// Whether a decision for v2 is served. In the modes `dark` and `shadow` it is only recorded.
    pub serves_v2: bool,
    /// Requests in a day, where the log is long enough to say.
    pub requests_a_day: Option<u64>,
    /// Those of them that are decided for v2.
    pub v2_a_day: Option<u64>,
    /// All its requests.
    pub total: Row,
    /// By segment of their account; a request counts in each.
    pub segments: Vec<Row>,
    /// Requests of accounts in no segment.
    pub no_segment: Row,
    /// Requests that name no account, or a malformed one.
    pub no_account: Row,
    /// Beside what the log itself says was decided; `None` where it says nothing.
    pub recorded: Option<Recorded>,
}

/// Requests by decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    /// The segment, in rows of segments.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub segment: Option<String>,
    /// All.
    pub requests: u64,
    /// Decided for v2.
    pub v2: u64,
    /// By treatment and reason; those that are none are left out.
    pub decisions: Vec<Decided>,
}

/// Requests of one treatment and reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Decided {
    /// `v1` or `v2`.
    pub treatment: &'static str,
    /// As in metrics and logs.
    pub reason: &'static str,
    /// How many.
    pub requests: u64,
}

/// What was decided when the log was written, and what would be now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Recorded {
    /// The same.
    pub same: u64,
    /// V1 then, v2 now.
    pub v1_to_v2: u64,
    /// V2 then, v1 now.
    pub v2_to_v1: u64,
    /// The line does not say what was decided.
    pub unknown: u64,
}

impl Traffic {
    /// Replays a log.
    ///
    /// # Errors
    /// When the input fails.
    pub fn of(plan: &Plan, at: Time, replay: &Replay, input: impl Read) -> io::Result<Self> {
        let (tally, log) = replay.run(input, || Counts::new(plan, at))?;
        Ok(tally.finish(log, &replay.fields))
    }
}

/// What an entry says, as a request under a plan.
pub(crate) fn with_request<T>(
    plan: &Plan,
    at: Time,
    entry: &Entry<'_>,
    fields: &Fields,
    take: impl FnOnce(&Request<'_>, Decision<'_>) -> T,
) -> T {
    let pairs = entry.pairs(fields);
    let mut request = plan.request(Headers::new(pairs.as_slice()), Inbound::Strip, at);
    // What the filter has found is what it will find again.
    if let Some(account) = entry.get(Part::Account) {
        request.account = plan
            .account(account)
            .map_or(Account::Malformed, Account::Known);
    }
    let decision = decide(plan, &request);
    take(&request, decision)
}

pub(crate) fn recorded_treatment(entry: &Entry<'_>) -> Option<Treatment> {
    match entry.get(Part::Treatment) {
        Some(b"v1") => Some(Treatment::V1),
        Some(b"v2") => Some(Treatment::V2),
        _ => None,
    }
}

/// Treatments and reasons, as places of a row.
const CELLS: usize = Reason::ALL.len().saturating_mul(2);

struct Counts<'p> {
    plan: &'p Plan,
    at: Time,
    no_rollout: u64,
    rollouts: Vec<RolloutCounts>,
    lacks: Lacks,
    contradictions: Contradictions,
}

#[derive(Clone)]
struct RolloutCounts {
    /// Segments, then no segment, no account, and all.
    rows: Vec<[u64; CELLS]>,
    recorded: Recorded,
}

impl<'p> Counts<'p> {
    fn new(plan: &'p Plan, at: Time) -> Self {
        let rows = plan.segment_names().len().saturating_add(3);
        let rollout = RolloutCounts {
            rows: vec![[0; CELLS]; rows],
            recorded: Recorded::default(),
        };
        Self {
            plan,
            at,
            no_rollout: 0,
            rollouts: vec![rollout; plan.rollouts().len()],
            lacks: Lacks::default(),
            contradictions: Contradictions::default(),
        }
    }
}

impl Tally for Counts<'_> {
    fn request(&mut self, entry: &Entry<'_>, fields: &Fields) {
        self.lacks.add(entry);
        with_request(self.plan, self.at, entry, fields, |request, decision| {
            self.contradictions.add(self.plan, entry, fields, &decision);
            let Some(rollout) = decision.rollout else {
                increase(&mut self.no_rollout);
                return;
            };
            let Some(counts) = self.rollouts.get_mut(rollout.index) else {
                return;
            };
            match decision.reason {
                Reason::NoAccount => increase(&mut self.lacks.account),
                Reason::OutsideRequests if request.id().is_none() => {
                    increase(&mut self.lacks.request_id);
                }
                _ => {}
            }
            counts
                .recorded
                .add(recorded_treatment(entry), decision.treatment);
            counts.add(self.plan, request, &decision);
        });
    }

    fn merge(&mut self, other: Self) {
        add(&mut self.no_rollout, other.no_rollout);
        for (ours, theirs) in self.rollouts.iter_mut().zip(other.rollouts) {
            ours.recorded.merge(theirs.recorded);
            for (ours, theirs) in ours
                .rows
                .iter_mut()
                .flatten()
                .zip(theirs.rows.iter().flatten())
            {
                add(ours, *theirs);
            }
        }
        self.lacks.merge(&other.lacks);
        self.contradictions.merge(other.contradictions);
    }
}

impl RolloutCounts {
    fn add(&mut self, plan: &Plan, request: &Request<'_>, decision: &Decision<'_>) {
        let cell = cell(decision.treatment, decision.reason);
        let segments = plan.segment_names().len();
        let mut count = |row: usize| {
            if let Some(count) = self.rows.get_mut(row).and_then(|row| row.get_mut(cell)) {
                increase(count);
            }
        };
        let mut none = true;
        match &request.account {
            Account::Known(account) => {
                for segment in plan.segments_of(account) {
                    none = false;
                    count(segment);
                }
                if none {
                    count(segments);
                }
            }
            Account::Absent | Account::Malformed => count(segments.saturating_add(1)),
        }
        count(segments.saturating_add(2));
    }

    fn row(&self, row: usize, segment: Option<&String>) -> Row {
        let cells = self.rows.get(row).copied().unwrap_or([0; CELLS]);
        let mut made = Row {
            segment: segment.cloned(),
            requests: 0,
            v2: 0,
            decisions: Vec::new(),
        };
        for reason in Reason::ALL {
            for treatment in Treatment::ALL.into_iter().rev() {
                let requests = cells
                    .get(cell(treatment, reason))
                    .copied()
                    .unwrap_or_default();
                if requests == 0 {
                    continue;
                }
                add(&mut made.requests, requests);
                if treatment == Treatment::V2 {
                    add(&mut made.v2, requests);
                }
                made.decisions.push(Decided {
                    treatment: treatment.as_str(),
                    reason: reason.as_str(),
                    requests,
                });
            }
        }
        made
    }
}

const fn cell(treatment: Treatment, reason: Reason) -> usize {
    (reason as usize)
        .saturating_mul(2)
        .saturating_add(treatment as usize)
}

impl Counts<'_> {
    fn finish(self, log: LogRead, fields: &Fields) -> Traffic {
        let names = self.plan.segment_names();
        let rollouts = self.plan.rollouts().iter().zip(&self.rollouts);
        let rollouts = rollouts.map(|(rollout, counts)| {
            let total = counts.row(names.len().saturating_add(2), None);
            let a_day = |count| log.span.and_then(|span| span.per_day(count));
            let segments = names.iter().enumerate();
            RolloutTraffic {
                rollout: rollout.name.clone(),
                mode: rollout.mode.as_str(),
                serves_v2: !matches!(rollout.mode, Mode::Dark | Mode::Shadow),
                requests_a_day: a_day(total.requests),
                v2_a_day: a_day(total.v2),
                segments: segments
                    .map(|(index, name)| counts.row(index, Some(name)))
                    .collect(),
                no_segment: counts.row(names.len(), None),
                no_account: counts.row(names.len().saturating_add(1), None),
                recorded: Some(counts.recorded).filter(Recorded::says_something),
                total,
            }
        });
        Traffic {
            at: self.at,
            no_rollout: self.no_rollout,
            rollouts: rollouts.collect(),
            lacks: self.lacks.told(self.plan, fields, &log),
            contradictions: self.contradictions.told(log.requests),
            log,
        }
    }
}

impl Recorded {
    fn add(&mut self, then: Option<Treatment>, now: Treatment) {
        increase(match (then, now) {
            (None, _) => &mut self.unknown,
            (Some(Treatment::V1), Treatment::V2) => &mut self.v1_to_v2,
            (Some(Treatment::V2), Treatment::V1) => &mut self.v2_to_v1,
            (Some(_), _) => &mut self.same,
        });
    }

    fn merge(&mut self, other: Self) {
        add(&mut self.same, other.same);
        add(&mut self.v1_to_v2, other.v1_to_v2);
        add(&mut self.v2_to_v1, other.v2_to_v1);
        add(&mut self.unknown, other.unknown);
    }

    const fn says_something(&self) -> bool {
        self.same > 0 || self.v1_to_v2 > 0 || self.v2_to_v1 > 0
    }
}
