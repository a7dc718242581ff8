//! Ramps: a percentage that goes up by itself, step by step, at declared moments.

use crate::bucketing::Fraction;
use crate::policy::time::Time;

/// A step function of time; a plain percentage is one step that has always been.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ramp {
    /// In the order of time.
    steps: Vec<Step>,
}

/// From a moment until the next step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// When it begins; `None` where it has always been.
    pub from: Option<Time>,
    /// What is included while it lasts.
    pub fraction: Fraction,
}

impl Ramp {
    /// The same at every moment.
    #[must_use]
    pub fn always(fraction: Fraction) -> Self {
        let from = None;
        Self {
            steps: vec![Step { from, fraction }],
        }
    }

    /// `steps` in the order of time, no two of which begin at one moment.
    pub(crate) fn of(steps: Vec<Step>) -> Self {
        Self { steps }
    }

    /// The steps in the order of time.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// What is included at a moment: nothing before the first step.
    #[must_use]
    pub fn at(&self, time: Time) -> Fraction {
        let begun = self.steps.partition_point(|step| step.begin() <= time);
        let last = begun.checked_sub(1).and_then(|last| self.steps.get(last));
        last.map_or(Fraction::NONE, |step| step.fraction)
    }

    /// Whether it is another at some moment than at others: no plain percentage.
    #[must_use]
    pub fn has_steps(&self) -> bool {
        self.steps.iter().any(|step| step.from.is_some())
    }
}

impl Step {
    fn begin(&self) -> Time {
        self.from.unwrap_or(Time::FIRST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn percent(percent: u32) -> Fraction {
        Fraction::from_percentage(&percent.to_string()).unwrap()
    }

    #[test]
    fn a_step_holds_from_its_moment_to_the_next() {
        let step = |from, to| Step {
            from: Some(Time::from_seconds(from)),
            fraction: percent(to),
        };
        let ramp = Ramp::of(vec![step(100, 1), step(200, 50), step(300, 0)]);
        assert!(ramp.has_steps());
        for (at, expected) in [
            (i64::MIN, 0),
            (99, 0),
            (100, 1),
            (199, 1),
            (200, 50),
            (300, 0),
            (i64::MAX, 0),
        ] {
            let at = Time::from_seconds(at);
            assert_eq!(ramp.at(at), percent(expected), "{at:?}");
        }
    }

    #[test]
    fn a_plain_percentage_is_the_same_at_every_moment() {
        let ramp = Ramp::always(percent(7));
        assert!(!ramp.has_steps());
        for at in [i64::MIN, 0, i64::MAX].map(Time::from_seconds) {
            assert_eq!(ramp.at(at), percent(7));
        }
    }
}
