//! Objects of Kubernetes, as YAML.

use serde_json::{Map, Value};
use serde_saphyr::{ser_options, to_string_with_options};
use turnout_text::{begins_ci_command, is_visible};

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
        let mut hidden = Hidden::of(&document.object);
        let object = hidden.without(&document.object);
        let yaml = to_string_with_options(&object, options)
            .map_err(|error| Error::Configuration(error.to_string()))?;
        let yaml = hidden.put_back(&yaml);
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

/// Texts that a terminal or a CI system would obey. The serializer writes them as they are, so each gives its
/// place to a plain word until the YAML is there, and comes back as a quoted text with escapes.
struct Hidden {
    /// What the words begin with; no text of the object has it.
    word: String,
    texts: Vec<String>,
}

impl Hidden {
    fn of(object: &Value) -> Self {
        let json = object.to_string();
        let mut words = (0_u64..).map(|number| format!("escaped-{number}-text-"));
        let word = words.find(|word| !json.contains(word.as_str()));
        Self {
            word: word.unwrap_or_default(),
            texts: Vec::new(),
        }
    }

    fn without(&mut self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.word_for(text)),
            Value::Array(items) => items.iter().map(|item| self.without(item)).collect(),
            Value::Object(fields) => {
                let fields = fields.iter();
                let fields = fields.map(|(name, value)| (self.word_for(name), self.without(value)));
                Value::Object(fields.collect::<Map<_, _>>())
            }
            other => other.clone(),
        }
    }

    fn word_for(&mut self, text: &str) -> String {
        let mut places = text.match_indices("##");
        let is_command = places.any(|(place, _)| text.get(place..).is_some_and(begins_ci_command));
        if !is_command && text.chars().all(is_visible) {
            return text.to_owned();
        }
        self.texts.push(text.to_owned());
        format!("{}{}-", self.word, self.texts.len())
    }

    fn put_back(&self, yaml: &str) -> String {
        let mut written = String::with_capacity(yaml.len());
        let mut pieces = yaml.split(self.word.as_str());
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
