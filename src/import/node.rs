//! A value of the file with its place, so that whatever is said of it says where.

use std::fmt;

use serde_json::{Map, Value};
use turnout_text::escape_for_terminal;

use crate::note::Notes;
use crate::words::quoted;

/// No tool has longer names for what it has in objects by name; a longer one would be in each place.
const LONGEST_KEY: usize = 256;

/// Why nothing was imported. Its `Display` is the whole sentence, on one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// Where: a JSON Pointer, a line and column, or an option.
    pub place: String,
    /// What is wrong.
    pub what: String,
    /// What to do instead.
    pub help: String,
}

impl Unreadable {
    pub(crate) fn new(at: &str, what: impl Into<String>, help: impl Into<String>) -> Self {
        let place = escape_for_terminal(at);
        let (what, help) = (what.into(), help.into());
        Self { place, what, help }
    }

    pub(crate) fn option(name: &str, what: impl Into<String>, help: impl Into<String>) -> Self {
        Self::new(name, what, help)
    }

    pub(crate) fn json(error: &serde_json::Error) -> Self {
        let sentence = error.to_string();
        let what = sentence.split(" at line ").next().unwrap_or_default();
        let place = format!("line {}, column {}", error.line(), error.column());
        let help = "give the JSON as the tool exports it";
        Self::new(&place, format!("not JSON: {what}"), help)
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place, what, help } = self;
        match place.as_str() {
            "" => write!(f, "{what}; {help}"),
            place => write!(f, "{place}: {what}; {help}"),
        }
    }
}

impl std::error::Error for Unreadable {}

pub(crate) type Read<T> = Result<T, Unreadable>;

/// A value and its JSON Pointer.
#[derive(Clone, Debug)]
pub(crate) struct Node<'a> {
    value: &'a Value,
    at: String,
}

impl<'a> Node<'a> {
    pub(crate) fn root(value: &'a Value) -> Self {
        let at = String::new();
        Self { value, at }
    }

    pub(crate) fn at(&self) -> &str {
        &self.at
    }

    pub(crate) fn value(&self) -> &'a Value {
        self.value
    }

    fn child(&self, step: &str, value: &'a Value) -> Self {
        let step = step.replace('~', "~0").replace('/', "~1");
        let at = format!("{}/{step}", self.at);
        Self { value, at }
    }

    fn wrong<T>(&self, expected: &str) -> Read<T> {
        let found = match self.value {
            Value::Null => "null",
            Value::Bool(_) => "true or false",
            Value::Number(_) => "a number",
            Value::String(_) => "a text",
            Value::Array(_) => "a list",
            Value::Object(_) => "an object",
        };
        Err(Unreadable::new(
            &self.at,
            format!("found {found} where {expected} belongs"),
            "give the file as the tool exports it",
        ))
    }

    pub(crate) fn object(&self) -> Read<Object<'a>> {
        match self.value {
            Value::Object(map) => Ok(Object {
                node: self.clone(),
                map,
                known: Vec::new(),
            }),
            _ => self.wrong("an object"),
        }
    }

    pub(crate) fn is_object(&self) -> bool {
        self.value.is_object()
    }

    pub(crate) fn is_list(&self) -> bool {
        self.value.is_array()
    }

    /// The members of an object that has data for names, by name.
    pub(crate) fn entries(&self) -> Read<Vec<(&'a str, Node<'a>)>> {
        let Value::Object(map) = self.value else {
            return self.wrong("an object");
        };
        let mut entries = Vec::with_capacity(map.len());
        for (key, value) in map {
            if key.len() > LONGEST_KEY {
                return Err(Unreadable::new(
                    &self.at,
                    format!("the name {} has {} bytes", quoted(key), key.len()),
                    format!("give names of at most {LONGEST_KEY} bytes"),
                ));
            }
            entries.push((key.as_str(), self.child(key, value)));
        }
        entries.sort_by_key(|(key, _)| *key);
        Ok(entries)
    }

    pub(crate) fn items(&self) -> Read<impl Iterator<Item = Node<'a>> + use<'a>> {
        let Value::Array(items) = self.value else {
            return self.wrong("a list");
        };
        let node = self.clone();
        let items = items.iter().enumerate();
        Ok(items.map(move |(index, value)| node.child(&index.to_string(), value)))
    }

    pub(crate) fn text(&self) -> Read<&'a str> {
        self.value.as_str().map_or_else(|| self.wrong("a text"), Ok)
    }

    /// A list of texts, without a place for each.
    pub(crate) fn texts(&self) -> Read<Vec<&'a str>> {
        let Value::Array(items) = self.value else {
            return self.wrong("a list of texts");
        };
        let mut texts = Vec::with_capacity(items.len());
        for (index, value) in items.iter().enumerate() {
            match value.as_str() {
                Some(text) => texts.push(text),
                None => return self.child(&index.to_string(), value).text().map(|_| texts),
            }
        }
        Ok(texts)
    }

    pub(crate) fn truth(&self) -> Read<bool> {
        let truth = self.value.as_bool();
        truth.map_or_else(|| self.wrong("true or false"), Ok)
    }

    /// A whole number. `25.0` and `1e2` are whole; one that is written so and is larger than a double
    /// holds exactly may have been another number.
    pub(crate) fn whole(&self) -> Read<i64> {
        whole(self.value).map_or_else(|| self.wrong("a whole number"), Ok)
    }

    /// Whether it is what Go writes for a field that is not set: `null`, `false`, `0`, an empty text,
    /// or a list or an object of nothing else.
    pub(crate) fn is_zero(&self) -> bool {
        is_zero(self.value)
    }

    pub(crate) fn number(&self) -> Read<f64> {
        let number = self.value.as_f64();
        number.map_or_else(|| self.wrong("a number"), Ok)
    }

    /// A whole number of parts of so many.
    pub(crate) fn parts(&self, all: u32) -> Read<u32> {
        let whole = self.whole()?;
        let parts = u32::try_from(whole).ok().filter(|parts| *parts <= all);
        parts.ok_or_else(|| {
            Unreadable::new(
                &self.at,
                format!("{whole} is out of range"),
                format!("give a whole number from 0 to {all}"),
            )
        })
    }
}

/// An object whose fields are asked for by name; those that nobody asked for are told.
#[derive(Debug)]
pub(crate) struct Object<'a> {
    node: Node<'a>,
    map: &'a Map<String, Value>,
    known: Vec<&'static str>,
}

impl<'a> Object<'a> {
    pub(crate) fn at(&self) -> &str {
        &self.node.at
    }

    /// Where a field is or would be.
    pub(crate) fn at_field(&self, name: &str) -> String {
        format!("{}/{name}", self.node.at)
    }

    /// A field; `null` is no field.
    pub(crate) fn get(&mut self, name: &'static str) -> Option<Node<'a>> {
        self.known.push(name);
        let value = self.map.get(name).filter(|value| !value.is_null())?;
        Some(self.node.child(name, value))
    }

    /// Whether there is such a field, even if it is `null`.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.map.contains_key(name)
    }

    /// Which of these fields are not there at all.
    pub(crate) fn missing(&self, names: &[&'static str]) -> Vec<&'static str> {
        let names = names.iter().copied();
        names.filter(|name| !self.has(name)).collect()
    }

    pub(crate) fn need(&mut self, name: &'static str) -> Read<Node<'a>> {
        let at = self.node.at.clone();
        self.get(name).ok_or_else(|| {
            Unreadable::new(
                &at,
                format!("`{name}` is missing"),
                "give the file as the tool exports it",
            )
        })
    }

    pub(crate) fn text(&mut self, name: &'static str) -> Read<Option<&'a str>> {
        self.get(name).map(|node| node.text()).transpose()
    }

    pub(crate) fn truth(&mut self, name: &'static str) -> Read<Option<bool>> {
        self.get(name).map(|node| node.truth()).transpose()
    }

    pub(crate) fn whole(&mut self, name: &'static str) -> Read<Option<i64>> {
        self.get(name).map(|node| node.whole()).transpose()
    }

    /// The items of a list; none where there is no list.
    pub(crate) fn items(&mut self, name: &'static str) -> Read<Vec<Node<'a>>> {
        match self.get(name) {
            Some(node) => Ok(node.items()?.collect()),
            None => Ok(Vec::new()),
        }
    }

    /// A list of texts, which has to be there; `null`, as Go writes an empty one, is empty.
    pub(crate) fn need_texts(&mut self, name: &'static str) -> Read<Vec<&'a str>> {
        match self.get(name) {
            Some(node) => node.texts(),
            None if self.has(name) => Ok(Vec::new()),
            None => self.need(name)?.texts(),
        }
    }

    /// A text; an empty one is none.
    pub(crate) fn word(&mut self, name: &'static str) -> Read<Option<&'a str>> {
        Ok(self.text(name)?.filter(|text| !text.is_empty()))
    }

    /// Reports each field that nobody asked for and that may carry meaning: not one of the `harmless`,
    /// nor an empty one.
    pub(crate) fn finish(self, harmless: &[&str], notes: &mut Notes) {
        let mut unknown: Vec<_> = self.map.iter().collect();
        unknown.retain(|(key, value)| {
            let key = key.as_str();
            !self.known.contains(&key) && !harmless.contains(&key) && !is_empty(value)
        });
        unknown.sort_by_key(|(key, _)| key.as_str());
        for (key, value) in unknown {
            let at = match key.len() <= LONGEST_KEY {
                true => self.node.child(key, value).at,
                // A name of any length belongs into no place.
                false => self.node.at.clone(),
            };
            notes.lost(
                &at,
                format!("what {} means here is not known", quoted(key)),
                "see what it says, and add to the policy what it takes",
            );
        }
    }
}

/// An empty value says nothing, whatever its field means.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(_) | Value::Number(_) => false,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
    }
}

fn is_zero(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Bool(true) => false,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.iter().all(is_zero),
        Value::Object(map) => map.values().all(is_zero),
    }
}

/// The whole number that a value is.
pub(crate) fn whole(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| whole_of(value.as_f64()?))
}

/// The whole number that a double is, if no other number is written as that double.
fn whole_of(number: f64) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_991.0;
    if number.fract() != 0.0 || number.abs() > EXACT {
        return None;
    }
    // The text of a whole double has no point and no exponent.
    format!("{number:.0}").parse().ok()
}
