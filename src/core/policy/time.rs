//! Points in time, in whole seconds: parsed from RFC 3339 and compared as numbers.
//!
//! Core has no clock, so its callers pass the current time.
//!
//! The calendar is that of the crate `time`. The form is read by hand, because the errors say whether a
//! text is not RFC 3339, names a day that does not exist, or has fractional seconds, which the crate's
//! parser accepts.

use std::fmt;

use time::{Date, Month, OffsetDateTime};

/// A point in time: whole seconds since 1970-01-01T00:00:00Z, without leap seconds. `Display` writes RFC 3339 in
/// UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(i64);

/// Why a text is not a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeError {
    /// It is not RFC 3339.
    Form,
    /// It has a date or time of day that does not exist.
    Range,
    /// It has fractions of a second.
    Fraction,
}

impl TimeError {
    /// What to write instead, as an imperative.
    #[must_use]
    pub const fn help(self) -> &'static str {
        match self {
            Self::Form => "write date, time and time zone, as in `2026-12-01T09:00:00Z`",
            Self::Range => {
                "write a day that exists in the month, hours up to 23, and minutes and seconds up to 59"
            }
            Self::Fraction => "write whole seconds, as in `2026-12-01T09:00:00Z`",
        }
    }
}

impl fmt::Display for TimeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Form => "expected an RFC 3339 time",
            Self::Range => "no such date or time",
            Self::Fraction => "fractions of a second are not supported",
        })
    }
}

impl std::error::Error for TimeError {}

impl Time {
    /// The earliest time.
    pub(crate) const FIRST: Self = Self(i64::MIN);

    /// Creates a time from seconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds)
    }

    /// Creates a time from nanoseconds since 1970-01-01T00:00:00Z, the clock of a proxy.
    #[must_use]
    pub fn from_nanoseconds(nanoseconds: u64) -> Self {
        Self(i64::try_from(nanoseconds / 1_000_000_000).unwrap_or_default())
    }

    /// Returns the seconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn seconds(self) -> i64 {
        self.0
    }

    /// Reads `2026-12-01T09:00:00Z`; a zone may be an offset too, `+01:00`.
    ///
    /// # Errors
    /// When the text has another form, or names a day or an hour that does not exist.
    pub fn parse(text: &str) -> Result<Self, TimeError> {
        let mut rest = text.as_bytes();
        let year = digits(&mut rest, 4)?;
        literal(&mut rest, b"-")?;
        let month = two_digits(&mut rest)?;
        literal(&mut rest, b"-")?;
        let day = two_digits(&mut rest)?;
        literal(&mut rest, b"T")?;
        let hour = two_digits(&mut rest)?;
        literal(&mut rest, b":")?;
        let minute = two_digits(&mut rest)?;
        literal(&mut rest, b":")?;
        let second = two_digits(&mut rest)?;
        let offset = match rest {
            b"Z" => 0,
            [b'.', b'0'..=b'9', ..] => return Err(TimeError::Fraction),
            [sign @ (b'+' | b'-'), zone @ ..] => {
                let mut zone = zone;
                let hours = two_digits(&mut zone)?;
                literal(&mut zone, b":")?;
                let minutes = two_digits(&mut zone)?;
                if !zone.is_empty() {
                    return Err(TimeError::Form);
                }
                let offset = seconds_of_day(hours, minutes, 0)?;
                if *sign == b'-' {
                    offset.saturating_neg()
                } else {
                    offset
                }
            }
            _ => return Err(TimeError::Form),
        };
        let month = Month::try_from(month).map_err(|_| TimeError::Range)?;
        let date = Date::from_calendar_date(year.into(), month, day);
        let midnight = date.map_err(|_| TimeError::Range)?.midnight().assume_utc();
        let seconds = seconds_of_day(hour, minute, second)?.saturating_sub(offset);
        let time = Self(midnight.unix_timestamp().saturating_add(seconds));
        // The year must have four digits in UTC too, or the time could not be written.
        match time.date_time() {
            Some(in_utc) if in_utc.year() >= 0 => Ok(time),
            _ => Err(TimeError::Range),
        }
    }

    /// `None` if the year has more than four digits.
    fn date_time(self) -> Option<OffsetDateTime> {
        OffsetDateTime::from_unix_timestamp(self.0).ok()
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(time) = self.date_time() else {
            return write!(f, "{} seconds after 1970-01-01T00:00:00Z", self.0);
        };
        let (year, month, day) = time.to_calendar_date();
        let (hour, minute, second) = time.to_hms();
        write!(
            f,
            "{year:04}-{:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z",
            u8::from(month)
        )
    }
}

fn digits(rest: &mut &[u8], count: usize) -> Result<u16, TimeError> {
    let (number, after) = rest.split_at_checked(count).ok_or(TimeError::Form)?;
    *rest = after;
    number.iter().try_fold(0_u16, |value, digit| match digit {
        b'0'..=b'9' => {
            let digit = u16::from(digit.wrapping_sub(b'0'));
            Ok(value.saturating_mul(10).saturating_add(digit))
        }
        _ => Err(TimeError::Form),
    })
}

fn two_digits(rest: &mut &[u8]) -> Result<u8, TimeError> {
    u8::try_from(digits(rest, 2)?).map_err(|_| TimeError::Form)
}

fn literal(rest: &mut &[u8], wanted: &[u8]) -> Result<(), TimeError> {
    *rest = rest.strip_prefix(wanted).ok_or(TimeError::Form)?;
    Ok(())
}

/// Returns the seconds since midnight.
fn seconds_of_day(hour: u8, minute: u8, second: u8) -> Result<i64, TimeError> {
    let time = time::Time::from_hms(hour, minute, second).map_err(|_| TimeError::Range)?;
    Ok(time.duration_since(time::Time::MIDNIGHT).whole_seconds())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes_times() {
        for (text, seconds) in [
            ("1970-01-01T00:00:00Z", 0),
            ("1969-12-31T23:59:59Z", -1),
            ("2000-02-29T12:00:00Z", 951_825_600),
            ("2026-12-01T09:00:00Z", 1_796_115_600),
            ("2100-03-01T00:00:00Z", 4_107_542_400),
            ("9999-12-31T23:59:59Z", 253_402_300_799),
            ("0000-03-01T00:00:00Z", -62_162_035_200),
        ] {
            assert_eq!(Time::parse(text), Ok(Time(seconds)), "{text}");
            assert_eq!(Time(seconds).to_string(), text);
        }
        for (text, utc) in [
            ("2026-12-01T10:00:00+01:00", "2026-12-01T09:00:00Z"),
            ("2026-11-30T22:30:00-10:30", "2026-12-01T09:00:00Z"),
        ] {
            assert_eq!(Time::parse(text), Time::parse(utc), "{text}");
        }
    }

    #[test]
    fn every_day_of_800_years_comes_back() {
        let first = Time::parse("1600-01-01T00:00:00Z").unwrap().seconds();
        let mut before = String::new();
        for day in 0..292_194 {
            let time = Time(first + day * 86_400);
            let text = time.to_string();
            assert_eq!(Time::parse(&text), Ok(time), "{text}");
            assert!(text > before, "{text}");
            before = text;
        }
        assert_eq!(before, "2399-12-31T00:00:00Z");
    }

    #[test]
    fn explains_invalid_times() {
        use TimeError::{Form, Fraction, Range};
        for (text, why) in [
            ("", Form),
            ("2026-12-01", Form),
            ("2026-12-01T09:00:00", Form),
            ("2026-12-01 09:00:00Z", Form),
            ("2026-12-01T09:00Z", Form),
            ("26-12-01T09:00:00Z", Form),
            ("2026-12-01T09:00:00ZZ", Form),
            ("2026-12-01T09:00:00+0100", Form),
            ("2026-12-01T09:00:00+01:00Z", Form),
            ("２026-12-01T09:00:00Z", Form),
            ("2026-12-01T09:00:00.5Z", Fraction),
            ("2026-02-29T09:00:00Z", Range),
            ("1900-02-29T09:00:00Z", Range),
            ("2026-13-01T09:00:00Z", Range),
            ("2026-00-01T09:00:00Z", Range),
            ("2026-12-00T09:00:00Z", Range),
            // The year in UTC does not have four digits.
            ("0000-01-01T00:00:00+00:01", Range),
            ("9999-12-31T23:59:59-00:01", Range),
            ("2026-12-01T24:00:00Z", Range),
            ("2026-12-01T09:60:00Z", Range),
            ("2026-12-01T09:00:60Z", Range),
            ("2026-12-01T09:00:00+24:00", Range),
        ] {
            assert_eq!(Time::parse(text), Err(why), "{text}");
        }
    }
}
