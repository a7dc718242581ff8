//! A value of the file with its JSON Pointer, so that every error and note has a place.

use serde_json::Value;

use crate::error::{ImportError, ImportResult};
use crate::object_reader::ObjectReader;
use crate::quote::quote;

/// The longest key of a map, in bytes. Longer keys would make every pointer below them as long.
pub(crate) const LONGEST_KEY: usize = 256;

/// The advice where a value has another shape than the tool writes.
pub(crate) const AS_EXPORTED: &str = "pass the file as the tool exports it";

/// A value and its JSON Pointer.
#[derive(Clone, Debug)]
pub(crate) struct LocatedValue<'a> {
    value: &'a Value,
    at: String,
}

impl<'a> LocatedValue<'a> {
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

    pub(crate) fn child(&self, step: &str, value: &'a Value) -> Self {
        let step = step.replace('~', "~0").replace('/', "~1");
        let at = format!("{}/{step}", self.at);
        Self { value, at }
    }

    fn wrong_type<T>(&self, expected: &str) -> ImportResult<T> {
        let found = match self.value {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Number(_) => "a number",
            Value::String(_) => "a string",
            Value::Array(_) => "a list",
            Value::Object(_) => "an object",
        };
        Err(ImportError::new(
            &self.at,
            format!("expected {expected}, found {found}"),
            AS_EXPORTED,
        ))
    }

    pub(crate) fn object(&self) -> ImportResult<ObjectReader<'a>> {
        match self.value {
            Value::Object(map) => Ok(ObjectReader::new(self.clone(), map)),
            _ => self.wrong_type("an object"),
        }
    }

    pub(crate) fn is_object(&self) -> bool {
        self.value.is_object()
    }

    pub(crate) fn is_list(&self) -> bool {
        self.value.is_array()
    }

    /// The entries of a map, sorted by key.
    pub(crate) fn entries(&self) -> ImportResult<Vec<(&'a str, LocatedValue<'a>)>> {
        let Value::Object(map) = self.value else {
            return self.wrong_type("an object");
        };
        let mut entries = Vec::with_capacity(map.len());
        for (key, value) in map {
            if key.len() > LONGEST_KEY {
                return Err(ImportError::new(
                    &self.at,
                    format!("the key {} has {} bytes", quote(key), key.len()),
                    format!("shorten it to at most {LONGEST_KEY} bytes"),
                ));
            }
            entries.push((key.as_str(), self.child(key, value)));
        }
        entries.sort_by_key(|(key, _)| *key);
        Ok(entries)
    }

    pub(crate) fn items(&self) -> ImportResult<impl Iterator<Item = LocatedValue<'a>> + use<'a>> {
        let Value::Array(items) = self.value else {
            return self.wrong_type("a list");
        };
        let list = self.clone();
        let items = items.iter().enumerate();
        Ok(items.map(move |(index, value)| list.child(&index.to_string(), value)))
    }

    pub(crate) fn string(&self) -> ImportResult<&'a str> {
        self.value
            .as_str()
            .map_or_else(|| self.wrong_type("a string"), Ok)
    }

    /// The strings of a list.
    pub(crate) fn strings(&self) -> ImportResult<Vec<&'a str>> {
        let Value::Array(items) = self.value else {
            return self.wrong_type("a list of strings");
        };
        let mut strings = Vec::with_capacity(items.len());
        for (index, value) in items.iter().enumerate() {
            match value.as_str() {
                Some(string) => strings.push(string),
                None => {
                    return self
                        .child(&index.to_string(), value)
                        .string()
                        .map(|_| strings);
                }
            }
        }
        Ok(strings)
    }

    pub(crate) fn boolean(&self) -> ImportResult<bool> {
        let boolean = self.value.as_bool();
        boolean.map_or_else(|| self.wrong_type("a boolean"), Ok)
    }

    /// An integer; `25.0` and `1e2` are integers too.
    ///
    /// Numbers in such a notation are refused above 2^53, where a double may stand for several integers.
    pub(crate) fn integer(&self) -> ImportResult<i64> {
        integer(self.value).map_or_else(|| self.wrong_type("an integer"), Ok)
    }

    /// Whether the value is what Go writes for an unset field: `null`, `false`, `0`, an empty string, or
    /// a list or an object of only such values.
    pub(crate) fn is_zero(&self) -> bool {
        is_zero(self.value)
    }

    pub(crate) fn number(&self) -> ImportResult<f64> {
        let number = self.value.as_f64();
        number.map_or_else(|| self.wrong_type("a number"), Ok)
    }

    /// An integer from 0 to `most`.
    pub(crate) fn integer_up_to(&self, most: u32) -> ImportResult<u32> {
        let integer = self.integer()?;
        let in_range = u32::try_from(integer).ok().filter(|count| *count <= most);
        in_range.ok_or_else(|| {
            ImportError::new(
                &self.at,
                format!("{integer} is out of range"),
                format!("expected an integer from 0 to {most}"),
            )
        })
    }
}

/// Whether a value is empty, so that its field means nothing.
pub(crate) fn is_empty(value: &Value) -> bool {
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

/// Returns the integer that a value represents.
pub(crate) fn integer(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| integer_of(value.as_f64()?))
}

/// Returns the integer that a double represents, if no other integer rounds to that double.
fn integer_of(number: f64) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_991.0;
    if number.fract() != 0.0 || number.abs() > EXACT {
        return None;
    }
    // Formatted, because a cast from a float would not report an overflow.
    format!("{number:.0}").parse().ok()
}
