//! Serializes the headers that a proxy writes as a list of words, for `filter.json` and the history. An absent
//! field means all of them.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serializer};
use turnout_core::EmittedHeaders;

pub(crate) fn serialize<S: Serializer>(
    written: &EmittedHeaders,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(written.words())
}

pub(crate) fn deserialize<'t, D: Deserializer<'t>>(
    deserializer: D,
) -> Result<EmittedHeaders, D::Error> {
    let words = Vec::<String>::deserialize(deserializer)?;
    EmittedHeaders::from_words(words.iter().map(String::as_str))
        .ok_or_else(|| D::Error::custom("no such `headers`"))
}
