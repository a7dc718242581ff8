//! Compiles the quiet times of the plan document.

use jiff::civil::Weekday;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use turnout_core::Problem;
use turnout_core::Time;
use turnout_core::json::{Field, JsonPointer, List, Located, LocatedText, Reader, Span, excerpt};
use turnout_text::nearest;

use crate::quiet_time::{Days, MinuteOfDay, QuietTime, quiet_until};

use super::code::PlanCode;
use super::compile::{items, required};
use super::document::RawQuiet;
use super::read::expected;

const DAYS: [(&str, Weekday); 7] = [
    ("mon", Weekday::Monday),
    ("tue", Weekday::Tuesday),
    ("wed", Weekday::Wednesday),
    ("thu", Weekday::Thursday),
    ("fri", Weekday::Friday),
    ("sat", Weekday::Saturday),
    ("sun", Weekday::Sunday),
];

/// The Thursday from which a search for a time that is not quiet begins.
const ANY_TIME: Time = Time::from_seconds(1_767_225_600);
/// A quiet time that is longer has no end, because the windows of a plan repeat every week.
const WEEK_SECONDS: i64 = 7 * 86_400;

pub(super) fn windows(
    reader: &mut Reader<'_>,
    at: &JsonPointer<'_>,
    given: &Field<Located<List<Located<RawQuiet<'_>>>>>,
) -> Option<Vec<QuietTime>> {
    let given = match given {
        Field::Absent => return Some(Vec::new()),
        Field::Bad => return None,
        Field::Given(given) => given,
    };
    let list = Field::Given(given.value.clone());
    let windows = items(&list, |index, given| {
        window(reader, (given.span, &at.index(index)), &given.value)
    })?;
    let until = quiet_until(&windows, ANY_TIME);
    let latest = ANY_TIME.seconds().saturating_add(WEEK_SECONDS);
    if until.is_some_and(|until| until.seconds() > latest) {
        let problem = PlanCode::AlwaysQuiet.problem(
            "the quiet times leave no time of the week at which the rollout can move on",
            "remove a window, or make one shorter",
        );
        reader.report(given.span.head(), at, problem);
    }
    Some(windows)
}

fn window(
    reader: &mut Reader<'_>,
    place: (Span, &JsonPointer<'_>),
    given: &RawQuiet<'_>,
) -> Option<QuietTime> {
    let at = place.1;
    let days = days(reader, &at.field("days"), &given.days);
    let from = required(reader, place, "from", expected::CLOCK, &given.from);
    let from = from.and_then(|text| {
        let latest = "write a time from 00:00 to 23:59";
        let found = clock(reader, &at.field("from"), text, latest, MinuteOfDay::LAST)?;
        Some((found, text.span))
    });
    let to = required(reader, place, "to", expected::CLOCK, &given.to);
    let to = to.and_then(|text| {
        let latest = "write a time from 00:00 to 24:00";
        clock(reader, &at.field("to"), text, latest, MinuteOfDay::END)
    });
    let time_zone = match &given.time_zone {
        Field::Absent => Some(TimeZone::UTC),
        Field::Bad => None,
        Field::Given(name) => time_zone(reader, &at.field("time_zone"), name),
    };
    let ((from, span), to) = (from?, to?);
    if from == to {
        let problem = PlanCode::EmptyWindow.problem(
            "`from` and `to` are the same time",
            "write 00:00 and 24:00 for a whole day",
        );
        reader.report(span, &at.field("from"), problem);
        return None;
    }
    Some(QuietTime {
        days: days?,
        from,
        to,
        time_zone: time_zone?,
    })
}

fn days(
    reader: &mut Reader<'_>,
    at: &JsonPointer<'_>,
    given: &Field<List<LocatedText<'_>>>,
) -> Option<Days> {
    let list = match given {
        Field::Absent => return Some(Days::ALL),
        Field::Bad => return None,
        Field::Given(list) => list,
    };
    if list.value.is_empty() {
        let problem = Problem::empty_list("the list of days", "name one, or remove the list");
        reader.report(list.span, at, problem);
        return None;
    }
    let days = items(given, |index, word| {
        reader.one_of_words(&at.index(index), "day", DAYS, word)
    })?;
    Some(days.into_iter().fold(Days::NONE, Days::with))
}

fn clock(
    reader: &mut Reader<'_>,
    at: &JsonPointer<'_>,
    text: &LocatedText<'_>,
    instead: &str,
    latest: MinuteOfDay,
) -> Option<MinuteOfDay> {
    let time = MinuteOfDay::parse(&text.value).filter(|time| *time <= latest);
    if time.is_none() {
        let what = format!("`{}` is not a time of day", excerpt(&text.value));
        reader.report(
            text.span,
            at,
            PlanCode::MalformedClock.problem(what, instead),
        );
    }
    time
}

fn time_zone(
    reader: &mut Reader<'_>,
    at: &JsonPointer<'_>,
    name: &LocatedText<'_>,
) -> Option<TimeZone> {
    // The database is part of the command, so that the same plan has the same times on each machine.
    let database = TimeZoneDatabase::bundled();
    if let Ok(zone) = database.get(&name.value) {
        return Some(zone);
    }
    let known: Vec<String> = database.available().map(|name| name.to_string()).collect();
    let instead = match nearest(&name.value, &known) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "write a name of the IANA database, such as `Europe/Berlin`".into(),
    };
    let what = format!("unknown time zone `{}`", excerpt(&name.value));
    reader.report(
        name.span,
        at,
        PlanCode::UnknownTimeZone.problem(what, instead),
    );
    None
}
