//! Quiet times, compared with the clock itself.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use proptest::prelude::*;
use turnout_core::Time;

use crate::{Days, MinuteOfDay, QuietTime, RollPlan};

fn plan(quiet: &str) -> RollPlan {
    let text = format!(
        r#"{{ "version": 1, "policy": "p", "rollout": "r", "steps": [{{ "name": "a", "accounts": 1 }}], "quiet": {quiet} }}"#
    );
    RollPlan::parse(&text).expect("a plan")
}

fn at(text: &str) -> Time {
    Time::parse(text).expect("a time")
}

fn until(plan: &RollPlan, now: &str) -> Option<String> {
    plan.quiet_until(at(now)).map(|time| time.to_string())
}

#[test]
fn a_window_is_on_its_days_and_may_end_on_the_next_one() {
    // The evenings before three days of a weekend, until the morning after.
    let plan = plan(
        r#"[{ "days": ["fri", "sat"], "from": "18:00", "to": "08:00", "time_zone": "Europe/Berlin" }]"#,
    );
    // 2026-12-04 is a Friday, and Berlin is one hour ahead of UTC.
    for (now, expected) in [
        ("2026-12-04T16:59:59Z", None),
        ("2026-12-04T17:00:00Z", Some("2026-12-05T07:00:00Z")),
        ("2026-12-05T06:59:59Z", Some("2026-12-05T07:00:00Z")),
        ("2026-12-05T07:00:00Z", None),
        ("2026-12-06T05:00:00Z", Some("2026-12-06T07:00:00Z")),
        ("2026-12-06T18:00:00Z", None),
    ] {
        assert_eq!(until(&plan, now).as_deref(), expected, "{now}");
    }
}

#[test]
fn windows_that_follow_each_other_are_one() {
    let plan = plan(
        r#"[{ "days": ["sat", "sun"], "from": "00:00", "to": "24:00" }, { "from": "20:00", "to": "06:00" }, { "days": ["mon"], "from": "05:00", "to": "09:30" }]"#,
    );
    for (now, expected) in [
        ("2026-12-04T19:59:59Z", None),
        ("2026-12-04T20:00:00Z", Some("2026-12-07T09:30:00Z")),
        ("2026-12-06T12:00:00Z", Some("2026-12-07T09:30:00Z")),
        ("2026-12-07T09:30:00Z", None),
        ("2026-12-07T23:00:00Z", Some("2026-12-08T06:00:00Z")),
    ] {
        assert_eq!(until(&plan, now).as_deref(), expected, "{now}");
    }
}

#[test]
fn a_window_includes_both_times_of_a_clock_that_is_set_back() {
    // On 2026-10-25 at 01:00 UTC, Berlin goes from 03:00 back to 02:00.
    let plan = plan(r#"[{ "from": "02:30", "to": "02:45", "time_zone": "Europe/Berlin" }]"#);
    for (now, expected) in [
        ("2026-10-25T00:29:59Z", None),
        ("2026-10-25T00:30:00Z", Some("2026-10-25T01:45:00Z")),
        ("2026-10-25T01:10:00Z", Some("2026-10-25T01:45:00Z")),
        ("2026-10-25T01:45:00Z", None),
        ("2026-10-26T01:30:00Z", Some("2026-10-26T01:45:00Z")),
    ] {
        assert_eq!(until(&plan, now).as_deref(), expected, "{now}");
    }
}

#[test]
fn a_window_whose_bound_the_clock_skips_begins_or_ends_then() {
    // On 2026-03-29 at 01:00 UTC, Berlin goes from 02:00 to 03:00.
    let begins = plan(r#"[{ "from": "02:30", "to": "04:00", "time_zone": "Europe/Berlin" }]"#);
    assert_eq!(until(&begins, "2026-03-29T00:59:59Z"), None);
    assert_eq!(
        until(&begins, "2026-03-29T01:00:00Z").as_deref(),
        Some("2026-03-29T02:00:00Z")
    );
    let ends = plan(r#"[{ "from": "01:00", "to": "02:30", "time_zone": "Europe/Berlin" }]"#);
    assert_eq!(
        until(&ends, "2026-03-29T00:00:00Z").as_deref(),
        Some("2026-03-29T01:00:00Z")
    );
    assert_eq!(until(&ends, "2026-03-29T01:00:00Z"), None);
    // Both bounds are skipped, so there is no window on this day.
    let within = plan(r#"[{ "from": "02:10", "to": "02:50", "time_zone": "Europe/Berlin" }]"#);
    assert_eq!(until(&within, "2026-03-29T01:00:00Z"), None);
}

#[test]
fn a_day_that_a_time_zone_skips_has_no_window() {
    // Samoa had no 2011-12-30: after 24:00 on the 29th (UTC-10) came 00:00 on the 31st (UTC+14).
    let plan = plan(
        r#"[{ "days": ["fri"], "from": "00:00", "to": "24:00", "time_zone": "Pacific/Apia" }]"#,
    );
    for hour in 0..48 {
        let now = at("2011-12-29T12:00:00Z").seconds() + hour * 3_600;
        assert_eq!(plan.quiet_until(Time::from_seconds(now)), None, "{hour}");
    }
}

#[test]
fn extreme_times_do_not_panic() {
    let plan = plan(r#"[{ "from": "18:00", "to": "08:00", "time_zone": "Asia/Kathmandu" }]"#);
    for seconds in [i64::MIN, -377_705_023_201, 0, 253_402_207_200, i64::MAX] {
        let _ = plan.quiet_until(Time::from_seconds(seconds));
    }
}

const ZONES: [&str; 6] = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    // Half an hour of daylight saving.
    "Australia/Lord_Howe",
    // The clock is set at midnight.
    "America/Santiago",
    // Two changes in Ramadan.
    "Africa/Casablanca",
];

/// The windows, and how each of them is written.
fn windows() -> impl Strategy<Value = Vec<(u8, u16, u16, usize)>> {
    proptest::collection::vec(
        (1_u8..0x80, 0_u16..1_440, 1_u16..=1_440, 0..ZONES.len()),
        1..4,
    )
}

/// Whether the clock shows a time in the window.
fn shows(window: &(u8, u16, u16, usize), seconds: i64) -> bool {
    let (days, from, to, zone) = *window;
    let zone = TimeZone::get(ZONES[zone]).expect("a zone");
    let clock = zone.to_datetime(Timestamp::from_second(seconds).expect("a time"));
    let minute = u16::try_from(i32::from(clock.hour()) * 60 + i32::from(clock.minute()));
    let minute = minute.expect("a minute of the day");
    let is_on = |date: jiff::civil::Date| {
        let day = date.weekday().to_monday_zero_offset();
        days & (1 << day) != 0
    };
    let today = is_on(clock.date());
    let yesterday = is_on(clock.date().yesterday().expect("a day"));
    if to > from {
        today && (from..to).contains(&minute)
    } else {
        today && minute >= from || yesterday && minute < to
    }
}

fn quiet(window: &(u8, u16, u16, usize)) -> QuietTime {
    let (days, from, to, zone) = *window;
    let clock = |minute: u16| {
        let text = format!("{:02}:{:02}", minute / 60, minute % 60);
        MinuteOfDay::parse(&text).expect("a time of day")
    };
    let all = "mon tue wed thu fri sat sun".split(' ');
    let weekdays = [
        jiff::civil::Weekday::Monday,
        jiff::civil::Weekday::Tuesday,
        jiff::civil::Weekday::Wednesday,
        jiff::civil::Weekday::Thursday,
        jiff::civil::Weekday::Friday,
        jiff::civil::Weekday::Saturday,
        jiff::civil::Weekday::Sunday,
    ];
    let on = all.zip(weekdays).enumerate();
    let on = on.filter(|(index, _)| days & (1 << index) != 0);
    QuietTime {
        days: on.fold(Days::NONE, |days, (_, (_, day))| days.with(day)),
        from: clock(from),
        to: clock(to),
        time_zone: TimeZone::get(ZONES[zone]).expect("a zone"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// A time is quiet exactly if the clock shows a time in a window. Only a clock that is set back can end a window
    /// later than it shows, because it shows a time twice.
    #[test]
    fn quiet_times_are_those_that_the_clock_shows(windows in windows(), minutes in 0_i64..1_200_000) {
        let now = at("2025-01-01T00:00:00Z").seconds() + minutes * 60;
        let mut plan = plan("[]");
        plan.quiet = windows.iter().map(quiet).collect();
        let until = plan.quiet_until(Time::from_seconds(now));
        let is_shown = |seconds: i64| windows.iter().any(|window| shows(window, seconds));
        let is_shown_before_or_after = |seconds: i64| {
            (-60..=60).any(|minutes| is_shown(seconds + minutes * 60))
        };
        match until {
            None => prop_assert!(!is_shown(now)),
            Some(until) => {
                prop_assert!(until.seconds() > now);
                let end = until.seconds().min(now + 2 * 86_400);
                for minute in (now..end).step_by(60) {
                    prop_assert!(is_shown_before_or_after(minute), "{}", Time::from_seconds(minute));
                }
                if until.seconds() < now + 8 * 86_400 {
                    prop_assert!(!is_shown(until.seconds()));
                    prop_assert_eq!(plan.quiet_until(until), None);
                    let before = Time::from_seconds(until.seconds() - 1);
                    prop_assert_eq!(plan.quiet_until(before), Some(until));
                }
            }
        }
    }
}
