//! Why a text is not an account, in words for who wrote it.

use crate::account::{Format, LONGEST_OPAQUE, Sid};
use crate::problem::{Problem, excerpt};

/// The characters of a SID.
const SID_LENGTH: usize = 34;

impl Format {
    /// Why a text is not an account of this format, as a sentence about `it`: `it has 33 characters,
    /// not 34`. The answer means nothing for a text that is one.
    #[must_use]
    pub fn fault(self, text: &[u8]) -> String {
        let text = String::from_utf8_lossy(text);
        match self {
            Self::Sid => sid_fault(&text),
            Self::Opaque => format!("it has {} bytes", text.len()),
        }
    }
}

/// What to report of a text that is not an account.
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
            format!("an account of {} bytes", account.len()),
            format!("write 1 to {LONGEST_OPAQUE} bytes"),
        ),
    }
}

fn sid_fault(text: &str) -> String {
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return String::from(match text {
            "" => "it is empty",
            _ => "it is nothing but white space",
        });
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
    } else {
        faults.extend(digits_fault(trimmed));
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

/// What is wrong with the characters behind the prefix, of which there are 32.
fn digits_fault(text: &str) -> Option<String> {
    let digits = text.chars().enumerate().skip(2);
    let mut bad = digits.filter(|(_, c)| !matches!(c, '0'..='9' | 'a'..='f'));
    let mut first = bad.next()?;
    let is_upper_case = |(_, c): &(usize, char)| matches!(c, 'A'..='F');
    if is_upper_case(&first) {
        match bad.find(|other| !is_upper_case(other)) {
            Some(other) => first = other,
            None => return Some(String::from("its hex digits are not all in lower case")),
        }
    }
    let (index, found) = first;
    Some(format!(
        "its character {}, `{}`, is not a hex digit",
        index.saturating_add(1),
        excerpt(&found.to_string())
    ))
}

/// The SID that a text most likely means: without the white space, in its cases.
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
}
