//! Serializes the limit of held bytes as a number, for `filter.json` and the history. An absent field means the
//! default.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serializer};
use turnout_core::MaxHeldBytes;

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes what it serializes by reference"
)]
pub(crate) fn serialize<S: Serializer>(
    most: &MaxHeldBytes,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_u32(most.get())
}

pub(crate) fn deserialize<'t, D: Deserializer<'t>>(
    deserializer: D,
) -> Result<MaxHeldBytes, D::Error> {
    let bytes = u32::deserialize(deserializer)?;
    MaxHeldBytes::new(bytes).ok_or_else(|| D::Error::custom("`max_held_bytes` is out of range"))
}
