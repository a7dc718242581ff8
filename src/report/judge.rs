//! The verdict: what the outcomes say about whether v2 is ready.

use std::fmt;

use serde::Serialize;
use turnout_core::shadow::Outcome;
use turnout_text::{counted, join_list, plural, thousands};

use crate::allow::Allow;
use crate::bounds::{self, CONFIDENCE_PERCENT};
use crate::outcomes::{Outcomes, is_uncertain, phrase};
use crate::percent::Share;

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
    /// Of the failed: different at places where v1 may yet turn out to vary.
    pub(crate) unproven: u64,
    pub(crate) uncertain: u64,
    pub(crate) judged: u64,
    /// At least so many fail: those that are uncertain or unproven do not.
    pub(crate) lower: Share,
    /// At most so many fail: all that are uncertain do.
    pub(crate) upper: Share,
    /// Equal comparisons that would make it ready, were there nothing else any more. `None` where it is
    /// not too early to tell, and where more of the same comparisons are not going to help.
    pub(crate) more_needed: Option<u64>,
    /// Lines of counters that cannot be read, where the verdict would be READY without them.
    pub(crate) unreadable: u64,
    /// Why the numbers may not be the filter's, where the verdict would be READY if they were.
    pub(crate) doubt: Option<String>,
}

impl Judgement {
    pub(crate) fn of(outcomes: &Outcomes, allow: Allow) -> Self {
        let (failed, uncertain) = (outcomes.failed(), outcomes.uncertain());
        let judged = outcomes.judged();
        let not_equal = failed.saturating_add(uncertain);
        let unproven = outcomes.unproven();
        let lower = bounds::lower(failed.saturating_sub(unproven), judged);
        let upper = bounds::upper(not_equal, judged);
        let verdict = if judged > 0 && upper <= allow.share() {
            Verdict::Ready
        } else if lower > allow.share() {
            Verdict::NotReady
        } else {
            Verdict::NotEnough
        };
        let is_too_early =
            verdict == Verdict::NotEnough && Share::of(uncertain, judged) <= allow.share();
        let more_needed =
            is_too_early.then(|| bounds::more_needed(not_equal, judged, allow.share()));
        Self {
            verdict,
            failed,
            unproven,
            uncertain,
            judged,
            lower,
            upper,
            more_needed,
            unreadable: 0,
            doubt: None,
        }
    }

    /// The same where so many lines of counters cannot be read: what they count may have failed.
    pub(crate) fn without(mut self, unreadable: u64) -> Self {
        if self.verdict == Verdict::Ready && unreadable > 0 {
            self.verdict = Verdict::NotEnough;
            self.unreadable = unreadable;
        }
        self
    }

    /// The same where the numbers may not be the filter's.
    pub(crate) fn doubting(mut self, why: Option<&str>) -> Self {
        if let Some(why) = why.filter(|_| self.verdict == Verdict::Ready) {
            self.verdict = Verdict::NotEnough;
            self.doubt = Some(why.to_owned());
        }
        self
    }

    /// Why the verdict is what it is, in a sentence.
    pub(crate) fn sentence(&self, outcomes: &Outcomes, allow: Allow) -> String {
        let more = self.more_needed.unwrap_or(0);
        if self.judged == 0 {
            return format!(
                "Nothing was compared; {} equal comparisons would show that at most {allow} differ.",
                thousands(more)
            );
        }
        let unproven = match self.unproven {
            0 => String::new(),
            count => format!(
                " ({} of them may yet turn out to be v1's noise)",
                thousands(count)
            ),
        };
        let failed = format!(
            "{} of {} failed{}{unproven}",
            thousands(self.failed),
            counted(self.judged, "comparison", "comparisons"),
            kinds(outcomes, is_failure)
        );
        let sure = format!("{CONFIDENCE_PERCENT} % sure");
        let uncertain = match self.uncertain {
            0 => String::new(),
            count => format!(
                ", and {} {} uncertain{}",
                thousands(count),
                plural(count, "is", "are"),
                kinds(outcomes, is_uncertain)
            ),
        };
        if let Some(doubt) = &self.doubt {
            return format!("{failed}{uncertain}, but {doubt}");
        }
        if self.unreadable > 0 {
            return format!(
                "{failed}{uncertain}, but {} cannot be read, and may be of failures: read all counters again.",
                counted(
                    self.unreadable,
                    "line of the counters",
                    "lines of the counters"
                )
            );
        }
        let share = Share::of(self.uncertain, self.judged);
        match (self.verdict, self.more_needed) {
            (Verdict::Ready, _) if self.uncertain > 0 => format!(
                "{failed}{uncertain}. Even if v2 fails in all of these, at most {} % of requests fail \
                 ({sure}); {allow} is allowed.",
                self.upper.up()
            ),
            (Verdict::Ready, _) => format!(
                "{failed}, so at most {} % of requests fail ({sure}); {allow} is allowed.",
                self.upper.up()
            ),
            (Verdict::NotReady, _) => format!(
                "{failed}, so at least {} % of requests fail ({sure}); {allow} is allowed.",
                self.lower.down()
            ),
            (Verdict::NotEnough, None) => format!(
                "{failed}{uncertain}: {} % of the comparisons. v2 may fail in any of these, and {allow} \
                 is allowed, so more comparisons of this kind do not make it ready.",
                share.near()
            ),
            (Verdict::NotEnough, Some(more)) => format!(
                "{failed}{uncertain}, so up to {} % of requests may fail ({sure}); {allow} is allowed. \
                 {} that {} equal would be enough.",
                self.upper.up(),
                counted(more, "more comparison", "more comparisons"),
                plural(more, "is", "are")
            ),
        }
    }
}

const fn is_failure(outcome: Outcome) -> bool {
    matches!(
        outcome,
        Outcome::Different | Outcome::Timeout | Outcome::V2Error
    )
}

/// ` (2 different and 1 timed out)`, or nothing.
fn kinds(outcomes: &Outcomes, is_kind: fn(Outcome) -> bool) -> String {
    let kinds: Vec<_> = Outcome::ALL
        .into_iter()
        .filter(|outcome| is_kind(*outcome) && outcomes.get(*outcome) > 0)
        .map(|outcome| format!("{} {}", thousands(outcomes.get(outcome)), phrase(outcome)))
        .collect();
    if kinds.is_empty() {
        return String::new();
    }
    format!(" ({})", join_list(&kinds, "and"))
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

    fn of<const N: usize>(counts: [(Outcome, u64); N]) -> (Judgement, String) {
        let mut outcomes = Outcomes::default();
        for (outcome, count) in counts {
            outcomes.add(outcome, count);
        }
        let judgement = Judgement::of(&outcomes, Allow::default());
        let sentence = judgement.sentence(&outcomes, Allow::default());
        (judgement, sentence)
    }

    #[test]
    fn silence_is_a_failure() {
        let (judgement, sentence) = of([
            (Outcome::Equal, 3_000),
            (Outcome::SkippedMethod, 9_000),
            (Outcome::Timeout, 20),
            (Outcome::V2Error, 1),
        ]);
        assert_eq!(judgement.verdict, Verdict::NotReady);
        assert_eq!((judgement.failed, judgement.judged), (21, 3_021));
        assert_eq!(
            sentence,
            "21 of 3,021 comparisons failed (20 timed out and 1 failed in v2), so at least 0.466 % of \
             requests fail (95 % sure); 0.1 % is allowed."
        );
    }

    /// Of any outcome that says nothing about v2, more than is allowed.
    #[test]
    fn what_is_uncertain_is_never_ready_once_it_is_more_than_allowed() {
        for outcome in [Outcome::Noise, Outcome::Unrepeatable, Outcome::Unconfirmed] {
            for equal in [0, 1, 999, 99_900, 99_900_000] {
                let uncertain = equal / 999 + 1;
                let (judgement, _) = of([(Outcome::Equal, equal), (outcome, uncertain)]);
                assert_eq!(judgement.verdict, Verdict::NotEnough, "{outcome} {equal}");
                assert_eq!(judgement.more_needed, None, "{outcome} {equal}");
            }
        }
        let (_, sentence) = of([(Outcome::Equal, 2_000), (Outcome::Noise, 1_000)]);
        assert_eq!(
            sentence,
            "0 of 3,000 comparisons failed, and 1,000 are uncertain (1,000 noise): 33.3 % of the \
             comparisons. v2 may fail in any of these, and 0.1 % is allowed, so more comparisons of this \
             kind do not make it ready."
        );
    }

    /// READY promises a bound. It holds also if v2 fails wherever nobody can tell.
    #[test]
    fn what_is_uncertain_counts_against_ready_and_not_for_not_ready() {
        let (judgement, sentence) = of([(Outcome::Equal, 9_998), (Outcome::Noise, 2)]);
        assert_eq!(judgement.verdict, Verdict::Ready);
        assert_eq!(
            sentence,
            "0 of 10,000 comparisons failed, and 2 are uncertain (2 noise). Even if v2 fails in all of \
             these, at most 0.063 % of requests fail (95 % sure); 0.1 % is allowed."
        );
        let (judgement, sentence) = of([(Outcome::Equal, 2_999), (Outcome::Unrepeatable, 1)]);
        assert_eq!(
            (judgement.verdict, judgement.more_needed),
            (Verdict::NotEnough, Some(1_742))
        );
        assert_eq!(
            sentence,
            "0 of 3,000 comparisons failed, and 1 is uncertain (1 not repeated by v1), so up to 0.159 % \
             of requests may fail (95 % sure); 0.1 % is allowed. 1,742 more comparisons that are equal \
             would be enough."
        );
        let (judgement, _) = of([(Outcome::Unconfirmed, 10_000)]);
        assert_eq!(judgement.verdict, Verdict::NotEnough);
    }
}
