//! The properties that all generated objects share.

use serde_json::{Value, json};
use turnout_core::{CLUSTER_HEADER, TREATMENT_HEADER};

use crate::error::{Error, ErrorCollector};
use crate::names;

/// The headers that routes match: the name in the configuration, and the header of a request.
const MATCHED: [(&str, &str); 2] = [("cluster", CLUSTER_HEADER), ("treatment", TREATMENT_HEADER)];

/// The name, namespace, image and configuration of the generated objects.
#[derive(Clone, Copy, Debug)]
pub struct Object<'a> {
    /// The prefix of all names.
    pub name: &'a str,
    /// The namespace; `None` leaves it to whoever applies the manifests.
    pub namespace: Option<&'a str>,
    /// The image of the filter, such as `registry.example.com/turnout:0.1.0`, optionally with `oci://`.
    pub image: &'a str,
    /// The plugin's configuration, from `Configuration::to_json`.
    pub configuration: &'a str,
}

impl Object<'_> {
    /// Collects the errors of these properties.
    pub(crate) fn check(&self, errors: &mut ErrorCollector) {
        errors.keep(names::check("an object", self.name));
        let is_reference = |c: char| c.is_ascii_alphanumeric() || "./:@_-".contains(c);
        if self.image().is_empty() || !self.image().chars().all(is_reference) {
            errors.push(Error::Image(self.image.to_owned()));
        }
        if let Some(namespace) = self.namespace {
            errors.keep(names::check("a namespace", namespace));
        }
        let configuration = errors.keep(self.configuration());
        // Without `headers` in the configuration, the filter writes all of them.
        let Some(written) = configuration
            .as_ref()
            .and_then(|configuration| configuration.get("headers"))
        else {
            return;
        };
        for (word, header) in MATCHED {
            let mut words = written.as_array().into_iter().flatten();
            if !words.any(|written| written == word) {
                errors.push(Error::Header { word, header });
            }
        }
    }

    /// The image without `oci://`.
    pub(crate) fn image(&self) -> &str {
        self.image.strip_prefix("oci://").unwrap_or(self.image)
    }

    /// The name of the object for a rollout or service of this name.
    pub(crate) fn name_for(&self, name: &str) -> String {
        format!("{}-{name}", self.name)
    }

    /// The field `metadata` of an object.
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
