//! Lines whose own record contradicts the replay: what the filter decided for a request then is not what
//! the policy can decide for the request that the line describes.
//!
//! Two policies may decide differently, and that is no contradiction: `simulate` is for policies that are
//! not active yet. What is compared depends on whether the line's `revision` is that of the policy:
//!
//! * The same revision: the same text has decided, so rollout, treatment and reason have to be the same.
//!   Left out is what a log cannot say: ramps, other regions, earlier hops, fields that the line is without.
//! * Another one: only a rollout that had the request then, that this policy has too, and that does not get
//!   the request now. Either its `match` has changed, or the line does not have the path and host that the
//!   filter read, because a route has rewritten them.

use serde::Serialize;
use turnout_core::{Decision, Plan, Reason};
use turnout_text::{counted, thousands};

use crate::counts::{add, increase};
use crate::fields::{Entry, Fields, Part};
use crate::words::excerpt;

/// Requests whose lines contradict the replay in one way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Contradiction {
    /// `rollout`: another one, or none, has the request; `decision`: its rollout decides otherwise.
    pub what: &'static str,
    /// Whether the lines are of the very policy that was replayed.
    pub same_revision: bool,
    /// How many.
    pub requests: u64,
    /// Of one of them, what its line says was decided.
    pub recorded: String,
    /// Of that one, what the replay decides.
    pub replayed: String,
    /// What that means, and what to do.
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
    /// The first in the order of their texts, so that threads change nothing.
    example: Option<(String, String)>,
}

/// Contradictions while they are counted.
#[derive(Clone, Default)]
pub(crate) struct Contradictions([Count; Kind::ALL.len()]);

impl Contradictions {
    pub(crate) fn add(
        &mut self,
        plan: &Plan,
        entry: &Entry<'_>,
        fields: &Fields,
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

    /// Those that there are, of so many requests.
    pub(crate) fn told(self, all: u64) -> Vec<Contradiction> {
        let kinds = Kind::ALL.into_iter().zip(self.0);
        let told = kinds.filter_map(|(kind, count)| {
            let (recorded, replayed) = count.example?;
            Some(kind.contradiction(count.requests, all, recorded, replayed))
        });
        told.collect()
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
                    "this very policy decided them when they were logged, for another rollout or for none, so their \
                     lines do not say what the filter read; {REWRITE}"
                ),
            ),
            Self::OtherRevision => (
                "rollout",
                false,
                format!(
                    "their rollout had them when they were logged, and does not get them here: its `match` or one \
                     before it has changed, or their lines do not say what the filter read; {REWRITE}"
                ),
            ),
            Self::Decision => (
                "decision",
                true,
                String::from(
                    "this very policy decided otherwise when they were logged, so their lines do not say all that \
                     the filter read",
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

fn kind(plan: &Plan, entry: &Entry<'_>, fields: &Fields, decision: &Decision<'_>) -> Option<Kind> {
    let treatment = entry.get(Part::Treatment)?;
    // Only what the filter says of a request has a revision.
    let is_same_revision = entry.get(Part::Revision)? == plan.revision().as_str().as_bytes();
    let none = turnout_core::NO_ROLLOUT.as_bytes();
    let recorded = entry.get(Part::Rollout).unwrap_or(none);
    let found = decision.rollout.map(|rollout| rollout.name.as_bytes());
    let is_same_rollout = found == Some(recorded);
    if is_same_rollout && !is_same_revision {
        return None;
    }
    let reason = entry.get(Part::Reason)?;
    let is_same = treatment == decision.treatment.as_str().as_bytes()
        && reason == decision.reason.as_str().as_bytes();
    if is_same_rollout && is_same {
        return None;
    }
    let names_none = recorded == none;
    if found.is_none() && names_none || is_unsaid(plan, entry, fields) {
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
    // A rollout that the policy is without cannot get the request.
    let is_there = plan
        .rollouts()
        .iter()
        .any(|rollout| rollout.name.as_bytes() == recorded);
    (is_there && !names_none).then_some(Kind::OtherRevision)
}

/// Whether the line is without something by which rollouts are told apart; that is a warning of its own.
fn is_unsaid(plan: &Plan, entry: &Entry<'_>, fields: &Fields) -> bool {
    let wants = plan.required_inputs();
    let is_absent = |part| entry.get(part).is_none();
    (wants.host && is_absent(Part::Host))
        || (wants.path && is_absent(Part::Path))
        || (wants.method && is_absent(Part::Method))
        || wants
            .match_headers
            .iter()
            .any(|name| !fields.has_header(name))
}

/// Whether what its rollout decides depends on what the line cannot say: when it was, and where.
fn depends_on_more(plan: &Plan, entry: &Entry<'_>, fields: &Fields) -> bool {
    let wants = plan.required_inputs();
    plan.has_ramps()
        || wants.region
        || (wants.request_id && entry.get(Part::RequestId).is_none())
        || wants.headers.iter().any(|name| !fields.has_header(name))
}

fn example(entry: &Entry<'_>, decision: &Decision<'_>) -> (String, String) {
    let part = |part| excerpt(entry.get(part).unwrap_or(b"-"));
    let recorded = format!(
        "rollout={} treatment={} reason={} for {} {}{}",
        part(Part::Rollout),
        part(Part::Treatment),
        part(Part::Reason),
        part(Part::Method),
        part(Part::Host),
        part(Part::Path)
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
