//! A whole number within its bounds.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

use crate::json::{Number, Reader};
use crate::place::Path;
use crate::problem::{Problem, excerpt};

pub(super) fn whole<T: Display + FromStr + PartialOrd>(
    reader: &mut Reader<'_>,
    at: &Path<'_>,
    number: &Number<'_>,
    range: &RangeInclusive<T>,
) -> Option<T> {
    let value = number.value.parse().ok();
    let value = value.filter(|value| range.contains(value));
    if value.is_none() {
        let (least, most) = (range.start(), range.end());
        let problem = Problem::invalid(
            format!("{} is out of range", excerpt(number.value)),
            format!("write a whole number from {least} to {most}"),
        )
        .coded("out-of-range");
        reader.report(number.span, at, problem);
    }
    value
}
