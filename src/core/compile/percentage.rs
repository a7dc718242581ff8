//! A percentage: within its bounds, and as fine as the line that it divides.

use crate::bucketing::hash::BetweenParts;
use crate::bucketing::percentage::{NotAPercentage, millionths};
use crate::diagnostics::location::Path;
use crate::diagnostics::problem::{Problem, excerpt};
use crate::policy::json::{Number, Reader};

/// In millionths of a percent.
pub(super) fn percentage(
    reader: &mut Reader<'_>,
    at: &Path<'_>,
    number: &Number<'_>,
) -> Option<u32> {
    let shown = excerpt(number.value);
    let problem = match millionths(number.value) {
        Ok(millionths) => return Some(millionths),
        Err(NotAPercentage::OutOfRange) => Problem::invalid(
            format!("{shown} is not a percentage"),
            "write a number from 0 to 100",
        ),
        Err(NotAPercentage::TooPrecise(decimals)) => Problem::invalid(
            format!("{shown} has {decimals} decimals"),
            "write at most 6 decimals",
        ),
    };
    let problem = problem.coded("malformed-percentage");
    reader.report(number.span, at, problem);
    None
}

pub(super) fn between_parts(between: &BetweenParts) -> Problem {
    Problem::invalid(between.to_string(), between.help()).coded("too-fine-percentage")
}
