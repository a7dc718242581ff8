//! What an import is told besides the file.

use std::fmt;
use std::str::FromStr;

/// Whose file it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    /// The answer of `splitChanges`, or one definition.
    Split,
    /// The answer of `client/features`.
    Unleash,
    /// The answer of `sdk/latest-all`, or a flag of the REST API.
    LaunchDarkly,
    /// The answer of `api/features`.
    GrowthBook,
    /// A file of flag definitions.
    Flagd,
}

/// What an import is told besides the file.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Which flag; may be left out where the file has one.
    pub flag: Option<String>,
    /// Which environment, in a file that has several.
    pub environment: Option<String>,
    /// Which variation is v2, where it is not the one that says on or true.
    pub v2_is: Option<String>,
    /// The rollout's name; made of the flag's unless given.
    pub name: Option<String>,
    /// The cluster of v1; made of the name unless given.
    pub v1: Option<String>,
    /// The cluster of v2; made of the name unless given.
    pub v2: Option<String>,
    /// Where a request says its account; the header `x-account-sid` unless given.
    pub account: Vec<Source>,
    /// What an account looks like.
    pub format: Format,
    /// What the tool calls the account, where it is not the tool's own key of a user.
    pub account_key: Option<String>,
    /// By which of its formulas flagd draws.
    pub formula: Formula,
}

/// What an account looks like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// 1 to 128 bytes.
    #[default]
    Opaque,
    /// `AC` and 32 lower-case hex digits.
    Sid,
}

/// flagd's formula for `fractional`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Formula {
    /// Percentages, before the spring of 2026.
    One,
    /// Whole weights of a 32-bit hash, since then.
    #[default]
    Two,
}

/// A place of the account in a request: `header:NAME`, `path:TEMPLATE` or `basic_auth`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The value of a header.
    Header(String),
    /// The user name of Basic authentication.
    BasicAuth,
    /// A path with `{account}` in it.
    Path(String),
}

/// Not a place of an account. Its `Display` says what to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadSource;

impl fmt::Display for BadSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "not a place of an account; write header:NAME, path:TEMPLATE with {account} in it, \
             or basic_auth",
        )
    }
}

impl std::error::Error for BadSource {}

impl FromStr for Source {
    type Err = BadSource;

    fn from_str(text: &str) -> Result<Self, BadSource> {
        match text.split_once(':') {
            None if text == "basic_auth" => Ok(Self::BasicAuth),
            Some(("header", name)) => Ok(Self::Header(name.to_owned())),
            Some(("path", template)) => Ok(Self::Path(template.to_owned())),
            _ => Err(BadSource),
        }
    }
}
