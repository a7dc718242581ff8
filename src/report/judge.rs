//! The verdict: what the outcomes say about whether v2 is ready.

use std::fmt;

use serde::Serialize;
use turnout_core::shadow::Outcome;

use crate::allow::Allow;
use crate::bounds::{self, CONFIDENCE_PERCENT};
use crate::outcomes::{Outcomes, phrase};
use crate::percent::Share;
use crate::words::{counted, grouped, listed};

/// Whether v2 is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It fails no more than allowed.
    Ready,
    /// It fails more than allowed.
    NotReady,
    /// Not enough was compared to say either.
    NotEnough,
}

impl Verdict {
    /// As it is printed: `READY`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "READY",
            Self::NotReady => "NOT READY",
            Self::NotEnough => "NOT ENOUGH",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What was judged, and how.
#[derive(Clone, Debug)]
pub(crate) struct Judgement {
    pub(crate) verdict: Verdict,
    pub(crate) failed: u64,
    pub(crate) judged: u64,
    pub(crate) lower: Share,
    pub(crate) upper: Share,
    /// Equal comparisons that would make it ready, were there no more failures.
    pub(crate) more_needed: Option<u64>,
}

impl Judgement {
    pub(crate) fn of(outcomes: &Outcomes, allow: Allow) -> Self {
        let (failed, judged) = (outcomes.failed(), outcomes.judged());
        let (lower, upper) = (bounds::lower(failed, judged), bounds::upper(failed, judged));
        let verdict = if judged > 0 && upper <= allow.share() {
            Verdict::Ready
        } else if lower > allow.share() {
            Verdict::NotReady
        } else {
            Verdict::NotEnough
        };
        let more_needed = (verdict == Verdict::NotEnough)
            .then(|| bounds::more_needed(failed, judged, allow.share()));
        Self {
            verdict,
            failed,
            judged,
            lower,
            upper,
            more_needed,
        }
    }

    /// Why the verdict is what it is, in a sentence.
    pub(crate) fn sentence(&self, outcomes: &Outcomes, allow: Allow) -> String {
        let more = self.more_needed.unwrap_or(0);
        if self.judged == 0 {
            return format!(
                "Nothing was compared; {} equal comparisons would show that at most {allow} differ.",
                grouped(more)
            );
        }
        let failed = format!(
            "{} of {} failed{}",
            grouped(self.failed),
            counted(self.judged, "comparison", "comparisons"),
            failures(outcomes)
        );
        let sure = format!("{CONFIDENCE_PERCENT} % sure");
        match self.verdict {
            Verdict::Ready => format!(
                "{failed}, so at most {} % of requests fail ({sure}); {allow} is allowed.",
                self.upper.up()
            ),
            Verdict::NotReady => format!(
                "{failed}, so at least {} % of requests fail ({sure}); {allow} is allowed.",
                self.lower.down()
            ),
            Verdict::NotEnough => format!(
                "{failed}, so up to {} % of requests may fail ({sure}); {allow} is allowed. {} \
                 without a failure would be enough.",
                self.upper.up(),
                counted(more, "more comparison", "more comparisons")
            ),
        }
    }
}

/// ` (2 different and 1 timed out)`, or nothing.
fn failures(outcomes: &Outcomes) -> String {
    let kinds: Vec<_> = [Outcome::Different, Outcome::Timeout, Outcome::V2Error]
        .into_iter()
        .filter(|outcome| outcomes.get(*outcome) > 0)
        .map(|outcome| format!("{} {}", grouped(outcomes.get(outcome)), phrase(outcome)))
        .collect();
    if kinds.is_empty() {
        return String::new();
    }
    format!(" ({})", listed(&kinds))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(failed: u64, judged: u64) -> Judgement {
        let mut outcomes = Outcomes::default();
        outcomes.add(Outcome::Different, failed);
        outcomes.add(Outcome::Equal, judged.saturating_sub(failed));
        Judgement::of(&outcomes, Allow::default())
    }

    /// The numbers are those of the tests in `bounds`.
    #[test]
    fn verdicts_turn_where_they_should() {
        for (failed, judged, verdict, more) in [
            (0, 0, Verdict::NotEnough, Some(2_995)),
            (0, 2_994, Verdict::NotEnough, Some(1)),
            (0, 2_995, Verdict::Ready, None),
            (0, 3_000, Verdict::Ready, None),
            (1, 3_000, Verdict::NotEnough, Some(1_742)),
            (1, 4_741, Verdict::NotEnough, Some(1)),
            (1, 4_742, Verdict::Ready, None),
            // The lower bound of 1 in 51 is above 0.1 %, that of 1 in 52 is not.
            (1, 51, Verdict::NotReady, None),
            (1, 52, Verdict::NotEnough, Some(4_742 - 52)),
            (5, 1_971, Verdict::NotReady, None),
            (5, 1_972, Verdict::NotEnough, Some(10_511 - 1_972)),
            (10, 10, Verdict::NotReady, None),
        ] {
            let judgement = judge(failed, judged);
            assert_eq!(judgement.verdict, verdict, "{failed} of {judged}");
            assert_eq!(judgement.more_needed, more, "{failed} of {judged}");
        }
    }

    #[test]
    fn silence_is_a_failure_and_noise_is_none() {
        let mut outcomes = Outcomes::default();
        for (outcome, count) in [
            (Outcome::Equal, 2_000),
            (Outcome::Noise, 1_000),
            (Outcome::SkippedMethod, 9_000),
        ] {
            outcomes.add(outcome, count);
        }
        let ready = Judgement::of(&outcomes, Allow::default());
        assert_eq!((ready.verdict, ready.judged), (Verdict::Ready, 3_000));
        outcomes.add(Outcome::Timeout, 20);
        outcomes.add(Outcome::V2Error, 1);
        let judgement = Judgement::of(&outcomes, Allow::default());
        assert_eq!(judgement.verdict, Verdict::NotReady);
        assert_eq!((judgement.failed, judgement.judged), (21, 3_021));
        assert_eq!(
            judgement.sentence(&outcomes, Allow::default()),
            "21 of 3,021 comparisons failed (20 timed out and 1 failed in v2), so at least 0.466 % of \
             requests fail (95 % sure); 0.1 % is allowed."
        );
    }
}
