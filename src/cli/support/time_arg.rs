//! Moments, as arguments.

use std::time::{SystemTime, UNIX_EPOCH};

use turnout_core::Time;

/// Reads one; the error is what is wrong with it and what to write.
pub(crate) fn parse_time(text: &str) -> Result<Time, String> {
    Time::parse(text).map_err(|error| format!("{error}; {}", error.help()))
}

/// What holds unless a moment is given.
pub(crate) fn now() -> Time {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH);
    let seconds = since_1970.map_or(0, |since| since.as_secs());
    Time::from_seconds(i64::try_from(seconds).unwrap_or_default())
}
