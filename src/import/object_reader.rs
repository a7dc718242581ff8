//! Reads the fields of an object by name and reports those that nobody read.

use serde_json::{Map, Value};

use crate::error::{ImportError, ImportResult};
use crate::located_value::{AS_EXPORTED, LONGEST_KEY, LocatedValue, is_empty};
use crate::note::Notes;
use crate::quote::quote;

/// Reads the fields of an object by name and reports the unread ones.
#[derive(Debug)]
pub(crate) struct ObjectReader<'a> {
    object: LocatedValue<'a>,
    map: &'a Map<String, Value>,
    /// The names that were read.
    known: Vec<&'static str>,
}

impl<'a> ObjectReader<'a> {
    pub(crate) fn new(object: LocatedValue<'a>, map: &'a Map<String, Value>) -> Self {
        Self {
            object,
            map,
            known: Vec::new(),
        }
    }

    pub(crate) fn at(&self) -> &str {
        self.object.at()
    }

    /// The pointer of a field, whether it exists or not.
    pub(crate) fn at_field(&self, name: &str) -> String {
        format!("{}/{name}", self.at())
    }

    /// Reads a field; `null` counts as missing.
    pub(crate) fn get(&mut self, name: &'static str) -> Option<LocatedValue<'a>> {
        self.known.push(name);
        let value = self.map.get(name).filter(|value| !value.is_null())?;
        Some(self.object.child(name, value))
    }

    /// Whether the field exists, even as `null`.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.map.contains_key(name)
    }

    /// Which of these fields do not exist.
    pub(crate) fn missing(&self, names: &[&'static str]) -> Vec<&'static str> {
        let names = names.iter().copied();
        names.filter(|name| !self.has(name)).collect()
    }

    pub(crate) fn require(&mut self, name: &'static str) -> ImportResult<LocatedValue<'a>> {
        let at = self.at().to_owned();
        self.get(name)
            .ok_or_else(|| ImportError::new(&at, format!("`{name}` is missing"), AS_EXPORTED))
    }

    pub(crate) fn string(&mut self, name: &'static str) -> ImportResult<Option<&'a str>> {
        self.get(name).map(|field| field.string()).transpose()
    }

    pub(crate) fn boolean(&mut self, name: &'static str) -> ImportResult<Option<bool>> {
        self.get(name).map(|field| field.boolean()).transpose()
    }

    pub(crate) fn integer(&mut self, name: &'static str) -> ImportResult<Option<i64>> {
        self.get(name).map(|field| field.integer()).transpose()
    }

    /// The items of a list; none if the list is missing.
    pub(crate) fn items(&mut self, name: &'static str) -> ImportResult<Vec<LocatedValue<'a>>> {
        match self.get(name) {
            Some(list) => Ok(list.items()?.collect()),
            None => Ok(Vec::new()),
        }
    }

    /// The strings of a list that has to exist; `null`, which Go writes for an empty list, is empty.
    pub(crate) fn require_strings(&mut self, name: &'static str) -> ImportResult<Vec<&'a str>> {
        match self.get(name) {
            Some(list) => list.strings(),
            None if self.has(name) => Ok(Vec::new()),
            None => self.require(name)?.strings(),
        }
    }

    /// A string; an empty one counts as missing.
    pub(crate) fn non_empty_string(&mut self, name: &'static str) -> ImportResult<Option<&'a str>> {
        Ok(self.string(name)?.filter(|string| !string.is_empty()))
    }

    /// Reports each unread field that may have a meaning: neither `ignored` nor empty.
    pub(crate) fn finish(self, ignored: &[&str], notes: &mut Notes) {
        let mut unknown: Vec<_> = self.map.iter().collect();
        unknown.retain(|(key, value)| {
            let key = key.as_str();
            !self.known.contains(&key) && !ignored.contains(&key) && !is_empty(value)
        });
        unknown.sort_by_key(|(key, _)| key.as_str());
        for (key, value) in unknown {
            let field = match key.len() <= LONGEST_KEY {
                true => self.object.child(key, value),
                // A long key would make the pointer long.
                false => self.object.clone(),
            };
            notes.add_loss(
                field.at(),
                format!("the field {} is not supported and is skipped", quote(key)),
                "check what it means for the flag, and add to the policy what is missing",
            );
        }
    }
}
