//! Compiles whole numbers within their bounds.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

use crate::diagnostics::error_code::ErrorCode;
use crate::diagnostics::location::JsonPointer;
use crate::diagnostics::problem::{Problem, excerpt};
use crate::policy::decimal::Decimal;
use crate::policy::json::{Number, Reader};

/// The number of digits of the largest number that a field takes.
const MOST_DIGITS: usize = 20;

impl Reader<'_> {
    /// Compiles a whole number, or reports that it is not in the range.
    pub fn whole_number(
        &mut self,
        at: &JsonPointer<'_>,
        number: &Number<'_>,
        range: &RangeInclusive<u64>,
    ) -> Option<u64> {
        whole(self, at, number, range)
    }
}

pub(crate) fn whole<T: Display + FromStr + PartialOrd>(
    reader: &mut Reader<'_>,
    at: &JsonPointer<'_>,
    number: &Number<'_>,
    range: &RangeInclusive<T>,
) -> Option<T> {
    let value = parsed(number.value);
    let value = value.filter(|value| range.contains(value));
    if value.is_none() {
        let (least, most) = (range.start(), range.end());
        let problem = Problem::invalid(
            format!("{} is out of range", excerpt(number.value)),
            format!("write a whole number from {least} to {most}"),
        )
        .with_code(ErrorCode::OutOfRange);
        reader.report(number.span, at, problem);
    }
    value
}

/// Parses a whole number in any notation: `5`, `5.0`, `1e+06`.
pub(super) fn parsed<T: FromStr>(literal: &str) -> Option<T> {
    Decimal::parse(literal).whole(MOST_DIGITS)?.parse().ok()
}
