//! The `--at` argument: a time.

use std::time::{SystemTime, UNIX_EPOCH};

use turnout_core::Time;

/// Parses a time. The error says what is wrong, and what is expected.
pub(crate) fn parse_time(text: &str) -> Result<Time, String> {
    Time::parse(text).map_err(|error| format!("{error}; {}", error.help()))
}

/// The current time, in whole seconds.
pub(crate) fn now() -> Time {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH);
    let seconds = since_1970.map_or(0, |since| since.as_secs());
    Time::from_seconds(i64::try_from(seconds).unwrap_or_default())
}
