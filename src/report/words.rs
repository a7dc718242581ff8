//! Small things about text.

use std::time::{Duration, UNIX_EPOCH};

/// Characters of a name that are kept.
const MOST: usize = 200;
/// The end of the year 9999, the last that is printed.
const LAST_MS: u64 = 253_402_300_799_000;

/// Returns the beginning of a text from a log. It is not escaped: text and HTML escape it when they are
/// written, and JSON keeps it.
pub(crate) fn excerpt(found: &str) -> String {
    turnout_text::excerpt(found, MOST).into_owned()
}

/// A segment or a route as people read it: `-` stands for none of those that the policy names.
pub(crate) fn shown<'a>(name: &'a str, none: &'static str) -> &'a str {
    if name == "-" { none } else { name }
}

/// For requests of no segment.
pub(crate) const NO_SEGMENT: &str = "(none)";
/// For requests of no declared route.
pub(crate) const NO_ROUTE: &str = "(other)";

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
    fn times_are_readable() {
        assert_eq!(moment(1_795_232_300_123), "2026-11-21 03:38:20 UTC");
        assert_eq!(moment(u64::MAX), "9999-12-31 23:59:59 UTC");
    }
}
