//! Serializes the log level of shadow records as a word, for `filter.json` and the history. An absent field
//! means `info`.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serializer};
use turnout_core::RecordLevel;

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes what it serializes by reference"
)]
pub(crate) fn serialize<S: Serializer>(
    level: &RecordLevel,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(level.as_str())
}

pub(crate) fn deserialize<'t, D: Deserializer<'t>>(
    deserializer: D,
) -> Result<RecordLevel, D::Error> {
    let word = String::deserialize(deserializer)?;
    RecordLevel::from_word(&word).ok_or_else(|| D::Error::custom("no such `record_level`"))
}
