//! The bearer token of a Prometheus server.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use turnout_text::escape_for_terminal;

/// The longest token, in bytes.
const LONGEST: u64 = 16 << 10;

/// A bearer token. It is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct BearerToken(String);

impl BearerToken {
    /// Reads a token from a file, without the white space around it.
    ///
    /// # Errors
    /// A sentence that says why the file has no token.
    pub fn read(file: &Path) -> Result<Self, String> {
        let name = file.display().to_string();
        let name = escape_for_terminal(&name);
        let mut text = String::new();
        File::open(file)
            .and_then(|file| {
                file.take(LONGEST.saturating_add(1))
                    .read_to_string(&mut text)
            })
            .map_err(|error| format!("cannot read the token in {name}: {error}"))?;
        let token = text.trim();
        let what = match token {
            "" => "the file is empty",
            _ if text.len() as u64 > LONGEST => "it is longer than 16 KiB",
            _ if !token.bytes().all(|byte| byte.is_ascii_graphic()) => {
                "it has a blank or a character that no token has"
            }
            _ => return Ok(Self(token.to_owned())),
        };
        Err(format!(
            "the token in {name} is invalid: {what}; expected a file with the token alone"
        ))
    }

    /// The value of the header `authorization`.
    pub(crate) fn header(&self) -> String {
        format!("Bearer {}", self.0)
    }
}

impl fmt::Debug for BearerToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BearerToken(…)")
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_token_is_read_and_never_shown() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        let read = |text: &str| {
            fs::write(&file, text).unwrap();
            BearerToken::read(&file)
        };
        let token = read("  s3cret\n").unwrap();
        assert_eq!(token.header(), "Bearer s3cret");
        assert_eq!(format!("{token:?}"), "BearerToken(…)");
        for (text, what) in [
            ("", "is empty"),
            (" \n", "is empty"),
            ("s3cret s3cret", "a blank"),
            ("s3cret\ns3cret", "a blank"),
            ("s3crét", "a blank or a character"),
            (&"s3cret".repeat(10_000), "longer than 16 KiB"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(what) && !error.contains("s3cr"), "{error}");
        }
        let error = BearerToken::read(&folder.path().join("absent")).unwrap_err();
        assert!(error.starts_with("cannot read the token in "), "{error}");
    }
}
