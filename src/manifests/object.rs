//! What all the objects have in common.

use serde_json::{Value, json};

use crate::error::Error;
use crate::names;

/// How the objects are called, and where they are.
#[derive(Clone, Copy, Debug)]
pub struct Object<'a> {
    /// What the names of all of them begin with.
    pub name: &'a str,
    /// The namespace; that of whoever applies them unless given.
    pub namespace: Option<&'a str>,
    /// The image of the filter: `registry.example.com/turnout:0.1.0`.
    pub image: &'a str,
    /// The plugin's configuration, as `Configuration::to_json` makes it.
    pub configuration: &'a str,
}

impl Object<'_> {
    pub(crate) fn check(&self) -> Result<(), Error> {
        names::check("an object", self.name)?;
        match self.namespace {
            Some(namespace) => names::check("a namespace", namespace),
            None => Ok(()),
        }
    }

    /// What stands under `metadata`.
    pub(crate) fn metadata(&self, name: &str) -> Value {
        match self.namespace {
            Some(namespace) => json!({ "name": name, "namespace": namespace }),
            None => json!({ "name": name }),
        }
    }

    pub(crate) fn configuration(&self) -> Result<Value, Error> {
        serde_json::from_str(self.configuration)
            .map_err(|error| Error::Configuration(error.to_string()))
    }
}
