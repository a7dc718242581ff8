//! The number that another tool shows for the position of an account.

use std::fmt;

use turnout_text::format_decimal;

/// A tool's own number for a position. `Display` writes it as the tool does; all but
/// [`ToolPosition::Never`] are JSON numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ToolPosition {
    /// The tool never buckets this account: it is outside of the namespace or traffic allocation.
    Never,
    /// A whole number.
    Whole(u64),
    /// A decimal number: its digits without the point, and the number of decimals.
    Decimal(u64, u32),
    /// A 32-bit float.
    Single(f32),
    /// A 64-bit float.
    Double(f64),
}

impl fmt::Display for ToolPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Never => f.write_str("never"),
            Self::Whole(number) => write!(f, "{number}"),
            Self::Decimal(number, decimals) => f.write_str(&format_decimal(number, decimals)),
            Self::Single(number) => write!(f, "{number}"),
            Self::Double(number) => write!(f, "{number}"),
        }
    }
}
