//! What all the objects have in common.

use serde_json::{Value, json};
use turnout_core::{CLUSTER_HEADER, TREATMENT_HEADER};

use crate::error::{Error, Found};
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
    /// Finds what is wrong with it.
    pub(crate) fn check(&self, found: &mut Found) {
        found.keep(names::check("an object", self.name));
        let is_reference = |c: char| c.is_ascii_alphanumeric() || "./:@_-".contains(c);
        if self.image().is_empty() || !self.image().chars().all(is_reference) {
            found.push(Error::Image(self.image.to_owned()));
        }
        if let Some(namespace) = self.namespace {
            found.keep(names::check("a namespace", namespace));
        }
        let configuration = found.keep(self.configuration());
        // Where nothing is said, all are written.
        let Some(written) = configuration
            .as_ref()
            .and_then(|given| given.get("headers"))
        else {
            return;
        };
        for (word, header) in MATCHED {
            let mut words = written.as_array().into_iter().flatten();
            if !words.any(|written| written == word) {
                found.push(Error::Header { word, header });
            }
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
        serde_json::from_str(self.configuration)
            .map_err(|error| Error::Configuration(error.to_string()))
    }
}
