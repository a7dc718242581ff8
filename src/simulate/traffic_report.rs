//! Replays an access log under a policy, and counts requests by decision.

use std::io::{self, Read};

use serde::Serialize;
use turnout_core::{
    Account, Decision, Headers, Inbound, Mode, Plan, Reason, Request, Time, Treatment, decide,
};

use crate::contradictions::{Contradiction, Contradictions};
use crate::log_entry::LogEntry;
use crate::log_fields::{LogFields, RequestPart};
use crate::log_summary::{LogSummary, serialize_time};
use crate::missing_fields::{MissingField, MissingFieldCounts};
use crate::replay::{Replay, RequestCounter, RequestVisitor};
use crate::saturating::{add, increase};

/// The decisions of a policy for the requests of a log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TrafficReport {
    /// The time at which the policy is evaluated.
    #[serde(serialize_with = "serialize_time")]
    pub at: Time,
    /// What was read.
    pub log: LogSummary,
    /// Requests that match no rollout.
    pub no_rollout: u64,
    /// The rollouts, in the order of the policy.
    pub rollouts: Vec<RolloutTraffic>,
    /// Fields that the policy needs and the log omits.
    pub missing_fields: Vec<MissingField>,
    /// Requests whose recorded decision contradicts the replay.
    pub contradictions: Vec<Contradiction>,
}

/// The decisions for the requests of one rollout.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RolloutTraffic {
    /// Its name.
    pub rollout: String,
    /// `off`, `dark`, `shadow`, `split` or `on`.
    pub mode: &'static str,
    /// Whether a decision for v2 is served. In the modes `dark` and `shadow` it is only recorded.
    pub serves_v2: bool,
    /// Requests per day; `None` if the log covers less than a minute.
    pub requests_per_day: Option<u64>,
    /// Requests per day that are decided for v2.
    pub v2_per_day: Option<u64>,
    /// All its requests.
    pub total: RequestGroup,
    /// The requests of each segment; a request counts in each segment of its account.
    pub segments: Vec<RequestGroup>,
    /// Requests of accounts in no segment.
    pub no_segment: RequestGroup,
    /// Requests without an account, or with a malformed one.
    pub no_account: RequestGroup,
    /// The comparison with the decisions in the log; `None` if it has none.
    pub recorded: Option<RecordedDecisions>,
}

/// Requests by decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RequestGroup {
    /// The segment; `None` for other groups.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub segment: Option<String>,
    /// All requests of the group.
    pub requests: u64,
    /// Decided for v2.
    pub v2: u64,
    /// Counts by treatment and reason, without zeros.
    pub decisions: Vec<DecisionCount>,
}

/// Requests of one treatment and reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct DecisionCount {
    /// `v1` or `v2`.
    pub treatment: &'static str,
    /// The reason, as in metrics and access logs.
    pub reason: &'static str,
    /// The number of requests.
    pub requests: u64,
}

/// Compares the decisions in the log with those of the replay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RecordedDecisions {
    /// The same treatment.
    pub same: u64,
    /// V1 in the log, v2 in the replay.
    pub v1_to_v2: u64,
    /// V2 in the log, v1 in the replay.
    pub v2_to_v1: u64,
    /// The line has no decision.
    pub unknown: u64,
}

impl TrafficReport {
    /// Replays a log.
    ///
    /// # Errors
    /// If the input cannot be read.
    pub fn of(plan: &Plan, at: Time, replay: &Replay, input: impl Read) -> io::Result<Self> {
        let (tally, log) = replay.run(input, || Counts::new(plan, at))?;
        Ok(tally.finish(log, &replay.fields))
    }
}

/// Builds the request of an entry, decides it, and passes both to `take`.
pub(crate) fn with_request<T>(
    plan: &Plan,
    at: Time,
    entry: &LogEntry<'_>,
    fields: &LogFields,
    take: impl FnOnce(&Request<'_>, Decision<'_>) -> T,
) -> T {
    let pairs = entry.pairs(fields);
    let mut request = plan.request(Headers::new(pairs.as_slice()), Inbound::Strip, at);
    // The account that the filter recorded is the one that it would find again.
    if let Some(account) = entry.get(RequestPart::Account) {
        request.account = plan
            .account(account)
            .map_or(Account::Malformed, Account::Known);
    }
    let decision = decide(plan, &request);
    take(&request, decision)
}

pub(crate) fn recorded_treatment(entry: &LogEntry<'_>) -> Option<Treatment> {
    match entry.get(RequestPart::Treatment) {
        Some(b"v1") => Some(Treatment::V1),
        Some(b"v2") => Some(Treatment::V2),
        _ => None,
    }
}

/// The number of pairs of treatment and reason, which are the columns of a row.
const CELLS: usize = Reason::ALL.len().saturating_mul(2);

struct Counts<'p> {
    plan: &'p Plan,
    at: Time,
    no_rollout: u64,
    rollouts: Vec<RolloutCounts>,
    missing: MissingFieldCounts,
    contradictions: Contradictions,
}

#[derive(Clone)]
struct RolloutCounts {
    /// Rows: each segment, no segment, no account, and all requests.
    rows: Vec<[u64; CELLS]>,
    recorded: RecordedDecisions,
}

impl<'p> Counts<'p> {
    fn new(plan: &'p Plan, at: Time) -> Self {
        let rows = plan.segment_names().len().saturating_add(3);
        let rollout = RolloutCounts {
            rows: vec![[0; CELLS]; rows],
            recorded: RecordedDecisions::default(),
        };
        Self {
            plan,
            at,
            no_rollout: 0,
            rollouts: vec![rollout; plan.rollouts().len()],
            missing: MissingFieldCounts::default(),
            contradictions: Contradictions::default(),
        }
    }
}

impl RequestVisitor for Counts<'_> {
    fn request(&mut self, entry: &LogEntry<'_>, fields: &LogFields) {
        self.missing.add(entry);
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
                Reason::NoAccount => increase(&mut self.missing.account),
                Reason::OutsideRequests if request.id().is_none() => {
                    increase(&mut self.missing.request_id);
                }
                _ => {}
            }
            counts
                .recorded
                .add(recorded_treatment(entry), decision.treatment);
            counts.add(self.plan, request, &decision);
        });
    }
}

impl RequestCounter for Counts<'_> {
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
        self.missing.merge(&other.missing);
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

    fn row(&self, row: usize, segment: Option<&String>) -> RequestGroup {
        let cells = self.rows.get(row).copied().unwrap_or([0; CELLS]);
        let mut made = RequestGroup {
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
                made.decisions.push(DecisionCount {
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
    fn finish(self, log: LogSummary, fields: &LogFields) -> TrafficReport {
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
                requests_per_day: a_day(total.requests),
                v2_per_day: a_day(total.v2),
                segments: segments
                    .map(|(index, name)| counts.row(index, Some(name)))
                    .collect(),
                no_segment: counts.row(names.len(), None),
                no_account: counts.row(names.len().saturating_add(1), None),
                recorded: Some(counts.recorded).filter(RecordedDecisions::is_known),
                total,
            }
        });
        TrafficReport {
            at: self.at,
            no_rollout: self.no_rollout,
            rollouts: rollouts.collect(),
            missing_fields: self.missing.report(self.plan, fields, &log),
            contradictions: self.contradictions.report(log.requests),
            log,
        }
    }
}

impl RecordedDecisions {
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

    const fn is_known(&self) -> bool {
        self.same > 0 || self.v1_to_v2 > 0 || self.v2_to_v1 > 0
    }
}
