//! What all the objects have in common.

use serde_json::{Value, json};
use turnout_core::{CLUSTER_HEADER, TREATMENT_HEADER};

use crate::error::Error;
use crate::names;

/// What the routes match, as the configuration and as a request calls it.
const MATCHED: [(&str, &str); 2] = [("cluster", CLUSTER_HEADER), ("treatment", TREATMENT_HEADER)];

/// How the objects are called, and where they are.
#[derive(Clone, Copy, Debug)]
pub struct Object<'a> {
    /// What the names of all of them begin with.
    pub name: &'a str,
    /// The namespace; that of whoever applies them unless given.
    pub namespace: Option<&'a str>,
    /// The image of the filter: `registry.example.com/turnout:0.1.0`; `oci://` may stand before it.
    pub image: &'a str,
    /// The plugin's configuration, as `Configuration::to_json` makes it.
    pub configuration: &'a str,
}

impl Object<'_> {
    pub(crate) fn check(&self) -> Result<(), Error> {
        names::check("an object", self.name)?;
        let is_reference = |c: char| c.is_ascii_alphanumeric() || "./:@_-".contains(c);
        if self.image().is_empty() || !self.image().chars().all(is_reference) {
            return Err(Error::Image(self.image.to_owned()));
        }
        match self.namespace {
            Some(namespace) => names::check("a namespace", namespace),
            None => Ok(()),
        }
    }

    /// Without the `oci://` that Istio writes before it.
    pub(crate) fn image(&self) -> &str {
        self.image.strip_prefix("oci://").unwrap_or(self.image)
    }

    /// The name of what is there for something of that name.
    pub(crate) fn name_for(&self, name: &str) -> String {
        format!("{}-{name}", self.name)
    }

    /// What stands under `metadata`.
    pub(crate) fn metadata(&self, name: &str) -> Value {
        match self.namespace {
            Some(namespace) => json!({ "name": name, "namespace": namespace }),
            None => json!({ "name": name }),
        }
    }

    pub(crate) fn configuration(&self) -> Result<Value, Error> {
        let configuration: Value = serde_json::from_str(self.configuration)
            .map_err(|error| Error::Configuration(error.to_string()))?;
        // Where nothing is said, all are written.
        if let Some(written) = configuration.get("headers") {
            let is_written = |word: &str| match written.as_array() {
                Some(list) => list.iter().any(|written| written == word),
                None => false,
            };
            for (word, header) in MATCHED {
                if !is_written(word) {
                    return Err(Error::Header { word, header });
                }
            }
        }
        Ok(configuration)
    }
}
