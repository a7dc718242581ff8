//! How often v1 and v2 fail in a simulation: `v2:errors=5%`.

use std::fmt;

use turnout_core::guard::Arms;
use turnout_core::{Fraction, Treatment};
use turnout_text::nearest;

use crate::wording::excerpt;

/// The rates of v1, and those of v2 once it fails. Before that, v2 has the rates of v1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InjectedRates {
    errors: Arms<Option<Fraction>>,
    slow: Arms<Option<Fraction>>,
}

/// Why `ARM:KIND=PERCENT` is invalid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RateError {
    /// It does not have this form.
    Form,
    /// The arm is neither `v1` nor `v2`.
    Arm(String),
    /// The kind is neither `errors` nor `slow`.
    Kind(String),
    /// The value is not a percentage.
    Percentage(String),
    /// The rate is set twice.
    Twice(String),
}

const KINDS: [&str; 2] = ["errors", "slow"];

impl fmt::Display for RateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Form => f.write_str("expected ARM:KIND=PERCENT, for example v2:errors=5%"),
            Self::Arm(arm) => write!(f, "unknown arm `{arm}`; expected v1 or v2"),
            Self::Kind(kind) => match nearest(kind, KINDS) {
                Some(near) => write!(f, "unknown kind `{kind}`; did you mean `{near}`?"),
                None => write!(f, "unknown kind `{kind}`; expected errors or slow"),
            },
            Self::Percentage(text) => write!(
                f,
                "`{text}` is not a percentage; expected a number from 0 to 100 with at most 6 decimals"
            ),
            Self::Twice(what) => write!(f, "`{what}` is set twice; remove one of them"),
        }
    }
}

impl std::error::Error for RateError {}

impl InjectedRates {
    /// Parses and adds `ARM:KIND=PERCENT`. The percent sign may be omitted.
    ///
    /// # Errors
    /// If the text is not a valid rate, or if the rate is already set.
    pub fn add(&mut self, text: &str) -> Result<(), RateError> {
        let (what, value) = text.split_once('=').ok_or(RateError::Form)?;
        let (arm, kind) = what.split_once(':').ok_or(RateError::Form)?;
        let arm = match arm {
            "v1" => Treatment::V1,
            "v2" => Treatment::V2,
            other => return Err(RateError::Arm(excerpt(other.as_bytes()))),
        };
        let rates = match kind {
            "errors" => &mut self.errors,
            "slow" => &mut self.slow,
            other => return Err(RateError::Kind(excerpt(other.as_bytes()))),
        };
        let rate = percentage(value)
            .ok_or_else(|| RateError::Percentage(excerpt(value.trim().as_bytes())))?;
        match rates.get_mut(arm).replace(rate) {
            None => Ok(()),
            Some(_) => Err(RateError::Twice(excerpt(what.as_bytes()))),
        }
    }

    /// The share of errors in the requests of an arm. `has_begun` is whether v2 has begun to fail.
    #[must_use]
    pub fn errors(&self, arm: Treatment, has_begun: bool) -> Fraction {
        rate(&self.errors, arm, has_begun)
    }

    /// The share of slow requests.
    #[must_use]
    pub fn slow(&self, arm: Treatment, has_begun: bool) -> Fraction {
        rate(&self.slow, arm, has_begun)
    }

    /// Whether errors are injected.
    #[must_use]
    pub const fn has_errors(&self) -> bool {
        is_set(&self.errors)
    }

    /// Whether slow requests are injected.
    #[must_use]
    pub const fn has_slow(&self) -> bool {
        is_set(&self.slow)
    }
}

const fn is_set(rates: &Arms<Option<Fraction>>) -> bool {
    rates.v1.is_some() || rates.v2.is_some()
}

fn rate(rates: &Arms<Option<Fraction>>, arm: Treatment, has_begun: bool) -> Fraction {
    let of_v1 = rates.v1.unwrap_or(Fraction::NONE);
    match arm {
        Treatment::V2 if has_begun => rates.v2.unwrap_or(of_v1),
        Treatment::V1 | Treatment::V2 => of_v1,
    }
}

fn percentage(text: &str) -> Option<Fraction> {
    let text = text.trim();
    let number = text.strip_suffix('%').unwrap_or(text).trim_end();
    // Other texts are not numbers, though they may look like one.
    serde_json::from_str::<serde_json::Number>(number).ok()?;
    Fraction::from_percentage(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(texts: &[&str]) -> Result<InjectedRates, String> {
        let mut rates = InjectedRates::default();
        for text in texts {
            rates.add(text).map_err(|error| error.to_string())?;
        }
        Ok(rates)
    }

    #[test]
    fn v2_has_the_rates_of_v1_until_it_fails() {
        let rates = parsed(&["v1:errors=0.1%", "v2:errors=5", "v1:slow=1 %"]).unwrap();
        let percent = |rate: Fraction| rate.to_string();
        for (arm, has_begun, errors, slow) in [
            (Treatment::V1, false, "0.1", "1"),
            (Treatment::V2, false, "0.1", "1"),
            (Treatment::V1, true, "0.1", "1"),
            (Treatment::V2, true, "5", "1"),
        ] {
            assert_eq!(percent(rates.errors(arm, has_begun)), errors);
            assert_eq!(percent(rates.slow(arm, has_begun)), slow);
        }
        let rates = parsed(&["v2:errors=100%"]).unwrap();
        assert_eq!(percent(rates.errors(Treatment::V1, true)), "0");
        assert_eq!(percent(rates.errors(Treatment::V2, false)), "0");
        assert_eq!(percent(rates.errors(Treatment::V2, true)), "100");
        assert!(rates.has_errors() && !rates.has_slow());
    }

    #[test]
    fn other_texts_are_errors_that_name_what_is_expected() {
        for (text, expected) in [
            ("", "expected ARM:KIND=PERCENT, for example v2:errors=5%"),
            ("v2", "expected ARM:KIND=PERCENT, for example v2:errors=5%"),
            (
                "errors=5%",
                "expected ARM:KIND=PERCENT, for example v2:errors=5%",
            ),
            ("v3:errors=5%", "unknown arm `v3`; expected v1 or v2"),
            ("V2:errors=5%", "unknown arm `V2`; expected v1 or v2"),
            (
                "v2:error=5%",
                "unknown kind `error`; did you mean `errors`?",
            ),
            (
                "v2:latency=5%",
                "unknown kind `latency`; expected errors or slow",
            ),
        ] {
            assert_eq!(parsed(&[text]).unwrap_err(), expected, "{text}");
        }
        for value in [
            "",
            "%",
            "-1%",
            "120%",
            "5%%",
            "5e400%",
            "0x5",
            "+5",
            "5,0",
            "0.0000001",
            "NaN",
            "five",
        ] {
            let error = parsed(&[&format!("v2:errors={value}")]).unwrap_err();
            assert_eq!(
                error,
                format!(
                    "`{value}` is not a percentage; expected a number from 0 to 100 with at most 6 decimals"
                )
            );
        }
        assert_eq!(
            parsed(&["v2:errors=5%", "v2:errors=6%"]).unwrap_err(),
            "`v2:errors` is set twice; remove one of them"
        );
        let hostile = parsed(&["v2:\u{202e}=5%"]).unwrap_err();
        assert!(hostile.contains("\\u{202e}"), "{hostile}");
    }
}
