//! The `--record-level` argument: the log level of the proxies' records.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use turnout_core::RecordLevel;

/// Parses a level. The error lists all levels.
pub(crate) fn parser() -> impl TypedValueParser<Value = RecordLevel> {
    let words = RecordLevel::ALL.map(RecordLevel::as_str);
    PossibleValuesParser::new(words)
        .try_map(|word| RecordLevel::from_word(&word).ok_or("unknown level"))
}
