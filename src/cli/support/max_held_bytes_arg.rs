//! The `--max-held-bytes` argument: how many bytes the filter holds in one worker.

use clap::builder::{RangedI64ValueParser, TypedValueParser};
use turnout_core::MaxHeldBytes;

/// Parses a number in the allowed range. The error has the range.
pub(crate) fn parser() -> impl TypedValueParser<Value = MaxHeldBytes> {
    let range = i64::from(*MaxHeldBytes::RANGE.start())..=i64::from(*MaxHeldBytes::RANGE.end());
    RangedI64ValueParser::<u32>::new()
        .range(range)
        .try_map(|bytes| MaxHeldBytes::new(bytes).ok_or("out of range"))
}
