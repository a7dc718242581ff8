//! Labels of segments, routes and times in the text and the HTML report.

use std::time::{Duration, UNIX_EPOCH};

/// Characters of a name that are kept.
const MOST_CHARACTERS: usize = 200;
/// The end of the year 9999, the last time that is printed.
const LAST_MS: u64 = 253_402_300_799_000;

/// The label of requests in no segment.
pub(crate) const NO_SEGMENT: &str = "(none)";
/// The label of requests on no declared route.
pub(crate) const NO_ROUTE: &str = "(other)";

/// Shortens a text from a log. It does not escape it: the text and HTML reports escape when they are
/// formatted, and JSON keeps the text.
pub(crate) fn excerpt(found: &str) -> String {
    turnout_text::excerpt(found, MOST_CHARACTERS).into_owned()
}

/// The label of a segment or a route; records write `-` for none.
pub(crate) fn label<'a>(name: &'a str, none: &'static str) -> &'a str {
    if name == "-" { none } else { name }
}

/// Formats a time: `2026-11-21 03:00:00 UTC`.
pub(crate) fn format_time(time_ms: u64) -> String {
    let time = UNIX_EPOCH.checked_add(Duration::from_millis(time_ms.min(LAST_MS)));
    let time = humantime::format_rfc3339_seconds(time.unwrap_or(UNIX_EPOCH)).to_string();
    time.replace('T', " ").replace('Z', " UTC")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn excerpts_are_bounded_and_not_escaped() {
        let text = "/a\u{1b}[2J\u{202e}b\n";
        assert_eq!(excerpt(text), text);
        assert_eq!(
            excerpt(&"é".repeat(300)).chars().count(),
            MOST_CHARACTERS + 1
        );
    }

    #[test]
    fn times_are_readable() {
        assert_eq!(format_time(1_795_232_300_123), "2026-11-21 03:38:20 UTC");
        assert_eq!(format_time(u64::MAX), "9999-12-31 23:59:59 UTC");
    }
}
