//! Compiles percentages, and reports those that are out of bounds or too fine.

use crate::bucketing::Fraction;
use crate::bucketing::hash::PercentageTooFine;
use crate::bucketing::percentage::millionths;
use crate::diagnostics::error_code::ErrorCode;
use crate::diagnostics::location::JsonPointer;
use crate::diagnostics::problem::{Problem, excerpt};
use crate::policy::decimal::UnitError;
use crate::policy::json::{Number, Reader};

impl Reader<'_> {
    /// Compiles a percentage, or reports what is wrong with it.
    pub fn percentage(&mut self, at: &JsonPointer<'_>, number: &Number<'_>) -> Option<Fraction> {
        percentage(self, at, number).and_then(Fraction::from_millionths)
    }
}

/// Compiles a percentage to millionths of a percent.
pub(super) fn percentage(
    reader: &mut Reader<'_>,
    at: &JsonPointer<'_>,
    number: &Number<'_>,
) -> Option<u32> {
    let shown = excerpt(number.value);
    let problem = match millionths(number.value) {
        Ok(millionths) => return Some(millionths),
        Err(UnitError::OutOfRange) => Problem::invalid(
            format!("{shown} is not a percentage"),
            "write a number from 0 to 100",
        ),
        Err(UnitError::TooPrecise(decimals)) => Problem::invalid(
            format!("{shown} has {decimals} decimals"),
            "write at most 6 decimals",
        ),
    };
    let problem = problem.with_code(ErrorCode::MalformedPercentage);
    reader.report(number.span, at, problem);
    None
}

pub(super) fn between_parts(between: &PercentageTooFine) -> Problem {
    Problem::invalid(between.to_string(), between.help()).with_code(ErrorCode::TooFinePercentage)
}
