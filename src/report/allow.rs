//! How much of v2 may fail.

#![expect(
    clippy::float_arithmetic,
    reason = "a percentage is made a ratio, once"
)]

use std::fmt;
use std::str::FromStr;

use crate::percent::Share;

/// The share of requests that v2 may fail: more than 0 % and less than 100 %.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Allow(f64);

impl Allow {
    pub(crate) const fn percent(self) -> f64 {
        self.0
    }

    pub(crate) fn share(self) -> Share {
        Share::new(self.0 / 100.0)
    }
}

impl Default for Allow {
    /// 0.1 %.
    fn default() -> Self {
        Self(0.1)
    }
}

impl FromStr for Allow {
    type Err = BadAllow;

    /// Reads a percentage, `0.1`.
    fn from_str(text: &str) -> Result<Self, BadAllow> {
        let plain = text
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'.');
        match text.parse::<f64>() {
            Ok(percent) if plain && percent > 0.0 && percent < 100.0 => Ok(Self(percent)),
            _ => Err(BadAllow),
        }
    }
}

impl fmt::Display for Allow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} %", self.0)
    }
}

/// A text that says of no share that it is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadAllow;

impl fmt::Display for BadAllow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "not a percentage above 0 and below 100; write for example 0.1, for 1 in 1,000 \
             (no number of comparisons can show that nothing at all differs)",
        )
    }
}

impl std::error::Error for BadAllow {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_percentages_and_refuses_the_rest() {
        assert_eq!("0.1".parse(), Ok(Allow::default()));
        assert_eq!("2".parse(), Ok(Allow(2.0)));
        for bad in [
            "0", "0.0", "-1", "100", "1e-3", "NaN", "inf", "0.1%", "", ".",
        ] {
            assert_eq!(bad.parse::<Allow>(), Err(BadAllow), "{bad}");
        }
    }
}
