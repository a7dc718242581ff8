//! The level at which the proxies write their records, as an option.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use turnout_core::RecordLevel;

/// Reads one of the known words. The error lists them.
pub(crate) fn parser() -> impl TypedValueParser<Value = RecordLevel> {
    let words = RecordLevel::ALL.map(RecordLevel::as_str);
    PossibleValuesParser::new(words)
        .try_map(|word| RecordLevel::from_word(&word).ok_or("no such level"))
}
