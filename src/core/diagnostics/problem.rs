//! The problems that a document can have: each says what is wrong and what to write instead.

use std::borrow::Cow;
use std::fmt;

use turnout_text::{excerpt_for_terminal, nearest};

use crate::diagnostics::error_code::ErrorCode;
use crate::diagnostics::warning_code::WarningCode;
use crate::policy::packed_accounts::Fault;

/// A problem. Its `Display` says what is wrong; [`Problem::help`] says what to write instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem(ProblemKind);

/// A value that a field accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected {
    /// What the value is, with its article: `a list of rules`.
    pub what: &'static str,
    /// An example in JSON.
    pub example: &'static str,
    /// The most items of a list, or of an object whose keys the author chooses.
    pub most: usize,
}

impl Expected {
    pub(crate) const FIELD_NAME: Self = Self::new("a field name", "\"name\"");

    /// Describes a value. A list takes at most 1,000 items.
    #[must_use]
    pub const fn new(what: &'static str, example: &'static str) -> Self {
        Self {
            what,
            example,
            most: 1_000,
        }
    }

    /// Sets the most items of a list.
    #[must_use]
    pub const fn at_most(self, most: usize) -> Self {
        Self { most, ..self }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum ProblemKind {
    Empty {
        expected: Expected,
    },
    NotUtf8,
    Syntax(String),
    WrongType {
        expected: Expected,
        found: &'static str,
    },
    UnknownField {
        field: String,
        known: Vec<&'static str>,
    },
    RepeatedField {
        field: String,
    },
    MissingField {
        field: &'static str,
        expected: Expected,
    },
    UnknownWord {
        what: &'static str,
        found: String,
        known: Vec<&'static str>,
    },
    UnknownSegment {
        found: String,
        nearest: Option<String>,
    },
    UnknownRollout {
        found: String,
        instead: String,
    },
    RepeatedRollout {
        name: String,
        first: usize,
    },
    NotOneOf {
        what: &'static str,
        known: &'static [&'static str],
        found: usize,
    },
    TooMany {
        expected: Expected,
        found: usize,
    },
    EmptyList {
        what: &'static str,
        instead: &'static str,
    },
    Invalid {
        code: ErrorCode,
        what: Cow<'static, str>,
        instead: Cow<'static, str>,
    },
    /// The policy is valid, but probably not what the author intended.
    Warning {
        code: WarningCode,
        what: String,
        instead: String,
    },
    /// A problem of a document that is not a policy. Its codes belong to that document.
    Other {
        severity: Severity,
        code: &'static str,
        what: String,
        instead: String,
    },
}

/// Whether a problem makes a policy unusable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The policy can be used; a person has to judge.
    Warning,
    /// The policy is refused.
    Error,
}

impl Severity {
    /// `warning` or `error`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

impl Problem {
    /// Returns the severity of the problem.
    #[must_use]
    pub fn severity(&self) -> Severity {
        match &self.0 {
            ProblemKind::Warning { .. } => Severity::Warning,
            ProblemKind::Other { severity, .. } => *severity,
            _ => Severity::Error,
        }
    }

    /// Returns the code of the error or warning, for example `unknown-field`. It stays the same when the message is
    /// reworded.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match &self.0 {
            ProblemKind::Warning { code, .. } => code.as_str(),
            ProblemKind::Other { code, .. } => code,
            _ => self.error_code().map_or("", ErrorCode::as_str),
        }
    }

    /// Returns the code of an error of a policy; `None` for a warning.
    pub(crate) fn error_code(&self) -> Option<ErrorCode> {
        Some(match &self.0 {
            ProblemKind::Empty { .. } => ErrorCode::Empty,
            ProblemKind::NotUtf8 => ErrorCode::NotUtf8,
            ProblemKind::Syntax(_) => ErrorCode::Syntax,
            ProblemKind::WrongType { .. } => ErrorCode::WrongType,
            ProblemKind::UnknownField { .. } => ErrorCode::UnknownField,
            ProblemKind::RepeatedField { .. } => ErrorCode::RepeatedField,
            ProblemKind::MissingField { .. } => ErrorCode::MissingField,
            ProblemKind::UnknownWord { .. } => ErrorCode::UnknownWord,
            ProblemKind::UnknownSegment { .. } => ErrorCode::UnknownSegment,
            ProblemKind::RepeatedRollout { .. } => ErrorCode::RepeatedRollout,
            ProblemKind::UnknownRollout { .. } => ErrorCode::UnknownRollout,
            ProblemKind::NotOneOf { .. } => ErrorCode::NotOneOf,
            ProblemKind::TooMany { .. } => ErrorCode::TooMany,
            ProblemKind::EmptyList { .. } => ErrorCode::EmptyList,
            ProblemKind::Invalid { code, .. } => *code,
            ProblemKind::Warning { .. } | ProblemKind::Other { .. } => return None,
        })
    }

    /// Returns what to write instead, as an imperative.
    #[must_use]
    pub fn help(&self) -> String {
        match &self.0 {
            ProblemKind::Empty { expected } => {
                format!("write {}, for example {}", expected.what, expected.example)
            }
            ProblemKind::NotUtf8 => "write JSON in UTF-8; in Envoy, use a StringValue".into(),
            ProblemKind::Syntax(_) => "correct the JSON here; the rest was not read".into(),
            ProblemKind::WrongType { expected, .. } => {
                format!("for example, write {}", expected.example)
            }
            ProblemKind::UnknownField { field, known } => {
                match nearest(field, known.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("remove it, or write one of {}", Quoted(known)),
                }
            }
            ProblemKind::RepeatedField { .. } => "keep one of them".into(),
            ProblemKind::MissingField { field, expected } => {
                format!(
                    "add {}, for example \"{field}\": {}",
                    expected.what, expected.example
                )
            }
            ProblemKind::UnknownWord { found, known, .. } => {
                match nearest(found, known.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("write one of {}", Quoted(known)),
                }
            }
            ProblemKind::UnknownSegment { nearest, .. } => match nearest {
                Some(near) => format!("did you mean `{near}`?"),
                None => "declare it under /segments".into(),
            },
            ProblemKind::UnknownRollout { instead, .. } => instead.clone(),
            ProblemKind::RepeatedRollout { .. } => "give each rollout a unique name".into(),
            ProblemKind::NotOneOf { known, .. } => {
                format!("write exactly one of {}", Quoted(known))
            }
            ProblemKind::TooMany { expected, .. } => format!("write at most {}", expected.most),
            ProblemKind::EmptyList { instead, .. } => (*instead).into(),
            ProblemKind::Invalid { instead, .. } => instead.to_string(),
            ProblemKind::Warning { instead, .. } | ProblemKind::Other { instead, .. } => {
                instead.clone()
            }
        }
    }

    /// Creates a problem of a document that is not a policy. `code` is one of that document's own. `what` and `instead`
    /// must be escaped for a terminal, see [`excerpt`].
    #[must_use]
    pub fn of_document(
        severity: Severity,
        code: &'static str,
        what: String,
        instead: String,
    ) -> Self {
        Self(ProblemKind::Other {
            severity,
            code,
            what,
            instead,
        })
    }

    pub(crate) const fn empty(expected: Expected) -> Self {
        Self(ProblemKind::Empty { expected })
    }

    /// Creates the problem for a byte order mark. Editors do not show one, so the message has to name it.
    pub(crate) fn byte_order_mark() -> Self {
        let what = "the text begins with a byte order mark; save it as UTF-8 without one";
        Self(ProblemKind::Syntax(what.into()))
    }

    pub(crate) const fn not_utf8() -> Self {
        Self(ProblemKind::NotUtf8)
    }

    pub(crate) fn syntax(error: &serde_json::Error) -> Self {
        Self(ProblemKind::Syntax(without_place(error)))
    }

    pub(crate) fn lone_surrogate() -> Self {
        Self::invalid(
            "the string has half of a surrogate pair",
            "write the character itself, or both escapes",
        )
        .with_code(ErrorCode::MalformedString)
    }

    pub(crate) fn malformed_packed(fault: &Fault) -> Self {
        Self::invalid(fault.to_string(), "write the output of `turnout pack`")
            .with_code(ErrorCode::MalformedPacked)
    }

    pub(crate) fn wrong_type(expected: Expected, raw: &str) -> Self {
        Self(ProblemKind::WrongType {
            expected,
            found: type_of(raw),
        })
    }

    pub(crate) const fn too_many(expected: Expected, found: usize) -> Self {
        Self(ProblemKind::TooMany { expected, found })
    }

    pub(crate) fn unknown_field(field: &str, known: &[&'static str]) -> Self {
        Self(ProblemKind::UnknownField {
            field: excerpt(field),
            known: known.to_vec(),
        })
    }

    pub(crate) fn repeated_field(field: &str) -> Self {
        Self(ProblemKind::RepeatedField {
            field: excerpt(field),
        })
    }

    /// Creates the problem of a required field that is missing.
    #[must_use]
    pub const fn missing_field(field: &'static str, expected: Expected) -> Self {
        Self(ProblemKind::MissingField { field, expected })
    }

    pub(crate) fn unknown_word(what: &'static str, found: &str, known: &[&'static str]) -> Self {
        Self(ProblemKind::UnknownWord {
            what,
            found: excerpt(found),
            known: known.to_vec(),
        })
    }

    /// Creates the problem of a segment that the policy does not declare.
    #[must_use]
    pub fn unknown_segment(found: &str, known: &[String]) -> Self {
        let found = excerpt(found);
        Self(ProblemKind::UnknownSegment {
            nearest: nearest(&found, known).map(str::to_owned),
            found,
        })
    }

    pub(crate) fn unknown_rollout(found: &str, known: &[&str]) -> Self {
        let found = excerpt(found);
        let instead = match nearest(&found, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if known.is_empty() => String::from("the policy has no rollouts"),
            None => format!("write one of {}", Quoted(known)),
        };
        Self(ProblemKind::UnknownRollout { found, instead })
    }

    pub(crate) fn repeated_rollout(name: &str, first: usize) -> Self {
        Self(ProblemKind::RepeatedRollout {
            name: excerpt(name),
            first,
        })
    }

    pub(crate) const fn not_one_of(
        what: &'static str,
        known: &'static [&'static str],
        found: usize,
    ) -> Self {
        Self(ProblemKind::NotOneOf { what, known, found })
    }

    /// Creates the problem of a list that must not be empty.
    #[must_use]
    pub const fn empty_list(what: &'static str, instead: &'static str) -> Self {
        Self(ProblemKind::EmptyList { what, instead })
    }

    pub(crate) fn invalid(
        what: impl Into<Cow<'static, str>>,
        instead: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self::invalid_value(what.into(), instead.into())
    }

    /// A separate function, because [`Problem::invalid`] is generic and has many callers.
    #[cold]
    #[inline(never)]
    fn invalid_value(what: Cow<'static, str>, instead: Cow<'static, str>) -> Self {
        Self(ProblemKind::Invalid {
            code: ErrorCode::InvalidValue,
            what,
            instead,
        })
    }

    /// Sets the code of an invalid value.
    pub(crate) fn with_code(mut self, own: ErrorCode) -> Self {
        if let ProblemKind::Invalid { code, .. } = &mut self.0 {
            *code = own;
        }
        self
    }

    pub(crate) fn warning(code: WarningCode, what: String, instead: String) -> Self {
        Self(ProblemKind::Warning {
            code,
            what,
            instead,
        })
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            ProblemKind::Empty { .. } => f.write_str("the text is empty"),
            ProblemKind::NotUtf8 => f.write_str("the text is not UTF-8"),
            ProblemKind::Syntax(what) => write!(f, "not JSON: {what}"),
            ProblemKind::WrongType { expected, found } => {
                write!(f, "expected {}, found {found}", expected.what)
            }
            ProblemKind::UnknownField { field, .. } => write!(f, "unknown field `{field}`"),
            ProblemKind::RepeatedField { field } => {
                write!(f, "duplicate field `{field}`")
            }
            ProblemKind::MissingField { field, .. } => write!(f, "`{field}` is missing"),
            ProblemKind::UnknownWord { what, found, .. } => write!(f, "unknown {what} `{found}`"),
            ProblemKind::UnknownSegment { found, .. } => write!(f, "unknown segment `{found}`"),
            ProblemKind::UnknownRollout { found, .. } => write!(f, "no rollout `{found}`"),
            ProblemKind::RepeatedRollout { name, first } => {
                write!(f, "/rollouts/{first} already has the name `{name}`")
            }
            ProblemKind::NotOneOf { what, known, found } => match found {
                0 => write!(f, "{what} has none of {}", Quoted(known)),
                _ => write!(f, "{what} has {found} of {}", Quoted(known)),
            },
            ProblemKind::TooMany { expected, found } => {
                write!(f, "{} has {found} items", expected.what)
            }
            ProblemKind::EmptyList { what, .. } => write!(f, "{what} is empty"),
            ProblemKind::Invalid { what, .. } => f.write_str(what),
            ProblemKind::Warning { what, .. } | ProblemKind::Other { what, .. } => {
                f.write_str(what)
            }
        }
    }
}

/// Returns the message of `serde_json` without the location, which is reported separately.
fn without_place(error: &serde_json::Error) -> String {
    let sentence = error.to_string();
    let place = sentence.rsplit_once(" at line ");
    place.map_or(sentence.as_str(), |(what, _)| what).to_owned()
}

/// Formats words as `` `a`, `b`, `c` ``.
struct Quoted<'a>(&'a [&'a str]);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, word) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(f, "{separator}`{word}`")?;
        }
        Ok(())
    }
}

/// The most characters of the author's text that a message quotes.
const EXCERPT_LEN: usize = 64;

/// Returns the beginning of what the author wrote, escaped for a terminal.
#[must_use]
pub fn excerpt(found: &str) -> String {
    excerpt_for_terminal(found, EXCERPT_LEN)
}

/// Returns the beginning of what the author wrote, unescaped.
pub(crate) fn beginning(found: &str) -> String {
    turnout_text::excerpt(found, EXCERPT_LEN).into_owned()
}

fn type_of(raw: &str) -> &'static str {
    match raw.as_bytes().first() {
        Some(b'{') => "an object",
        Some(b'[') => "a list",
        Some(b'"') => "a string",
        Some(b't' | b'f') => "a Boolean",
        Some(b'n') => "null",
        _ => "a number",
    }
}
