//! The span of time that is read from Prometheus.

use turnout_core::Time;

/// The longest span, in seconds.
const LONGEST: i64 = 31 * 86_400;

/// When the counts of a judgment from Prometheus begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    /// At this time.
    At(Time),
    /// This many seconds before the current time of the server.
    SecondsAgo(u32),
}

impl Default for Since {
    fn default() -> Self {
        Self::SecondsAgo(86_400)
    }
}

impl Since {
    /// Parses a time in RFC 3339, or a duration such as `2h` or `1d12h`.
    ///
    /// # Errors
    /// A sentence that says what is expected.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.contains(['T', ':']) {
            let time = Time::parse(text).map_err(|error| format!("{error}; {}", error.help()))?;
            return Ok(Self::At(time));
        }
        duration(text).map(Self::SecondsAgo).ok_or_else(|| {
            "expected a duration up to 31 days, such as `2h` or `1d12h`, or a time such as `2026-12-01T09:00:00Z`"
                .to_owned()
        })
    }

    /// When the counts begin, in milliseconds since 1970. `now` is the current time of the server.
    pub(crate) fn start(self, now: i64) -> Result<i64, String> {
        let start = match self {
            Self::At(time) => time.seconds().saturating_mul(1_000),
            Self::SecondsAgo(seconds) => {
                now.saturating_sub(i64::from(seconds).saturating_mul(1_000))
            }
        };
        if start >= now {
            return Err(
                "--since is in the future by the clock of Prometheus; write an earlier time"
                    .to_owned(),
            );
        }
        if now.saturating_sub(start) > LONGEST.saturating_mul(1_000) {
            return Err("--since is more than 31 days ago; write a later time".to_owned());
        }
        Ok(start)
    }
}

/// Parses a duration of at most 31 days, in seconds.
fn duration(text: &str) -> Option<u32> {
    let mut total: u32 = 0;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest
            .len()
            .checked_sub(rest.trim_start_matches(|c: char| c.is_ascii_digit()).len())?;
        let (number, after) = rest.split_at_checked(digits)?;
        let mut after = after.chars();
        let unit = match after.next()? {
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            'd' => 86_400,
            _ => return None,
        };
        total = number
            .parse::<u32>()
            .ok()?
            .checked_mul(unit)?
            .checked_add(total)?;
        rest = after.as_str();
    }
    (total > 0 && i64::from(total) <= LONGEST).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_or_a_duration_is_parsed() {
        for (text, seconds) in [
            ("2h", 7_200),
            ("1d12h", 129_600),
            ("90m", 5_400),
            ("1h30m5s", 5_405),
            ("31d", 2_678_400),
        ] {
            assert_eq!(Since::parse(text), Ok(Since::SecondsAgo(seconds)), "{text}");
        }
        let time = Time::parse("2026-12-01T09:00:00Z").unwrap();
        assert_eq!(
            Since::parse("2026-12-01T10:00:00+01:00"),
            Ok(Since::At(time))
        );
        for text in [
            "",
            "2",
            "h",
            "0h",
            "2 h",
            "-2h",
            "2w",
            "32d",
            "1.5h",
            "9999999999s",
            "2026-12-01",
        ] {
            let error = Since::parse(text).unwrap_err();
            assert!(error.starts_with("expected a duration"), "{text}: {error}");
        }
        let error = Since::parse("2026-12-01T09:00Z").unwrap_err();
        assert!(error.contains("RFC 3339"), "{error}");
    }

    #[test]
    fn a_start_is_before_now_and_not_too_long_ago() {
        let now = 1_795_832_282_489;
        assert_eq!(Since::SecondsAgo(60).start(now), Ok(now - 60_000));
        let at = |seconds| Since::At(Time::from_seconds(seconds));
        assert_eq!(at(1_795_832_000).start(now), Ok(1_795_832_000_000));
        assert!(at(1_795_832_283).start(now).unwrap_err().contains("future"));
        assert!(at(0).start(now).unwrap_err().contains("31 days"));
        assert!(at(i64::MIN).start(now).is_err() && at(i64::MAX).start(now).is_err());
    }
}
