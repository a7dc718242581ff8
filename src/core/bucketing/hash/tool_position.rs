//! How a tool shows where an account stands.

use std::fmt;

use turnout_text::format_decimal;

/// A tool's own number for a position. `Display` writes it as the tool does; all but
/// [`Native::Never`] is a JSON number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ToolPosition {
    /// The tool draws this account never: it is outside of what the tool looks at.
    Never,
    /// A whole number.
    Whole(u64),
    /// A number of this many decimals, without its point.
    Decimal(u64, u32),
    /// What the tool computes in 32 bits.
    Single(f32),
    /// What the tool computes in 64 bits.
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
