//! Explains why a text is not an account.

use crate::diagnostics::problem::{Problem, excerpt};
use crate::request::account_id::{Format, LONGEST_OPAQUE, Sid};

/// The number of characters of a SID.
const SID_LENGTH: usize = 34;

impl Format {
    /// Explains why a text is not an account of this format, in a sentence about `it`: `it has 33 characters, not
    /// 34`. The result is meaningless if the text is an account.
    #[must_use]
    pub fn fault(self, text: &[u8]) -> String {
        let text = String::from_utf8_lossy(text);
        match self {
            Self::Sid => sid_fault(&text),
            Self::Opaque => format!("it has {} bytes", text.len()),
        }
    }

    /// Explains why a text is not an account of this format without quoting it: `34 characters expected, found 33`.
    /// The result is meaningless if the text is an account.
    #[must_use]
    pub fn fault_kind(self, text: &[u8]) -> String {
        let Ok(text) = std::str::from_utf8(text) else {
            return String::from("it is not UTF-8");
        };
        match self {
            Self::Sid => sid_fault_kind(text),
            Self::Opaque => format!("1 to {LONGEST_OPAQUE} bytes expected, found {}", text.len()),
        }
    }
}

/// Creates the problem for a text that is not an account.
pub(crate) fn malformed_account(account: &str, format: Format) -> Problem {
    let shown = excerpt(account);
    match format {
        Format::Sid => {
            let repaired = repaired(account);
            let instead = match Sid::parse(repaired.as_bytes()) {
                Some(_) => format!("write `{repaired}`"),
                None => String::from("write `AC` and 32 lower-case hex digits"),
            };
            let why = sid_fault(account);
            Problem::invalid(format!("`{shown}` is not an account SID: {why}"), instead)
        }
        Format::Opaque => Problem::invalid(
            format!("the account has {} bytes", account.len()),
            format!("write 1 to {LONGEST_OPAQUE} bytes"),
        ),
    }
}

/// Explains what is wrong as [`sid_fault`] does, without quoting the text.
fn sid_fault_kind(text: &str) -> String {
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return String::from(blank_fault(text));
    }
    let mut faults = Vec::new();
    if trimmed != text {
        faults.push(String::from("it has white space at its ends"));
    }
    let length = trimmed.chars().count();
    if length != SID_LENGTH {
        faults.push(format!("{SID_LENGTH} characters expected, found {length}"));
    } else if let Some(fault) = digits_fault(trimmed) {
        faults.push(match fault {
            DigitsFault::UpperCase => String::from(UPPER_CASE),
            DigitsFault::NoDigit { position, .. } => {
                format!("its character {position} is not a hex digit")
            }
        });
    }
    if !trimmed.starts_with("AC") {
        faults.push(String::from("it does not begin with AC"));
    }
    faults.join(", and ")
}

fn blank_fault(text: &str) -> &'static str {
    match text {
        "" => "it is empty",
        _ => "it is nothing but white space",
    }
}

fn sid_fault(text: &str) -> String {
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return String::from(blank_fault(text));
    }
    let mut faults = Vec::new();
    if trimmed != text {
        faults.push(String::from("it has white space at its ends"));
    }
    let length = trimmed.chars().count();
    if length != SID_LENGTH {
        let characters = match length {
            1 => "1 character",
            _ => &format!("{length} characters"),
        };
        faults.push(format!("it has {characters}, not {SID_LENGTH}"));
    } else if let Some(fault) = digits_fault(trimmed) {
        faults.push(match fault {
            DigitsFault::UpperCase => String::from(UPPER_CASE),
            DigitsFault::NoDigit { position, found } => format!(
                "its character {position}, `{}`, is not a hex digit",
                excerpt(&found.to_string())
            ),
        });
    }
    let prefix: String = trimmed.chars().take(2).collect();
    if prefix != "AC" {
        let prefix = excerpt(&prefix);
        faults.push(format!(
            "it begins with {prefix}; an account SID begins with AC"
        ));
    }
    faults.join(", and ")
}

/// What is wrong with the digits of a SID.
enum DigitsFault {
    UpperCase,
    NoDigit {
        /// The position of the character in the whole text, from 1.
        position: usize,
        found: char,
    },
}

const UPPER_CASE: &str = "its hex digits are not all in lower case";

/// Finds what is wrong with the 32 characters after the prefix.
fn digits_fault(text: &str) -> Option<DigitsFault> {
    let digits = text.chars().enumerate().skip(2);
    let mut bad = digits.filter(|(_, c)| !matches!(c, '0'..='9' | 'a'..='f'));
    let mut first = bad.next()?;
    let is_upper_case = |(_, c): &(usize, char)| matches!(c, 'A'..='F');
    if is_upper_case(&first) {
        match bad.find(|other| !is_upper_case(other)) {
            Some(other) => first = other,
            None => return Some(DigitsFault::UpperCase),
        }
    }
    let (index, found) = first;
    Some(DigitsFault::NoDigit {
        position: index.saturating_add(1),
        found,
    })
}

/// Returns the SID that a text most likely means: without white space, and with the right letter case.
fn repaired(text: &str) -> String {
    let lower = text.trim().to_ascii_lowercase();
    match lower.strip_prefix("ac") {
        Some(digits) => format!("AC{digits}"),
        None => lower,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fault_of_a_text_that_is_not_a_sid_is_named_exactly() {
        let digits = "7342e9713fa896e4af00c654c444aada";
        let but_one = "7342e9713fa896e4af00c654c444aad";
        for (text, why, instead) in [
            ("", "it is empty", None),
            ("  ", "it is nothing but white space", None),
            (
                &format!("SK{digits}"),
                "it begins with SK; an account SID begins with AC",
                None,
            ),
            (
                &format!("ac{digits}"),
                "it begins with ac; an account SID begins with AC",
                Some(()),
            ),
            (
                &format!("AC{}", digits.to_uppercase()),
                "its hex digits are not all in lower case",
                Some(()),
            ),
            (
                &format!("AC{but_one}A"),
                "its hex digits are not all in lower case",
                Some(()),
            ),
            (
                &format!("AC{but_one}"),
                "it has 33 characters, not 34",
                None,
            ),
            (
                "A",
                "it has 1 character, not 34, and it begins with A; an account SID begins with AC",
                None,
            ),
            (
                &format!("SK{digits}0"),
                "it has 35 characters, not 34, and it begins with SK; an account SID begins with AC",
                None,
            ),
            (
                &format!("AC{but_one}g"),
                "its character 34, `g`, is not a hex digit",
                None,
            ),
            (
                "ACA7342e9713f\u{7}7342e9713fa896e4af00",
                "its character 14, `\\u{7}`, is not a hex digit",
                None,
            ),
            (
                &format!(" AC{digits}\n"),
                "it has white space at its ends",
                Some(()),
            ),
            (
                &format!("SK{}", digits.to_uppercase()),
                "its hex digits are not all in lower case, and it begins with SK; an account SID begins with AC",
                None,
            ),
        ] {
            assert_eq!(Format::Sid.fault(text.as_bytes()), why, "{text:?}");
            let means_this = repaired(text) == format!("AC{digits}");
            assert_eq!(means_this, instead.is_some(), "{text:?}");
        }
        assert_eq!(Format::Opaque.fault(b""), "it has 0 bytes");
    }

    #[test]
    fn the_kind_of_a_fault_has_no_character_of_the_text() {
        let digits = "7342e9713fa896e4af00c654c444aada";
        for (text, kind) in [
            ("", "it is empty"),
            (
                "secret=42",
                "34 characters expected, found 9, and it does not begin with AC",
            ),
            (&format!("AC{digits}0"), "34 characters expected, found 35"),
            (&format!("SK{digits}"), "it does not begin with AC"),
            (&format!(" AC{digits}"), "it has white space at its ends"),
            (
                &format!("AC{}", digits.to_uppercase()),
                "its hex digits are not all in lower case",
            ),
            (
                &format!("AC{}%", digits.split_at(31).0),
                "its character 34 is not a hex digit",
            ),
        ] {
            assert_eq!(Format::Sid.fault_kind(text.as_bytes()), kind, "{text:?}");
        }
        let long = [b'x'; 129];
        assert_eq!(
            Format::Opaque.fault_kind(&long),
            "1 to 128 bytes expected, found 129"
        );
        assert_eq!(Format::Opaque.fault_kind(b"\xff"), "it is not UTF-8");
    }
}
