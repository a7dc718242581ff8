//! The options of `turnout bucket` that are fields of a hash.
//!
//! The options are converted to the object that a policy has for the hash, and core parses it. So an option
//! has the same errors as the field.

use clap::ValueEnum;
use serde_json::{Number, Value};
use turnout_core::{Diagnostic, Diagnostics, Hash, Salt};
use turnout_text::join_list;

use super::{Arguments, Name};

/// An option, by the name of its field.
struct Given<'a> {
    field: &'static str,
    /// As JSON.
    value: Option<Result<String, &'a str>>,
}

/// The error is every sentence to print.
pub(super) fn hash(arguments: &Arguments) -> Result<Hash, Vec<String>> {
    let object = object(arguments).map_err(|error| vec![error])?;
    match object {
        None => Ok(Hash::turnout(Salt::new(
            arguments.salt.as_deref().unwrap_or_default(),
        ))),
        Some(object) => {
            Hash::from_json(&object, Salt::new("")).map_err(|problems| sentences(&problems))
        }
    }
}

/// The object that a policy has for the hash; `None` for Turnout's own hash, which has no object.
fn object(arguments: &Arguments) -> Result<Option<String>, String> {
    let name = word(arguments.hash);
    let (needed, others) = takes(arguments.hash);
    let is_taken = |field: &str| {
        let mut needed = needed.iter().copied().flatten();
        needed.any(|known| *known == field) || others.contains(&field)
    };
    let given = given(arguments);
    let given: Vec<&Given<'_>> = given.iter().filter(|given| given.value.is_some()).collect();
    if let Some(other) = given.iter().find(|given| !is_taken(given.field)) {
        return Err(format!(
            "--hash {name} has no {}; it takes {}",
            option(other.field),
            options_of(needed, others)
        ));
    }
    let has = |field: &&str| given.iter().any(|given| given.field == *field);
    if !needed.iter().any(|fields| fields.iter().all(has)) {
        let needs: Vec<String> = needed.iter().map(|fields| and(fields)).collect();
        return Err(format!("--hash {name} needs {}", needs.join(", or ")));
    }
    if arguments.hash == Name::Turnout {
        let salt = arguments.salt.as_deref().unwrap_or_default();
        // The limits of a policy apply.
        if !(1..=128).contains(&salt.len()) {
            let length = salt.len();
            return Err(format!("--salt: expected 1 to 128 bytes, found {length}"));
        }
        return Ok(None);
    }
    let mut fields = Vec::with_capacity(given.len());
    for Given { field, value } in given {
        match value {
            Some(Ok(value)) => fields.push(format!("\"{field}\":{value}")),
            Some(Err(text)) => {
                return Err(format!("{} {text}: expected a number", option(field)));
            }
            None => {}
        }
    }
    Ok(Some(format!("{{\"{name}\":{{{}}}}}", fields.join(","))))
}

/// The problems of the object, each with the option instead of the field.
fn sentences(problems: &Diagnostics) -> Vec<String> {
    let sentence = |problem: &Diagnostic| {
        let mut steps = problem.pointer.split('/').skip(2);
        let place = steps
            .next()
            .map_or_else(String::new, |field| format!("{}: ", option(field)));
        format!("{place}{}; {}", problem.problem, problem.problem.help())
    };
    problems.as_slice().iter().map(sentence).collect()
}

fn word(name: Name) -> String {
    let value = name.to_possible_value();
    value.map_or_else(String::new, |value| value.get_name().to_owned())
}

/// The fields that a hash requires, in one of these combinations, and its optional fields.
fn takes(name: Name) -> (&'static [&'static [&'static str]], &'static [&'static str]) {
    match name {
        Name::Turnout => (&[&["salt"]], &["of"]),
        Name::Split => (
            &[&["seed"]],
            &["traffic_allocation", "traffic_allocation_seed", "v2"],
        ),
        Name::Unleash => (&[&["group_id"]], &["v2"]),
        Name::LaunchDarkly => (&[&["flag_key", "salt"], &["seed"]], &["v2"]),
        Name::GrowthBook => (
            &[&["seed", "version", "rule"]],
            &["start", "namespace", "v2"],
        ),
        Name::Flagd => (&[&["flag_key", "version", "total_weight"]], &["v2"]),
    }
}

fn given(arguments: &Arguments) -> [Given<'_>; 13] {
    let is_text = arguments.hash == Name::GrowthBook;
    let text = |field, value: &Option<String>| Given {
        field,
        value: value.as_deref().map(|value| Ok(json(value))),
    };
    let a = arguments;
    [
        Given {
            field: "of",
            value: a.of.map(|_| Ok(String::new())),
        },
        text("salt", &a.salt),
        match is_text {
            true => text("seed", &a.seed),
            false => number("seed", a.seed.as_deref()),
        },
        text("group_id", &a.group_id),
        text("flag_key", &a.flag_key),
        number("version", a.version.as_deref()),
        number("total_weight", a.total_weight.as_deref()),
        text("rule", &a.rule),
        number("start", a.start.as_deref()),
        Given {
            field: "namespace",
            value: a.namespace.as_deref().map(namespace),
        },
        number("traffic_allocation", a.traffic_allocation.as_deref()),
        number(
            "traffic_allocation_seed",
            a.traffic_allocation_seed.as_deref(),
        ),
        text("v2", &a.v2),
    ]
}

fn number<'a>(field: &'static str, value: Option<&'a str>) -> Given<'a> {
    let value = value.map(as_number);
    Given { field, value }
}

fn as_number(text: &str) -> Result<String, &str> {
    match serde_json::from_str::<Number>(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err(text),
    }
}

fn namespace(values: &[String]) -> Result<String, &str> {
    let [id, from, to] = values else {
        return Err("");
    };
    let (id, from, to) = (json(id), as_number(from)?, as_number(to)?);
    Ok(format!(r#"{{"id":{id},"from":{from},"to":{to}}}"#))
}

fn json(text: &str) -> String {
    Value::from(text).to_string()
}

fn option(field: &str) -> String {
    format!("--{}", field.replace('_', "-"))
}

fn and(fields: &[&str]) -> String {
    let options: Vec<String> = fields.iter().map(|field| option(field)).collect();
    join_list(&options, "and")
}

fn options_of(needed: &[&[&str]], others: &[&str]) -> String {
    let needed = needed.iter().copied().flatten();
    let options: Vec<String> = needed.chain(others).map(|field| option(field)).collect();
    options.join(", ")
}
