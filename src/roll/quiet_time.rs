//! The times at which a rollout does not move on.

use jiff::Timestamp;
use jiff::civil::{DateTime, Time as CivilTime, Weekday};
use jiff::tz::{AmbiguousOffset, TimeZone};
use turnout_core::Time;

use crate::plan::RollPlan;

/// The windows of a plan repeat every week, apart from changes of the clock. If a quiet time lasts longer than this, it
/// does not end.
const LONGEST_SECONDS: i64 = 9 * SECONDS_PER_DAY;
const SECONDS_PER_DAY: i64 = 86_400;

/// A window of the week in which a rollout does not move on. It begins on each of its days.
#[derive(Clone, Debug, PartialEq)]
pub struct QuietTime {
    /// The days on which the window begins.
    pub days: Days,
    /// When it begins.
    pub from: MinuteOfDay,
    /// When it ends: on the same day if it is later than `from`, and otherwise on the day after.
    pub to: MinuteOfDay,
    /// The time zone of the clock. If the clock is set back inside the window or at its bounds, the window includes
    /// both times that the clock shows. If the clock skips a bound, the window begins or ends when the clock is set.
    pub time_zone: TimeZone,
}

/// A set of days of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Days(u8);

impl Days {
    /// Every day.
    pub const ALL: Self = Self(0x7f);
    /// No day.
    pub const NONE: Self = Self(0);

    /// Adds a day.
    #[must_use]
    pub fn with(self, day: Weekday) -> Self {
        Self(self.0 | Self::bit(day))
    }

    /// Whether the day is one of them.
    #[must_use]
    pub fn contains(self, day: Weekday) -> bool {
        self.0 & Self::bit(day) != 0
    }

    fn bit(day: Weekday) -> u8 {
        match day {
            Weekday::Monday => 1,
            Weekday::Tuesday => 1 << 1,
            Weekday::Wednesday => 1 << 2,
            Weekday::Thursday => 1 << 3,
            Weekday::Friday => 1 << 4,
            Weekday::Saturday => 1 << 5,
            Weekday::Sunday => 1 << 6,
        }
    }
}

/// A time of day in whole minutes, from 00:00 to 24:00.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MinuteOfDay(u16);

impl MinuteOfDay {
    /// The end of a day, 24:00.
    pub const END: Self = Self(24 * 60);
    /// The last minute of a day, 23:59.
    pub const LAST: Self = Self(24 * 60 - 1);

    /// Parses `HH:MM`; `None` if it is not a time of day.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let [h1, h2, b':', m1, m2] = *text.as_bytes() else {
            return None;
        };
        let digits = [h1, h2, m1, m2].map(|digit| digit.wrapping_sub(b'0'));
        if digits.iter().any(|digit| *digit > 9) {
            return None;
        }
        let [h1, h2, m1, m2] = digits.map(u16::from);
        let number = |tens: u16, ones: u16| tens.saturating_mul(10).saturating_add(ones);
        let (hour, minute) = (number(h1, h2), number(m1, m2));
        let time = Self(hour.saturating_mul(60).saturating_add(minute));
        (minute < 60 && time <= Self::END).then_some(time)
    }
}

impl RollPlan {
    /// Returns when the rollout may move again, if `now` is in a quiet time. Windows that overlap or follow each other
    /// count as one. If they have no gap in a week, the result is more than a week after `now`.
    #[must_use]
    pub fn quiet_until(&self, now: Time) -> Option<Time> {
        quiet_until(&self.quiet, now)
    }
}

/// Returns when the windows that contain `now` end.
pub(crate) fn quiet_until(windows: &[QuietTime], now: Time) -> Option<Time> {
    let latest = now.seconds().saturating_add(LONGEST_SECONDS);
    let mut until = now;
    while until.seconds() < latest {
        let ends = windows.iter().filter_map(|window| window.end_of(until));
        match ends.max() {
            Some(end) if end > until => until = end,
            _ => break,
        }
    }
    (until > now).then_some(until)
}

impl QuietTime {
    /// Returns the end of the window that contains a time.
    fn end_of(&self, time: Time) -> Option<Time> {
        let now = Timestamp::from_second(time.seconds()).ok()?;
        let today = self.time_zone.to_datetime(now).date();
        // A window lasts two days at most. Where the clock is set back over midnight, it shows a day again.
        let days = [today.tomorrow(), Ok(today), today.yesterday()];
        let before = today.yesterday().and_then(jiff::civil::Date::yesterday);
        let days = days.into_iter().chain([before]).filter_map(Result::ok);
        let days = days.filter(|day| self.days.contains(day.weekday()));
        let ends = days.filter_map(|day| {
            let end_day = match self.to > self.from {
                true => day,
                false => day.tomorrow().ok()?,
            };
            let start = first_instant(&self.time_zone, clock(day, self.from)?)?;
            let end = last_instant(&self.time_zone, clock(end_day, self.to)?)?;
            (start <= now && now < end).then(|| Time::from_seconds(end.as_second()))
        });
        ends.max()
    }
}

/// Returns what the clock shows at a time of a day.
fn clock(day: jiff::civil::Date, time: MinuteOfDay) -> Option<DateTime> {
    if time == MinuteOfDay::END {
        return Some(day.tomorrow().ok()?.to_datetime(CivilTime::midnight()));
    }
    let (hour, minute) = (time.0 / 60, time.0 % 60);
    let hour = i8::try_from(hour).ok()?;
    let minute = i8::try_from(minute).ok()?;
    Some(day.to_datetime(CivilTime::new(hour, minute, 0, 0).ok()?))
}

/// Returns when the clock first shows a time, or when it skips it.
fn first_instant(zone: &TimeZone, clock: DateTime) -> Option<Timestamp> {
    match zone.to_ambiguous_timestamp(clock).offset() {
        AmbiguousOffset::Unambiguous { offset } => offset.to_timestamp(clock).ok(),
        AmbiguousOffset::Fold { before, .. } => before.to_timestamp(clock).ok(),
        AmbiguousOffset::Gap { after, .. } => set_forward(zone, after.to_timestamp(clock).ok()?),
    }
}

/// Returns when the clock last shows a time, or when it skips it.
fn last_instant(zone: &TimeZone, clock: DateTime) -> Option<Timestamp> {
    match zone.to_ambiguous_timestamp(clock).offset() {
        AmbiguousOffset::Unambiguous { offset } => offset.to_timestamp(clock).ok(),
        AmbiguousOffset::Fold { after, .. } => after.to_timestamp(clock).ok(),
        AmbiguousOffset::Gap { after, .. } => set_forward(zone, after.to_timestamp(clock).ok()?),
    }
}

/// Returns when the clock skips a time: the first change of the clock after `before`, which is before the change.
fn set_forward(zone: &TimeZone, before: Timestamp) -> Option<Timestamp> {
    let change = zone.following(before).next();
    change.map(|change| change.timestamp())
}
