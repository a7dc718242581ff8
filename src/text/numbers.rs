//! Numbers as people read them. Integers only, see the crate.

/// Formats a number with thousands separators: `12,345`.
#[must_use]
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len().saturating_mul(2));
    for (index, digit) in digits.chars().enumerate() {
        let left = digits.len().saturating_sub(index);
        if index > 0 && left.is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Returns a part in thousandths of the whole, rounded to the nearest, or `None` if the whole is 0.
#[must_use]
pub fn thousandths(part: u64, whole: u64) -> Option<u64> {
    let (part, whole) = (u128::from(part.min(whole)), u128::from(whole));
    let doubled = part.saturating_mul(2_000).saturating_add(whole);
    let rounded = doubled.checked_div(whole.saturating_mul(2))?;
    u64::try_from(rounded).ok()
}

/// Formats a part of a whole as a percentage: `49.8 %`. Returns `None` if the whole is 0.
///
/// It is rounded to the nearest tenth, but only nothing is `0 %` and only everything is `100 %`: a
/// smaller part is `<0.1 %`, a larger one `>99.9 %`.
#[must_use]
pub fn percent(part: u64, whole: u64) -> Option<String> {
    Some(match thousandths(part, whole)? {
        0 if part > 0 => String::from("<0.1 %"),
        1_000 if part < whole => String::from(">99.9 %"),
        0 => String::from("0 %"),
        1_000 => String::from("100 %"),
        tenths => format!("{}.{} %", tenths / 10, tenths % 10),
    })
}

/// Formats millionths as a decimal: `12500000` is `12.5`. The policy has percentages of this precision.
#[must_use]
pub fn format_millionths(number: u32) -> String {
    format_decimal(number.into(), 6)
}

/// Formats a number of which the last `decimals` digits are a fraction. Trailing zeros of the fraction
/// are left out.
#[must_use]
pub fn format_decimal(number: u64, decimals: u32) -> String {
    let scale = 10_u64.saturating_pow(decimals);
    let whole = number.checked_div(scale).unwrap_or_default();
    let rest = number.checked_rem(scale).unwrap_or_default();
    let width = usize::try_from(decimals).unwrap_or_default();
    let digits = format!("{rest:0width$}");
    match digits.trim_end_matches('0') {
        "" => whole.to_string(),
        digits => format!("{whole}.{digits}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_separated() {
        for (number, expected) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(thousands(number), expected);
        }
    }

    #[test]
    fn a_small_part_is_not_nothing_and_a_large_one_is_not_everything() {
        for (part, whole, expected) in [
            (0, 5, "0 %"),
            (1, 100_000, "<0.1 %"),
            (1, 8, "12.5 %"),
            (1, 3, "33.3 %"),
            (2, 3, "66.7 %"),
            (99_999, 100_000, ">99.9 %"),
            (7, 7, "100 %"),
            (u64::MAX, u64::MAX, "100 %"),
        ] {
            assert_eq!(percent(part, whole).as_deref(), Some(expected));
        }
        assert_eq!(percent(0, 0), None);
    }

    #[test]
    fn fractions_have_the_digits_that_they_need() {
        for (number, expected) in [
            (0, "0"),
            (100_000_000, "100"),
            (12_340_000, "12.34"),
            (33_333_333, "33.333333"),
            (1, "0.000001"),
        ] {
            assert_eq!(format_millionths(number), expected);
        }
    }
}
