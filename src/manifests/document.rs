//! Writes Kubernetes objects as YAML.

use serde_json::{Map, Value};
use serde_saphyr::{ser_options, to_string_with_options};
use turnout_text::{begins_ci_command, is_visible};

use crate::error::{Error, ErrorCollector, Errors, LARGEST};

/// A Kubernetes object with a comment.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// The purpose of the object, in a line or two.
    pub comment: &'static str,
    /// The `kind` of the object.
    pub kind: &'static str,
    /// The object as JSON.
    pub object: Value,
}

/// Writes all objects to one file, each after its comment.
///
/// # Errors
/// An error for each object that is larger than a cluster accepts.
pub fn to_yaml(documents: &[Document]) -> Result<String, Errors> {
    let mut errors = ErrorCollector::default();
    for document in documents {
        let bytes = document.object.to_string().len();
        if bytes > LARGEST {
            let kind = document.kind;
            errors.push(Error::TooLarge { kind, bytes });
        }
    }
    errors.finish()?;
    let mut text = String::new();
    for document in documents {
        let options = ser_options! { prefer_block_scalars: false };
        let mut placeholders = Placeholders::of(&document.object);
        let object = placeholders.replace(&document.object);
        let yaml = to_string_with_options(&object, options)
            .map_err(|error| Error::Configuration(error.to_string()))?;
        let yaml = placeholders.restore(&yaml);
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

/// Escapes strings that a terminal or a CI system would interpret. The serializer does not escape them, so each is
/// replaced by a placeholder before serialization, and by a quoted string with escapes afterwards.
struct Placeholders {
    /// The prefix of the placeholders, which no string of the object contains.
    prefix: String,
    texts: Vec<String>,
}

impl Placeholders {
    fn of(object: &Value) -> Self {
        let json = object.to_string();
        let mut words = (0_u64..).map(|number| format!("escaped-{number}-text-"));
        let word = words.find(|word| !json.contains(word.as_str()));
        Self {
            prefix: word.unwrap_or_default(),
            texts: Vec::new(),
        }
    }

    fn replace(&mut self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.placeholder_for(text)),
            Value::Array(items) => items.iter().map(|item| self.replace(item)).collect(),
            Value::Object(fields) => {
                let fields = fields.iter();
                let fields =
                    fields.map(|(name, value)| (self.placeholder_for(name), self.replace(value)));
                Value::Object(fields.collect::<Map<_, _>>())
            }
            other => other.clone(),
        }
    }

    fn placeholder_for(&mut self, text: &str) -> String {
        let mut places = text.match_indices("##");
        let is_command = places.any(|(place, _)| text.get(place..).is_some_and(begins_ci_command));
        if !is_command && text.chars().all(is_visible) {
            return text.to_owned();
        }
        self.texts.push(text.to_owned());
        format!("{}{}-", self.prefix, self.texts.len())
    }

    fn restore(&self, yaml: &str) -> String {
        let mut written = String::with_capacity(yaml.len());
        let mut pieces = yaml.split(self.prefix.as_str());
        written.push_str(pieces.next().unwrap_or_default());
        for piece in pieces {
            let (number, rest) = piece.split_once('-').unwrap_or((piece, ""));
            let index = number.parse::<usize>().ok().and_then(|n| n.checked_sub(1));
            if let Some(text) = index.and_then(|index| self.texts.get(index)) {
                push_quoted(&mut written, text);
            }
            written.push_str(rest);
        }
        written
    }
}

fn push_quoted(yaml: &mut String, text: &str) {
    yaml.push('"');
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        match c {
            '"' => yaml.push_str("\\\""),
            '\\' => yaml.push_str("\\\\"),
            '#' if begins_ci_command(rest) => yaml.push_str("\\x23"),
            c if is_visible(c) => yaml.push(c),
            c => match u32::from(c) {
                code @ ..=0xffff => yaml.push_str(&format!("\\u{code:04X}")),
                code => yaml.push_str(&format!("\\U{code:08X}")),
            },
        }
        rest = rest.get(c.len_utf8()..).unwrap_or_default();
    }
    yaml.push('"');
}
