//! The `--interval` argument: how long to wait between two readings of the proxies.

use std::time::Duration;

const SHORTEST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(3_600);

/// Parses `1s`, `0.5s`, `200ms`, or a number of seconds. The error says what is expected.
pub(crate) fn parse_interval(text: &str) -> Result<Duration, String> {
    let (number, thousandth) = match text.strip_suffix("ms") {
        Some(number) => (number, 1_000),
        None => (text.strip_suffix('s').unwrap_or(text), 1),
    };
    let seconds = number.trim().parse().ok();
    let interval = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let interval = interval.and_then(|interval| interval.checked_div(thousandth));
    interval
        .filter(|interval| (SHORTEST..=LONGEST).contains(interval))
        .ok_or_else(|| "expected a time from `100ms` to `3600s`".into())
}
