//! Compiles the plan document to a plan, and checks what its types cannot express. What depends on the policy is checked
//! with it.
//!
//! Each function reports its problems and continues, so that all problems are found at once. A function that returns
//! `None` has reported why.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use turnout_core::json::{
    Field, JsonPointer, List, Located, LocatedText, Number, Reader, Span, excerpt,
};
use turnout_core::{ErrorCode, Fraction, Problem, Severity};
use turnout_text::{is_dns_label, nearest};

use crate::webhook;

use super::code::PlanCode;
use super::document::{RawBake, RawForbid, RawOnNotEnoughData, RawPlan, RawStep};
use super::read::expected;
use super::{
    Bake, Forbidden, OnNotEnoughData, OnRegressed, RollPlan, RollStep, RuleChange, Then, quiet,
};

/// The bounds of `excess_percent`, in millionths of a percent.
const EXCESS: RangeInclusive<u32> = 1_000..=50_000_000;
const DEFAULT_EXCESS: u32 = 100_000;
const RULE_NUMBER: RangeInclusive<u64> = 1..=100;
const BAKE_REQUESTS: RangeInclusive<u64> = 1..=1_000_000_000_000;
/// The minutes of a year.
const MOST_MINUTES: u64 = 525_600;

/// The place of an object: its location and its path.
type Place<'p> = (Span, &'p JsonPointer<'p>);

pub(crate) fn plan(reader: &mut Reader<'_>, raw: &RawPlan<'_>) -> Option<RollPlan> {
    let root = &JsonPointer::Root;
    let whole = (reader.whole_span(), root);
    version(reader, whole, &raw.version);
    let policy = required(reader, whole, "policy", expected::POLICY, &raw.policy);
    let policy = policy.and_then(|path| policy_path(reader, &root.field("policy"), path));
    let rollout = required(reader, whole, "rollout", expected::ROLLOUT, &raw.rollout);
    let excess = excess(reader, &root.field("excess_percent"), &raw.excess_percent);
    let steps = required(reader, whole, "steps", expected::STEPS, &raw.steps);
    let steps = steps.and_then(|list| steps_of(reader, &root.field("steps"), list));
    let names = step_names(raw);
    let forbidden = items(&raw.forbid, |index, given| {
        let at = root.field("forbid");
        forbid(reader, (given.span, &at.index(index)), &given.value, &names)
    });
    let on_regressed = word(
        reader,
        &root.field("on_regressed"),
        "action",
        &raw.on_regressed,
        || [OnRegressed::Halt, OnRegressed::PreviousStep].map(|one| (one.as_str(), one)),
    );
    let at = root.field("on_not_enough_data");
    let on_not_enough_data = match &raw.on_not_enough_data {
        Field::Absent => Some(OnNotEnoughData::default()),
        Field::Bad => None,
        Field::Given(given) => not_enough_data(reader, &at, &given.value),
    };
    let quiet = quiet::windows(reader, &root.field("quiet"), &raw.quiet);
    let notify = items(&raw.notify, |index, given| {
        url(reader, &root.field("notify").index(index), given)
    });
    Some(RollPlan {
        policy: policy?,
        rollout: rollout?.value.clone().into_owned(),
        excess: excess?,
        steps: steps?,
        forbidden: forbidden?,
        on_regressed: on_regressed?,
        on_not_enough_data: on_not_enough_data?,
        quiet: quiet?,
        notify: notify?,
    })
}

fn version(reader: &mut Reader<'_>, whole: Place<'_>, version: &Field<Number<'_>>) {
    if let Some(number) = required(reader, whole, "version", expected::VERSION, version)
        && number.value != "1"
    {
        let problem = Problem::of_document(
            Severity::Error,
            ErrorCode::UnknownVersion.as_str(),
            format!("unknown version {}", excerpt(number.value)),
            "write 1".into(),
        );
        reader.report(number.span, &whole.1.field("version"), problem);
    }
}

fn policy_path(
    reader: &mut Reader<'_>,
    at: &JsonPointer<'_>,
    path: &LocatedText<'_>,
) -> Option<String> {
    if path.value.is_empty() {
        let problem = Problem::of_document(
            Severity::Error,
            ErrorCode::MalformedPath.as_str(),
            "the path is empty".into(),
            "write the path of the policy, relative to the folder of the plan".into(),
        );
        reader.report(path.span, at, problem);
        return None;
    }
    Some(path.value.clone().into_owned())
}

fn excess(
    reader: &mut Reader<'_>,
    at: &JsonPointer<'_>,
    given: &Field<Number<'_>>,
) -> Option<Fraction> {
    let number = match given {
        Field::Absent => return Fraction::from_millionths(DEFAULT_EXCESS),
        Field::Bad => return None,
        Field::Given(number) => number,
    };
    let excess = reader.percentage(at, number)?;
    if EXCESS.contains(&excess.millionths()) {
        return Some(excess);
    }
    let problem = Problem::of_document(
        Severity::Error,
        ErrorCode::OutOfRange.as_str(),
        format!("{} is out of range", excerpt(number.value)),
        "write a number from 0.001 to 50".into(),
    );
    reader.report(number.span, at, problem);
    None
}

fn steps_of(
    reader: &mut Reader<'_>,
    at: &JsonPointer<'_>,
    list: &List<Located<RawStep<'_>>>,
) -> Option<Vec<RollStep>> {
    if list.value.is_empty() {
        let problem = Problem::empty_list("the list of steps", "add a step");
        reader.report(list.span, at, problem);
        return None;
    }
    let last = list.value.len().saturating_sub(1);
    let mut names = BTreeMap::new();
    let mut steps = Vec::with_capacity(list.value.len());
    for (index, given) in list.value.iter().enumerate() {
        let Some(given) = given else { continue };
        let at = at.index(index);
        let compiled = step(reader, (given.span, &at), &given.value, index == last);
        if let Some(name) = given.value.name.value() {
            if let Some(first) = names.get(&name.value) {
                let problem = PlanCode::RepeatedStep.problem(
                    format!(
                        "/steps/{first} already has the name `{}`",
                        excerpt(&name.value)
                    ),
                    "give each step a unique name",
                );
                reader.report(name.span, &at.field("name"), problem);
            } else {
                names.insert(name.value.clone(), index);
            }
        }
        steps.extend(compiled);
    }
    (steps.len() == list.value.len()).then_some(steps)
}

fn step(
    reader: &mut Reader<'_>,
    place: Place<'_>,
    given: &RawStep<'_>,
    is_last: bool,
) -> Option<RollStep> {
    let at = place.1;
    let name = required(reader, place, "name", expected::NAME, &given.name);
    let name = name.and_then(|name| step_name(reader, &at.field("name"), name));
    let change = change(reader, place, given);
    let bake = match &given.bake {
        Field::Absent if is_last => Some(None),
        Field::Absent => {
            let problem = Problem::missing_field("bake", expected::BAKE);
            reader.report(place.0.head(), at, problem);
            None
        }
        Field::Bad => None,
        Field::Given(given) => {
            bake(reader, (given.span, &at.field("bake")), &given.value).map(Some)
        }
    };
    Some(RollStep {
        name: name?,
        change: change?,
        bake: bake?,
    })
}

fn step_name(
    reader: &mut Reader<'_>,
    at: &JsonPointer<'_>,
    name: &LocatedText<'_>,
) -> Option<String> {
    if !is_dns_label(&name.value) {
        let problem = Problem::of_document(
            Severity::Error,
            ErrorCode::MalformedName.as_str(),
            format!("`{}` is not a step name", excerpt(&name.value)),
            "write 1 to 63 lower-case letters, digits or `-`, with no `-` at its ends".into(),
        );
        reader.report(name.span, at, problem);
        return None;
    }
    Some(name.value.clone().into_owned())
}

fn change(
    reader: &mut Reader<'_>,
    (span, at): Place<'_>,
    given: &RawStep<'_>,
) -> Option<RuleChange> {
    let has_rules = !matches!(given.rules, Field::Absent);
    let has_accounts = !matches!(given.accounts, Field::Absent);
    let has_requests = !matches!(given.requests, Field::Absent);
    let rule = match &given.rule {
        Field::Absent => Some(None),
        Field::Bad => None,
        Field::Given(number) => {
            let number = reader.whole_number(&at.field("rule"), number, &RULE_NUMBER);
            let index = number.and_then(|number| usize::try_from(number.saturating_sub(1)).ok());
            index.map(Some)
        }
    };
    let accounts = percentage(reader, &at.field("accounts"), &given.accounts);
    let requests = percentage(reader, &at.field("requests"), &given.requests);
    if has_rules && (has_accounts || has_requests) {
        let problem = Problem::of_document(
            Severity::Error,
            ErrorCode::NotOneOf.as_str(),
            "the step has `rules` and a percentage of one rule".into(),
            "write the percentage into `rules`, or remove `rules`".into(),
        );
        reader.report(span.head(), at, problem);
        return None;
    }
    if has_rules {
        if let Field::Given(number) = &given.rule {
            let problem = PlanCode::UselessRule.problem(
                "`rule` has no effect, because `rules` replaces all rules",
                "remove it",
            );
            reader.report(number.span, &at.field("rule"), problem);
        }
        let rules = given.rules.value()?;
        return Some(RuleChange::Rules(rules.value.to_owned()));
    }
    if !has_accounts && !has_requests {
        let problem = Problem::of_document(
            Severity::Error,
            ErrorCode::NotOneOf.as_str(),
            "the step has none of `rules`, `accounts` and `requests`, so it changes nothing".into(),
            "add `rules`, `accounts` or `requests`".into(),
        );
        reader.report(span.head(), at, problem);
        return None;
    }
    Some(RuleChange::Percentages {
        rule: rule?,
        accounts: accounts?,
        requests: requests?,
    })
}

/// Compiles an optional percentage: `Some(None)` without it, and `None` if it has an error.
fn percentage(
    reader: &mut Reader<'_>,
    at: &JsonPointer<'_>,
    given: &Field<Number<'_>>,
) -> Option<Option<Fraction>> {
    match given {
        Field::Absent => Some(None),
        Field::Bad => None,
        Field::Given(number) => reader.percentage(at, number).map(Some),
    }
}

fn bake(reader: &mut Reader<'_>, place: Place<'_>, given: &RawBake<'_>) -> Option<Bake> {
    let at = place.1;
    let requests = required(reader, place, "requests", expected::COUNT, &given.requests);
    let requests = requests
        .and_then(|number| reader.whole_number(&at.field("requests"), number, &BAKE_REQUESTS));
    let minutes = minutes(reader, &at.field("minutes"), &given.minutes, 0, 0);
    Some(Bake {
        requests: requests?,
        minutes: minutes?,
    })
}

fn minutes(
    reader: &mut Reader<'_>,
    at: &JsonPointer<'_>,
    given: &Field<Number<'_>>,
    least: u64,
    default: u64,
) -> Option<u64> {
    match given {
        Field::Absent => Some(default),
        Field::Bad => None,
        Field::Given(number) => reader.whole_number(at, number, &(least..=MOST_MINUTES)),
    }
}

/// Returns the readable names of the steps, each with its index.
fn step_names(raw: &RawPlan<'_>) -> Vec<(String, usize)> {
    let steps = raw.steps.value().map_or(&[][..], |steps| &steps.value);
    let names = steps.iter().enumerate().filter_map(|(index, step)| {
        let name = step.as_ref()?.value.name.value()?;
        Some((name.value.clone().into_owned(), index))
    });
    names.collect()
}

fn forbid(
    reader: &mut Reader<'_>,
    place: Place<'_>,
    given: &RawForbid<'_>,
    names: &[(String, usize)],
) -> Option<Forbidden> {
    let segment = required(reader, place, "segment", expected::SEGMENT, &given.segment);
    let until = required(reader, place, "until", expected::UNTIL, &given.until)?;
    let found = names.iter().find(|(name, _)| *name == until.value);
    let problem = match found {
        Some((_, index)) if *index > 0 => {
            return Some(Forbidden {
                segment: segment?.value.clone().into_owned(),
                until: *index,
            });
        }
        Some(_) => PlanCode::EarlyForbid.problem(
            format!(
                "`{}` is the first step, so the segment is forbidden in no step",
                excerpt(&until.value)
            ),
            "name a later step, or remove this",
        ),
        None => {
            let known = names.iter().map(|(name, _)| name.as_str());
            let instead = match nearest(&until.value, known) {
                Some(near) => format!("did you mean `{}`?", excerpt(near)),
                None => "write the name of a step".into(),
            };
            let what = format!("unknown step `{}`", excerpt(&until.value));
            PlanCode::UnknownStep.problem(what, instead)
        }
    };
    reader.report(until.span, &place.1.field("until"), problem);
    None
}

fn not_enough_data(
    reader: &mut Reader<'_>,
    at: &JsonPointer<'_>,
    given: &RawOnNotEnoughData<'_>,
) -> Option<OnNotEnoughData> {
    let default = OnNotEnoughData::default();
    let after = &given.after_minutes;
    let after_minutes = minutes(
        reader,
        &at.field("after_minutes"),
        after,
        1,
        default.after_minutes,
    );
    let then = word(reader, &at.field("then"), "action", &given.then, || {
        [Then::Wait, Then::Hold, Then::GiveUp].map(|one| (one.as_str(), one))
    });
    Some(OnNotEnoughData {
        after_minutes: after_minutes?,
        then: then?,
    })
}

/// Compiles an optional word.
fn word<T: Default, const N: usize>(
    reader: &mut Reader<'_>,
    at: &JsonPointer<'_>,
    what: &'static str,
    given: &Field<LocatedText<'_>>,
    known: impl FnOnce() -> [(&'static str, T); N],
) -> Option<T> {
    match given {
        Field::Absent => Some(T::default()),
        Field::Bad => None,
        Field::Given(word) => reader.one_of_words(at, what, known(), word),
    }
}

/// Checks a URL. No message quotes it, because the URL of a webhook is a secret.
fn url(reader: &mut Reader<'_>, at: &JsonPointer<'_>, url: &LocatedText<'_>) -> Option<String> {
    if !webhook::is_url(&url.value) {
        let problem = PlanCode::MalformedUrl.problem(
            "this is not the URL of a webhook",
            "write one such as https://hooks.slack.com/services/…",
        );
        reader.report(url.span, at, problem);
        return None;
    }
    Some(url.value.clone().into_owned())
}

/// Compiles the items of an optional list; `None` if one of them has an error.
pub(super) fn items<T, R>(
    given: &Field<List<T>>,
    mut compile: impl FnMut(usize, &T) -> Option<R>,
) -> Option<Vec<R>> {
    let list = match given {
        Field::Absent => return Some(Vec::new()),
        Field::Bad => return None,
        Field::Given(list) => list,
    };
    let items = list.value.iter().enumerate();
    // Each item is compiled, so that all problems are found.
    let compiled = items.map(|(index, item)| compile(index, item.as_ref()?));
    let compiled: Vec<Option<R>> = compiled.collect();
    compiled.into_iter().collect()
}

/// Returns the value of a required field, or reports that it is missing.
pub(super) fn required<'f, T>(
    reader: &mut Reader<'_>,
    place: Place<'_>,
    name: &'static str,
    expected: turnout_core::json::Expected,
    field: &'f Field<T>,
) -> Option<&'f T> {
    reader.required(place, name, expected, field.as_ref())
}
