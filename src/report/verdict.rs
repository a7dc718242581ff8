//! The verdict on a rollout: whether its outcomes show that v2 is ready.

use std::fmt;

use serde::Serialize;
use turnout_core::shadow::Outcome;
use turnout_text::{counted, join_list, plural, thousands};

use crate::confidence_bounds::{self, CONFIDENCE_PERCENT};
use crate::error_budget::ErrorBudget;
use crate::outcomes::{Outcomes, describe_outcome, is_uncertain};
use crate::share::Share;

/// Whether v2 is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// v2 fails no more requests than allowed.
    Ready,
    /// v2 fails more requests than allowed.
    NotReady,
    /// There are too few comparisons to tell.
    NotEnoughData,
}

impl Verdict {
    /// The verdict in the text report, such as `READY`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "READY",
            Self::NotReady => "NOT READY",
            Self::NotEnoughData => "NOT ENOUGH DATA",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A verdict with its numbers.
#[derive(Clone, Debug)]
pub(crate) struct Judgement {
    pub(crate) verdict: Verdict,
    pub(crate) failed: u64,
    /// The failed requests that are different at places where v1 may yet turn out to vary.
    pub(crate) unproven: u64,
    pub(crate) uncertain: u64,
    pub(crate) judged: u64,
    /// The lower bound of failures, if no uncertain or unproven request is a failure.
    pub(crate) lower: Share,
    /// The upper bound of failures, if all uncertain requests are failures.
    pub(crate) upper: Share,
    /// The number of further equal comparisons that would make the rollout ready. `None` if the verdict is known,
    /// or if more comparisons of the same kind do not help.
    pub(crate) more_needed: Option<u64>,
    /// The number of unreadable lines of counters, if the verdict would be READY without them.
    pub(crate) unreadable: u64,
    /// Why a client may have written the records, if the verdict would be READY otherwise.
    pub(crate) doubt: Option<String>,
}

impl Judgement {
    pub(crate) fn of(outcomes: &Outcomes, allow: ErrorBudget) -> Self {
        let (failed, uncertain) = (outcomes.failed(), outcomes.uncertain());
        let judged = outcomes.judged();
        let not_equal = failed.saturating_add(uncertain);
        let unproven = outcomes.unproven();
        let lower = confidence_bounds::lower(failed.saturating_sub(unproven), judged);
        let upper = confidence_bounds::upper(not_equal, judged);
        let verdict = if judged > 0 && upper <= allow.share() {
            Verdict::Ready
        } else if lower > allow.share() {
            Verdict::NotReady
        } else {
            Verdict::NotEnoughData
        };
        let is_too_early =
            verdict == Verdict::NotEnoughData && Share::of(uncertain, judged) <= allow.share();
        let more_needed =
            is_too_early.then(|| confidence_bounds::more_needed(not_equal, judged, allow.share()));
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

    /// Turns READY into NOT ENOUGH DATA if lines of counters are unreadable: they may count failures.
    pub(crate) fn with_unreadable_counters(mut self, unreadable: u64) -> Self {
        if self.verdict == Verdict::Ready && unreadable > 0 {
            self.verdict = Verdict::NotEnoughData;
            self.unreadable = unreadable;
        }
        self
    }

    /// Turns READY into NOT ENOUGH DATA if a client may have written the records.
    pub(crate) fn with_doubt(mut self, why: Option<&str>) -> Self {
        if let Some(why) = why.filter(|_| self.verdict == Verdict::Ready) {
            self.verdict = Verdict::NotEnoughData;
            self.doubt = Some(why.to_owned());
        }
        self
    }

    /// Explains the verdict in one or two sentences.
    pub(crate) fn explanation(&self, outcomes: &Outcomes, allow: ErrorBudget) -> String {
        let more = self.more_needed.unwrap_or(0);
        if self.judged == 0 {
            return format!(
                "Nothing was compared. {} equal comparisons would show that at most {allow} of requests fail.",
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
            by_outcome(outcomes, is_failure)
        );
        let confidence = format!("with {CONFIDENCE_PERCENT} % confidence");
        let uncertain = match self.uncertain {
            0 => String::new(),
            count => format!(
                ", and {} {} uncertain{}",
                thousands(count),
                plural(count, "is", "are"),
                by_outcome(outcomes, is_uncertain)
            ),
        };
        if let Some(doubt) = &self.doubt {
            return format!("{failed}{uncertain}, but {doubt}");
        }
        if self.unreadable > 0 {
            return format!(
                "{failed}{uncertain}, but {} unreadable and may count failures; read all counters again.",
                counted(
                    self.unreadable,
                    "line of the counters is",
                    "lines of the counters are"
                )
            );
        }
        let share = Share::of(self.uncertain, self.judged);
        match (self.verdict, self.more_needed) {
            (Verdict::Ready, _) if self.uncertain > 0 => format!(
                "{failed}{uncertain}. Even if v2 fails in all of these, {confidence} at most {} % of requests \
                 fail; {allow} is allowed.",
                self.upper.round_up()
            ),
            (Verdict::Ready, _) => format!(
                "{failed}, so {confidence} at most {} % of requests fail; {allow} is allowed.",
                self.upper.round_up()
            ),
            (Verdict::NotReady, _) => format!(
                "{failed}, so {confidence} at least {} % of requests fail; {allow} is allowed.",
                self.lower.round_down()
            ),
            (Verdict::NotEnoughData, None) => format!(
                "{failed}{uncertain}, which is {} % of the comparisons. v2 may fail in any of these, and {allow} \
                 is allowed, so more comparisons of this kind do not make it READY.",
                share.round()
            ),
            (Verdict::NotEnoughData, Some(more)) => format!(
                "{failed}{uncertain}, so {confidence} up to {} % of requests may fail; {allow} is allowed. \
                 {} would be enough.",
                self.upper.round_up(),
                counted(more, "more equal comparison", "more equal comparisons")
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

/// Lists counts by outcome: ` (2 different and 1 timed out)`.
fn by_outcome(outcomes: &Outcomes, is_listed: fn(Outcome) -> bool) -> String {
    let counts: Vec<_> = Outcome::ALL
        .into_iter()
        .filter(|outcome| is_listed(*outcome) && outcomes.get(*outcome) > 0)
        .map(|outcome| {
            format!(
                "{} {}",
                thousands(outcomes.get(outcome)),
                describe_outcome(outcome)
            )
        })
        .collect();
    if counts.is_empty() {
        return String::new();
    }
    format!(" ({})", join_list(&counts, "and"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(failed: u64, judged: u64) -> Judgement {
        let mut outcomes = Outcomes::default();
        outcomes.add(Outcome::Different, failed);
        outcomes.add(Outcome::Equal, judged.saturating_sub(failed));
        Judgement::of(&outcomes, ErrorBudget::default())
    }

    /// The numbers are those of the tests in `confidence_bounds`.
    #[test]
    fn verdicts_change_at_the_bounds() {
        for (failed, judged, verdict, more) in [
            (0, 0, Verdict::NotEnoughData, Some(2_995)),
            (0, 2_994, Verdict::NotEnoughData, Some(1)),
            (0, 2_995, Verdict::Ready, None),
            (0, 3_000, Verdict::Ready, None),
            (1, 3_000, Verdict::NotEnoughData, Some(1_742)),
            (1, 4_741, Verdict::NotEnoughData, Some(1)),
            (1, 4_742, Verdict::Ready, None),
            // The lower bound of 1 in 51 is above 0.1 %, that of 1 in 52 is not.
            (1, 51, Verdict::NotReady, None),
            (1, 52, Verdict::NotEnoughData, Some(4_742 - 52)),
            (5, 1_971, Verdict::NotReady, None),
            (5, 1_972, Verdict::NotEnoughData, Some(10_511 - 1_972)),
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
        let judgement = Judgement::of(&outcomes, ErrorBudget::default());
        let sentence = judgement.explanation(&outcomes, ErrorBudget::default());
        (judgement, sentence)
    }

    #[test]
    fn a_missing_response_is_a_failure() {
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
            "21 of 3,021 comparisons failed (20 timed out and 1 failed in v2), so with 95 % confidence \
             at least 0.466 % of requests fail; 0.1 % is allowed."
        );
    }

    #[test]
    fn more_uncertain_comparisons_than_allowed_are_never_ready() {
        for outcome in [Outcome::Noise, Outcome::Unrepeatable, Outcome::Unconfirmed] {
            for equal in [0, 1, 999, 99_900, 99_900_000] {
                let uncertain = equal / 999 + 1;
                let (judgement, _) = of([(Outcome::Equal, equal), (outcome, uncertain)]);
                assert_eq!(
                    judgement.verdict,
                    Verdict::NotEnoughData,
                    "{outcome} {equal}"
                );
                assert_eq!(judgement.more_needed, None, "{outcome} {equal}");
            }
        }
        let (_, sentence) = of([(Outcome::Equal, 2_000), (Outcome::Noise, 1_000)]);
        assert_eq!(
            sentence,
            "0 of 3,000 comparisons failed, and 1,000 are uncertain (1,000 noise), which is 33.3 % of \
             the comparisons. v2 may fail in any of these, and 0.1 % is allowed, so more comparisons of \
             this kind do not make it READY."
        );
    }

    /// READY promises a bound, which holds even if v2 fails in all uncertain comparisons.
    #[test]
    fn uncertain_comparisons_count_against_ready_and_not_for_not_ready() {
        let (judgement, sentence) = of([(Outcome::Equal, 9_998), (Outcome::Noise, 2)]);
        assert_eq!(judgement.verdict, Verdict::Ready);
        assert_eq!(
            sentence,
            "0 of 10,000 comparisons failed, and 2 are uncertain (2 noise). Even if v2 fails in all of \
             these, with 95 % confidence at most 0.063 % of requests fail; 0.1 % is allowed."
        );
        let (judgement, sentence) = of([(Outcome::Equal, 2_999), (Outcome::Unrepeatable, 1)]);
        assert_eq!(
            (judgement.verdict, judgement.more_needed),
            (Verdict::NotEnoughData, Some(1_742))
        );
        assert_eq!(
            sentence,
            "0 of 3,000 comparisons failed, and 1 is uncertain (1 not repeated by v1), so with 95 % \
             confidence up to 0.159 % of requests may fail; 0.1 % is allowed. 1,742 more equal comparisons \
             would be enough."
        );
        let (judgement, _) = of([(Outcome::Unconfirmed, 10_000)]);
        assert_eq!(judgement.verdict, Verdict::NotEnoughData);
    }
}
