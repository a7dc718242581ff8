//! The error budget: the percentage of requests that v2 may fail.

#![expect(
    clippy::float_arithmetic,
    reason = "converts a percentage to a ratio, once"
)]

use std::fmt;
use std::str::FromStr;

use crate::share::Share;

/// The percentage of requests that v2 may fail: above 0 and below 100.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ErrorBudget(f64);

impl ErrorBudget {
    pub(crate) const fn percent(self) -> f64 {
        self.0
    }

    pub(crate) fn share(self) -> Share {
        Share::new(self.0 / 100.0)
    }
}

impl Default for ErrorBudget {
    /// 0.1 %.
    fn default() -> Self {
        Self(0.1)
    }
}

impl FromStr for ErrorBudget {
    type Err = InvalidErrorBudget;

    /// Parses a percentage, such as `0.1`.
    fn from_str(text: &str) -> Result<Self, InvalidErrorBudget> {
        let is_decimal = text
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'.');
        match text.parse::<f64>() {
            Ok(percent) if is_decimal && percent > 0.0 && percent < 100.0 => Ok(Self(percent)),
            _ => Err(InvalidErrorBudget),
        }
    }
}

impl fmt::Display for ErrorBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} %", self.0)
    }
}

/// The text is not an error budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidErrorBudget;

impl fmt::Display for InvalidErrorBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "expected a percentage above 0 and below 100, such as 0.1 for 1 in 1,000 \
             (no number of comparisons can show that nothing differs)",
        )
    }
}

impl std::error::Error for InvalidErrorBudget {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_percentages_and_refuses_other_text() {
        assert_eq!("0.1".parse(), Ok(ErrorBudget::default()));
        assert_eq!("2".parse(), Ok(ErrorBudget(2.0)));
        for bad in [
            "0", "0.0", "-1", "100", "1e-3", "NaN", "inf", "0.1%", "", ".",
        ] {
            assert_eq!(bad.parse::<ErrorBudget>(), Err(InvalidErrorBudget), "{bad}");
        }
    }
}
