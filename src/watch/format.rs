//! Formats percentages, rates and durations, with integers only.

use turnout_core::Fraction;
use turnout_text::thousands;

/// The error rate, in thousandths, from which it is highlighted.
pub(crate) const MANY_FAILED: u64 = 10;

/// Formats a percentage of the policy, exactly.
pub(crate) fn fraction(fraction: Fraction) -> String {
    format!("{fraction} %")
}

/// Formats tenths: 123 is `12.3`.
fn tenths(number: u64) -> String {
    format!("{}.{}", number / 10, number % 10)
}

/// Formats a rate in thousandths per second: `0.3/s`, `12/s`, `1,204/s`.
pub(crate) fn rate(thousandths: u64) -> String {
    match thousandths {
        0 => "0/s".to_owned(),
        1..50 => "<0.1/s".to_owned(),
        50..9_950 => format!("{}/s", tenths(thousandths.saturating_add(50) / 100)),
        _ => format!("{}/s", thousands(thousandths.saturating_add(500) / 1000)),
    }
}

/// Formats a number of seconds in one or two units: `7 s`, `3 min`, `2 h 5 min`, `9 d`.
pub(crate) fn span(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h {} min", seconds / 3_600, seconds / 60 % 60),
        _ => format!("{} d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
