//! Which headers a proxy writes, as a list of words in JSON. It is read where it is not a proxy that
//! reads it: in `filter.json` and in the history. Where nothing is said, all are written.

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
