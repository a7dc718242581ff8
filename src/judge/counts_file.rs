//! Reads counts from JSON lines, which anybody can write.

use std::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};
use serde_json::value::RawValue;
use turnout_admin::{Counter, CounterValues, GuardCounter, GuardEvent};
use turnout_core::{Fraction, Treatment};
use turnout_text::{escape_for_terminal, excerpt_for_terminal, is_dns_label, join_list, nearest};

use crate::input_error::{InputError, InputErrors, of_file};
use crate::judged_rollout::JudgedRollout;

/// The largest count of a line: the largest number that a floating-point number has exactly.
const MOST: u64 = 1 << 53;
/// An example of a line.
const EXAMPLE: &str =
    r#"{"rollout":"chat","requests":10,"arm":"v2","all":5000,"errors":3,"slow":0}"#;

/// A line as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line<'l> {
    rollout: String,
    #[serde(borrow)]
    requests: &'l RawValue,
    arm: String,
    all: Count,
    errors: Count,
    slow: Option<Count>,
}

/// A whole number from 0 to [`MOST`].
struct Count(u64);

/// The counts of a line.
struct ArmLine {
    rollout: String,
    requests: Fraction,
    arm: Treatment,
    counts: Vec<(GuardEvent, u64)>,
}

/// Reads JSON lines such as `{"rollout":"chat","requests":10,"arm":"v2","all":5000,"errors":3,"slow":0}`. Lines of the
/// same rollout, percentage and arm add up. `known` are the rollouts that have a guard; `None` without a policy.
///
/// # Errors
/// What is wrong with the file, by line.
pub fn read_counts(
    text: &str,
    known: Option<&[JudgedRollout]>,
) -> Result<CounterValues, Vec<InputError>> {
    let mut counts = CounterValues::default();
    let mut errors = InputErrors::default();
    let lines = (1..).zip(text.lines());
    for (number, line) in lines.filter(|(_, line)| !line.trim().is_empty()) {
        match parse_line(line, known) {
            Ok(line) => add(&mut counts, line),
            Err(what) => errors.push(number, what),
        }
        if errors.are_enough() {
            break;
        }
    }
    let is_empty = counts.iter().next().is_none();
    let counts = errors.or(counts)?;
    match is_empty {
        true => Err(of_file(&format!(
            "the file has no counts; write lines such as {EXAMPLE}"
        ))),
        false => Ok(counts),
    }
}

fn add(counts: &mut CounterValues, line: ArmLine) {
    for (event, count) in line.counts {
        let counter = Counter::Guard(GuardCounter {
            rollout: line.rollout.clone(),
            requests: line.requests,
            arm: line.arm,
            event,
        });
        let before = counts.get(&counter).unwrap_or_default();
        counts.insert(counter, before.saturating_add(count));
    }
}

fn parse_line(text: &str, known: Option<&[JudgedRollout]>) -> Result<ArmLine, String> {
    let line: Line<'_> = serde_json::from_str(text).map_err(|error| describe(&error, text))?;
    let rollout = check_rollout(&line.rollout, known)?;
    let percentage = line.requests.get();
    let requests = Fraction::from_percentage(percentage);
    let requests = requests.filter(|requests| requests.millionths() > 0);
    let requests = requests.ok_or_else(|| {
        let found = excerpt_for_terminal(percentage, 40);
        format!(
            "`requests`: expected the percentage of requests that take v2, above 0 and at most 100, with at most six \
             decimals, such as 10 or 0.5, found `{found}`"
        )
    })?;
    let arms = Treatment::ALL.into_iter();
    let arm = arms.clone().find(|arm| arm.as_str() == line.arm);
    let arm = arm.ok_or_else(|| {
        let names = arms.map(Treatment::as_str);
        let found = excerpt_for_terminal(&line.arm, 40);
        match nearest(&line.arm.to_ascii_lowercase(), names) {
            Some(near) => {
                format!("`arm`: expected `v1` or `v2`, found `{found}`; did you mean `{near}`?")
            }
            None => format!("`arm`: expected `v1` or `v2`, found `{found}`"),
        }
    })?;
    let all = line.all.0;
    let parts = [
        ("errors", Some(line.errors.0)),
        ("slow", line.slow.as_ref().map(|slow| slow.0)),
    ];
    for (name, part) in parts {
        if let Some(part) = part.filter(|part| *part > all) {
            return Err(format!(
                "`{name}` is {part}, but `all` is only {all}; `all` includes the requests with errors and the slow ones"
            ));
        }
    }
    let compares_slow = rollout.is_some_and(|rollout| rollout.settings.slow.is_some());
    if compares_slow && line.slow.is_none() {
        return Err("`slow` is missing, and the guard of the policy compares slow requests; add the number of \
                    requests that were slow, even if it is 0"
            .to_owned());
    }
    let mut counts = vec![(GuardEvent::All, all), (GuardEvent::Errors, line.errors.0)];
    counts.extend(line.slow.map(|slow| (GuardEvent::Slow, slow.0)));
    Ok(ArmLine {
        rollout: line.rollout,
        requests,
        arm,
        counts,
    })
}

/// Finds the rollout of a line in the policy, if there is one.
fn check_rollout<'k>(
    name: &str,
    known: Option<&'k [JudgedRollout]>,
) -> Result<Option<&'k JudgedRollout>, String> {
    let Some(known) = known else {
        return match is_dns_label(name) {
            true => Ok(None),
            false => Err(format!(
                "`rollout`: expected the name of a rollout, such as `chat`, found `{}`",
                excerpt_for_terminal(name, 80)
            )),
        };
    };
    let found = known.iter().find(|rollout| rollout.name == name);
    found.map(Some).ok_or_else(|| {
        let names: Vec<&str> = known.iter().map(|rollout| rollout.name.as_str()).collect();
        let found = excerpt_for_terminal(name, 80);
        match nearest(name, names.iter().copied()) {
            None if names.is_empty() => {
                "no rollout of the policy has a guard that compares requests; add `\"guard\": {}` \
                                         to a rollout in mode `split`"
                    .to_owned()
            }
            Some(near) => format!(
                "`rollout`: the policy has no guarded rollout `{found}`; did you mean `{near}`?"
            ),
            None => format!(
                "`rollout`: the policy has no guarded rollout `{found}`; it has {}",
                join_list(&names, "and")
            ),
        }
    })
}

/// Describes an error of JSON, in one line.
fn describe(error: &serde_json::Error, text: &str) -> String {
    if error.is_eof() {
        return "the line is cut off; write a whole JSON object on each line".to_owned();
    }
    if !text.trim_start().starts_with('{') {
        return format!("expected a JSON object such as {EXAMPLE}");
    }
    let column = error.column();
    let words = error.to_string();
    // The line is known, and is always 1 here.
    let words = words.split(" at line ").next().unwrap_or_default();
    format!("{} (column {column})", escape_for_terminal(words))
}

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OfCount;
        impl Visitor<'_> for OfCount {
            type Value = Count;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a whole number from 0 to {MOST}")
            }

            fn visit_u64<E: de::Error>(self, count: u64) -> Result<Count, E> {
                match count <= MOST {
                    true => Ok(Count(count)),
                    false => Err(E::invalid_value(de::Unexpected::Unsigned(count), &self)),
                }
            }
        }
        deserializer.deserialize_u64(OfCount)
    }
}

#[cfg(test)]
mod tests;
