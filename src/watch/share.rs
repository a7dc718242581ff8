//! Numbers as they are shown. Integers only: what is shown of a share is rounded to the nearest tenth
//! of a percent, but a little is never nothing, and nearly all is never all.

use turnout_core::Fraction;

/// In thousandths of the whole, rounded to the nearest; `None` of nothing.
pub(crate) fn thousandths(part: u64, whole: u64) -> Option<u64> {
    let (part, whole) = (u128::from(part.min(whole)), u128::from(whole));
    let doubled = part.saturating_mul(2_000).saturating_add(whole);
    let share = doubled.checked_div(whole.saturating_mul(2))?;
    u64::try_from(share).ok()
}

/// `12.5 %`.
pub(crate) fn percent(part: u64, whole: u64) -> Option<String> {
    let share = thousandths(part, whole)?;
    Some(match share {
        0 if part > 0 => "<0.1 %".to_owned(),
        1000 if part < whole => ">99.9 %".to_owned(),
        _ => format!("{} %", tenths(share)),
    })
}

/// Of a percentage in the policy, which is exact.
pub(crate) fn fraction(fraction: Fraction) -> String {
    format!("{fraction} %")
}

/// `123` as `12.3`.
fn tenths(number: u64) -> String {
    format!("{}.{}", number / 10, number % 10)
}

/// Of so many thousandths a second: `0.3/s`, `12/s`, `1,204/s`.
pub(crate) fn rate(thousandths: u64) -> String {
    match thousandths {
        0 => "0/s".to_owned(),
        1..50 => "<0.1/s".to_owned(),
        50..9_950 => format!("{}/s", tenths(thousandths.saturating_add(50) / 100)),
        _ => format!("{}/s", thousands(thousandths.saturating_add(500) / 1000)),
    }
}

/// `12000` as `12,000`.
pub(crate) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        let left = digits.len().saturating_sub(place);
        if place > 0 && left.is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// So many seconds, in one unit or two: `7 s`, `3 min`, `2 h 5 min`, `9 d`.
pub(crate) fn span(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h {} min", seconds / 3_600, seconds / 60 % 60),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// `1 proxy`, `2 proxies`.
pub(crate) fn count(number: u64, one: &str, many: &str) -> String {
    let word = if number == 1 { one } else { many };
    format!("{} {word}", thousands(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_little_is_not_nothing_and_nearly_all_is_not_all() {
        let shown = |part, whole| percent(part, whole).unwrap();
        for (part, whole, expected) in [
            (0, 5, "0.0 %"),
            (1, 100_000, "<0.1 %"),
            (1, 8, "12.5 %"),
            (2, 3, "66.7 %"),
            (99_999, 100_000, ">99.9 %"),
            (7, 7, "100.0 %"),
            (u64::MAX, u64::MAX, "100.0 %"),
        ] {
            assert_eq!(shown(part, whole), expected);
        }
        assert_eq!(percent(0, 0), None);
    }

    #[test]
    fn rates_and_spans_are_short() {
        let rates = [0, 10, 333, 9_949, 9_950, 1_204_400].map(rate);
        assert_eq!(
            rates,
            ["0/s", "<0.1/s", "0.3/s", "9.9/s", "10/s", "1,204/s"]
        );
        let spans = [0, 119, 120, 7_200, 172_800].map(span);
        assert_eq!(spans, ["0 s", "119 s", "2 min", "2 h 0 min", "2 d"]);
    }
}
