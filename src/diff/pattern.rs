//! Patterns of places in a body: a JSON Pointer in which `*` stands for any one step.

use std::fmt;

/// Which places in a body an option is for, as `/items/*/name`. The empty pattern is the whole
/// body. `~1` stands for `/` in a step and `~0` for `~`, as in any JSON Pointer.
///
/// A number names an element of a list by its index (from 0); in a list without an order only `*`
/// does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    steps: Vec<PatternStep>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PatternStep {
    Any,
    Name {
        name: String,
        /// The name as an index, where it can be one.
        index: Option<usize>,
    },
}

/// What is wrong with a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatternError {
    /// It does not begin with `/`.
    NoSlash,
    /// `*` with text beside it.
    StarInText,
    /// A `~` that is neither `~0` nor `~1`.
    Tilde,
    /// A `*` in the way to a key.
    StarInKey,
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// When the text is not a JSON Pointer, or has a `*` beside other text.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let steps = if text.is_empty() {
            Vec::new()
        } else {
            let inner = text.strip_prefix('/').ok_or(PatternError::NoSlash)?;
            inner
                .split('/')
                .map(PatternStep::parse)
                .collect::<Result<_, _>>()?
        };
        Ok(Self {
            text: text.to_owned(),
            steps,
        })
    }

    /// Reads the way to the key of an element: a pattern with no `*` in it.
    ///
    /// # Errors
    /// As of [`Pattern::parse`], and when there is a `*`.
    pub fn parse_key(text: &str) -> Result<Self, PatternError> {
        let pattern = Self::parse(text)?;
        if pattern.steps.contains(&PatternStep::Any) {
            return Err(PatternError::StarInKey);
        }
        Ok(pattern)
    }

    /// The pattern as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub(crate) fn steps(&self) -> &[PatternStep] {
        &self.steps
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl PatternStep {
    fn parse(text: &str) -> Result<Self, PatternError> {
        if text == "*" {
            return Ok(Self::Any);
        }
        if text.contains('*') {
            return Err(PatternError::StarInText);
        }
        // Each `~` begins one of two escapes.
        let mut rest = text;
        while let Some((_, after)) = rest.split_once('~') {
            if !after.starts_with(['0', '1']) {
                return Err(PatternError::Tilde);
            }
            rest = after;
        }
        let name = text.replace("~1", "/").replace("~0", "~");
        let is_index = match name.as_bytes() {
            [b'0'] => true,
            [b'1'..=b'9', rest @ ..] => rest.iter().all(u8::is_ascii_digit),
            _ => false,
        };
        let index = if is_index { name.parse().ok() } else { None };
        Ok(Self::Name { name, index })
    }
}

impl PatternError {
    /// What is wrong, as a sentence without its point.
    #[must_use]
    pub fn what(self) -> &'static str {
        match self {
            Self::NoSlash => "the way to a value begins with `/`",
            Self::StarInText => "`*` stands for one whole step, with no text beside it",
            Self::Tilde => "`~` is written `~0`, and `~1` is a `/` inside a step",
            Self::StarInKey => "a key is one value of each element, so its way has no `*`",
        }
    }

    /// What to write instead, as an imperative.
    #[must_use]
    pub fn help(self) -> &'static str {
        match self {
            Self::NoSlash => "write it from its first `/`, as in `/meta/at`",
            Self::StarInText => "write `/*` for any step, as in `/items/*/name`",
            Self::Tilde => "write `~0` for `~`",
            Self::StarInKey => "write the way from the element to its key, as in `/id`",
        }
    }
}
