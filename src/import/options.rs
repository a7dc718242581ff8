//! Options of an import.

use std::fmt;
use std::str::FromStr;

/// The tool that exported the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    /// Split: the response of `splitChanges`, or one flag definition.
    Split,
    /// Unleash: the response of `client/features`.
    Unleash,
    /// LaunchDarkly: the response of `sdk/latest-all`, or a flag of the REST API.
    LaunchDarkly,
    /// GrowthBook: the response of `api/features`.
    GrowthBook,
    /// flagd: a file of flag definitions.
    Flagd,
}

/// Options of an import.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The flag; optional if the file has one flag.
    pub flag: Option<String>,
    /// The environment; optional if the file has one environment.
    pub environment: Option<String>,
    /// The variation that is v2; by default the one named `on`, `true`, `v2` or `enabled`.
    pub v2_is: Option<String>,
    /// The rollout's name; by default derived from the flag's.
    pub name: Option<String>,
    /// The cluster of v1; by default the rollout's name and `-v1`.
    pub v1: Option<String>,
    /// The cluster of v2; by default the rollout's name and `-v2`.
    pub v2: Option<String>,
    /// Where a request has its account; by default the header `x-account-sid`.
    pub account: Vec<AccountSource>,
    /// The format of accounts.
    pub format: AccountFormat,
    /// The tool's name for the account; by default the tool's own key of a user.
    pub account_key: Option<String>,
    /// The version of flagd's `fractional`.
    pub formula: FractionalVersion,
}

/// The format of accounts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AccountFormat {
    /// 1 to 128 bytes.
    #[default]
    Opaque,
    /// `AC` and 32 lower-case hex digits.
    Sid,
}

/// The version of flagd's `fractional` operation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FractionalVersion {
    /// Percentages: flagd before the spring of 2026.
    One,
    /// Whole weights of a 32-bit hash: flagd since the spring of 2026.
    #[default]
    Two,
}

/// Where a request has its account: `header:NAME`, `path:TEMPLATE` or `basic_auth`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccountSource {
    /// The value of a header.
    Header(String),
    /// The user name of Basic authentication.
    BasicAuth,
    /// A path template with `{account}`.
    Path(String),
}

/// The text is not an account source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidAccountSource;

impl fmt::Display for InvalidAccountSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "expected header:NAME, path:TEMPLATE with {account} in the template, or basic_auth",
        )
    }
}

impl std::error::Error for InvalidAccountSource {}

impl FromStr for AccountSource {
    type Err = InvalidAccountSource;

    fn from_str(text: &str) -> Result<Self, InvalidAccountSource> {
        match text.split_once(':') {
            None if text == "basic_auth" => Ok(Self::BasicAuth),
            Some(("header", name)) => Ok(Self::Header(name.to_owned())),
            Some(("path", template)) => Ok(Self::Path(template.to_owned())),
            _ => Err(InvalidAccountSource),
        }
    }
}
