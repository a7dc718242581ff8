//! Compiles a rule's `accounts`: one percentage, or a ramp.

use crate::bucketing::Fraction;
use crate::diagnostics::error_code::ErrorCode;
use crate::diagnostics::location::JsonPointer;
use crate::diagnostics::problem::{Problem, excerpt};
use crate::plan::ramp::{Ramp, Step};
use crate::policy::document::{self, RawAccounts};
use crate::policy::json::{Field, List, Located, LocatedText};
use crate::policy::read::expected;
use crate::policy::time::Time;

use super::required;
use super::rollout_rules::Rollouts;

impl Rollouts<'_, '_, '_> {
    pub(super) fn accounts(
        &mut self,
        at: &JsonPointer<'_>,
        accounts: Field<RawAccounts<'_>>,
    ) -> Option<Ramp> {
        match accounts {
            Field::Absent => Some(Ramp::always(Fraction::ALL)),
            Field::Bad => None,
            Field::Given(RawAccounts::Percentage(number)) => {
                let fraction = self.account_fraction(at, &Field::Given(number))?;
                Some(Ramp::always(fraction))
            }
            Field::Given(RawAccounts::Ramp(steps)) => self.ramp(at, steps),
        }
    }

    fn ramp(
        &mut self,
        at: &JsonPointer<'_>,
        steps: List<Located<document::RawStep<'_>>>,
    ) -> Option<Ramp> {
        if steps.value.is_empty() {
            let problem = Problem::empty_list("the ramp", "write a step, or a single percentage");
            self.reader.report(steps.span, at, problem);
        }
        let mut compiled: Vec<Step> = Vec::with_capacity(steps.value.len());
        let mut is_whole = true;
        let mut last = None;
        for (index, step) in steps.value.into_iter().enumerate() {
            let step = step.and_then(|given| self.step(&at.index(index), given, &mut last));
            is_whole &= step.is_some();
            compiled.extend(step);
        }
        is_whole.then(|| Ramp::from_steps(compiled))
    }

    /// Compiles a step. `last` is the start of the previous step, and becomes the start of this one.
    fn step(
        &mut self,
        at: &JsonPointer<'_>,
        step: Located<document::RawStep<'_>>,
        last: &mut Option<Time>,
    ) -> Option<Step> {
        let Located { value, span } = step;
        let from = required(self.reader, span, at, "from", expected::TIME, value.from);
        let from = from.and_then(|text| self.time(&at.field("from"), &text, *last));
        *last = from.or(*last);
        if matches!(value.percent, Field::Absent) {
            let problem = Problem::missing_field("percent", expected::PERCENTAGE);
            self.reader.report(span.head(), at, problem);
            return None;
        }
        let fraction = self.account_fraction(&at.field("percent"), &value.percent)?;
        Some(Step {
            from: Some(from?),
            fraction,
        })
    }

    fn time(
        &mut self,
        at: &JsonPointer<'_>,
        text: &LocatedText<'_>,
        last: Option<Time>,
    ) -> Option<Time> {
        let problem = match (Time::parse(&text.value), last) {
            (Ok(time), Some(last)) if time <= last => Problem::invalid(
                format!("{time} is not after the previous step, {last}"),
                "write the steps in chronological order",
            )
            .with_code(ErrorCode::UnorderedSteps),
            (Ok(time), _) => return Some(time),
            (Err(error), _) => {
                Problem::invalid(format!("`{}`: {error}", excerpt(&text.value)), error.help())
                    .with_code(ErrorCode::MalformedTime)
            }
        };
        self.reader.report(text.span, at, problem);
        None
    }
}
