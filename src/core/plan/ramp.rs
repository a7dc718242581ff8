//! Ramps: a percentage that changes by itself at declared times.

use crate::bucketing::Fraction;
use crate::policy::time::Time;

/// A percentage as a step function of time. A plain percentage is one step without a start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ramp {
    /// In the order of their starts.
    steps: Vec<Step>,
}

/// A percentage from one point in time until the next step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// When the step begins; `None` for a plain percentage, which has no start.
    pub from: Option<Time>,
    /// The percentage during the step.
    pub fraction: Fraction,
}

impl Ramp {
    /// Creates a ramp with the same percentage at every point in time.
    #[must_use]
    pub fn always(fraction: Fraction) -> Self {
        let from = None;
        Self {
            steps: vec![Step { from, fraction }],
        }
    }

    /// Creates a ramp from steps in the order of their starts, which must be distinct.
    pub(crate) fn from_steps(steps: Vec<Step>) -> Self {
        Self { steps }
    }

    /// The steps in the order of their starts.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Returns the percentage at a point in time. It is 0 before the first step.
    #[must_use]
    pub fn at(&self, time: Time) -> Fraction {
        let begun = self.steps.partition_point(|step| step.start() <= time);
        let last = begun.checked_sub(1).and_then(|last| self.steps.get(last));
        last.map_or(Fraction::NONE, |step| step.fraction)
    }

    /// Whether the percentage depends on the time.
    #[must_use]
    pub fn has_steps(&self) -> bool {
        self.steps.iter().any(|step| step.from.is_some())
    }
}

impl Step {
    fn start(&self) -> Time {
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
    fn a_step_lasts_from_its_start_to_the_next() {
        let step = |from, to| Step {
            from: Some(Time::from_seconds(from)),
            fraction: percent(to),
        };
        let ramp = Ramp::from_steps(vec![step(100, 1), step(200, 50), step(300, 0)]);
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
    fn a_plain_percentage_is_the_same_at_every_time() {
        let ramp = Ramp::always(percent(7));
        assert!(!ramp.has_steps());
        for at in [i64::MIN, 0, i64::MAX].map(Time::from_seconds) {
            assert_eq!(ramp.at(at), percent(7));
        }
    }
}
