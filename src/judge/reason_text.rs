//! The reasons as sentences: what was found, and what to do.

use turnout_core::Fraction;
use turnout_core::guard::{ArmCounts, Arms};
use turnout_text::{join_first, percent, plural, thousands};

use crate::Reason;

/// The largest number of proxies that a sentence names.
const MOST_NAMED: usize = 3;

impl Reason {
    /// Returns the reason as sentences: what was found, and what to do.
    #[must_use]
    pub fn sentence(&self) -> String {
        match self {
            Self::ContradictoryCounts { requests, arms } => contradictory(*requests, arms),
            Self::OutOfBalance { requests, arms } => {
                let all = arms.v1.all.saturating_add(arms.v2.all);
                let share = percent(arms.v2.all, all).unwrap_or_default();
                format!(
                    "The arms are out of balance: v2 has {share} of {} compared requests at {requests} %, so their \
                     errors cannot be compared. Find out why requests of one arm are missing or the arms are swapped. \
                     Then re-arm the guard and count from then on.",
                    thousands(all)
                )
            }
            Self::GuardInvalid(proxies) => format!(
                "The arms are out of balance on {}, so {} guard cannot compare. Envoy's log has the counts. When the \
                 cause is removed: turnout rearm",
                named(proxies),
                plural(count(proxies), "its", "their"),
            ),
            Self::StrongEvidence => {
                "v2 is worse than the guard allows: over all proxies, the evidence has reached the threshold. Send its \
                 requests back to v1 with turnout halt."
                    .to_owned()
            }
            Self::GuardTripped(proxies) => format!(
                "The guard has tripped on {}: v2 is worse than the guard allows. When v2 is fixed: turnout rearm",
                named(proxies),
            ),
            Self::Changed => {
                "The rollout was changed, or its guard was re-armed, after the counts began, so they include requests from \
                 before that. Start over with --from-now."
                    .to_owned()
            }
            Self::Rearmed(proxies) => format!(
                "The counters of {} show that v2 was worse, but {} armed with less evidence. So the counters \
                 include requests from before the guard was re-armed or the rollout was changed. Start over with \
                 --state FILE --from-now (with --prometheus: set --since to the time of that change).",
                named(proxies),
                plural(count(proxies), "its guard is", "their guards are"),
            ),
            Self::DifferentRevisions { revisions } => {
                let revisions: Vec<_> = revisions
                    .iter()
                    .map(|(number, proxies)| format!("{number} on {}", named(proxies)))
                    .collect();
                format!(
                    "The proxies have different revisions: number {}. Wait until all have the same. If they do not, \
                     turnout watch shows which proxy rejects the policy.",
                    join_first(&revisions, MOST_NAMED)
                )
            }
            Self::OtherRevision(proxies) => format!(
                "{} {} another revision than the expected one. Wait until the change has reached all proxies. If it \
                 does not, turnout watch shows which proxy rejects the policy.",
                named(proxies),
                plural(count(proxies), "has", "have"),
            ),
            Self::NoProxy => {
                "No proxy was read. Check the addresses, or whether the metrics have series of Turnout.".to_owned()
            }
            Self::MissingProxies(missing) => {
                let missing: Vec<_> = missing
                    .iter()
                    .map(|(proxy, why)| format!("{proxy} ({})", why.trim_end_matches('.')))
                    .collect();
                format!(
                    "{} could not be read, and v2 may fail there. Read {} again, or leave {} out if {} no longer \
                     there.",
                    join_first(&missing, MOST_NAMED),
                    plural(count(&missing), "it", "them"),
                    plural(count(&missing), "it", "them"),
                    plural(count(&missing), "it is", "they are"),
                )
            }
            Self::TooFewProxies { read, expected } => format!(
                "{read} of {expected} expected proxies were read. Find the others, or change the expected number.",
            ),
            Self::NoRevision(proxies) => format!(
                "{} {} not report a revision. Is the build of the filter old, or does a `stats_matcher` of Envoy \
                 exclude wasmcustom.turnout?",
                named(proxies),
                plural(count(proxies), "does", "do"),
            ),
            Self::NoGuardState(proxies) => format!(
                "{} {} not report a guard of this rollout. Has the policy reached {}, is the build of the filter old, \
                 or does a `stats_matcher` of Envoy exclude wasmcustom.turnout?",
                named(proxies),
                plural(count(proxies), "does", "do"),
                plural(count(proxies), "it", "them"),
            ),
            Self::GuardHolding(proxies) => format!(
                "v2 looks worse on {}, and the guard waits for the outcome of open requests. Judge again after the \
                 guard's `settle_seconds`.",
                named(proxies),
            ),
            Self::NothingCompared => {
                "No request was compared since the counts began. If this lasts, check that a rule sends v2 a part of the \
                 requests, and that requests have an x-request-id. A request counts after the guard's `settle_seconds`."
                    .to_owned()
            }
            Self::NoControl => {
                "v2 serves all requests, so there are no requests of v1 to compare with. Send v2 less than 100 % of \
                 the requests, or set `limit` in the guard."
                    .to_owned()
            }
            Self::WeakEvidence => {
                "The compared requests show neither that v2 is worse than allowed nor that it is not. Wait for more \
                 requests."
                    .to_owned()
            }
            Self::Healthy => {
                "v2 is not worse than the guard and the excess allow: over all proxies, the evidence has reached the \
                 threshold."
                    .to_owned()
            }
        }
    }
}

fn contradictory(requests: Fraction, arms: &Arms<ArmCounts>) -> String {
    let arm = |counts: ArmCounts| {
        format!(
            "{} errors and {} slow of {} requests",
            thousands(counts.errors),
            thousands(counts.slow),
            thousands(counts.all)
        )
    };
    format!(
        "The counts at {requests} % cannot be those of a guard: v1 has {}, v2 has {}. Read the proxies again; if the \
         counts stay, check where they come from.",
        arm(arms.v1),
        arm(arms.v2)
    )
}

/// Names proxies: `a, b, c and 2 more`.
fn named(proxies: &[String]) -> String {
    join_first(proxies, MOST_NAMED)
}

fn count<T>(list: &[T]) -> u64 {
    u64::try_from(list.len()).unwrap_or(u64::MAX)
}
