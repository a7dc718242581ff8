//! Watches what a roll does in a simulated world, by real time and real counts.

use turnout_judge::Verdict;

use crate::plan::Bake;
use crate::{Event, Outcome, Phase};

/// What has really happened since the present step was active at all proxies.
#[derive(Clone, Debug, Default)]
pub(super) struct Audit {
    /// The step that has served v2 without a break.
    step: Option<usize>,
    /// The seconds in which every proxy ran it and could be read.
    seconds: u64,
    requests: u64,
    has_been_steady: bool,
    /// The verdict of the present look.
    verdict: Option<Verdict>,
    /// The step that the roll has decided to apply, and whether it has decided to end.
    decided: usize,
    pub(super) is_finished: bool,
    /// The steps that all proxies have run.
    complete: Vec<usize>,
    /// Whether the last look was killed.
    pub(super) was_killed: bool,
    /// Whether the roll has returned an outcome.
    pub(super) has_ended: bool,
    /// How many looks in a row have left a worse v2 live, although the roll could act.
    pub(super) worse_looks: u32,
    /// Whether some proxies have refused the step that the roll has applied.
    pub(super) is_refused: bool,
    /// How many looks in a row have left a step active that some proxies refuse.
    pub(super) divided_looks: u32,
    /// The looks that a kill may cost: one, in which the next process finds out what the killed one has done.
    pub(super) looks_after_kill: u32,
    pub(super) events: Vec<Event>,
}

impl Audit {
    pub(super) fn advance(
        &mut self,
        seconds: u64,
        requests: u64,
        is_steady: bool,
        live: Option<usize>,
    ) {
        if self.step != live {
            self.start_over(live);
        }
        if is_steady {
            self.has_been_steady = true;
            self.seconds += seconds;
        }
        if live.is_some() && self.has_been_steady {
            self.requests += requests;
        }
    }

    /// Another policy was active, so the bake has to start over.
    pub(super) fn start_over(&mut self, live: Option<usize>) {
        self.step = live;
        self.seconds = 0;
        self.requests = 0;
        self.has_been_steady = false;
    }

    pub(super) fn has_judged(&mut self, verdict: Verdict) {
        self.verdict = Some(verdict);
    }

    pub(super) fn begin_look(&mut self) {
        self.verdict = None;
    }

    pub(super) const fn verdict(&self) -> Option<Verdict> {
        self.verdict
    }

    /// Checks a decision that is about to be saved: it leaves a step only with health and a full bake.
    pub(super) fn check_decision(&self, phase: &Phase, bake: impl Fn(usize) -> Option<Bake>) {
        let left = match phase {
            Phase::Applying { step, .. } if self.decided < *step => step - 1,
            Phase::Ended {
                step,
                outcome: Outcome::Finished,
                ..
            } if !self.is_finished => *step,
            _ => return,
        };
        assert!(left >= self.decided, "skips a step");
        let Some(bake) = bake(left) else {
            return;
        };
        assert_eq!(self.verdict, Some(Verdict::Healthy), "moves without health");
        assert_eq!(self.step, Some(left), "another step was active");
        assert!(
            self.requests >= bake.requests && self.seconds >= bake.minutes * 60,
            "moves after {} requests and {} s of {bake:?}",
            self.requests,
            self.seconds
        );
    }

    /// The decision is saved.
    pub(super) fn has_decided(&mut self, phase: &Phase) {
        match phase {
            Phase::Applying { step, .. } => {
                assert!(*step >= self.decided, "goes back to step {step}");
                self.decided = *step;
            }
            Phase::Ended { .. } => self.is_finished = true,
            _ => {}
        }
    }

    /// Checks that the roll may apply this step.
    pub(super) fn check_apply(&self, step: usize, is_new: bool) {
        assert_eq!(
            step, self.decided,
            "applies a step that it has not decided on"
        );
        assert!(!self.is_finished, "acts after its end");
        assert!(
            !is_new || !self.complete.contains(&step),
            "applies step {step} again, which all proxies have run"
        );
    }

    pub(super) fn all_run(&mut self, step: usize) {
        if !self.complete.contains(&step) {
            self.complete.push(step);
        }
    }
}
