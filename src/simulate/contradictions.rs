//! Finds log lines whose recorded decision contradicts the replay: the policy cannot have made that decision for
//! the request that the line describes.
//!
//! Two policies may decide differently; that is not a contradiction, because `simulate` is for policies that are
//! not active yet. So the comparison depends on the line's `revision`:
//!
//! * The same revision as the policy: rollout, treatment and reason must be the same. Decisions that depend on
//!   what a log cannot have are excluded: ramps, other regions, earlier hops, omitted fields.
//! * Another revision: only the rollout is compared, and only if this policy has it too and does not give it the
//!   request. Either its `match` has changed, or a route rewrote the path or host, so that the line does not
//!   have those that the filter read.

use serde::Serialize;
use turnout_core::{Decision, Plan, Reason};
use turnout_text::{counted, thousands};

use crate::log_entry::LogEntry;
use crate::log_fields::{LogFields, RequestPart};
use crate::saturating::{add, increase};
use crate::wording::excerpt;

/// Requests whose lines contradict the replay in one way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Contradiction {
    /// `rollout`: another rollout, or none, matches the request; `decision`: the rollout decides differently.
    pub what: &'static str,
    /// Whether the lines have the revision of the policy.
    pub same_revision: bool,
    /// The number of requests.
    pub requests: u64,
    /// The recorded decision of one of them.
    pub recorded: String,
    /// The decision of the replay for the same request.
    pub replayed: String,
    /// What it means, and what to do.
    pub warning: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Rollout,
    OtherRevision,
    Decision,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Rollout, Self::OtherRevision, Self::Decision];
}

#[derive(Clone, Default)]
struct Count {
    requests: u64,
    /// The first example in text order, so that it does not depend on threads.
    example: Option<(String, String)>,
}

/// Counts contradictions.
#[derive(Clone, Default)]
pub(crate) struct Contradictions([Count; Kind::ALL.len()]);

impl Contradictions {
    pub(crate) fn add(
        &mut self,
        plan: &Plan,
        entry: &LogEntry<'_>,
        fields: &LogFields,
        decision: &Decision<'_>,
    ) {
        let Some(kind) = kind(plan, entry, fields, decision) else {
            return;
        };
        let [rollout, other, decided] = &mut self.0;
        let count = match kind {
            Kind::Rollout => rollout,
            Kind::OtherRevision => other,
            Kind::Decision => decided,
        };
        increase(&mut count.requests);
        let example = example(entry, decision);
        if count.example.as_ref().is_none_or(|known| example < *known) {
            count.example = Some(example);
        }
    }

    pub(crate) fn merge(&mut self, other: Self) {
        for (ours, theirs) in self.0.iter_mut().zip(other.0) {
            add(&mut ours.requests, theirs.requests);
            ours.example = match (ours.example.take(), theirs.example) {
                (Some(ours), Some(theirs)) => Some(ours.min(theirs)),
                (ours, theirs) => ours.or(theirs),
            };
        }
    }

    /// The contradictions among `all` requests.
    pub(crate) fn report(self, all: u64) -> Vec<Contradiction> {
        let kinds = Kind::ALL.into_iter().zip(self.0);
        let found = kinds.filter_map(|(kind, count)| {
            let (recorded, replayed) = count.example?;
            Some(kind.contradiction(count.requests, all, recorded, replayed))
        });
        found.collect()
    }
}

impl Kind {
    fn contradiction(
        self,
        requests: u64,
        all: u64,
        recorded: String,
        replayed: String,
    ) -> Contradiction {
        const REWRITE: &str = "if a route rewrites paths or hosts, log %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% as \
            `path` and %REQ(X-ENVOY-ORIGINAL-HOST?:AUTHORITY)% as `authority`";
        let (what, same_revision, means) = match self {
            Self::Rollout => (
                "rollout",
                true,
                format!(
                    "the same policy decided them for another rollout, or for none, when they were logged, so their \
                     lines do not have what the filter read; {REWRITE}"
                ),
            ),
            Self::OtherRevision => (
                "rollout",
                false,
                format!(
                    "their rollout matched them when they were logged, and does not match them here: its `match` or \
                     that of an earlier rollout has changed, or their lines do not have what the filter read; {REWRITE}"
                ),
            ),
            Self::Decision => (
                "decision",
                true,
                String::from(
                    "the same policy decided differently when they were logged, so their lines do not have \
                     everything that the filter read",
                ),
            ),
        };
        Contradiction {
            what,
            same_revision,
            requests,
            warning: format!(
                "{} of {} contradict the replay: {means} (for example: logged {recorded}, here {replayed})",
                thousands(requests),
                counted(all, "request", "requests")
            ),
            recorded,
            replayed,
        }
    }
}

fn kind(
    plan: &Plan,
    entry: &LogEntry<'_>,
    fields: &LogFields,
    decision: &Decision<'_>,
) -> Option<Kind> {
    let treatment = entry.get(RequestPart::Treatment)?;
    // Only the filter's own entry has a revision.
    let is_same_revision = entry.get(RequestPart::Revision)? == plan.revision().as_str().as_bytes();
    let none = turnout_core::NO_ROLLOUT.as_bytes();
    let recorded = entry.get(RequestPart::Rollout).unwrap_or(none);
    let found = decision.rollout.map(|rollout| rollout.name.as_bytes());
    let is_same_rollout = found == Some(recorded);
    if is_same_rollout && !is_same_revision {
        return None;
    }
    let reason = entry.get(RequestPart::Reason)?;
    let is_same = treatment == decision.treatment.as_str().as_bytes()
        && reason == decision.reason.as_str().as_bytes();
    if is_same_rollout && is_same {
        return None;
    }
    let names_none = recorded == none;
    if found.is_none() && names_none || omits_match_field(plan, entry, fields) {
        return None;
    }
    if is_same_rollout {
        let is_known = Reason::ALL
            .iter()
            .any(|known| known.as_str().as_bytes() == reason);
        let depends = reason == b"inbound" || !is_known || depends_on_more(plan, entry, fields);
        return (!depends).then_some(Kind::Decision);
    }
    if is_same_revision {
        return Some(Kind::Rollout);
    }
    // A rollout that the policy does not have cannot match the request.
    let is_there = plan
        .rollouts()
        .iter()
        .any(|rollout| rollout.name.as_bytes() == recorded);
    (is_there && !names_none).then_some(Kind::OtherRevision)
}

/// Whether the line omits a field that rollouts match; that has a warning of its own.
fn omits_match_field(plan: &Plan, entry: &LogEntry<'_>, fields: &LogFields) -> bool {
    let wants = plan.required_inputs();
    let is_absent = |part| entry.get(part).is_none();
    (wants.host && is_absent(RequestPart::Host))
        || (wants.path && is_absent(RequestPart::Path))
        || (wants.method && is_absent(RequestPart::Method))
        || wants
            .match_headers
            .iter()
            .any(|name| !fields.has_header(name))
}

/// Whether the decision depends on something that a line does not have, such as the time or the region.
fn depends_on_more(plan: &Plan, entry: &LogEntry<'_>, fields: &LogFields) -> bool {
    let wants = plan.required_inputs();
    plan.has_ramps()
        || wants.region
        || (wants.request_id && entry.get(RequestPart::RequestId).is_none())
        || wants.headers.iter().any(|name| !fields.has_header(name))
}

fn example(entry: &LogEntry<'_>, decision: &Decision<'_>) -> (String, String) {
    let part = |part| excerpt(entry.get(part).unwrap_or(b"-"));
    let recorded = format!(
        "rollout={} treatment={} reason={} for {} {}{}",
        part(RequestPart::Rollout),
        part(RequestPart::Treatment),
        part(RequestPart::Reason),
        part(RequestPart::Method),
        part(RequestPart::Host),
        part(RequestPart::Path)
    );
    let rollout = decision
        .rollout
        .map_or(turnout_core::NO_ROLLOUT, |rollout| &rollout.name);
    let replayed = format!(
        "rollout={rollout} treatment={} reason={}",
        decision.treatment, decision.reason
    );
    (recorded, replayed)
}
