//! Parses the times of a log.

use turnout_core::Time;

/// The time of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LogTime {
    pub(crate) second: Time,
    /// Milliseconds since the second began.
    pub(crate) millisecond: u16,
}

impl LogTime {
    /// Parses RFC 3339, with or without fractions of a second, or seconds since 1970.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?;
        let Some((whole, parts)) = text.split_once('.') else {
            let seconds = text.parse().ok().map(Time::from_seconds);
            let second = seconds.or_else(|| Time::parse(text).ok())?;
            return Some(Self {
                second,
                millisecond: 0,
            });
        };
        let zone = parts.trim_start_matches(|c: char| c.is_ascii_digit());
        let second = match whole.parse() {
            Ok(seconds) => Time::from_seconds(seconds),
            Err(_) => Time::parse(&[whole, zone].concat()).ok()?,
        };
        Some(Self {
            second,
            millisecond: milliseconds(parts),
        })
    }

    /// Milliseconds since 1970.
    pub(crate) fn milliseconds(self) -> i64 {
        let seconds = self.second.seconds().saturating_mul(1_000);
        seconds.saturating_add(self.millisecond.into())
    }
}

/// The milliseconds of a text that begins with the decimals of a second.
fn milliseconds(decimals: &str) -> u16 {
    let mut digits = decimals.chars().map_while(|c| c.to_digit(10));
    let thousandths = (0..3).fold(0_u32, |sum, _| {
        let digit = digits.next().unwrap_or(0);
        sum.saturating_mul(10).saturating_add(digit)
    });
    u16::try_from(thousandths).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_to_the_millisecond() {
        for (text, expected) in [
            ("1970-01-01T00:00:01Z", Some(1_000)),
            ("1970-01-01T00:00:01.5Z", Some(1_500)),
            ("1970-01-01T00:00:01.0459999+00:00", Some(1_045)),
            ("1970-01-01T00:00:01.Z", Some(1_000)),
            ("12", Some(12_000)),
            ("12.34", Some(12_340)),
            ("-1", Some(-1_000)),
            ("9223372036854775807", Some(i64::MAX)),
            ("9223372036854775808", None),
            ("yesterday", None),
            ("a.b", None),
            ("", None),
            ("\u{e9}.1", None),
        ] {
            let found = LogTime::parse(text.as_bytes()).map(LogTime::milliseconds);
            assert_eq!(found, expected, "{text}");
        }
        assert_eq!(LogTime::parse(b"\xff"), None);
    }
}
