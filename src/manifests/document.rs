//! Objects of Kubernetes, as YAML.

use serde_json::Value;
use serde_saphyr::{ser_options, to_string_with_options};

use crate::error::{Error, Errors, Found, LARGEST};

/// One object.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// Why it is there, in a line or two.
    pub comment: &'static str,
    /// What it is: its `kind`.
    pub kind: &'static str,
    /// As in JSON.
    pub object: Value,
}

/// All of them in one file, each behind its comment.
///
/// # Errors
/// Each that is larger than a cluster takes.
pub fn to_yaml(documents: &[Document]) -> Result<String, Errors> {
    let mut found = Found::default();
    for document in documents {
        let bytes = document.object.to_string().len();
        if bytes > LARGEST {
            let kind = document.kind;
            found.push(Error::TooLarge { kind, bytes });
        }
    }
    found.finish()?;
    let mut text = String::new();
    for document in documents {
        let options = ser_options! { prefer_block_scalars: false };
        let yaml = to_string_with_options(&document.object, options)
            .map_err(|error| Error::Configuration(error.to_string()))?;
        if !text.is_empty() {
            text.push_str("---\n");
        }
        for line in document.comment.lines() {
            text.push_str("# ");
            text.push_str(line);
            text.push('\n');
        }
        text.push_str(&yaml);
    }
    Ok(text)
}
