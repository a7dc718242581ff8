//! Moments, as policies write them (RFC 3339) and as they are compared: whole seconds.
//!
//! Core has no clock: whoever asks it says which moment it is.

use std::fmt;

const SECONDS_A_DAY: i64 = 86_400;
/// From 0000-03-01, where the calendar below begins to count, to 1970-01-01.
const DAYS_TO_1970: i64 = 719_468;
/// The calendar repeats after 400 years.
const DAYS_IN_400_YEARS: i64 = 146_097;

/// A moment: whole seconds since 1970-01-01T00:00:00Z, leap seconds not counted. Its `Display` is
/// RFC 3339 in UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(i64);

/// Why a text is no moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeError {
    /// It is not written as a moment is.
    Form,
    /// It names a day or an hour that does not exist.
    Range,
    /// It has parts of a second.
    Fraction,
}

impl TimeError {
    /// What to write instead, as an imperative.
    #[must_use]
    pub const fn help(self) -> &'static str {
        match self {
            Self::Form => "write date, time and zone as in `2026-12-01T09:00:00Z`",
            Self::Range => "write a day that the month has, hours to 23, minutes and seconds to 59",
            Self::Fraction => "write whole seconds, as in `2026-12-01T09:00:00Z`",
        }
    }
}

impl fmt::Display for TimeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Form => "not a moment of RFC 3339",
            Self::Range => "no such day or hour",
            Self::Fraction => "a part of a second",
        })
    }
}

impl std::error::Error for TimeError {}

impl Time {
    /// Before every other.
    pub(crate) const FIRST: Self = Self(i64::MIN);

    /// From seconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds)
    }

    /// From nanoseconds since then, as proxies tell the time.
    #[must_use]
    pub fn from_nanoseconds(nanoseconds: u64) -> Self {
        Self(i64::try_from(nanoseconds / 1_000_000_000).unwrap_or_default())
    }

    /// Seconds since 1970-01-01T00:00:00Z.
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
        let month = digits(&mut rest, 2)?;
        literal(&mut rest, b"-")?;
        let day = digits(&mut rest, 2)?;
        literal(&mut rest, b"T")?;
        let hour = digits(&mut rest, 2)?;
        literal(&mut rest, b":")?;
        let minute = digits(&mut rest, 2)?;
        literal(&mut rest, b":")?;
        let second = digits(&mut rest, 2)?;
        let offset = match rest {
            b"Z" => 0,
            [b'.', b'0'..=b'9', ..] => return Err(TimeError::Fraction),
            [sign @ (b'+' | b'-'), zone @ ..] => {
                let mut zone = zone;
                let hours = digits(&mut zone, 2)?;
                literal(&mut zone, b":")?;
                let minutes = digits(&mut zone, 2)?;
                if !zone.is_empty() {
                    return Err(TimeError::Form);
                }
                let offset = of_day(hours, minutes, 0)?;
                if *sign == b'-' {
                    offset.saturating_neg()
                } else {
                    offset
                }
            }
            _ => return Err(TimeError::Form),
        };
        if !(1..=12).contains(&month) || !(1..=days_in(year, month)).contains(&day) {
            return Err(TimeError::Range);
        }
        let midnight = days_from_1970(year, month, day).saturating_mul(SECONDS_A_DAY);
        let seconds = midnight.saturating_add(of_day(hour, minute, second)?);
        // In UTC too a year has four digits, or the moment could not be written.
        let moment = seconds.saturating_sub(offset);
        let years = days_from_1970(0, 1, 1)..days_from_1970(10_000, 1, 1);
        match years.contains(&moment.div_euclid(SECONDS_A_DAY)) {
            true => Ok(Self(moment)),
            false => Err(TimeError::Range),
        }
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = date(self.0.div_euclid(SECONDS_A_DAY));
        let second = self.0.rem_euclid(SECONDS_A_DAY);
        let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z"
        )
    }
}

fn digits(rest: &mut &[u8], count: usize) -> Result<i64, TimeError> {
    let (number, after) = rest.split_at_checked(count).ok_or(TimeError::Form)?;
    *rest = after;
    number.iter().try_fold(0_i64, |value, digit| {
        let digit = char::from(*digit).to_digit(10).ok_or(TimeError::Form)?;
        Ok(value.saturating_mul(10).saturating_add(digit.into()))
    })
}

fn literal(rest: &mut &[u8], wanted: &[u8]) -> Result<(), TimeError> {
    *rest = rest.strip_prefix(wanted).ok_or(TimeError::Form)?;
    Ok(())
}

/// Seconds since midnight.
fn of_day(hour: i64, minute: i64, second: i64) -> Result<i64, TimeError> {
    if hour > 23 || minute > 59 || second > 59 {
        return Err(TimeError::Range);
    }
    let minutes = hour.saturating_mul(60).saturating_add(minute);
    Ok(minutes.saturating_mul(60).saturating_add(second))
}

fn days_in(year: i64, month: i64) -> i64 {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01, in the calendar that runs back for ever. Years are taken to begin in March,
/// so that the day that comes every four years is the last of its year.
#[expect(
    clippy::arithmetic_side_effects,
    reason = "a year has four digits, so all numbers are small"
)]
fn days_from_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let month = (month + 9) % 12;
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    year * 365 + leap_days + (153 * month + 2) / 5 + day - 1 - DAYS_TO_1970
}

/// The year, month and day of a number of days since 1970-01-01.
#[expect(
    clippy::arithmetic_side_effects,
    reason = "seconds of 64 bits are 47 bits of days, so nothing is near the end"
)]
fn date(days: i64) -> (i64, i64, i64) {
    let days = days + DAYS_TO_1970;
    let (cycle, day) = (
        days.div_euclid(DAYS_IN_400_YEARS),
        days.rem_euclid(DAYS_IN_400_YEARS),
    );
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let (year, month) = match month {
        10.. => (year + 1, month - 9),
        _ => (year, month + 3),
    };
    (cycle * 400 + year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes_moments() {
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
            let time = Time(first + day * SECONDS_A_DAY);
            let text = time.to_string();
            assert_eq!(Time::parse(&text), Ok(time), "{text}");
            assert!(text > before, "{text}");
            before = text;
        }
        assert_eq!(before, "2399-12-31T00:00:00Z");
    }

    #[test]
    fn says_what_is_no_moment() {
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
            // In UTC its year is none of four digits.
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
