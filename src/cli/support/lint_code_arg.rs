//! The `--allow` argument of `lint` and `apply`: a warning code.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use turnout_core::WarningCode;

/// Parses a warning code. The error lists all codes.
pub(crate) fn parser() -> impl TypedValueParser<Value = WarningCode> {
    let words = WarningCode::ALL.map(WarningCode::as_str);
    PossibleValuesParser::new(words).try_map(|word| {
        let mut codes = WarningCode::ALL.into_iter();
        let code = codes.find(|code| code.as_str() == word);
        code.ok_or("unknown warning code")
    })
}
