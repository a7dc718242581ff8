//! Patterns for places in a body: JSON Pointers in which `*` matches any one step.

use std::fmt;

/// Selects the places to which an option applies, for example `/items/*/name`. The empty pattern
/// selects the whole body. In a step, `~1` means `/` and `~0` means `~`, as in any JSON Pointer.
///
/// A number selects an element of a list by its index, counted from 0. In an unordered list only `*`
/// selects elements.
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
        /// The name as an index, if it is one.
        index: Option<usize>,
    },
}

/// What is wrong with a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatternError {
    /// It does not begin with `/`.
    NoSlash,
    /// `*` is only a part of a step.
    StarInText,
    /// A `~` is followed by neither `0` nor `1`.
    Tilde,
    /// The path of a key contains `*`.
    StarInKey,
}

impl Pattern {
    /// Parses a pattern.
    ///
    /// # Errors
    /// If the text is not a JSON Pointer, or `*` is only a part of a step.
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

    /// Parses the path from an element to its key: a pattern without `*`.
    ///
    /// # Errors
    /// As [`Pattern::parse`], and if the path contains `*`.
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
    /// Says what is wrong, without a final period.
    #[must_use]
    pub fn what(self) -> &'static str {
        match self {
            Self::NoSlash => "expected a JSON Pointer, which begins with `/`",
            Self::StarInText => "`*` matches one whole step and cannot be part of one",
            Self::Tilde => "`~` must be followed by `0` or `1`: `~0` means `~`, and `~1` means `/`",
            Self::StarInKey => {
                "each element has one key, so the path of the key cannot contain `*`"
            }
        }
    }

    /// Says what to write instead, in the imperative.
    #[must_use]
    pub fn help(self) -> &'static str {
        match self {
            Self::NoSlash => "start with `/`, as in `/meta/at`",
            Self::StarInText => "write `/*` for any step, as in `/items/*/name`",
            Self::Tilde => "write `~0` for `~`",
            Self::StarInKey => "write the path from the element to its key, as in `/id`",
        }
    }
}
