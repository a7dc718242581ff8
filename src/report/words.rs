//! Small things about text.

use std::time::{Duration, UNIX_EPOCH};

/// Characters of a name that are kept.
const MOST: usize = 200;
/// The end of the year 9999, the last that is printed.
const LAST_MS: u64 = 253_402_300_799_000;

/// What came from a log, of bounded length. It is as it was: text and HTML escape it, and JSON keeps it.
pub(crate) fn excerpt(found: &str) -> String {
    let end = found.char_indices().nth(MOST).map(|(end, _)| end);
    let mut short = end
        .and_then(|end| found.get(..end))
        .unwrap_or(found)
        .to_owned();
    if end.is_some() {
        short.push('…');
    }
    short
}

/// A segment or a route as people read it: `-` stands for none of those that the policy names.
pub(crate) fn shown<'a>(name: &'a str, none: &'static str) -> &'a str {
    if name == "-" { none } else { name }
}

/// For requests of no segment.
pub(crate) const NO_SEGMENT: &str = "(none)";
/// For requests of no declared route.
pub(crate) const NO_ROUTE: &str = "(other)";

/// `12,345`.
pub(crate) fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        let left = digits.len().saturating_sub(index);
        if index > 0 && left.is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 timeout`, `2 timeouts`.
pub(crate) fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{} {}", grouped(count), if count == 1 { one } else { many })
}

/// `a`, `a and b`, `a, b and c`.
pub(crate) fn listed(parts: &[String]) -> String {
    match parts {
        [] => String::new(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}

/// The first few, and how many more there are.
pub(crate) fn first_few(parts: &[String], most: usize) -> String {
    let rest = parts.len().saturating_sub(most);
    let first = parts.iter().take(most).cloned().collect::<Vec<_>>();
    match rest {
        0 => listed(&first),
        _ => format!("{} and {rest} more", first.join(", ")),
    }
}

/// `2026-11-21 03:00:00 UTC`.
pub(crate) fn moment(time_ms: u64) -> String {
    let time = UNIX_EPOCH.checked_add(Duration::from_millis(time_ms.min(LAST_MS)));
    let time = humantime::format_rfc3339_seconds(time.unwrap_or(UNIX_EPOCH)).to_string();
    time.replace('T', " ").replace('Z', " UTC")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_a_log_is_kept_and_cut() {
        let text = "/a\u{1b}[2J\u{202e}b\n";
        assert_eq!(excerpt(text), text);
        assert_eq!(excerpt(&"é".repeat(300)).chars().count(), MOST + 1);
    }

    #[test]
    fn numbers_and_times_are_readable() {
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(moment(1_795_232_300_123), "2026-11-21 03:38:20 UTC");
        assert_eq!(moment(u64::MAX), "9999-12-31 23:59:59 UTC");
    }
}
